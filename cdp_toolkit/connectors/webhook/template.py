"""JSON with places for values."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from cdp_toolkit.errors import UnknownNameError

_PLACE = re.compile(r"\{(\w+)\}")


def filled(template: Any, values: Mapping[str, Any]) -> Any:
    """Return a template with its values.

    Parameters
    ----------
    template
        Anything that JSON can hold; ``{name}`` in its texts is a place.
    values
        Value by name.

    Returns
    -------
    Any
        The same, where a text that is a place and nothing else has the value itself, such as a number or a list.

    Examples
    --------
    >>> filled({"id": "{key}", "greeting": "Hello {name}"}, {"key": 7, "name": "Anna"})
    {'id': 7, 'greeting': 'Hello Anna'}
    """
    match template:
        case str():
            alone = _PLACE.fullmatch(template)
            if alone:
                return _plain(values[alone[1]])
            return _PLACE.sub(lambda place: _text(values[place[1]]), template)
        case dict():
            return {name: filled(each, values) for name, each in template.items()}
        case list():
            return [filled(each, values) for each in template]
        case _:
            return template


def check(template: Any, known: tuple[str, ...], *, where: str) -> None:
    """Refuse a template with a place that nothing fills.

    Parameters
    ----------
    template
        See ``filled``.
    known
        Names that there are values of.
    where
        Where it stands, for the error.

    Raises
    ------
    UnknownNameError
        If there is such a place; with the nearest names.
    """
    match template:
        case str():
            for name in _PLACE.findall(template):
                if name not in known:
                    raise UnknownNameError("place", name, known, where=where)
        case dict() | list():
            for each in template.values() if isinstance(template, dict) else template:
                check(each, known, where=where)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, (date, datetime)) else value


def _text(value: Any) -> str:
    return "" if value is None else str(_plain(value))

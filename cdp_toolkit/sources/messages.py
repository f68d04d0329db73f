"""Messages of JSON as rows to land: what cannot become a record is kept with the reason, and stops no other."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from pydantic_core import from_json

from cdp_toolkit.errors import SourceError

_OURS = frozenset({"_batch", "_loaded_at", "_file", "_line", "_problem", "_raw"})

Check = Callable[[str, Sequence[str]], None]
"""Refuses rows by their object and the names of their columns, with a ``SourceError``."""


def rows_of(messages: Iterable[tuple[str, str | None]]) -> Iterator[dict[str, Any]]:
    """Return messages as rows, in which a key is spelt as it was first: senders do not agree on large and small letters.

    Parameters
    ----------
    messages
        Text of each, and why it cannot become a record, if so; a text without a problem is an object of JSON.

    Yields
    ------
    dict
        Keys and values, ``_problem`` and ``_raw``, which is the text of what cannot become a record.
    """
    spelt: dict[str, str] = {}
    first: dict[str, str] = {}
    for body, problem in messages:
        row = {} if problem else from_json(body)
        for name in row:
            if name not in spelt:
                spelt[name] = first.setdefault(name.casefold(), name)
        kept = {spelt[name]: value for name, value in row.items()}
        yield kept | {"_problem": problem, "_raw": body if problem else None}


def flaw_of(name: str, keys: Sequence[str], check: Check) -> str | None:
    """Return why a row cannot be landed as one of an object.

    Parameters
    ----------
    name
        The object.
    keys
        Keys of the row.
    check
        Knows what the mapping needs.

    Returns
    -------
    str or None
        None if it can; what is wrong with its values is found when records are made.
    """
    folded = [key.casefold() for key in keys]
    if twins := {key for key in folded if folded.count(key) > 1} or _OURS & {*keys}:
        return f"The key {min(twins)!r} cannot be there, or is there twice."
    try:
        check(name, keys)
    except SourceError as error:
        return error.message
    return None

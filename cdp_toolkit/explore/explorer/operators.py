"""The operators that rows offer for a field, by the kind of its values, and what each takes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final, get_args

from cdp_toolkit.explore.explorer.parts import Value
from cdp_toolkit.model import Field
from cdp_toolkit.segments.pql import nodes as n

ANY_CASE: Final = " (any case)"
UNITS: Final = ("minute", "hour", "day", "week", "month", "year")

_KINDS = {
    "integer": "number", "number": "number", "money": "number", "boolean": "boolean", "timestamp": "time",
    "date": "time", "keys": "list", "strings": "list",
}  # fmt: skip


@dataclass(frozen=True)
class Operator:
    """What may be asked of a field.

    Parameters
    ----------
    name
        How a part calls it.
    label
        How people read it, between the field and its values.
    takes
        What its values are: ``text``, ``texts``, ``number``, ``numbers``, ``range``, ``truth``, ``day``, ``days``,
        ``distance``, ``period`` or ``nothing``.
    """

    name: str
    label: str
    takes: str


_MISSING = (Operator("isNull", "is missing", "nothing"), Operator("isNotNull", "is there", "nothing"))
_ORDER = tuple(
    Operator(name, label, "number")
    for name, label in (("=", "="), ("!=", "≠"), (">", ">"), (">=", "≥"), ("<", "<"), ("<=", "≤"))
)

OPERATORS: Final[dict[str, tuple[Operator, ...]]] = {
    "text": (
        Operator("=", "is", "text"),
        Operator("!=", "is not", "text"),
        Operator("in", "is one of", "texts"),
        Operator("notIn", "is none of", "texts"),
        Operator("contains" + ANY_CASE, "contains, any case", "text"),
        Operator("contains", "contains", "text"),
        Operator("doesNotContain" + ANY_CASE, "does not contain, any case", "text"),
        Operator("doesNotContain", "does not contain", "text"),
        Operator("startsWith" + ANY_CASE, "starts with, any case", "text"),
        Operator("startsWith", "starts with", "text"),
        Operator("endsWith" + ANY_CASE, "ends with, any case", "text"),
        Operator("endsWith", "ends with", "text"),
        Operator("equals" + ANY_CASE, "is, any case", "text"),
        Operator("like", "is like (% _)", "text"),
        Operator("matches", "matches the pattern", "text"),
        *_MISSING,
    ),
    "number": (
        *_ORDER,
        Operator("between", "is between", "range"),
        Operator("in", "is one of", "numbers"),
        Operator("notIn", "is none of", "numbers"),
        *_MISSING,
    ),
    "boolean": (Operator("=", "is", "truth"), Operator("!=", "is not", "truth"), *_MISSING),
    "time": (
        Operator("<= before", "in the last", "distance"),
        Operator("> before", "longer ago than", "distance"),
        Operator("<= after", "in the next", "distance"),
        Operator("> after", "further ahead than", "distance"),
        Operator("on period", "is in", "period"),
        Operator("on", "is on", "day"),
        Operator("before", "is before", "day"),
        Operator("after", "is after", "day"),
        Operator("within", "is between", "days"),
        *_MISSING,
    ),
    "list": (Operator("includes", "includes", "text"), *_MISSING),
}


def kind_of(field: Field) -> str:
    """Return the kind of a field's values.

    Parameters
    ----------
    field
        A field of the model.

    Returns
    -------
    str
        A key of ``OPERATORS``.
    """
    return _KINDS.get(field.type, "text")


def operator_of(field: Field, name: str) -> Operator | None:
    """Return an operator for a field.

    Parameters
    ----------
    field
        A field of the model.
    name
        Name of the operator.

    Returns
    -------
    Operator or None
        None where it does not suit the field.
    """
    return next((each for each in OPERATORS[kind_of(field)] if each.name == name), None)


def fits(takes: str, values: Iterable[Value]) -> bool:  # noqa: PLR0911 - one case a kind of values
    """Tell whether values are what an operator takes, all of them.

    Parameters
    ----------
    takes
        As in ``Operator``.
    values
        Values.

    Returns
    -------
    bool
        False while something is missing.
    """
    match takes, tuple(values):
        case ("nothing", ()):
            return True
        case ("text", (str(text),)):
            return bool(text)
        case ("texts", (_, *_) as several):
            return all(isinstance(each, str) for each in several)
        case ("number", (number,)):
            return _is_number(number)
        case ("numbers", (_, *_) as several) | ("range", (_, _) as several):
            return all(_is_number(each) for each in several)
        case ("truth", (bool(),)) | ("day", (date(),)) | ("days", (date(), date())):
            return True
        case ("distance", (int(amount), str(unit))):
            return amount >= 0 and unit in get_args(n.Unit)
        case ("period", (str(which), str(unit))):
            return which in {"this", "last", "next"} and unit in get_args(n.Unit)
        case _:
            return False


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

"""One value from many rows, with the kinds that fit."""

from typing import Literal, cast

from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.bound import Aggregate, Bound, Kind
from cdp_toolkit.segments.pql.comparisons import expect
from cdp_toolkit.segments.pql.functions import NUMBER
from cdp_toolkit.segments.pql.meanings import Rows, Values

Folding = Literal["exists", "forall", "count", "distinct", "sum", "average", "min", "max"]
_ORDERED: tuple[Kind, ...] = ("number", "time", "date", "text")
_FOLDED = {"sum": NUMBER, "average": NUMBER, "min": _ORDERED, "max": _ORDERED}
_GIVES: dict[str, Kind] = {"exists": "boolean", "forall": "boolean"}


def aggregate(function: str, rows: Rows, node: n.Node, value: Bound | None = None) -> Aggregate:
    """Return one value from many rows.

    Parameters
    ----------
    function
        How they become one.
    rows
        The rows that count.
    node
        What was written.
    value
        What of each row is taken, or must hold for all.

    Returns
    -------
    Aggregate
        The value.

    Raises
    ------
    PqlError
        If the value of a row is of a kind that the function does not take.
    """
    if value is not None and function in _FOLDED:
        expect(value, _FOLDED[function], node)
    kind = _GIVES.get(function) or (value.kind if value is not None and function in {"min", "max"} else "number")
    return Aggregate(cast("Folding", function), rows.up, rows.hops, rows.steps, value, kind=kind, source=node)


def only_value(values: Values, node: n.Node) -> Aggregate:
    """Return the value of the single row that there is.

    Parameters
    ----------
    values
        A value of one row.
    node
        What was written.

    Returns
    -------
    Aggregate
        The value, null where there is no row.
    """
    rows = values.rows
    return Aggregate("max", rows.up, rows.hops, rows.steps, values.value, kind=values.value.kind, source=node)

"""Functions of arrays: of rows behind a relation, of a value of each row, of a list of texts in a column."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, cast

from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.bound import Aggregate, Apply, Bound, Constant, Kind, truth
from cdp_toolkit.segments.pql.comparisons import expect, written
from cdp_toolkit.segments.pql.functions import NUMBER
from cdp_toolkit.segments.pql.scope import Meaning, Rows, Values

Element = Callable[[n.Node], Meaning]  # binds what is asked of each row
Includes = Callable[[n.Node], Bound]  # binds "the array has this item"
Folding = Literal["exists", "forall", "count", "distinct", "sum", "average", "min", "max"]

_FOLDED: dict[str, tuple[Kind, ...]] = {
    "sum": NUMBER, "average": NUMBER, "min": ("number", "time", "date", "text"), "max": ("number", "time", "date", "text")
}  # fmt: skip
_GIVES: dict[str, Kind] = {"exists": "boolean", "forall": "boolean", "count": "number", "distinct": "number"}


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


def on_rows(array: Rows, node: n.Call, element: Element) -> Meaning:  # noqa: PLR0911 - one case a function
    """Return what a function makes of an array of rows.

    Parameters
    ----------
    array
        The rows.
    node
        The call.
    element
        Binds an argument as seen from a row.

    Returns
    -------
    Rows, Values or Bound
        What comes out.

    Raises
    ------
    PqlError
        If it does not fit, or cannot be evaluated yet.
    """
    found = [element(each) for each in node.arguments]
    match node.name, found:
        case (("count" | "distinct" | "exists"), []):
            return array if node.name == "distinct" else aggregate(node.name, array, node)
        case "isNotNull", []:
            return aggregate("exists", array, node)
        case "isNull", []:
            return truth("not", aggregate("exists", array, node), source=node)
        case "exists", [Bound() as condition]:
            return aggregate("exists", array.where(_condition(condition, node)), node)
        case "filter", [Bound() as condition]:
            return array.where(_condition(condition, node))
        case "forall", [Bound() as condition]:
            return aggregate("forall", array, node, _condition(condition, node))
        case "map", [Bound() as value]:
            return Values(array, value)
        case (("sum" | "average" | "min" | "max"), [Bound() as value]):
            return aggregate(node.name, array, node, value)
        case _:
            raise _misfit(node, "an array of rows")


def _condition(value: Bound, node: n.Call) -> Bound:
    return expect(value, ("boolean",), node.arguments[0])


def on_values(array: Values, node: n.Call, includes: Includes) -> Meaning:  # noqa: PLR0911 - one case a function
    """Return what a function makes of a value of each row.

    Parameters
    ----------
    array
        The values.
    node
        The call.
    includes
        Binds the condition that an item is in the array.

    Returns
    -------
    Values or Bound
        What comes out.

    Raises
    ------
    PqlError
        If it does not fit, or cannot be evaluated yet.
    """
    present = array.rows.where(truth("is_not_null", array.value, source=node))
    match node.name, node.arguments:
        case "distinct", ():
            return replace(array, is_distinct=True)
        case "count", ():
            return aggregate("distinct" if array.is_distinct else "count", present, node, array.value)
        case (("min" | "max"), ()):
            return aggregate(node.name, array.rows, node, array.value)
        case (("sum" | "average"), ()) if not array.is_distinct:
            return aggregate(node.name, array.rows, node, array.value)
        case "includes", (item,):
            return includes(item)
        case (("intersects" | "supersetOf"), (n.Array(items),)) if items:
            return truth("or" if node.name == "intersects" else "and", *map(includes, items), source=node)
        case "subsetOf", (n.Array(items),):
            return _subset(aggregate("distinct", present, node, array.value), items, node, includes)
        case _:
            raise _misfit(node, "an array of values")


def on_texts(array: Bound, node: n.Call, includes: Includes) -> Bound:
    """Return what a function makes of a list of texts in a column.

    Parameters
    ----------
    array
        The list.
    node
        The call.
    includes
        Binds the condition that an item is in the list.

    Returns
    -------
    Bound
        What comes out.

    Raises
    ------
    PqlError
        If it does not fit, or cannot be evaluated yet.
    """
    expect(array, ("texts",), node)
    match node.name, node.arguments:
        case "count", ():
            return Apply("list_count", (array,), kind="number", source=node)
        case "distinct", ():
            return Apply("list_distinct", (array,), kind="texts", source=node)
        case "includes", (item,):
            return includes(item)
        case (("intersects" | "supersetOf"), (n.Array(items),)) if items:
            return truth("or" if node.name == "intersects" else "and", *map(includes, items), source=node)
        case "subsetOf", (n.Array(items),):
            distinct = Apply("list_distinct", (array,), kind="texts", source=node)
            return _subset(Apply("list_count", (distinct,), kind="number", source=node), items, node, includes)
        case _:
            raise _misfit(node, "a list of texts")


def _subset(distinct: Bound, items: tuple[n.Node, ...], node: n.Call, includes: Includes) -> Bound:
    """Return the condition that as many distinct values are among the items as there are."""
    found: Bound = Constant(0, kind="number", source=node)
    for item in dict.fromkeys(items):
        one, none = (Constant(each, kind="number", source=node) for each in (1, 0))
        is_there = Apply("if", (includes(item), one, none), kind="number", source=node)
        found = Apply("+", (found, is_there), kind="number", source=node)
    return truth("=", distinct, found, source=node)


def list_contains(array: Bound, item: Bound, node: n.Node) -> Bound:
    """Return the condition that a list of texts has an item.

    Parameters
    ----------
    array
        The list.
    item
        A text that is written out.
    node
        What was written.

    Returns
    -------
    Bound
        A condition.
    """
    written(expect(item, ("text",), node), node)
    return truth("list_contains", array, item, source=node)


def items_of(array: Bound) -> tuple[Any, ...]:
    """Return the plain values of a list that is written out.

    Parameters
    ----------
    array
        A constant list.

    Returns
    -------
    tuple
        Its items.
    """
    return cast("tuple[Any, ...]", cast("Constant", array).value)


def _misfit(node: n.Call, what: str) -> Exception:
    return node.at.error(f"`{node.name}` of {what}, with these arguments, cannot be evaluated yet.")

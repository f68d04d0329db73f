"""Arrays beside arrays: whether an item is in one, and whether all or some items of one are in another."""

from dataclasses import replace
from typing import Any, cast

from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.aggregates import aggregate
from cdp_toolkit.segments.pql.binder import Binder
from cdp_toolkit.segments.pql.bound import Apply, Bound, Column, Constant, truth
from cdp_toolkit.segments.pql.comparisons import compared, expect, in_list, kind_of
from cdp_toolkit.segments.pql.meanings import Groups, Items, Meaning, Rows, Values, moved
from cdp_toolkit.segments.pql.scope import Scope, Variable, entity_of, items_of


def includes(binder: Binder, value: Bound, array: Meaning, node: n.Node, scope: Scope) -> Bound:
    """Return the condition that an array has an item.

    Parameters
    ----------
    binder
        Binds nodes.
    value
        The item.
    array
        Any array.
    node
        What was written.
    scope
        Variables in sight, the innermost last.

    Returns
    -------
    Bound
        A condition; unknown where the list of a column is null.

    Raises
    ------
    PqlError
        If kinds do not fit.
    """
    match array:
        case Constant(value=tuple(items)):
            return in_list(value, cast("tuple[Any, ...]", items), node, binder.clock)
        case Items(items):
            return truth("or", *(_is_item(binder, value, each, node, scope) for each in items), source=node)
        case Values() | Groups():
            values = as_values(binder, array, node, scope)
            same = compared("=", values.value, cast("Bound", moved(value, 1)), node, binder.clock)
            return aggregate("exists", values.rows.where(same), node)
        case Rows():
            raise node.at.error(f"`{node}` looks for a value among whole rows.", hint="Name one of their fields.")
        case _:
            return _in_list_of_texts(binder, value, binder.plain(array, node), node, scope)


def _is_item(binder: Binder, value: Bound, item: Bound, node: n.Node, scope: Scope) -> Bound:
    if item.kind == "texts":
        return includes(binder, value, item, node, scope)
    return compared("=", item, value, node, binder.clock)


def _in_list_of_texts(binder: Binder, value: Bound, listed: Bound, node: n.Node, scope: Scope) -> Bound:
    if listed.kind == "text":
        raise node.at.error(f"`{node}` looks for a value in a text.", hint='Write a list as `in ["a", "b"]`.')
    expect(listed, ("texts",), node)
    expect(value, ("text",), node)
    if isinstance(value, Constant):
        return truth("list_contains", listed, value, source=node)
    found = includes(binder, value, as_values(binder, listed, node, scope), node, scope)
    return known(listed, found, node)


def known(listed: Bound, found: Bound, node: n.Node) -> Bound:
    """Return a value that is unknown where a list is null.

    Parameters
    ----------
    listed
        A list of texts in a column.
    found
        What was found of its items.
    node
        What was written.

    Returns
    -------
    Bound
        The value.
    """
    nothing = Constant(None, kind="nothing", source=node)
    is_there = truth("is_not_null", listed, source=node)
    return Apply("if", (is_there, found, nothing), kind=found.kind, source=node)


def as_values(binder: Binder, array: Meaning, node: n.Node, scope: Scope) -> Values:
    """Return an array as a value of each of many rows.

    Parameters
    ----------
    binder
        Binds nodes.
    array
        An array whose items are read from data.
    node
        What was written.
    scope
        Variables in sight, the innermost last.

    Returns
    -------
    Values
        The same.

    Raises
    ------
    PqlError
        If it is an array of rows, or a list that is not in a column.
    """
    match array:
        case Values():
            return array
        case Groups():
            return Values(array.firsts, array.key, is_distinct=True)
        case Apply("list_distinct", (inner,)):
            return replace(as_values(binder, inner, node, scope), is_distinct=True)
        case Column(kind="texts"):
            return items_of(array, entity_of(array, scope, binder.model))
        case Rows():
            raise node.at.error(f"`{node}` takes values, not whole rows.", hint="Name one of their fields.")
        case _:
            raise node.at.error(f"`{node}` takes an array.", hint="Name a list of the model, or write it out in [ ].")


def as_items(array: Meaning) -> Items | None:
    """Return an array whose items are written one by one.

    Parameters
    ----------
    array
        Any meaning.

    Returns
    -------
    Items or None
        None where the items are read from data.
    """
    if isinstance(array, Constant) and isinstance(array.value, tuple):
        return Items(tuple(Constant(each, kind=kind_of(each), source=array.source) for each in array.value))
    return array if isinstance(array, Items) else None


def subset(binder: Binder, part: Meaning, whole: Meaning, node: n.Node, scope: Scope) -> Bound:
    """Return the condition that all items of an array are in another.

    Parameters
    ----------
    binder
        Binds nodes.
    part, whole
        The arrays.
    node
        What was written.
    scope
        Variables in sight, the innermost last.

    Returns
    -------
    Bound
        A condition; unknown where the list of a column is null.

    Raises
    ------
    PqlError
        If kinds do not fit.
    """
    return _each(binder, part, whole, node, scope, function="forall")


def overlap(binder: Binder, one: Meaning, other: Meaning, node: n.Node, scope: Scope) -> Bound:
    """Return the condition that two arrays have an item in common.

    Parameters
    ----------
    binder
        Binds nodes.
    one, other
        The arrays.
    node
        What was written.
    scope
        Variables in sight, the innermost last.

    Returns
    -------
    Bound
        A condition; unknown where the list of a column is null.

    Raises
    ------
    PqlError
        If kinds do not fit.
    """
    written, array = (one, other) if as_items(one) is not None else (other, one)
    return _each(binder, written, array, node, scope, function="exists")


def _each(binder: Binder, part: Meaning, whole: Meaning, node: n.Node, scope: Scope, *, function: str) -> Bound:
    items = as_items(part)
    if items is not None:
        found = [includes(binder, each, whole, node, scope) for each in items.items if each.kind != "nothing"]
        if function == "exists":
            return truth("or", *found, source=node)
        absent = (truth("is_null", each, source=node) for each in items.items if each.kind != "nothing")
        either = (truth("or", *pair, source=node) for pair in zip(absent, found, strict=True))
        return truth("and", *either, source=node)
    values = as_values(binder, part, node, scope)
    inside = includes(binder, values.value, moved(whole, 1), node, (*scope, Variable(values.rows.entity)))
    present = values.rows.where(truth("is_not_null", values.value, source=node))
    value = inside if function == "forall" else None
    rows = present.where(inside) if function == "exists" else present
    result: Bound = aggregate(function, rows, node, value)
    for each in (part, whole):
        if isinstance(each, Bound) and each.kind == "texts":
            result = known(each, result, node)
    return result


def common(binder: Binder, one: Meaning, other: Meaning, node: n.Node, scope: Scope) -> Meaning:
    """Return the items that two arrays have in common.

    Parameters
    ----------
    binder
        Binds nodes.
    one, other
        The arrays.
    node
        What was written.
    scope
        Variables in sight, the innermost last.

    Returns
    -------
    Items or Values
        Items of the first array.

    Raises
    ------
    PqlError
        If kinds do not fit.
    """
    items = as_items(one)
    if items is not None:
        nothing = Constant(None, kind="nothing", source=node)
        present = [each for each in items.items if each.kind != "nothing"]
        kept = [(includes(binder, each, other, node, scope), each) for each in present]
        return Items(tuple(Apply("if", (test, each, nothing), kind=each.kind, source=node) for test, each in kept))
    values = as_values(binder, one, node, scope)
    inside = includes(binder, values.value, moved(other, 1), node, (*scope, Variable(values.rows.entity)))
    return Values(values.rows.where(inside), values.value, is_distinct=True)


def same_items(binder: Binder, one: Meaning, other: Meaning, node: n.Node, scope: Scope) -> Bound:
    """Return the condition that two arrays have the same items, in any order and however often.

    Parameters
    ----------
    binder
        Binds nodes.
    one, other
        The arrays.
    node
        What was written.
    scope
        Variables in sight, the innermost last.

    Returns
    -------
    Bound
        A condition; unknown where the list of a column is null.

    Raises
    ------
    PqlError
        If kinds do not fit.
    """
    return truth("and", subset(binder, one, other, node, scope), subset(binder, other, one, node, scope), source=node)

"""Comparisons of bound values: their kinds must fit, and what is written out is brought to the other's kind."""

from collections.abc import Sequence
from typing import Any, cast

from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.bound import Apply, Bound, Constant, Kind, truth
from cdp_toolkit.segments.pql.functions import TIME
from cdp_toolkit.segments.pql.occurs import beside_instant
from cdp_toolkit.segments.pql.times import Clock

_CALLED = {
    "text": "a text", "number": "a number", "boolean": "true or false", "time": "a time", "date": "a date",
    "texts": "a list of texts", "list": "a list", "nothing": "null",
}  # fmt: skip
_FLIPPED: dict[n.Compared, n.Compared] = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def expect(value: Bound, kinds: Sequence[Kind], node: n.Node) -> Bound:
    """Return a value if it is of one of the kinds.

    Parameters
    ----------
    value
        A value.
    kinds
        Kinds that fit.
    node
        What was written.

    Returns
    -------
    Bound
        The value.

    Raises
    ------
    PqlError
        If it is of another kind.
    """
    if value.kind in kinds or (value.kind == "nothing" and "boolean" not in kinds):
        return value
    wanted = " or ".join(dict.fromkeys(_CALLED[kind] for kind in kinds))
    raise node.at.error(f"`{node}` is {_CALLED[value.kind]}, where {wanted} is needed.")


def written(value: Bound, node: n.Node) -> Any:
    """Return a value that must be written out, not read from data.

    Parameters
    ----------
    value
        A value.
    node
        What it is part of.

    Returns
    -------
    object
        The plain value.

    Raises
    ------
    PqlError
        If it is read from data.
    """
    if isinstance(value, Constant):
        return value.value
    raise node.at.error(f"`{node}` needs a written value here, not one of each row.")


def kind_of(value: object) -> Kind:
    """Return the kind of a plain value.

    Parameters
    ----------
    value
        A value.

    Returns
    -------
    Kind
        Its kind.
    """
    match value:
        case None:
            return "nothing"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case _:
            return "time" if hasattr(value, "hour") else "date"


def lower(value: Bound) -> Bound:
    """Return a text in lower case.

    Parameters
    ----------
    value
        A text.

    Returns
    -------
    Bound
        The text, lowered here if it is written out.
    """
    if isinstance(value, Constant):
        return Constant(str(value.value).lower(), kind="text", source=value.source)
    return Apply("lower", (value,), kind="text", source=value.source)


def check_cut(values: Sequence[Bound], node: n.Node) -> None:
    """Refuse to cut a text where no text can be cut.

    Parameters
    ----------
    values
        A start and a length, or a text to look for.
    node
        What was written.
    """
    for each in values:
        plain = written(each, node)
        if plain == "" or (each.kind == "number" and (plain < 0 or plain != int(plain))):
            raise node.at.error(f"`{node}` needs whole numbers from 0 on, or a text that is not empty.")


def same_kind(left: Bound, right: Bound, node: n.Node) -> None:
    """Refuse two values that do not compare.

    Parameters
    ----------
    left, right
        The values.
    node
        What was written.
    """
    if left.kind != right.kind:
        raise node.at.error(f"`{node}` sets {_CALLED[left.kind]} beside {_CALLED[right.kind]}.")


def compared(operator: n.Compared, left: Bound, right: Bound, node: n.Node, clock: Clock) -> Bound:
    """Return the comparison of two values.

    Parameters
    ----------
    operator
        How to compare; ``!=`` is false where either is null.
    left, right
        The values.
    node
        What was written.
    clock
        Where days begin, for a date beside a time.

    Returns
    -------
    Bound
        A condition.

    Raises
    ------
    PqlError
        If the kinds do not fit.
    """
    for each in (left, right):
        if each.kind == "nothing":
            raise each.source.at.error("Nothing compares with null.", hint="Use `.isNull()` or `.isNotNull()`.")
    if operator == "!=":
        return truth("is_false", compared("=", left, right, node, clock), source=node)
    if left.kind in TIME and right.kind in TIME:
        return _compared_times(operator, left, right, node, clock)
    same_kind(left, right, node)
    if left.kind in {"texts", "list"} or (left.kind == "boolean" and operator != "="):
        raise node.at.error(f"`{operator}` cannot compare {_CALLED[left.kind]}.")
    return truth(operator, left, right, source=node)


def _compared_times(operator: n.Compared, left: Bound, right: Bound, node: n.Node, clock: Clock) -> Bound:
    if left.kind == right.kind:
        return truth(operator, left, right, source=node)
    if isinstance(left, Constant):
        return _compared_times(_FLIPPED[operator], right, left, node, clock)
    if not isinstance(right, Constant):
        days = (each if each.kind == "date" else Apply("day", (each,), kind="date") for each in (left, right))
        return truth(operator, *days, source=node)
    if right.kind == "date":
        return beside_instant(left, operator, clock.midnight(cast("Any", right.value)), node, clock)
    if operator == "=":
        raise node.at.error("A date never equals a time.", hint="Use `occurs on`.")
    return beside_instant(left, operator, cast("Any", right.value), node, clock)


def in_list(value: Bound, items: Sequence[Any], node: n.Node, clock: Clock) -> Bound:
    """Return the condition that a value is among others.

    Parameters
    ----------
    value
        A value.
    items
        Plain values; with a null among them the answer is never false, for that may be the value.
    node
        What was written.
    clock
        Where days begin, for a date beside a time.

    Returns
    -------
    Bound
        A condition.

    Raises
    ------
    PqlError
        If the kinds do not fit.
    """
    known = [Constant(each, kind=kind_of(each), source=node) for each in items if each is not None]
    if len(known) < len(items):
        among = in_list(value, [each.value for each in known], node, clock)
        return truth("true_or_unknown", among, source=node)
    for each in known if value.kind in {"text", "number"} else ():
        same_kind(value, each, node)
    if known and value.kind in {"text", "number"}:
        plain = (float(each) if value.kind == "number" else each for each in items)
        listed = Constant(tuple(plain), kind="list", source=node)
        return truth("in", value, listed, source=node)
    return truth("or", *(compared("=", value, each, node, clock) for each in known), source=node)

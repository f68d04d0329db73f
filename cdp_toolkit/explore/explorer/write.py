"""Parts to nodes of the language. What is not filled in yet gives none."""

from collections.abc import Callable
from typing import Any, cast

from cdp_toolkit.errors import PqlError
from cdp_toolkit.explore.explorer import parts as p
from cdp_toolkit.explore.explorer.operators import ANY_CASE, OPERATORS, fits
from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.parse import parse

_NOW = n.Moment("now")
_OPEN = (n.And, n.Or, n.Quantifier, n.Fold, n.Let, n.Lambda)


def write(part: p.Part) -> n.Node | None:
    """Return the node of a part.

    Parameters
    ----------
    part
        Any part.

    Returns
    -------
    Node or None
        None where nothing is filled in; a group leaves such parts out.
    """
    node = _plain(part)
    return n.Not(node) if part.negated and node is not None else node


def written(node: n.Node | None) -> str:
    """Return the text of a rule, with a line for each of its outermost conditions.

    Parameters
    ----------
    node
        The rule.

    Returns
    -------
    str
        Parsing it gives an equal node; empty for no rule.

    Examples
    --------
    >>> print(written(parse('country = "DE" and (score > 1 or score < 0)')))
    country = "DE"
    and (score > 1 or score < 0)
    """
    if not isinstance(node, n.And | n.Or):
        return str(node or "")
    word = "and" if isinstance(node, n.And) else "or"
    lines = (f"({each})" if isinstance(each, _OPEN) else str(each) for each in node.operands)
    return f"\n{word} ".join(lines)


def joined(parts: tuple[p.Part, ...], word: p.Joined) -> n.Node | None:
    """Return the node of several parts.

    Parameters
    ----------
    parts
        The parts.
    word
        ``and`` or ``or``.

    Returns
    -------
    Node or None
        None where none of them is filled in.
    """
    nodes = tuple(node for part in parts if (node := write(part)) is not None)
    if len(nodes) < 2:
        return nodes[0] if nodes else None
    return n.And(nodes) if word == "and" else n.Or(nodes)


def _plain(part: p.Part) -> n.Node | None:  # noqa: PLR0911 - one case a kind
    match part:
        case p.Comparison():
            return _comparison(part)
        case p.InSegment(function, name, within) if name:
            return n.Call(function, tuple(n.Literal(each) for each in (name, within) if each))
        case p.Text(text):
            return _parsed(text)
        case p.Related():
            return _related(part)
        case p.Sequence():
            return _chain(part)
        case p.Group():
            return joined(part.parts, part.joined)
        case _:
            return None


def _parsed(text: str) -> n.Node | None:
    try:
        return parse(text) if text.strip() else None
    except PqlError:
        return None


def _comparison(part: p.Comparison) -> n.Node | None:
    takes = {each.takes for kind in OPERATORS.values() for each in kind if each.name == part.operator}
    if not any(fits(each, part.values) for each in takes):
        return None
    return _asked(part.left, part.operator, part.values)


def _asked(left: n.Node, operator: str, values: tuple[Any, ...]) -> n.Node:  # noqa: PLR0911 - one case a form
    found = tuple(map(_literal, values))
    match operator:
        case "=" | "!=" | ">" | ">=" | "<" | "<=":
            return n.Compare(operator, left, *found)
        case "in" | "notIn":
            return n.In(left, n.Array(found), negated=operator == "notIn")
        case "between":
            return n.Between(left, *found)
        case "like":
            return n.Like(left, *found)
        case _ if operator in _TIMES:
            return n.Occurs(left, _TIMES[operator](*values))
        case _ if operator.endswith(ANY_CASE):
            return n.Call(operator.removesuffix(ANY_CASE), (*found, n.Literal(value=False)), left)
        case _:
            return n.Call(operator, found, left)


_TIMES: dict[str, Callable[..., n.When]] = {
    "<= before": lambda amount, unit: n.Distance("<=", amount, unit, "before", _NOW),
    "> before": lambda amount, unit: n.Distance(">", amount, unit, "before", _NOW),
    "<= after": lambda amount, unit: n.Distance("<=", amount, unit, "after", _NOW),
    "> after": lambda amount, unit: n.Distance(">", amount, unit, "after", _NOW),
    "on period": lambda which, unit: n.On(n.Period(which, unit)),
    "on": lambda day: n.On(n.Day(day)),
    "before": lambda day: n.Side("before", n.Day(day)),
    "after": lambda day: n.Side("after", n.Day(day)),
    "within": lambda start, end: n.Span(n.Day(start), n.Day(end)),
}


def _literal(value: p.Value) -> n.Node:
    return n.Literal(value) if isinstance(value, str | int | float) else n.Day(value)


def _related(part: p.Related) -> n.Node | None:
    condition, quantity = joined(part.parts, part.joined), part.quantity
    if quantity.kind == "forall" and condition is None:
        return None
    if quantity.kind in {"exists", "forall"}:
        if part.variable:
            source = n.Source(part.variable, part.array, condition)
            return n.Quantifier(cast("Any", quantity.kind), (source,))
        return n.Call(quantity.kind, (condition,) if condition is not None else (), part.array)
    if quantity.kind != "count" and quantity.of is None:
        return None
    folded = n.Call(quantity.kind, () if quantity.of is None else (quantity.of,), _rows(part, condition))
    return n.Compare(quantity.operator, folded, n.Literal(quantity.amount))


def _rows(part: p.Related, condition: n.Node | None) -> n.Node:
    if part.variable:
        return n.Quantifier("select", (n.Source(part.variable, part.array, condition),))
    return part.array if condition is None else n.Filtered(part.array, condition)


def _chain(part: p.Sequence) -> n.Node | None:
    steps: list[n.Step] = []
    for step in cast("tuple[p.Step, ...]", part.parts):
        what, wait = joined(step.parts, step.joined), step.wait
        if what is None:
            continue
        is_known = wait is not None and wait.after in [each.label for each in steps]
        when = (
            n.Distance(wait.operator, wait.amount, wait.unit, "after", n.Name(wait.after))
            if wait and is_known
            else None
        )
        steps.append(n.Step(step.label, what, when, step.count, negated=step.negated))
    return n.Chain(part.array, part.time, tuple(steps)) if steps else None

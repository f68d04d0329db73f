"""Nodes of the language to parts. What rows cannot show stays as text, so that writing a part gives the node back."""

from dataclasses import replace
from typing import Any

from cdp_toolkit.explore.explorer import parts as p
from cdp_toolkit.explore.explorer.operators import ANY_CASE, fits, operator_of
from cdp_toolkit.explore.explorer.sight import Sight
from cdp_toolkit.segments.pql import nodes as n

_FOLDS = ("count", "sum", "average", "min", "max")
_NAMED = ("inSegment", "enteredSegment", "exitedSegment")
_Found = tuple[n.Node, str, tuple[Any, ...]]


def read(node: n.Node, sight: Sight) -> p.Group:
    """Return a rule as parts.

    Parameters
    ----------
    node
        The rule.
    sight
        The rows that it can see.

    Returns
    -------
    Group
        Its outermost conditions.
    """
    part = _part(node, sight)
    is_group = isinstance(part, p.Group) and not part.negated
    return part if is_group and isinstance(part, p.Group) else p.Group((part,))


def _part(node: n.Node, sight: Sight) -> p.Part:
    return replace(_unplaced(node, sight), place=node.at)


def _unplaced(node: n.Node, sight: Sight) -> p.Part:
    match node:
        case n.Not(n.Not()):
            return p.Text(str(node))
        case n.Not(operand):
            return replace(_part(operand, sight), negated=True)
        case n.And(operands):
            return p.Group(tuple(_part(each, sight) for each in operands), "and")
        case n.Or(operands):
            return p.Group(tuple(_part(each, sight) for each in operands), "or")
        case n.Chain():
            return _sequence(node, sight) or p.Text(str(node))
        case _:
            return _segment(node) or _related(node, sight) or _comparison(node, sight) or p.Text(str(node))


def _segment(node: n.Node) -> p.Part | None:
    match node:
        case n.Call(name, (n.Literal(str(segment)),), None) if name in _NAMED and segment:
            return p.InSegment(name, segment)
        case n.Call(name, (n.Literal(str(segment)), n.Literal(str(within))), None) if (
            name in _NAMED[1:] and segment and within
        ):
            return p.InSegment(name, segment, within)
        case _:
            return None


# Rows behind a relation


def _related(node: n.Node, sight: Sight) -> p.Part | None:
    match node:
        case n.Call("exists" | "forall" as kind, arguments, n.Node() as array):
            return _holding(p.Related(array=array, quantity=p.Quantity(kind)), arguments, sight)
        case n.Quantifier("exists" | "forall" as kind, (n.Source() as source,)):
            return _named(source, p.Quantity(kind), sight)
        case n.Compare(operator, n.Call(fold, arguments, n.Node() as rows), n.Literal(int() | float() as amount)) if (
            fold in _FOLDS and len(arguments) == (fold != "count") and not isinstance(amount, bool)
        ):
            return _counted(rows, p.Quantity(fold, operator, amount, *arguments), sight)
        case _:
            return None


def _counted(rows: n.Node, quantity: p.Quantity, sight: Sight) -> p.Part | None:
    match rows:
        case n.Filtered(array, condition):
            return _holding(p.Related(array=array, quantity=quantity), (condition,), sight)
        case n.Quantifier("select", (n.Source() as source,)):
            return _named(source, quantity, sight)
        case _:
            return _holding(p.Related(array=rows, quantity=quantity), (), sight)


def _named(source: n.Source, quantity: p.Quantity, sight: Sight) -> p.Part | None:
    related = p.Related(array=source.array, quantity=quantity, variable=source.variable)
    return _holding(related, () if source.condition is None else (source.condition,), sight)


def _holding(related: p.Related, conditions: tuple[n.Node, ...], sight: Sight) -> p.Part | None:
    """Return rows with the conditions read in their sight; None where the array is no relation, or a field is none."""
    inside = sight.within(related)
    if inside is sight or len(conditions) > 1 or (related.quantity.kind == "forall" and not conditions):
        return None
    of = related.quantity.of
    if of is not None and inside.field(of) is None:
        return None
    filled: p.Part = _filled(related, conditions, inside)
    return filled


def _filled(holder: Any, conditions: tuple[n.Node, ...], inside: Sight) -> Any:
    if not conditions:
        return holder
    group = read(conditions[0], inside)
    return replace(holder, parts=group.parts, joined=group.joined)


def _sequence(node: n.Chain, sight: Sight) -> p.Part | None:
    empty = p.Sequence(array=node.array, time=node.time)
    inside = sight.within(empty)
    steps = [_step(each, inside) for each in node.steps]
    if inside is sight or None in steps:
        return None
    return p.Sequence(tuple(step for step in steps if step), array=node.array, time=node.time)


def _step(step: n.Step, inside: Sight) -> p.Step | None:
    match step.when:
        case None:
            wait = None
        case n.Distance(operator, amount, unit, "after", n.Name(after)):
            wait = p.Wait(operator, amount, unit, after)
        case _:
            return None
    empty = p.Step(label=step.label, wait=wait, count=step.count, negated=step.negated, place=step.at)
    filled: p.Step = _filled(empty, (step.what,), inside)
    return filled


# Fields, operators and values


def _comparison(node: n.Node, sight: Sight) -> p.Part | None:
    found = _asked(node)
    field = sight.field(found[0]) if found else None
    if found is None or field is None:
        return None
    left, name, values = found
    operator = operator_of(field, name)
    return p.Comparison(left, name, values) if operator and fits(operator.takes, values) else None


def _asked(node: n.Node) -> _Found | None:  # noqa: PLR0911 - one case a construct
    match node:
        case n.Compare(operator, left, n.Literal(value)):
            return left, operator, (value,)
        case n.In(left, n.Array(items), negated) if all(isinstance(each, n.Literal) for each in items):
            return (
                left,
                "notIn" if negated else "in",
                tuple(each.value for each in items if isinstance(each, n.Literal)),
            )
        case n.Between(left, n.Literal(low), n.Literal(high)):
            return left, "between", (low, high)
        case n.Like(left, n.Literal(value)):
            return left, "like", (value,)
        case n.Call(name, (n.Literal(value), n.Literal(False)), n.Node() as left):
            return left, name + ANY_CASE, (value,)
        case n.Call(name, arguments, n.Node() as left) if all(isinstance(each, n.Literal) for each in arguments):
            return left, name, tuple(each.value for each in arguments if isinstance(each, n.Literal))
        case n.Occurs(left, when, False):
            return _time(left, when)
        case _:
            return None


def _time(left: n.Node, when: n.When) -> _Found | None:
    match when:
        case n.Distance(operator, amount, unit, direction, n.Moment("now")):
            return left, f"{operator} {direction}", (amount, unit)
        case n.On(n.Period(which, unit)):
            return left, "on period", (which, unit)
        case n.On(n.Day(day)):
            return left, "on", (day,)
        case n.Side(direction, n.Day(day)):
            return left, direction, (day,)
        case n.Span(n.Day(start), n.Day(end)):
            return left, "within", (start, end)
        case _:
            return None

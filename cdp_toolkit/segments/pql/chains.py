"""``CHAIN``: steps that follow each other in time."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.aggregates import aggregate
from cdp_toolkit.segments.pql.bound import Bound, Constant, Stage, truth
from cdp_toolkit.segments.pql.fields import offset_of
from cdp_toolkit.segments.pql.meanings import Rows

Compare = Callable[[n.Compared, Bound, Bound, n.Node], Bound]


def absolute(step: n.Step, labels: Sequence[str], time: n.Node) -> n.Node:
    """Return all that is asked of a row of a step by itself.

    Parameters
    ----------
    step
        The step.
    labels
        Labels of the chain; a distance from one of them is left to the order of the steps.
    time
        The time of a row.

    Returns
    -------
    Node
        A condition.
    """
    if step.when is None or label_of(step.when, labels) is not None:
        return step.what
    return n.And((step.what, n.Occurs(time, step.when, at=step.at)), at=step.at)


def chain(rows: Rows, time: Bound, node: n.Chain, conditions: Sequence[Bound], compare: Compare) -> Bound:
    """Return the condition that rows follow each other.

    Parameters
    ----------
    rows
        The array.
    time
        The time of a row.
    node
        The chain.
    conditions
        What is asked of a row of each step.
    compare
        Binds a comparison.

    Returns
    -------
    Bound
        A condition; false, never unknown, where there is no row.
    """
    steps = list(zip(node.steps, conditions, strict=True))
    if len(steps) == 1 or all(step.negated for step in node.steps):
        apart = [_alone(rows, step, condition, node, compare) for step, condition in steps]
        return apart[0] if len(apart) == 1 else truth("and", *apart, source=node)
    stages = tuple(_stage(node, index, condition) for index, condition in enumerate(conditions))
    return replace(aggregate("chain", rows, node, time), kind="boolean", stages=stages)


def label_of(when: n.When, labels: Sequence[str]) -> str | None:
    """Return the label of the step that a time is relative to.

    Parameters
    ----------
    when
        A time.
    labels
        Labels of the chain.

    Returns
    -------
    str or None
        None where it is relative to no step.
    """
    anchors = (when.start, when.end) if isinstance(when, n.Span) else (when.anchor,)
    named = [each.name for each in anchors if isinstance(each, n.Name) and each.name in labels]
    return named[0] if named else None


def _alone(rows: Rows, step: n.Step, condition: Bound, node: n.Chain, compare: Compare) -> Bound:
    rows = rows.where(condition)
    if step.count is None:
        found: Bound = aggregate("exists", rows, node)
    else:
        operator, amount = step.count
        number = Constant(amount, kind="number", source=node)
        found = compare(operator or ">=", aggregate("count", rows, node), number, node)
    return truth("not", found, source=node) if step.negated else found


def is_plain(node: n.Chain) -> bool:
    """Return whether one pass over the rows in time order decides a chain; ``sequences.py`` takes the others.

    Parameters
    ----------
    node
        The chain.

    Returns
    -------
    bool
        True if each distance is one from the wanted step before and needs but the latest or the earliest such row.
    """
    labels = [step.label for step in node.steps]
    alone = len(node.steps) == 1 or all(step.negated for step in node.steps)
    if alone:
        return all(step.when is None or label_of(step.when, labels) is None for step in node.steps)
    return all(_is_plain_step(node, index) for index in range(len(node.steps)))


def _is_plain_step(node: n.Chain, index: int) -> bool:
    step, before = node.steps[index], node.steps[:index]
    wanted = [each.label for each in before if not each.negated]
    label = None if step.when is None else label_of(step.when, [each.label for each in node.steps])
    distance = None if label is None else _distance(step)
    if _at_least(step) is None or (label is not None and (wanted[-1:] != [label] or distance is None)):
        return False
    is_counted, is_far = _at_least(step) != 1, bool(distance and distance[0] in {">", ">="})
    is_near = bool(distance and distance[0] in {"<", "<="})
    if step.negated:
        is_last = all(each.negated for each in node.steps[index:])
        return not is_counted and (not distance or not distance[0] or (is_last and is_near))
    follows_unwanted = bool(before) and before[-1].negated
    return not (is_far and follows_unwanted)


def _stage(node: n.Chain, index: int, condition: Bound) -> Stage:
    step = node.steps[index]
    label = None if step.when is None else label_of(step.when, [each.label for each in node.steps])
    distance = None if label is None else _distance(step)
    return Stage(condition, distance if distance and distance[0] else None, _at_least(step) or 1, step.negated)  # type: ignore[arg-type]  # a distance has an operator


def _distance(step: n.Step) -> tuple[n.Compared | None, str] | None:
    """Return a distance after a step, which has no operator where the step must only come later; None for others."""
    match step.when:
        case n.Side(direction="after" | "from"):
            return None, ""
        case n.Distance(direction="after" | "from", operator="<" | "<=" | ">" | ">=") as when:
            return when.operator, offset_of(when)
        case _:
            return None


def _at_least(step: n.Step) -> int | None:
    match step.count:
        case None:
            return 1
        case (None | ">=", int(amount)) if amount > 0:
            return amount
        case (">", int(amount)):
            return amount + 1
        case _:
            return None

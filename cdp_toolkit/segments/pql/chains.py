"""``CHAIN``: steps that follow each other in time."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.arrays import aggregate
from cdp_toolkit.segments.pql.bound import Bound, Constant, Stage, truth
from cdp_toolkit.segments.pql.occurs import offset_of
from cdp_toolkit.segments.pql.scope import Rows

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
    if step.when is None or _label(step.when, labels) is not None:
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

    Raises
    ------
    PqlError
        If a distance is not one from the wanted step before, or it cannot be evaluated yet.
    """
    steps = list(zip(node.steps, conditions, strict=True))
    if len(steps) == 1 or all(step.negated for step in node.steps):
        apart = [_alone(rows, step, condition, node, compare) for step, condition in steps]
        return apart[0] if len(apart) == 1 else truth("and", *apart, source=node)
    stages = tuple(_stage(node, index, condition) for index, condition in enumerate(conditions))
    return replace(aggregate("chain", rows, node, time), kind="boolean", stages=stages)


def _label(when: n.When, labels: Sequence[str]) -> str | None:
    """Return the label of the step that a time is relative to."""
    anchors = (when.start, when.end) if isinstance(when, n.Span) else (when.anchor,)
    named = [each.name for each in anchors if isinstance(each, n.Name) and each.name in labels]
    return named[0] if named else None


def _alone(rows: Rows, step: n.Step, condition: Bound, node: n.Chain, compare: Compare) -> Bound:
    if step.when is not None and _label(step.when, [each.label for each in node.steps]) is not None:
        raise step.at.error(f"There is no step before {step.label} to count from.")
    rows = rows.where(condition)
    if step.count is None:
        found: Bound = aggregate("exists", rows, node)
    else:
        operator, amount = step.count
        number = Constant(amount, kind="number", source=node)
        found = compare(operator or ">=", aggregate("count", rows, node), number, node)
    return truth("not", found, source=node) if step.negated else found


def _stage(node: n.Chain, index: int, condition: Bound) -> Stage:
    step = node.steps[index]
    wanted = [each.label for each in node.steps[:index] if not each.negated]
    distance = _distance(step, wanted, [each.label for each in node.steps])
    at_least = _at_least(step)
    is_last = all(each.negated for each in node.steps[index:])
    is_near = distance is not None and distance[0] in {"<", "<="}
    if step.negated and (at_least > 1 or (distance is not None and not (is_last and is_near))):
        raise step.at.error("A distance or a count of a step that must not happen cannot be evaluated yet.")
    follows_unwanted = index > 0 and node.steps[index - 1].negated
    if at_least > 1 and (is_near or (follows_unwanted and wanted)):
        raise step.at.error("A count of a step within a distance cannot be evaluated yet.")
    if distance is not None and not is_near and follows_unwanted:
        raise step.at.error(
            "`>` or `>=` after a step with another between that must not happen cannot be evaluated yet."
        )
    return Stage(condition, distance, at_least, step.negated)


def _distance(step: n.Step, wanted: Sequence[str], labels: Sequence[str]) -> tuple[n.Compared, str] | None:
    if step.when is None or (label := _label(step.when, labels)) is None:
        return None
    if not wanted or label != wanted[-1]:
        raise step.at.error(
            f"A distance from {label} cannot be evaluated yet.",
            hint=f"Count from {wanted[-1]}, the step before." if wanted else "",
        )
    match step.when:
        case n.Side(direction="after" | "from"):
            return None
        case n.Distance(direction="after" | "from", operator="<" | "<=" | ">" | ">=") as when:
            return when.operator, offset_of(when)
        case _:
            raise step.at.error(
                "Such a time relative to a step cannot be evaluated yet.",
                hint=f"Write it as `<= 7 days after {label}`.",
            )


def _at_least(step: n.Step) -> int:
    match step.count:
        case None:
            return 1
        case (None | ">=", int(amount)) if amount > 0:
            return amount
        case (">", int(amount)):
            return amount + 1
        case _:
            raise step.at.error("A count with an upper limit in a sequence cannot be evaluated yet.", hint="Use `>=`.")

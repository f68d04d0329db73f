"""How far out the conditions of an array read."""

from functools import cache

from cdp_toolkit.segments.pql.bound import Aggregate, Leaf, leaves


@cache
def reach(leaf: Leaf) -> frozenset[int]:
    """Return the rows that the value of a leaf depends on.

    Parameters
    ----------
    leaf
        A column or an aggregate.

    Returns
    -------
    frozenset of int
        0 for the row in hand, 1 for the row whose array it is in, and so on.
    """
    if not isinstance(leaf, Aggregate):
        return frozenset({leaf.up})
    inside = (up for condition in leaf.conditions for each in leaves(condition) for up in reach(each))
    return frozenset({leaf.up, *(up - 1 for up in inside if up > 0)})


@cache
def is_nested(aggregate: Aggregate) -> bool:
    """Return whether an aggregate cannot be reduced by itself, joined with the columns of its owner at most.

    Parameters
    ----------
    aggregate
        An aggregate.

    Returns
    -------
    bool
        True if an array in it reads more than one row around it, if a row on the way to its rows reads its owner, or
        if only some of its rows are kept.
    """
    if any(step.keep is not None or not step.relation for step in aggregate.steps):
        return True
    on_the_way = [step.condition for step in aggregate.steps[:-1] if step.condition is not None]
    if any(reach(leaf) != {0} for condition in on_the_way for leaf in leaves(condition)):
        return True
    found = (leaf for condition in aggregate.conditions for leaf in leaves(condition))
    return any(_is_far(leaf) for leaf in found if isinstance(leaf, Aggregate))


def _is_far(leaf: Aggregate) -> bool:
    ups = reach(leaf)
    if ups == {0}:
        return False
    reads_owner = any(reach(each) != {0} for condition in leaf.conditions for each in leaves(condition))
    return len(ups) > 1 or reads_owner

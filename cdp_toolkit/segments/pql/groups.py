"""Functions of groups: ``xEvent.groupBy(eventType).exists((K, G) => G.count() > 2)``."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.aggregates import aggregate
from cdp_toolkit.segments.pql.binder import Binder, applied
from cdp_toolkit.segments.pql.bound import Bound, shifted
from cdp_toolkit.segments.pql.comparisons import compared, expect
from cdp_toolkit.segments.pql.meanings import Groups, Meaning, Rows, Values, moved_rows
from cdp_toolkit.segments.pql.scope import Given, Scope, Variable, depth


@dataclass(frozen=True)
class _Grouped:
    """Groups, and the functions on them; each takes the arguments as they were written."""

    binder: Binder
    groups: Groups
    node: n.Node
    scope: Scope

    def _members(self) -> Meaning:
        """Return the rows of a group, as seen from the first of them."""
        groups = self.groups
        rows, own = moved_rows(groups.rows, 1), shifted(groups.key, 1, least=1)
        rows = rows.where(compared("=", own, shifted(groups.key, 1), self.node, self.binder.clock))
        return rows if groups.value is None else Values(rows, shifted(groups.value, 1, least=1))

    def _of_group(self, function: n.Node) -> Bound:
        if not isinstance(function, n.Lambda) or len(function.parameters) > 2:
            raise function.at.error(
                f"`{function}` does not say what a group is called.",
                hint="Write it as `(K, G) => G.count() > 2`: the key and the group.",
            )
        at, *names = depth(self.scope) + 1, *function.parameters
        row = Variable(self.groups.firsts.entity, is_implicit=False)
        given = [Given(names[-1], self._members(), at)]
        if len(names) == 2:
            given.append(Given(names[0], self.groups.key, at))
        return self.binder.value(function.body, (*self.scope, row, *given))

    def _tested(self, condition: n.Node) -> Bound:
        return expect(self._of_group(condition), ("boolean",), condition)

    def exists(self, *condition: n.Node) -> Meaning:
        """Return whether there is a group, or one for which a condition holds."""
        firsts = self.groups.firsts
        return aggregate("exists", firsts.where(self._tested(condition[0])) if condition else firsts, self.node)

    def forall(self, condition: n.Node) -> Meaning:
        """Return whether a condition holds for all groups."""
        return aggregate("forall", self.groups.firsts, self.node, self._tested(condition))

    def where(self, condition: n.Node) -> Meaning:
        """Return the groups for which a condition holds."""
        return replace(self.groups, firsts=self.groups.firsts.where(self._tested(condition)))

    def map(self, function: n.Node) -> Meaning:
        """Return a value of each group."""
        return Values(self.groups.firsts, self._of_group(function))

    def fold(self, function: n.Node) -> Meaning:
        """Return the sum, average, least or greatest of a value of each group."""
        name = self.node.name if isinstance(self.node, n.Call) else ""
        return aggregate(name, self.groups.firsts, self.node, self._of_group(function))

    def count(self) -> Meaning:
        """Return how many groups there are."""
        return aggregate("count", self.groups.firsts, self.node)

    def keys(self) -> Meaning:
        """Return the key of each group."""
        return Values(self.groups.firsts, self.groups.key, is_distinct=True)

    def values(self) -> Meaning:
        """Return the groups."""
        return self.groups

    def get(self, key: n.Node) -> Meaning:
        """Return the group of a key."""
        value = shifted(self.binder.value(key, self.scope), 1)
        rows: Rows = self.groups.rows.where(compared("=", self.groups.key, value, self.node, self.binder.clock))
        return rows if self.groups.value is None else Values(rows, self.groups.value)


GROUP_FUNCTIONS: dict[str, tuple[Callable[..., Meaning], int, int]] = {
    "exists": (_Grouped.exists, 0, 1), "forall": (_Grouped.forall, 1, 1), "filter": (_Grouped.where, 1, 1),
    "map": (_Grouped.map, 1, 1), "count": (_Grouped.count, 0, 0), "keys": (_Grouped.keys, 0, 0),
    "values": (_Grouped.values, 0, 0), "get": (_Grouped.get, 1, 1),
    "sum": (_Grouped.fold, 1, 1), "average": (_Grouped.fold, 1, 1), "min": (_Grouped.fold, 1, 1), "max": (_Grouped.fold, 1, 1),
}  # fmt: skip


def on_groups(binder: Binder, groups: Groups, node: n.Call, scope: Scope) -> Meaning:
    """Return what a function makes of groups.

    Parameters
    ----------
    binder
        Binds nodes.
    groups
        The groups.
    node
        The call.
    scope
        Variables in sight, the innermost last.

    Returns
    -------
    Meaning
        What comes out.

    Raises
    ------
    PqlError
        If there is no such function of groups, or its arguments do not fit.
    """
    return applied(GROUP_FUNCTIONS, _Grouped(binder, groups, node, scope), node, "groups")

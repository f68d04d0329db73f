"""Functions that compare an array with an item or with another array, alike for all kinds of arrays."""

from dataclasses import dataclass

from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.binder import Binder
from cdp_toolkit.segments.pql.contains import common, includes, overlap, subset
from cdp_toolkit.segments.pql.meanings import Meaning
from cdp_toolkit.segments.pql.scope import Scope


@dataclass(frozen=True)
class Compared:
    """An array, and the functions on it; each takes the arguments as they were written.

    Parameters
    ----------
    binder
        Binds nodes.
    array
        The array.
    node
        The call.
    scope
        Variables in sight, the innermost last.
    """

    binder: Binder
    array: Meaning
    node: n.Node
    scope: Scope

    def includes(self, item: n.Node) -> Meaning:
        """Return whether an item is there.

        Parameters
        ----------
        item
            The item, as it was written.

        Returns
        -------
        Meaning
            A condition.
        """
        return includes(self.binder, self.binder.value(item, self.scope), self.array, self.node, self.scope)

    def intersects(self, other: n.Node) -> Meaning:
        """Return whether another array has an item of this one.

        Parameters
        ----------
        other
            The other array, as it was written.

        Returns
        -------
        Meaning
            A condition.
        """
        return overlap(self.binder, self.array, self._other(other), self.node, self.scope)

    def intersection(self, other: n.Node) -> Meaning:
        """Return the items that another array has too.

        Parameters
        ----------
        other
            The other array, as it was written.

        Returns
        -------
        Meaning
            The items.
        """
        return common(self.binder, self.array, self._other(other), self.node, self.scope)

    def subset_of(self, other: n.Node) -> Meaning:
        """Return whether another array has all items.

        Parameters
        ----------
        other
            The other array, as it was written.

        Returns
        -------
        Meaning
            A condition.
        """
        return subset(self.binder, self.array, self._other(other), self.node, self.scope)

    def superset_of(self, other: n.Node) -> Meaning:
        """Return whether all items of another array are in this one.

        Parameters
        ----------
        other
            The other array, as it was written.

        Returns
        -------
        Meaning
            A condition.
        """
        return subset(self.binder, self._other(other), self.array, self.node, self.scope)

    def _other(self, node: n.Node) -> Meaning:
        return self.binder.meaning(node, self.scope)

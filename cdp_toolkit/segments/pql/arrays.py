"""Functions of arrays that are read from data: of rows behind a relation, and of a value of each row."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.aggregates import aggregate
from cdp_toolkit.segments.pql.binder import Binder, applied
from cdp_toolkit.segments.pql.bound import Bound, Column, Keep, truth
from cdp_toolkit.segments.pql.compared import Compared
from cdp_toolkit.segments.pql.comparisons import expect
from cdp_toolkit.segments.pql.meanings import Groups, Meaning, Rows, Values
from cdp_toolkit.segments.pql.scope import Given, Scope, Variable, depth


@dataclass(frozen=True)
class _Array(Compared):
    """An array of rows or values, and the functions on it; each takes the arguments as they were written."""

    array: Rows | Values

    @property
    def rows(self) -> Rows:
        """The rows that count."""
        return self.array if isinstance(self.array, Rows) else self.array.rows

    @property
    def value(self) -> Bound | None:
        """The value of each row, for an array of values."""
        return None if isinstance(self.array, Rows) else self.array.value

    @property
    def present(self) -> Rows:
        """The rows with a value."""
        return self.rows if self.value is None else self.rows.where(self._is_there(self.value))

    def _is_there(self, value: Bound) -> Bound:
        return truth("is_not_null", value, source=self.node)

    def _distinct(self) -> Rows:
        if isinstance(self.array, Values) and self.array.is_distinct:
            return self.present.kept(Keep(1, by=self.array.value))
        return self.rows

    def element(self, node: n.Node) -> Meaning:
        """Return what an argument means for a row.

        Parameters
        ----------
        node
            An expression, or a function of the item.

        Returns
        -------
        Meaning
            As seen from the row.
        """
        row = Variable(self.rows.entity)
        if not isinstance(node, n.Lambda):
            return self.binder.meaning(node, (*self.scope, row))
        name = node.parameters[0]
        if self.value is None:
            return self.binder.meaning(node.body, (*self.scope, replace(row, name=name)))
        return self.binder.meaning(node.body, (*self.scope, row, Given(name, self.value, depth(self.scope) + 1)))

    def one(self, node: n.Node) -> Bound:
        """Return what an argument means for a row, if that is one value.

        Parameters
        ----------
        node
            An expression, or a function of the item.

        Returns
        -------
        Bound
            As seen from the row.
        """
        return self.binder.plain(self.element(node), node)

    def _asked(self, node: n.Node) -> Bound:
        return expect(self.one(node), ("boolean",), node)

    def where(self, condition: n.Node) -> Meaning:
        """Return the items for which a condition holds.

        Parameters
        ----------
        condition
            What is asked of an item.

        Returns
        -------
        Rows or Values
            Fewer items.
        """
        rows = self.rows.where(self._asked(condition))
        return rows if isinstance(self.array, Rows) else replace(self.array, rows=rows)

    def exists(self, *condition: n.Node) -> Meaning:
        """Return whether there is an item, or one for which a condition holds."""
        rows = self.present.where(self._asked(condition[0])) if condition else self.present
        return aggregate("exists", rows, self.node)

    def forall(self, condition: n.Node) -> Meaning:
        """Return whether a condition holds for all items."""
        return aggregate("forall", self.present, self.node, self._asked(condition))

    def is_null(self) -> Meaning:
        """Return whether there is no item."""
        return truth("not", aggregate("exists", self.present, self.node), source=self.node)

    def count(self) -> Meaning:
        """Return how many items there are; null is none."""
        if isinstance(self.array, Values) and self.array.is_distinct:
            return aggregate("distinct", self.present, self.node, self.value)
        return aggregate("count", self.present, self.node, self.value)

    def distinct(self) -> Meaning:
        """Return each item once; rows are distinct already."""
        return self.array if isinstance(self.array, Rows) else replace(self.array, is_distinct=True)

    def map(self, function: n.Node) -> Meaning:
        """Return a value of each item."""
        found = self.element(function)
        if isinstance(found, Rows | Values):
            raise function.at.error(f"`{function}` is an array.", hint="Read on with a dot, as in `accounts.people`.")
        return Values(self._distinct(), self.binder.plain(found, function))

    def fold(self, *function: n.Node) -> Meaning:
        """Return the sum, average, least or greatest of the items, or of a value of each."""
        value = self.one(function[0]) if function else self.value
        if value is None:
            raise self.node.at.error(
                f"`{self.node}` needs a value of each row.", hint="Name it, as in `opportunities.sum(amount)`."
            )
        name = self.node.name if isinstance(self.node, n.Call) else ""
        return aggregate(name, self._distinct(), self.node, value)

    def keep(self, value: n.Node, amount: n.Node) -> Meaning:
        """Return the items with the largest values, or with the smallest ones, in that order."""
        order, is_from_end = self.one(value), isinstance(self.node, n.Call) and self.node.name == "topN"
        expect(order, ("number", "time", "date", "text"), value)
        if not isinstance(amount, n.Literal) or type(amount.value) is not int or amount.value < 1:
            raise amount.at.error(f"`{amount}` is not how many to keep.", hint="Write a whole number from 1 on.")
        rows = self._distinct().kept(Keep(amount.value, order, is_from_end=is_from_end))
        rows = replace(rows, order=(order, is_from_end))
        return rows if isinstance(self.array, Rows) else replace(self.array, rows=rows)

    def head(self) -> Meaning:
        """Return the first item."""
        order, is_from_end = self.rows.order or (self._time(), False)
        rows = replace(self.present.kept(Keep(1, order, is_from_end=is_from_end)), is_single=True)
        return rows if isinstance(self.array, Rows) else replace(self.array, rows=rows)

    def _time(self) -> Bound:
        if "timestamp" not in self.binder.model.entity(self.rows.entity).fields:
            raise self.node.at.error(
                f"`{self.node}` has no order, so no first item.", hint="Order it, as in `.topN(amount, 1).head()`."
            )
        return Column(0, (), "timestamp", kind="time", source=self.node)

    def group_by(self, key: n.Node) -> Meaning:
        """Return the items by a key."""
        by = self.one(key)
        rows = self._distinct().where(self._is_there(by))
        return Groups(rows, by, rows.kept(Keep(1, by=by)), self.value)


# How few and how many arguments each takes.
ARRAY_FUNCTIONS: dict[str, tuple[Callable[..., Meaning], int, int]] = {
    "exists": (_Array.exists, 0, 1), "forall": (_Array.forall, 1, 1), "filter": (_Array.where, 1, 1),
    "isNull": (_Array.is_null, 0, 0), "isNotNull": (_Array.exists, 0, 0),
    "count": (_Array.count, 0, 0), "distinct": (_Array.distinct, 0, 0), "map": (_Array.map, 1, 1),
    "sum": (_Array.fold, 0, 1), "average": (_Array.fold, 0, 1), "min": (_Array.fold, 0, 1), "max": (_Array.fold, 0, 1),
    "topN": (_Array.keep, 2, 2), "bottomN": (_Array.keep, 2, 2), "head": (_Array.head, 0, 0),
    "groupBy": (_Array.group_by, 1, 1), "includes": (_Array.includes, 1, 1),
    "intersects": (_Array.intersects, 1, 1), "intersection": (_Array.intersection, 1, 1),
    "subsetOf": (_Array.subset_of, 1, 1), "supersetOf": (_Array.superset_of, 1, 1),
}  # fmt: skip


def on_array(binder: Binder, array: Rows | Values, node: n.Call, scope: Scope) -> Meaning:
    """Return what a function makes of an array that is read from data.

    Parameters
    ----------
    binder
        Binds nodes.
    array
        Rows or values.
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
        If there is no such function of arrays, or its arguments do not fit.
    """
    return applied(ARRAY_FUNCTIONS, _Array(binder, array, node, scope), node, "an array")

"""Functions of arrays whose items are written one by one, and of objects, whose fields are known one by one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

from cdp_toolkit.errors import UnknownNameError
from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.binder import Binder, applied
from cdp_toolkit.segments.pql.bound import Apply, Bound, Constant, truth
from cdp_toolkit.segments.pql.compared import Compared
from cdp_toolkit.segments.pql.comparisons import compared, expect, same_kind
from cdp_toolkit.segments.pql.contains import includes
from cdp_toolkit.segments.pql.functions import NUMBER
from cdp_toolkit.segments.pql.meanings import Items, Meaning, Object
from cdp_toolkit.segments.pql.scope import Given, Scope, depth


@dataclass(frozen=True)
class _Written(Compared):
    """An array of written items, and the functions on it; each takes the arguments as they were written."""

    array: Items

    @property
    def items(self) -> tuple[Bound, ...]:
        """The items that may be there."""
        return tuple(each for each in self.array.items if each.kind != "nothing")

    def _number(self, value: float) -> Constant:
        return Constant(value, kind="number", source=self.node)

    def _if(self, test: Bound, then: Bound, otherwise: Bound) -> Bound:
        kind = otherwise.kind if then.kind == "nothing" else then.kind
        return Apply("if", (test, then, otherwise), kind=kind, source=self.node)

    def _nothing(self) -> Constant:
        return Constant(None, kind="nothing", source=self.node)

    def _is_there(self, item: Bound) -> Bound:
        return truth("is_not_null", item, source=self.node)

    def _of_items(self, function: n.Node) -> list[Bound]:
        if not isinstance(function, n.Lambda):
            raise function.at.error(
                f"`{function}` does not say what an item is called.", hint="Write it as `(X) => X > 1`."
            )
        name, at = function.parameters[0], depth(self.scope)
        return [self.binder.value(function.body, (*self.scope, Given(name, each, at))) for each in self.items]

    def _tests(self, condition: n.Node) -> list[Bound]:
        asked = [expect(each, ("boolean",), condition) for each in self._of_items(condition)]
        pairs = zip(self.items, asked, strict=True)
        return [truth("and", self._is_there(item), test, source=self.node) for item, test in pairs]

    def exists(self, *condition: n.Node) -> Meaning:
        """Return whether there is an item, or one for which a condition holds."""
        tests = self._tests(condition[0]) if condition else [self._is_there(each) for each in self.items]
        return truth("or", *tests, source=self.node)

    def forall(self, condition: n.Node) -> Meaning:
        """Return whether a condition holds for all items."""
        pairs = zip(self.items, self._of_items(condition), strict=True)
        tests = (truth("or", truth("is_null", item, source=self.node), test, source=self.node) for item, test in pairs)
        return truth("and", *tests, source=self.node)

    def where(self, condition: n.Node) -> Meaning:
        """Return the items for which a condition holds."""
        pairs = zip(self._tests(condition), self.items, strict=True)
        return Items(tuple(self._if(test, item, self._nothing()) for test, item in pairs))

    def map(self, function: n.Node) -> Meaning:
        """Return a value of each item."""
        pairs = zip(self.items, self._of_items(function), strict=True)
        return Items(tuple(self._if(self._is_there(item), value, self._nothing()) for item, value in pairs))

    def count(self) -> Bound:
        """Return how many items there are; null is none."""
        return self._added([self._if(self._is_there(each), self._number(1), self._number(0)) for each in self.items])

    def _added(self, numbers: Sequence[Bound]) -> Bound:
        def add(left: Bound, right: Bound) -> Bound:
            return Apply("+", (left, right), kind="number", source=self.node)

        return reduce(add, numbers) if numbers else self._number(0)

    def sum(self, *function: n.Node) -> Bound:
        """Return the sum of the items, or of a value of each."""
        found = self._folded(function, NUMBER)
        return self._added([self._if(self._is_there(each), each, self._number(0)) for each in found])

    def average(self, *function: n.Node) -> Meaning:
        """Return the average of the items, or of a value of each."""
        number = _Written(self.binder, Items(tuple(self._folded(function, NUMBER))), self.node, self.scope)
        return Apply("/", (number.sum(), number.count()), kind="number", source=self.node)

    def least(self, *function: n.Node) -> Meaning:
        """Return the least of the items, or of a value of each."""
        return self._extreme("<", function)

    def greatest(self, *function: n.Node) -> Meaning:
        """Return the greatest of the items, or of a value of each."""
        return self._extreme(">", function)

    def _extreme(self, operator: n.Compared, function: tuple[n.Node, ...]) -> Bound:
        def better(best: Bound, each: Bound) -> Bound:
            same_kind(best, each, self.node)
            wins = compared(operator, each, best, self.node, self.binder.clock)
            first = truth("is_null", best, source=self.node)
            return self._if(truth("or", first, wins, source=self.node), each, best)

        found = self._folded(function, ("number", "time", "date", "text"))
        return reduce(better, found) if found else self._nothing()

    def _folded(self, function: tuple[n.Node, ...], kinds: Sequence[str]) -> list[Bound]:
        found = self._of_items(function[0]) if function else list(self.items)
        for each in found:
            expect(each, kinds, self.node)  # type: ignore[arg-type]  # kinds of the language
        return found

    def head(self) -> Meaning:
        """Return the first item that is not null."""
        if not self.items:
            return self._nothing()
        return reduce(lambda later, each: self._if(self._is_there(each), each, later), reversed(self.items))

    def distinct(self) -> Meaning:
        """Return each item once."""
        kept: list[Bound] = []
        for index, each in enumerate(self.items):
            before = includes(self.binder, each, Items(self.items[:index]), self.node, self.scope)
            kept.append(self._if(before, self._nothing(), each) if index else each)
        return Items(tuple(kept))


ITEM_FUNCTIONS: dict[str, tuple[Callable[..., Meaning], int, int]] = {
    "exists": (_Written.exists, 0, 1), "forall": (_Written.forall, 1, 1), "filter": (_Written.where, 1, 1),
    "count": (_Written.count, 0, 0), "distinct": (_Written.distinct, 0, 0), "map": (_Written.map, 1, 1),
    "sum": (_Written.sum, 0, 1), "average": (_Written.average, 0, 1),
    "min": (_Written.least, 0, 1), "max": (_Written.greatest, 0, 1), "head": (_Written.head, 0, 0),
    "includes": (_Written.includes, 1, 1), "intersects": (_Written.intersects, 1, 1),
    "intersection": (_Written.intersection, 1, 1), "subsetOf": (_Written.subset_of, 1, 1),
    "supersetOf": (_Written.superset_of, 1, 1),
}  # fmt: skip


def on_items(binder: Binder, array: Items, node: n.Call, scope: Scope) -> Meaning:
    """Return what a function makes of an array whose items are written one by one.

    Parameters
    ----------
    binder
        Binds nodes.
    array
        The items.
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
        If there is no such function of them, or its arguments do not fit.
    """
    return applied(ITEM_FUNCTIONS, _Written(binder, array, node, scope), node, "a written array")


def on_object(binder: Binder, array: Object, node: n.Call, scope: Scope) -> Meaning:
    """Return what a function makes of an object.

    Parameters
    ----------
    binder
        Binds nodes.
    array
        The object.
    node
        The call.
    scope
        Variables in sight, the innermost last.

    Returns
    -------
    Items, Object or Bound
        What comes out.

    Raises
    ------
    PqlError
        If the function is none of objects, or its arguments do not fit.
    UnknownNameError
        If the object has no field of that key; with position and nearest names.
    """
    columns = tuple(column for _, column in array.fields)
    written = _Written(binder, Items(columns), node, scope)
    match node.name, node.arguments:
        case "isNotNull", ():
            return written.exists()
        case "isNull", ():
            return truth("not", binder.plain(written.exists(), node), source=node)
        case "values", ():
            return Items(columns)
        case "keys", ():
            names = ((Constant(name, kind="text", source=node), column) for name, column in array.fields)
            nothing = Constant(None, kind="nothing", source=node)
            tests = ((truth("is_not_null", column, source=node), name) for name, column in names)
            return Items(tuple(Apply("if", (test, name, nothing), kind="text", source=node) for test, name in tests))
        case "get", (n.Literal(value=str(key)),):
            return _of_key(array, key, node)
        case "get", _:
            raise node.at.error("`get` takes a key, in quotes.", hint='Write it as `identityMap.get("ECID")`.')
        case _:
            raise node.at.error(
                f"`{node.name}` is no function of an object.", hint="Objects have get, keys, values, isNull, isNotNull."
            )


def _of_key(array: Object, key: str, node: n.Call) -> Meaning:
    found = dict(array.fields)
    if key in found:
        return found[key]
    deeper = tuple(
        (name.removeprefix(f"{key}."), column) for name, column in found.items() if name.startswith(f"{key}.")
    )
    if not deeper:
        raise UnknownNameError(f"key of {array.path}", key, found, where=node.at.error("").where)
    return Object(array.row, f"{array.path}.{key}", deeper)


OBJECT_FUNCTIONS = ("get", "keys", "values", "isNull", "isNotNull")

"""Nodes to a bound condition: names found in the model, kinds checked, before any data is read."""

from typing import cast

from cdp_toolkit.model import Model
from cdp_toolkit.segments.listed import with_lists
from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.aggregates import aggregate, only_value
from cdp_toolkit.segments.pql.binder import Segments
from cdp_toolkit.segments.pql.bound import Apply, Bound, Column, Constant, Kind, truth
from cdp_toolkit.segments.pql.calls import Calls
from cdp_toolkit.segments.pql.chains import absolute, chain, is_plain
from cdp_toolkit.segments.pql.comparisons import compared, expect, kind_of, written
from cdp_toolkit.segments.pql.contains import as_values, same_items
from cdp_toolkit.segments.pql.functions import ANY, FUNCTIONS, NUMBER, TIME
from cdp_toolkit.segments.pql.meanings import Items, Meaning, Object, Row, Rows, Values, is_array
from cdp_toolkit.segments.pql.occurs import occurs, period
from cdp_toolkit.segments.pql.scope import Given, Scope, Variable, depth, find, walk
from cdp_toolkit.segments.pql.sequences import Sequence
from cdp_toolkit.segments.pql.times import Clock

NO_SEGMENTS = Segments()


def bind(
    node: n.Node, model: Model, *, entity: str = "person", clock: Clock, segments: Segments = NO_SEGMENTS
) -> Bound:
    """Find what the names of a condition mean, and check that it makes sense.

    Parameters
    ----------
    node
        A condition as ``parse`` gives it.
    model
        Entities, fields and relations.
    entity
        What the condition is about: the first parameter.
    clock
        When it is evaluated and where days begin.
    segments
        The segments that it may name.

    Returns
    -------
    Bound
        A condition about a row of ``profiles/<entity>``.

    Raises
    ------
    UnknownNameError
        If a field, relation, function or segment does not exist; with position and nearest names.
    PqlError
        If kinds do not fit, or if it has no answer.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> clock = Clock(datetime(2026, 1, 1, tzinfo=UTC))
    >>> bind(n.Compare(">", n.Name("skore"), n.Literal(1)), Model.standard(), clock=clock)
    Traceback (most recent call last):
    cdp_toolkit.errors.UnknownNameError: There is no field of person 'skore'.
    Where: line 1, column 1
    <BLANKLINE>
      ^
    """
    node, scope = _about(node, entity)
    return _Binder(with_lists(model), clock, segments).condition(node, scope)


def bind_value(
    node: n.Node, model: Model, *, entity: str = "person", clock: Clock, segments: Segments = NO_SEGMENTS
) -> Bound:
    """Find what the names of a value mean: as ``bind``, for anything that has one value a profile.

    Parameters
    ----------
    node
        An expression as ``parse`` gives it.
    model
        Entities, fields and relations.
    entity
        What the value is of: the first parameter.
    clock
        When it is worked out and where days begin.
    segments
        The segments that it may name.

    Returns
    -------
    Bound
        A value of a row of ``profiles/<entity>``; its ``kind`` says what it is.

    Raises
    ------
    UnknownNameError
        If a field, relation, function or segment does not exist; with position and nearest names.
    PqlError
        If kinds do not fit, or if it is an array.
    """
    node, scope = _about(node, entity)
    return _Binder(with_lists(model), clock, segments).value(node, scope)


def _about(node: n.Node, entity: str) -> tuple[n.Node, Scope]:
    if isinstance(node, n.Lambda):
        return node.body, (Variable(entity, node.parameters[0]),)
    return node, (Variable(entity),)


class _Binder(Calls):
    """One method a group of nodes; each takes the scope in which the node stands."""

    def condition(self, node: n.Node, scope: Scope) -> Bound:
        meaning = self.meaning(node, scope)
        if isinstance(meaning, Rows) and isinstance(node, n.Quantifier):  # a selection that selects something
            meaning = aggregate("exists", meaning, node)
        return expect(self.plain(meaning, node), ("boolean",), node)

    def value(self, node: n.Node, scope: Scope, kinds: tuple[Kind, ...] = ANY) -> Bound:
        return expect(self.plain(self.meaning(node, scope), node), kinds, node)

    def plain(self, meaning: Meaning, node: n.Node) -> Bound:
        if isinstance(meaning, Bound):
            return meaning
        if isinstance(meaning, Values) and meaning.rows.is_single:
            return only_value(meaning, node)
        if isinstance(meaning, Row | Object) or (isinstance(meaning, Rows) and meaning.is_single):
            raise node.at.error(f"{node} is a whole row.", hint="Name one of its fields, or use `.isNotNull()`.")
        raise node.at.error(
            f"{node} is an array, not one value.", hint="Use `.exists(…)`, `.count()` or another function of arrays."
        )

    def meaning(self, node: n.Node, scope: Scope) -> Meaning:  # noqa: C901, PLR0911, PLR0912 - one case a node
        match node:
            case n.Array():
                return self._array(node, scope)
            case n.Literal() | n.Day() | n.Moment():
                return self._constant(node)
            case n.Name() | n.Parameter() | n.Member():
                return self._named(node, scope)
            case n.And() | n.Or():
                word = "and" if isinstance(node, n.And) else "or"
                return truth(word, *(self.condition(each, scope) for each in node.operands), source=node)
            case n.Not():
                return truth("not", self.condition(node.operand, scope), source=node)
            case n.Compare():
                return self._comparison(node, scope)
            case n.In():
                return self.contained(node.left, node.right, node, scope, is_negated=node.negated)
            case n.Like():
                return self.function("like", FUNCTIONS["like"], (node.left, node.right), node, scope)
            case n.Between():
                return self._between(node, scope)
            case n.Arithmetic() | n.Negative():
                return self._arithmetic(node, scope)
            case n.Occurs():
                return self._occurs(node, scope)
            case n.Quantifier():
                return self._quantified(node.kind, node.sources, node, scope)
            case n.Fold():
                return self._fold(node, scope)
            case n.Filtered():
                return self.called(n.Call("filter", (node.condition,), node.array, at=node.at), scope)
            case n.Let():
                given = Given(node.variable, self.meaning(node.value, scope), depth(scope))
                return self.meaning(node.body, (*scope, given))
            case n.Call():
                return self.called(node, scope)
            case n.Chain():
                return self._chain(node, scope)
            case n.Period():
                raise node.at.error(f"`{node}` is a stretch of time.", hint=f"Write it as `timestamp occurs {node}`.")
            case _:
                raise node.at.error(f"`{node}` makes no sense here.")

    def _array(self, node: n.Array, scope: Scope) -> Bound | Items:
        items = tuple(self.value(item, scope) for item in node.items)
        if all(isinstance(each, Constant) for each in items):
            return Constant(tuple(written(each, node) for each in items), kind="list", source=node)
        return Items(items)

    def _comparison(self, node: n.Compare, scope: Scope) -> Bound:
        left, right = self.meaning(node.left, scope), self.meaning(node.right, scope)
        if node.operator in {"=", "!="} and is_array(left) and is_array(right):
            same = same_items(self, left, right, node, scope)
            return same if node.operator == "=" else truth("is_false", same, source=node)
        values = self.plain(left, node.left), self.plain(right, node.right)
        return self._compared(node.operator, *values, node)

    def _compared(self, operator: n.Compared, left: Bound, right: Bound, node: n.Node) -> Bound:
        return compared(operator, left, right, node, self.clock)

    def _constant(self, node: n.Node) -> Bound:
        match node:
            case n.Day():
                return Constant(node.value, kind="date", source=node)
            case n.Moment():
                return Constant(self.clock.moment(node.name).start, kind="time", source=node)
            case n.Literal(value):
                return Constant(value, kind=kind_of(value), source=node)
            case _:
                raise node.at.error(f"`{node}` makes no sense here.")

    def _named(self, node: n.Node, scope: Scope) -> Meaning:
        names: list[str] = []
        start = node
        while isinstance(start, n.Member):
            names.insert(0, start.name)
            start = start.of
        match start:
            case n.Name():
                return find([start.name, *names], scope, self.model, node)
            case n.Parameter(number=1):
                first = scope[0]
                assert isinstance(first, Variable)  # noqa: S101 - the outermost is the first parameter
                return walk(Row(depth(scope) - 1, (), first.entity), names, self.model, node)
            case n.Parameter():
                raise start.at.error(f"There is no parameter {start}.", hint="A segment has one: `$1`.")
            case _:
                return walk(self.meaning(start, scope), names, self.model, node)

    def _between(self, node: n.Between, scope: Scope) -> Bound:
        value, low, high = (self.value(each, scope) for each in (node.value, node.low, node.high))
        ends = (self._compared(">=", value, low, node), self._compared("<=", value, high, node))
        return truth("and", *ends, source=node)

    def _arithmetic(self, node: n.Arithmetic | n.Negative, scope: Scope) -> Bound:
        if isinstance(node, n.Negative):
            zero = Constant(0, kind="number", source=node)
            return Apply("-", (zero, self.value(node.operand, scope, NUMBER)), kind="number", source=node)
        operands = tuple(self.value(each, scope, NUMBER) for each in (node.left, node.right))
        return Apply(node.operator, operands, kind="number", source=node)

    def _occurs(self, node: n.Occurs, scope: Scope) -> Bound:
        value = self.value(node.value, scope, TIME)
        when = node.when
        named = (when.start, when.end) if isinstance(when, n.Span) else (when.anchor,)
        anchors = tuple(period(each, self.clock) or self.value(each, scope, TIME) for each in named)
        return occurs(value, node, anchors, self.clock)

    def _rows(self, node: n.Node, scope: Scope) -> Rows:
        meaning = self.meaning(node, scope)
        if isinstance(meaning, Column) and meaning.kind == "texts":
            meaning = as_values(self, meaning, node, scope)
        if isinstance(meaning, Values):
            return meaning.rows
        if not isinstance(meaning, Rows):
            raise node.at.error(f"{node} is not an array of rows.", hint=self._arrays_hint(scope))
        return meaning

    def _arrays_hint(self, scope: Scope) -> str:
        inner = next(each.entity for each in reversed(scope) if isinstance(each, Variable))
        arrays = [name for name, each in self.model.entity(inner).relations.items() if each.many and name[-1] != "]"]
        return f"Arrays of {inner}: {', '.join(arrays)}." if arrays else ""

    def _source(self, source: n.Source, scope: Scope) -> tuple[Rows, Scope]:
        """Return the rows of a source, and what is in sight in them."""
        rows = self._rows(source.array, scope)
        named = self.meaning(source.array, scope)
        if isinstance(named, Column):
            named = as_values(self, named, source.array, scope)
        if isinstance(named, Values):
            item = Given(source.variable, named.value, depth(scope) + 1)
            return rows, (*scope, Variable(rows.entity, is_implicit=False), item)
        return rows, (*scope, Variable(rows.entity, source.variable, is_implicit=False))

    def _quantified(self, kind: str, sources: tuple[n.Source, ...], node: n.Node, scope: Scope) -> Meaning:
        source, *rest = sources
        rows, inside = self._source(source, scope)
        conditions = [self.condition(source.condition, inside)] if source.condition else []
        if rest:  # a selection selects the first, where the others can be found
            inner = "exists" if kind == "select" else kind
            conditions.append(cast("Bound", self._quantified(inner, tuple(rest), node, inside)))
        every = truth("and", *conditions, source=conditions[0].source) if len(conditions) > 1 else None
        condition = every or (conditions[0] if conditions else None)
        if kind == "select":
            return rows.where(condition) if condition else rows
        if kind == "forall":
            return aggregate("forall", rows, node, condition or Constant(value=True, kind="boolean", source=node))
        return aggregate("exists", rows.where(condition) if condition else rows, node)

    def _fold(self, node: n.Fold, scope: Scope) -> Bound:
        if node.function == "average" and len(node.sources) > 1:
            parts = (self._folded(each, node.sources, node, scope) for each in ("sum", "count of"))
            return Apply("/", tuple(parts), kind="number", source=node)
        return self._folded(node.function, node.sources, node, scope)

    def _folded(self, function: str, sources: tuple[n.Source, ...], node: n.Fold, scope: Scope) -> Bound:
        source, *rest = sources
        rows, inside = self._source(source, scope)
        if source.condition:
            rows = rows.where(self.condition(source.condition, inside))
        if rest:
            inner = self._folded(function, tuple(rest), node, inside)
            return aggregate(function if function in {"min", "max"} else "sum", rows, node, inner)
        if function == "count":
            return aggregate("count", rows, node)
        value = self.value(node.value, inside)
        return aggregate("count" if function == "count of" else function, rows, node, value)

    def _chain(self, node: n.Chain, scope: Scope) -> Bound:
        rows = self._rows(node.array, scope)
        if not is_plain(node):
            return Sequence(self, node, rows, scope).condition()
        inside = (*scope, Variable(rows.entity))
        time = self.value(node.time, inside, ("time",))
        labels = tuple(step.label for step in node.steps)
        conditions = [
            self.condition(absolute(step, labels, node.time), (*scope, Variable(rows.entity, step.label)))
            for step in node.steps
        ]
        return chain(rows, time, node, conditions, self._compared)

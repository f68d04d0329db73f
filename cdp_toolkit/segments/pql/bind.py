"""Nodes to a bound condition: names found in the model, kinds checked, before any data is read."""

from typing import cast

from cdp_toolkit.errors import UnknownNameError
from cdp_toolkit.model import Model
from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.arrays import aggregate, items_of, list_contains
from cdp_toolkit.segments.pql.bound import Aggregate, Apply, Bound, Constant, Kind, leaves, outer, shifted, truth
from cdp_toolkit.segments.pql.calls import Calls, SegmentOf
from cdp_toolkit.segments.pql.chains import absolute, chain
from cdp_toolkit.segments.pql.comparisons import expect, in_list, kind_of, written
from cdp_toolkit.segments.pql.functions import ANY, FUNCTIONS, NUMBER, TIME
from cdp_toolkit.segments.pql.occurs import occurs, period
from cdp_toolkit.segments.pql.scope import Given, Meaning, Row, Rows, Scope, Values, Variable, depth, find, walk
from cdp_toolkit.segments.pql.times import Clock


def no_segment(name: str, node: n.Node) -> tuple[str, Bound]:
    """Refuse ``inSegment`` where no segments are known.

    Parameters
    ----------
    name
        The segment that is named.
    node
        Where it is named.

    Returns
    -------
    tuple
        Never.
    """
    raise UnknownNameError("segment", name, (), where=node.at.error("").where)


def bind(
    node: n.Node, model: Model, *, entity: str = "person", clock: Clock, segment_of: SegmentOf = no_segment
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
    segment_of
        Gives the entity and the condition of a segment that ``inSegment`` names.

    Returns
    -------
    Bound
        A condition about a row of ``profiles/<entity>``.

    Raises
    ------
    UnknownNameError
        If a field, relation, function or segment does not exist; with position and nearest names.
    PqlError
        If kinds do not fit, or if it cannot be evaluated yet.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> clock = Clock(datetime(2026, 1, 1, tzinfo=UTC))
    >>> bind(n.Compare(">", n.Name("b2b"), n.Literal(1)), Model.standard(), clock=clock)
    Traceback (most recent call last):
    cdp_toolkit.errors.UnknownNameError: There is no field of person 'b2b'.
    Where: line 1, column 1
    <BLANKLINE>
      ^
    """
    node, scope = _about(node, entity)
    condition = _Binder(model, clock, segment_of).condition(node, scope)
    _refuse_far_references(condition)
    return condition


def bind_value(
    node: n.Node, model: Model, *, entity: str = "person", clock: Clock, segment_of: SegmentOf = no_segment
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
    segment_of
        Gives the entity and the condition of a segment that ``inSegment`` names.

    Returns
    -------
    Bound
        A value of a row of ``profiles/<entity>``; its ``kind`` says what it is.

    Raises
    ------
    UnknownNameError
        If a field, relation, function or segment does not exist; with position and nearest names.
    PqlError
        If kinds do not fit, if it is an array, or if it cannot be evaluated yet.
    """
    node, scope = _about(node, entity)
    value = _Binder(model, clock, segment_of).value(node, scope)
    _refuse_far_references(value)
    return value


def _about(node: n.Node, entity: str) -> tuple[n.Node, Scope]:
    if isinstance(node, n.Lambda):
        return node.body, (Variable(entity, node.parameters[0]),)
    return node, (Variable(entity),)


def _refuse_far_references(bound: Bound) -> None:
    """Let the conditions of an array read the row that the array belongs to, but no row further out."""
    for leaf in leaves(bound):
        if not isinstance(leaf, Aggregate):
            continue
        for used in outer(leaf):
            nested = isinstance(used, Aggregate) and any(True for _ in outer(used))
            if used.up != leaf.up or nested or _reads_owner_on_the_way(leaf):
                raise used.source.at.error(
                    "A condition on an array that reads a row further out than the array's own cannot be evaluated yet.",
                    hint="Move the condition one level out, or split it into a segment of segments.",
                )
        for condition in leaf.conditions:
            _refuse_far_references(condition)


def _reads_owner_on_the_way(leaf: Aggregate) -> bool:
    conditions = (step.condition for step in leaf.steps[:-1] if step.condition is not None)
    return any(each.up > 0 for condition in conditions for each in leaves(condition))


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
        if isinstance(meaning, Row):
            raise node.at.error(f"{node} is a whole row.", hint="Name one of its fields, or use `.isNotNull()`.")
        raise node.at.error(
            f"{node} is an array, not one value.", hint="Use `.exists(…)`, `.count()` or another function of arrays."
        )

    def meaning(self, node: n.Node, scope: Scope) -> Meaning:  # noqa: C901, PLR0911, PLR0912 - one case a node
        match node:
            case n.Literal() | n.Day() | n.Moment() | n.Array():
                return self._constant(node, scope)
            case n.Name() | n.Parameter() | n.Member():
                return self._named(node, scope)
            case n.And() | n.Or():
                word = "and" if isinstance(node, n.And) else "or"
                return truth(word, *(self.condition(each, scope) for each in node.operands), source=node)
            case n.Not():
                return truth("not", self.condition(node.operand, scope), source=node)
            case n.Compare():
                left, right = self.value(node.left, scope), self.value(node.right, scope)
                return self._compared(node.operator, left, right, node)
            case n.In():
                return self.contained(node.left, node.right, node, scope, is_negated=node.negated)
            case n.Like():
                return self._function("like", FUNCTIONS["like"], (node.left, node.right), node, scope)
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
                rows = self._rows(node.array, scope)
                return rows.where(self.condition(node.condition, (*scope, Variable(rows.entity))))
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

    def _constant(self, node: n.Node, scope: Scope) -> Bound:
        match node:
            case n.Day():
                return Constant(node.value, kind="date", source=node)
            case n.Moment():
                return Constant(self.clock.moment(node.name).start, kind="time", source=node)
            case n.Array():
                items = [self.value(item, scope) for item in node.items]
                values = tuple(written(item, node) for item in items)
                return Constant(values, kind="list", source=node)
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

    def contained(self, item: n.Node, array: n.Node, node: n.Node, scope: Scope, *, is_negated: bool) -> Bound:
        value = self.value(item, scope)
        found = self.includes(value, self.meaning(array, scope), node)
        return truth("is_false", found, source=node) if is_negated else found

    def includes(self, value: Bound, array: Meaning, node: n.Node) -> Bound:
        if isinstance(array, Values):
            same = self._compared("=", array.value, shifted(value, 1), node)
            return aggregate("exists", array.rows.where(same), node)
        listed = expect(self.plain(array, node), ("list", "texts"), node)
        if listed.kind == "texts":
            return list_contains(listed, value, node)
        return in_list(value, items_of(listed), node, self.clock)

    def _occurs(self, node: n.Occurs, scope: Scope) -> Bound:
        value = self.value(node.value, scope, TIME)
        when = node.when
        named = (when.start, when.end) if isinstance(when, n.Span) else (when.anchor,)
        anchors = tuple(period(each, self.clock) or self.value(each, scope, TIME) for each in named)
        return occurs(value, node, anchors, self.clock)

    def _rows(self, node: n.Node, scope: Scope) -> Rows:
        meaning = self.meaning(node, scope)
        if not isinstance(meaning, Rows):
            raise node.at.error(f"{node} is not an array of rows.", hint=self._arrays_hint(scope))
        return meaning

    def _arrays_hint(self, scope: Scope) -> str:
        inner = next(each.entity for each in reversed(scope) if isinstance(each, Variable))
        arrays = [name for name, each in self.model.entity(inner).relations.items() if each.many]
        return f"Arrays of {inner}: {', '.join(arrays)}." if arrays else ""

    def _quantified(self, kind: str, sources: tuple[n.Source, ...], node: n.Node, scope: Scope) -> Meaning:
        source, *rest = sources
        rows = self._rows(source.array, scope)
        inside = (*scope, Variable(rows.entity, source.variable, is_implicit=False))
        conditions = [self.condition(source.condition, inside)] if source.condition else []
        if kind == "select":
            if rest:
                raise node.at.error("`select` from several arrays cannot be evaluated yet.", hint="Use `exists`.")
            return rows.where(conditions[0]) if conditions else rows
        if rest:
            conditions.append(cast("Bound", self._quantified(kind, tuple(rest), node, inside)))
        every = truth("and", *conditions, source=conditions[0].source) if len(conditions) > 1 else None
        condition = every or (conditions[0] if conditions else None)
        if kind == "forall":
            return aggregate("forall", rows, node, condition or Constant(value=True, kind="boolean", source=node))
        return aggregate("exists", rows.where(condition) if condition else rows, node)

    def _fold(self, node: n.Fold, scope: Scope) -> Bound:
        if len(node.sources) > 1:
            raise node.at.error(f"`{node.function}` over several arrays cannot be evaluated yet.")
        selection = n.Quantifier("select", node.sources, at=node.at)
        rows = cast("Rows", self.meaning(selection, scope))
        if node.function == "count":
            return aggregate("count", rows, node)
        inside = (*scope, Variable(rows.entity, node.sources[0].variable, is_implicit=False))
        return aggregate(node.function, rows, node, self.value(node.value, inside))

    def _chain(self, node: n.Chain, scope: Scope) -> Bound:
        rows = self._rows(node.array, scope)
        inside = (*scope, Variable(rows.entity))
        time = self.value(node.time, inside, ("time",))
        labels = tuple(step.label for step in node.steps)
        conditions = [
            self.condition(absolute(step, labels, node.time), (*scope, Variable(rows.entity, step.label)))
            for step in node.steps
        ]
        return chain(rows, time, node, conditions, self._compared)

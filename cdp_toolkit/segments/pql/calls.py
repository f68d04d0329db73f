"""What the call of a function means."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import cast

from cdp_toolkit.errors import UnknownNameError
from cdp_toolkit.model import Model
from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.arrays import on_rows, on_texts, on_values
from cdp_toolkit.segments.pql.bound import Apply, Bound, Column, Constant, InSegment, Kind, shifted, truth
from cdp_toolkit.segments.pql.comparisons import check_cut, check_pattern, compared, expect, lower, same_kind, written
from cdp_toolkit.segments.pql.functions import ANY, FUNCTIONS, NOT_YET, ON_ARRAYS, OTHERS, Signature
from cdp_toolkit.segments.pql.scope import Meaning, Row, Rows, Scope, Values, Variable
from cdp_toolkit.segments.pql.times import Clock

SegmentOf = Callable[[str, n.Node], tuple[str, Bound]]


class Calls(ABC):
    """Binds calls; all other nodes are bound by whoever completes it.

    Parameters
    ----------
    model
        Entities, fields and relations.
    clock
        When a segment is evaluated and where days begin.
    segment_of
        Gives the entity and the condition of a segment that ``inSegment`` names.
    """

    def __init__(self, model: Model, clock: Clock, segment_of: SegmentOf) -> None:
        self.model = model
        self.clock = clock
        self.segment_of = segment_of

    @abstractmethod
    def meaning(self, node: n.Node, scope: Scope) -> Meaning:
        """Return what a node means.

        Parameters
        ----------
        node
            What was written.
        scope
            Variables in sight, the innermost last.

        Returns
        -------
        Row, Rows, Values or Bound
            What it stands for.
        """

    @abstractmethod
    def condition(self, node: n.Node, scope: Scope) -> Bound:
        """Return a node that must be true or false.

        Parameters
        ----------
        node
            What was written.
        scope
            Variables in sight, the innermost last.

        Returns
        -------
        Bound
            A condition.
        """

    @abstractmethod
    def value(self, node: n.Node, scope: Scope, kinds: tuple[Kind, ...] = ANY) -> Bound:
        """Return a node that must be one value.

        Parameters
        ----------
        node
            What was written.
        scope
            Variables in sight, the innermost last.
        kinds
            Kinds that fit.

        Returns
        -------
        Bound
            The value.
        """

    @abstractmethod
    def plain(self, meaning: Meaning, node: n.Node) -> Bound:
        """Return a meaning that must be one value.

        Parameters
        ----------
        meaning
            A meaning.
        node
            What was written.

        Returns
        -------
        Bound
            The value.
        """

    @abstractmethod
    def contained(self, item: n.Node, array: n.Node, node: n.Node, scope: Scope, *, is_negated: bool) -> Bound:
        """Return the condition that an item is in an array, or is not.

        Parameters
        ----------
        item
            What may be in the array.
        array
            The array.
        node
            What was written.
        scope
            Variables in sight, the innermost last.
        is_negated
            Whether it must not be; null on either side is false then.

        Returns
        -------
        Bound
            A condition.
        """

    @abstractmethod
    def includes(self, value: Bound, array: Meaning, node: n.Node) -> Bound:
        """Return the condition that an array has a value.

        Parameters
        ----------
        value
            What may be in the array.
        array
            The array.
        node
            What was written.

        Returns
        -------
        Bound
            A condition.
        """

    def _compared(self, operator: n.Compared, left: Bound, right: Bound, node: n.Node) -> Bound:
        return compared(operator, left, right, node, self.clock)

    def called(self, node: n.Call, scope: Scope) -> Meaning:
        """Return what a call means.

        Parameters
        ----------
        node
            The call.
        scope
            Variables in sight, the innermost last.

        Returns
        -------
        Row, Rows, Values or Bound
            What comes out.

        Raises
        ------
        UnknownNameError
            If there is no such function; with position and nearest names.
        PqlError
            If its arguments do not fit, or it cannot be evaluated yet.
        """
        if node.name in NOT_YET:
            raise node.at.error(f"`{node.name}` cannot be evaluated yet.")
        if node.of is not None and node.name in {*ON_ARRAYS, "isNull", "isNotNull"}:
            receiver = self.meaning(node.of, scope)
            if isinstance(receiver, Row) and node.name in {"isNull", "isNotNull"}:
                return self._missing(receiver, node)
            if isinstance(receiver, Rows | Values) or (node.name in ON_ARRAYS and isinstance(receiver, Bound)):
                return self._on_array(receiver, node, scope)
        arguments = node.arguments if node.of is None else (node.of, *node.arguments)
        special = getattr(self, f"_call_{node.name}", None)
        if node.name in OTHERS and special is not None:
            return cast("Meaning", special(arguments, node, scope))
        if node.name in FUNCTIONS:
            return self._function(node.name, FUNCTIONS[node.name], arguments, node, scope)
        known = (*FUNCTIONS, *ON_ARRAYS, *OTHERS, *NOT_YET)
        raise UnknownNameError("function", node.name, known, where=node.at.error("").where)

    def _on_array(self, array: Meaning, node: n.Call, scope: Scope) -> Meaning:
        def includes(item: n.Node) -> Bound:
            return self.includes(self.value(item, scope), array, node)

        match array:
            case Rows():
                inside = (*scope, Variable(array.entity))
                return on_rows(array, node, lambda each: self._element(each, inside))
            case Values():
                return on_values(array, node, includes)
            case _:
                return on_texts(self.plain(array, node), node, includes)

    def _element(self, node: n.Node, inside: Scope) -> Meaning:
        if not isinstance(node, n.Lambda):
            return self.meaning(node, inside)
        *before, row = inside
        named = replace(cast("Variable", row), name=node.parameters[0])
        return self.meaning(node.body, (*before, named))

    def _missing(self, row: Row, node: n.Call) -> Bound:
        function = "is_null" if node.name == "isNull" else "is_not_null"
        return truth(function, Column(row.up, row.hops, "profile_id", kind="number", source=node), source=node)

    def _function(
        self, name: str, signature: Signature, arguments: tuple[n.Node, ...], node: n.Node, scope: Scope
    ) -> Bound:
        takes = len(signature.takes)
        if not takes <= len(arguments) <= takes + signature.has_case:
            raise node.at.error(f"`{name}` takes {takes} values, not {len(arguments)}.")
        values = [self.value(each, scope, kinds) for each, kinds in zip(arguments, signature.takes, strict=False)]
        for each in values[1:takes]:
            if each.kind == "nothing":
                raise node.at.error("Nothing compares with null.", hint="Use `.isNull()` or `.isNotNull()`.")
            if signature.constant:
                written(each, node)
        if len(arguments) > takes and self._ignores_case(arguments[-1], scope):
            values = [lower(each) for each in values]
        if name == "matches":
            check_pattern(values[1])
        if name in {"substr", "indexOf"}:
            check_cut(values[1:], node)
        applied = Apply(signature.function, tuple(values), kind=signature.gives, source=node)
        return truth("is_false", applied, source=node) if signature.is_negated else applied

    def _ignores_case(self, node: n.Node, scope: Scope) -> bool:
        flag = self.value(node, scope, ("boolean",))
        return written(flag, node) is False

    def _call_equals(self, arguments: tuple[n.Node, ...], node: n.Call, scope: Scope) -> Bound:
        if not 2 <= len(arguments) <= 3:
            raise node.at.error(f"`{node.name}` compares two values.")
        values = [self.value(each, scope) for each in arguments[:2]]
        if len(arguments) == 3 and self._ignores_case(arguments[2], scope):
            values = [lower(expect(each, ("text",), node)) for each in values]
        left, right = values
        return self._compared("!=" if node.name == "notEqualTo" else "=", left, right, node)

    _call_notEqualTo = _call_equals  # noqa: N815 - named as in the language

    def _call_concat(self, arguments: tuple[n.Node, ...], node: n.Call, scope: Scope) -> Bound:
        texts = tuple(self.value(each, scope, ("text",)) for each in arguments)
        return Apply("concat", texts, kind="text", source=node)

    def _call_compare(self, arguments: tuple[n.Node, ...], node: n.Call, scope: Scope) -> Bound:
        if len(arguments) != 2:
            raise node.at.error("`compare` takes two values.")
        left, right = (self.value(each, scope) for each in arguments)
        less, more = (self._compared(each, left, right, node) for each in ("<", ">"))
        minus, zero, plus = (Constant(each, kind="number", source=node) for each in (-1, 0, 1))
        known = truth("not", truth("is_null", self._compared("=", left, right, node)))
        inner = Apply("if", (more, plus, zero), kind="number", source=node)
        either = Apply("if", (less, minus, inner), kind="number", source=node)
        return Apply("if", (known, either, Constant(None, kind="nothing")), kind="number", source=node)

    def _call_if(self, arguments: tuple[n.Node, ...], node: n.Call, scope: Scope) -> Bound:
        if len(arguments) != 3:
            raise node.at.error("`if` takes a condition and two values.")
        condition = self.condition(arguments[0], scope)
        then, otherwise = (self.value(each, scope) for each in arguments[1:])
        if "nothing" not in {then.kind, otherwise.kind}:
            same_kind(then, otherwise, node)
        kind = otherwise.kind if then.kind == "nothing" else then.kind
        return Apply("if", (condition, then, otherwise), kind=kind, source=node)

    def _call_in(self, arguments: tuple[n.Node, ...], node: n.Call, scope: Scope) -> Bound:
        if len(arguments) != 2:
            raise node.at.error(f"`{node.name}` takes a value and an array.")
        return self.contained(*arguments, node, scope, is_negated=node.name == "notIn")

    _call_notIn = _call_in  # noqa: N815 - named as in the language

    def _call_inSegment(self, arguments: tuple[n.Node, ...], node: n.Call, scope: Scope) -> Bound:  # noqa: N802
        match arguments:
            case (n.Literal(value=str(name)),):
                entity, condition = self.segment_of(name, node)
            case _:
                raise node.at.error("`inSegment` takes the name of a segment, in quotes.")
        rows = [each.entity for each in reversed(scope) if isinstance(each, Variable)]
        if entity in rows:
            return InSegment(name, shifted(condition, rows.index(entity)), kind="boolean", source=node)
        raise node.at.error(f"The segment {name!r} is one of {self.model.entity(entity).plural}.")

    def _today(self, node: n.Call, part: str) -> Bound:
        return Constant(getattr(self.clock.today, part), kind="number", source=node)

    def _call_currentYear(self, _: tuple[n.Node, ...], node: n.Call, __: Scope) -> Bound:  # noqa: N802
        return self._today(node, "year")

    def _call_currentMonth(self, _: tuple[n.Node, ...], node: n.Call, __: Scope) -> Bound:  # noqa: N802
        return self._today(node, "month")

    def _call_currentDayOfMonth(self, _: tuple[n.Node, ...], node: n.Call, __: Scope) -> Bound:  # noqa: N802
        return self._today(node, "day")

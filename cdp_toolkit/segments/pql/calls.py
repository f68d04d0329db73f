"""What the call of a function means."""

import re
from typing import Any, cast

from cdp_toolkit.errors import UnknownNameError
from cdp_toolkit.segments.listed import HISTORY, TO_HISTORY
from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.aggregates import aggregate
from cdp_toolkit.segments.pql.arrays import ARRAY_FUNCTIONS, on_array
from cdp_toolkit.segments.pql.binder import Binder
from cdp_toolkit.segments.pql.bound import Apply, Bound, Column, Constant, InSegment, Step, shifted, truth
from cdp_toolkit.segments.pql.comparisons import check_cut, compared, expect, lower, same_kind, written
from cdp_toolkit.segments.pql.contains import as_items, as_values, includes, known
from cdp_toolkit.segments.pql.functions import FUNCTIONS, OTHERS, Signature
from cdp_toolkit.segments.pql.groups import GROUP_FUNCTIONS, on_groups
from cdp_toolkit.segments.pql.items import ITEM_FUNCTIONS, OBJECT_FUNCTIONS, on_items, on_object
from cdp_toolkit.segments.pql.meanings import Groups, Items, Meaning, Object, Row, Rows, Values
from cdp_toolkit.segments.pql.occurs import within
from cdp_toolkit.segments.pql.patterns import portable
from cdp_toolkit.segments.pql.scope import Scope, Variable
from cdp_toolkit.segments.pql.times import Range, unit_of_word


class Calls(Binder):
    """Binds calls; all other nodes are bound by whoever completes it."""

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
        Row, Rows, Values, Items, Groups, Object or Bound
            What comes out.

        Raises
        ------
        UnknownNameError
            If there is no such function; with position and nearest names.
        PqlError
            If its arguments do not fit.
        """
        if node.of is not None and node.name in ON_ARRAYS:
            found = self._on_receiver(self.meaning(node.of, scope), node, scope)
            if found is not None:
                return found
        arguments = node.arguments if node.of is None else (node.of, *node.arguments)
        special = getattr(self, f"_call_{node.name}", None)
        if node.name in OTHERS and special is not None:
            return cast("Meaning", special(arguments, node, scope))
        if node.name in FUNCTIONS:
            return self.function(node.name, FUNCTIONS[node.name], arguments, node, scope)
        if node.name in ON_ARRAYS:
            raise node.at.error(
                f"`{node.name}` stands behind the array, with a dot.", hint=f"Write it as `xEvent.{node.name}(…)`."
            )
        raise UnknownNameError("function", node.name, [*FUNCTIONS, *ON_ARRAYS, *OTHERS], where=node.at.error("").where)

    def _on_receiver(self, array: Meaning, node: n.Call, scope: Scope) -> Meaning | None:
        match array:
            case Row() if node.name in {"isNull", "isNotNull"}:
                return self._missing(array, node)
            case Object():
                return on_object(self, array, node, scope)
            case Groups():
                return on_groups(self, array, node, scope)
            case Rows() | Values() if not (node.name == "isNull" and _is_single_value(array)):
                return on_array(self, array, node, scope)
            case Bound(kind="texts" | "list") | Items():
                return self._on_list(array, node, scope)
            case Bound() if node.name not in {"isNull", "isNotNull", "in", "min", "max"}:
                expect(array, ("texts",), node)
        return None

    def _on_list(self, array: Bound | Items, node: n.Call, scope: Scope) -> Meaning | None:
        items = as_items(array)
        if items is not None:
            return on_items(self, items, node, scope)
        listed = cast("Bound", array)
        match node.name:
            case "isNull" | "isNotNull":
                return None
            case "count":
                return Apply("list_count", (listed,), kind="number", source=node)
            case "distinct":
                return Apply("list_distinct", (listed,), kind="texts", source=node)
            case "includes" if len(node.arguments) == 1:
                return includes(self, self.value(node.arguments[0], scope), listed, node, scope)
        values = as_values(self, listed, node, scope)
        found = on_array(self, values, node, scope)
        return known(listed, found, node) if isinstance(found, Bound) and found.kind == "boolean" else found

    def _missing(self, row: Row, node: n.Call) -> Bound:
        function = "is_null" if node.name == "isNull" else "is_not_null"
        return truth(function, Column(row.up, row.hops, "profile_id", kind="number", source=node), source=node)

    def function(
        self, name: str, signature: Signature, arguments: tuple[n.Node, ...], node: n.Node, scope: Scope
    ) -> Bound:
        """Return what a function of plain values gives.

        Parameters
        ----------
        name
            As written.
        signature
            What it takes and gives.
        arguments
            The first is what stands before the dot.
        node
            What was written.
        scope
            Variables in sight, the innermost last.

        Returns
        -------
        Bound
            The value.

        Raises
        ------
        PqlError
            If the arguments do not fit.
        """
        takes = len(signature.takes)
        if not takes - signature.optional <= len(arguments) <= takes + signature.has_case:
            raise node.at.error(f"`{name}` takes {takes} values, not {len(arguments)}.")
        values = [self.value(each, scope, kinds) for each, kinds in zip(arguments, signature.takes, strict=False)]
        for index, each in enumerate(values[1:takes], start=1):
            if each.kind == "nothing":
                raise node.at.error("Nothing compares with null.", hint="Use `.isNull()` or `.isNotNull()`.")
            if index in signature.written and not isinstance(each, Constant):
                raise each.source.at.error(f"`{name}` needs {signature.why}, not a value of each row.")
        if len(arguments) > takes and self._ignores_case(arguments[-1], scope):
            values = [lower(each) for each in values]
        if name in {"matches", "regexGroup"}:
            values[1:] = portable(values[1], *values[2:], wants_group=name == "regexGroup")
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
        return compared("!=" if node.name == "notEqualTo" else "=", left, right, node, self.clock)

    _call_notEqualTo = _call_equals  # noqa: N815 - named as in the language

    def _call_concat(self, arguments: tuple[n.Node, ...], node: n.Call, scope: Scope) -> Bound:
        texts = tuple(self.value(each, scope, ("text",)) for each in arguments)
        if not texts:
            raise node.at.error("`concat` takes one text or more.")
        return Apply("concat", texts, kind="text", source=node)

    def _call_compare(self, arguments: tuple[n.Node, ...], node: n.Call, scope: Scope) -> Bound:
        if len(arguments) != 2:
            raise node.at.error("`compare` takes two values.")
        left, right = (self.value(each, scope) for each in arguments)
        less, more = (compared(each, left, right, node, self.clock) for each in ("<", ">"))
        minus, zero, plus = (Constant(each, kind="number", source=node) for each in (-1, 0, 1))
        known_both = truth("not", truth("is_null", compared("=", left, right, node, self.clock)))
        inner = Apply("if", (more, plus, zero), kind="number", source=node)
        either = Apply("if", (less, minus, inner), kind="number", source=node)
        return Apply("if", (known_both, either, Constant(None, kind="nothing")), kind="number", source=node)

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
        item, array = arguments
        return self.contained(item, array, node, scope, is_negated=node.name == "notIn")

    _call_notIn = _call_in  # noqa: N815 - named as in the language

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
        value = self.value(item, scope)
        found = includes(self, value, self.meaning(array, scope), node, scope)
        if not is_negated:
            return found
        outside = truth("is_false", found, source=node)
        return truth("and", truth("is_not_null", value, source=node), outside, source=node)

    def _call_inSegment(self, arguments: tuple[n.Node, ...], node: n.Call, scope: Scope) -> Bound:  # noqa: N802
        match arguments:
            case (n.Literal(value=str(name)),):
                up = self._row_of_segment(name, node, scope)
                condition = self.segments.condition(name, node)
                return InSegment(name, shifted(condition, up), kind="boolean", source=node)
            case _:
                raise node.at.error("`inSegment` takes the name of a segment, in quotes.")

    def _row_of_segment(self, name: str, node: n.Call, scope: Scope) -> int:
        entity = self.segments.entity(name, node)
        rows = [each.entity for each in reversed(scope) if isinstance(each, Variable)]
        if entity not in rows:
            raise node.at.error(f"The segment {name!r} is one of {self.model.entity(entity).plural}.")
        return rows.index(entity)

    def _call_enteredSegment(self, arguments: tuple[n.Node, ...], node: n.Call, scope: Scope) -> Bound:  # noqa: N802
        match arguments:
            case (n.Literal(value=str(name)),):
                start = None
            case (n.Literal(value=str(name)), n.Literal(value=int() | str() as amount)):
                start = self._since(amount, arguments[1])
            case _:
                raise node.at.error(
                    f"`{node.name}` takes the name of a segment and how long ago at most.",
                    hint=f'Write it as `{node.name}("buyers", "7 days")`.',
                )
        entity = self.segments.entity(name, node)
        rows = Rows(self._row_of_segment(name, node, scope), (), (Step(TO_HISTORY),), HISTORY)
        change = "entered" if node.name == "enteredSegment" else "exited"
        asked = [
            truth("=", Column(0, (), column, kind="text", source=node), Constant(text, kind="text", source=node))
            for column, text in (("segment", name), ("entity", entity), ("change", change))
        ]
        changed_at = Column(0, (), "changed_at", kind="time", source=node)
        period = Range(start, self.clock.moment("now").end, includes_end=True)
        asked.append(cast("Apply", within(changed_at, period, node, self.clock)))
        return aggregate("exists", rows.where(truth("and", *asked, source=node)), node)

    _call_exitedSegment = _call_enteredSegment  # noqa: N815 - named as in the language

    def _since(self, amount: int | str, node: n.Node) -> Any:
        found = re.fullmatch(r"\s*(\d+)\s*([A-Za-z]+)\s*", f"{amount} days" if isinstance(amount, int) else amount)
        unit = unit_of_word(found[2]) if found else None
        if found is None or unit is None:
            raise node.at.error(
                f"`{node}` is no stretch of time.", hint='Write it as `"7 days"`, or as a number of days.'
            )
        return self.clock.shift(self.clock.as_of, -int(found[1]), unit)

    def _today(self, node: n.Call, part: str) -> Bound:
        return Constant(getattr(self.clock.today, part), kind="number", source=node)

    def _call_currentYear(self, _: tuple[n.Node, ...], node: n.Call, __: Scope) -> Bound:  # noqa: N802
        return self._today(node, "year")

    def _call_currentMonth(self, _: tuple[n.Node, ...], node: n.Call, __: Scope) -> Bound:  # noqa: N802
        return self._today(node, "month")

    def _call_currentDayOfMonth(self, _: tuple[n.Node, ...], node: n.Call, __: Scope) -> Bound:  # noqa: N802
        return self._today(node, "day")


ON_ARRAYS = tuple(dict.fromkeys([*ARRAY_FUNCTIONS, *ITEM_FUNCTIONS, *GROUP_FUNCTIONS, *OBJECT_FUNCTIONS]))


def _is_single_value(array: Rows | Values) -> bool:
    return isinstance(array, Values) and array.rows.is_single

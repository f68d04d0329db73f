"""One value of a row, and the rules that can be made of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from cdp_toolkit.segments.builder.readings import Readable, distance, literal, reading_of
from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.rule import Reading, Rule, Sight


@dataclass(frozen=True, eq=False)
class Value(Readable):
    """One value of a row: a field, or what is counted or computed from others.

    Parameters
    ----------
    entity
        What the row is.
    reading
        Gives its node.
    """

    entity: str
    reading: Reading

    def at(self, sight: Sight) -> n.Node:
        """Return its node.

        Parameters
        ----------
        sight
            Entities of the rows in sight, the innermost first.

        Returns
        -------
        Node
            The node.
        """
        return self.reading(sight)

    def _rule(self, build: Callable[[n.Node, Sight], n.Node]) -> Rule:
        return Rule(self.entity, lambda sight: build(self.reading(sight), sight))

    def _value(self, build: Callable[[n.Node, Sight], n.Node]) -> "Value":
        return Value(self.entity, lambda sight: build(self.reading(sight), sight))

    def _compared(self, operator: n.Compared, other: Any) -> Rule:
        right = reading_of(other)
        return self._rule(lambda left, sight: n.Compare(operator, left, right(sight)))

    def _asked(self, name: str, *arguments: Any) -> Rule:
        found = [reading_of(each) for each in arguments]
        return self._rule(lambda of, row: n.Call(name, tuple(each(row) for each in found), of))

    def _called(self, name: str) -> "Value":
        return self._value(lambda of, _: n.Call(name, (), of))

    def _computed(self, operator: str, other: Any, *, is_right: bool = False) -> "Value":
        found = reading_of(other)

        def build(own: n.Node, sight: Sight) -> n.Node:
            pair = (found(sight), own) if is_right else (own, found(sight))
            return n.Arithmetic(cast("Any", operator), *pair)

        return self._value(build)

    def __eq__(self, other: object) -> Rule:  # type: ignore[override]  # a rule, not a truth value
        """Return the rule that it equals a value."""
        return self._compared("=", other)

    def __ne__(self, other: object) -> Rule:  # type: ignore[override]  # a rule, not a truth value
        """Return the rule that it is there and differs from a value."""
        return self._compared("!=", other)

    __hash__ = object.__hash__

    def __lt__(self, other: Any) -> Rule:
        """Return the rule that it is less."""
        return self._compared("<", other)

    def __le__(self, other: Any) -> Rule:
        """Return the rule that it is no more."""
        return self._compared("<=", other)

    def __gt__(self, other: Any) -> Rule:
        """Return the rule that it is more."""
        return self._compared(">", other)

    def __ge__(self, other: Any) -> Rule:
        """Return the rule that it is no less."""
        return self._compared(">=", other)

    def __add__(self, other: Any) -> "Value":
        """Return the sum."""
        return self._computed("+", other)

    def __sub__(self, other: Any) -> "Value":
        """Return the difference."""
        return self._computed("-", other)

    def __mul__(self, other: Any) -> "Value":
        """Return the product."""
        return self._computed("*", other)

    def __truediv__(self, other: Any) -> "Value":
        """Return the quotient."""
        return self._computed("/", other)

    def __mod__(self, other: Any) -> "Value":
        """Return the remainder."""
        return self._computed("%", other)

    def __radd__(self, other: Any) -> "Value":
        """Return the sum."""
        return self._computed("+", other, is_right=True)

    def __rmul__(self, other: Any) -> "Value":
        """Return the product."""
        return self._computed("*", other, is_right=True)

    def __rsub__(self, other: Any) -> "Value":
        """Return the difference."""
        return self._computed("-", other, is_right=True)

    def __bool__(self) -> bool:
        """Refuse to be true or false, which only a profile can decide."""
        return bool(self._compared("=", True))

    def is_in(self, values: Iterable[Any]) -> Rule:
        """Return the rule that it is among values.

        Parameters
        ----------
        values
            Texts, numbers or dates; or an array of rows' values.

        Returns
        -------
        Rule
            The rule.
        """
        right = reading_of(values if isinstance(values, Readable) else list(values))
        return self._rule(lambda left, row: n.In(left, right(row)))

    def not_in(self, values: Iterable[Any]) -> Rule:
        """Return the rule that it is there and not among values.

        Parameters
        ----------
        values
            Texts, numbers or dates; or an array of rows' values.

        Returns
        -------
        Rule
            The rule.
        """
        right = reading_of(values if isinstance(values, Readable) else list(values))
        return self._rule(lambda left, row: n.In(left, right(row), negated=True))

    def between(self, low: Any, high: Any) -> Rule:
        """Return the rule that it lies between two values, both included.

        Parameters
        ----------
        low, high
            The ends.

        Returns
        -------
        Rule
            The rule.
        """
        first, last = reading_of(low), reading_of(high)
        return self._rule(lambda value, row: n.Between(value, first(row), last(row)))

    def contains(self, text: Any, *, ignore_case: bool = False) -> Rule:
        """Return the rule that it contains a text.

        Parameters
        ----------
        text
            What to look for.
        ignore_case
            Whether large and small letters are the same.

        Returns
        -------
        Rule
            The rule.
        """
        return self._asked("contains", text, *([False] if ignore_case else []))

    def starts_with(self, text: Any, *, ignore_case: bool = False) -> Rule:
        """Return the rule that it starts with a text.

        Parameters
        ----------
        text
            What to look for.
        ignore_case
            Whether large and small letters are the same.

        Returns
        -------
        Rule
            The rule.
        """
        return self._asked("startsWith", text, *([False] if ignore_case else []))

    def ends_with(self, text: Any, *, ignore_case: bool = False) -> Rule:
        """Return the rule that it ends with a text.

        Parameters
        ----------
        text
            What to look for.
        ignore_case
            Whether large and small letters are the same.

        Returns
        -------
        Rule
            The rule.
        """
        return self._asked("endsWith", text, *([False] if ignore_case else []))

    def like(self, pattern: str) -> Rule:
        """Return the rule that it looks like a pattern.

        Parameters
        ----------
        pattern
            ``%`` stands for any text, ``_`` for any character.

        Returns
        -------
        Rule
            The rule.
        """
        right = reading_of(pattern)
        return self._rule(lambda left, row: n.Like(left, right(row)))

    def matches(self, pattern: str) -> Rule:
        """Return the rule that a regular expression is found in it.

        Parameters
        ----------
        pattern
            A regular expression.

        Returns
        -------
        Rule
            The rule.
        """
        return self._asked("matches", pattern)

    def includes(self, item: Any) -> Rule:
        """Return the rule that a list has an item.

        Parameters
        ----------
        item
            The item.

        Returns
        -------
        Rule
            The rule.
        """
        return self._asked("includes", item)

    def is_null(self) -> Rule:
        """Return the rule that it is missing.

        Returns
        -------
        Rule
            The rule.
        """
        return self._asked("isNull")

    def is_not_null(self) -> Rule:
        """Return the rule that it is there.

        Returns
        -------
        Rule
            The rule.
        """
        return self._asked("isNotNull")

    def within(self, length: str) -> Rule:
        """Return the rule that a time is at most so long ago.

        Parameters
        ----------
        length
            Such as ``30d`` or ``2 weeks``.

        Returns
        -------
        Rule
            The rule.
        """
        return self._rule(lambda time, _: n.Occurs(time, distance(length, "<=", "before")))

    def before(self, day: date) -> Rule:
        """Return the rule that a time lies before a day.

        Parameters
        ----------
        day
            The day.

        Returns
        -------
        Rule
            The rule.
        """
        return self._rule(lambda time, _: n.Occurs(time, n.Side("before", literal(day))))

    def after(self, day: date) -> Rule:
        """Return the rule that a time lies after a day.

        Parameters
        ----------
        day
            The day.

        Returns
        -------
        Rule
            The rule.
        """
        return self._rule(lambda time, _: n.Occurs(time, n.Side("after", literal(day))))

    def lower(self) -> "Value":
        """Return the text in small letters.

        Returns
        -------
        Value
            The text.
        """
        return self._called("toLowerCase")

    def length(self) -> "Value":
        """Return how many characters a text has.

        Returns
        -------
        Value
            A number.
        """
        return self._called("length")

    def count(self) -> "Value":
        """Return how many items a list has.

        Returns
        -------
        Value
            A number.
        """
        return self._called("count")

    def __str__(self) -> str:
        """Return the value in the Profile Query Language."""
        return str(self.reading((self.entity,)))

    def __repr__(self) -> str:
        """Return the value as a notebook shows it."""
        return f"Value({self.entity}: {self})"

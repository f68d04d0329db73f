"""Rules that read naturally in a notebook, and print as text of the language.

>>> print((person.country == "DE") & person.opportunity_roles.any(role="Decision Maker"))
country = "DE" and opportunityRoles.exists(role = "Decision Maker")
>>> print(person.events("web.webpagedetails.pageViews").within("30d").count() >= 3)
xEvent[event_type = "web.webpagedetails.pageViews" and timestamp occurs <= 30 days before now].count() >= 3
>>> print(person.accounts.any(account.opportunities.any(is_closed=False), account_name=person.company_name))
accounts.exists(opportunities.exists(is_closed = false) and account_name = $1.company_name)
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, cast

from cdp_toolkit.errors import ConfigError, UnknownNameError
from cdp_toolkit.model import Entity, Model
from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.times import unit_of_word
from cdp_toolkit.segments.rule import Reading, Rule, Sight


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower()


def _literal(value: Any) -> n.Node:
    match value:
        case None:
            raise ConfigError("Nothing compares with None.", where="rule", hint="Use `.is_null()` or `.is_not_null()`.")
        case datetime():
            raise ConfigError("A rule compares with days, not with instants.", where=str(value), hint="Give a date.")
        case date():
            return n.Day(value)
        case bool() | int() | float() | str():
            return n.Literal(value)
        case list() | tuple() | set() | frozenset():
            return n.Array(tuple(_literal(each) for each in value))
        case _:
            raise ConfigError(f"A rule cannot hold {value!r}.", where="rule", hint="Give a text, a number or a date.")


def _reading(value: Any) -> Reading:
    if isinstance(value, Value | Many):
        return value.reading
    node = _literal(value)
    return lambda _: node


def _distance(length: str, operator: n.Compared, direction: n.Direction) -> n.Distance:
    found = re.fullmatch(r"\s*(\d+)\s*([A-Za-z]+)\s*", length)
    unit = unit_of_word(found[2]) if found else None
    if found is None or unit is None:
        raise ConfigError(f"{length!r} is no stretch of time.", where="rule", hint='Write it as "30d" or "2 weeks".')
    return n.Distance(operator, int(found[1]), unit, direction, n.Moment("now"))


@dataclass(frozen=True, eq=False)
class Value:
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

    def _rule(self, build: Callable[[n.Node, Sight], n.Node]) -> Rule:
        return Rule(self.entity, lambda sight: build(self.reading(sight), sight))

    def _value(self, build: Callable[[n.Node, Sight], n.Node]) -> "Value":
        return Value(self.entity, lambda sight: build(self.reading(sight), sight))

    def _compared(self, operator: n.Compared, other: Any) -> Rule:
        right = _reading(other)
        return self._rule(lambda left, sight: n.Compare(operator, left, right(sight)))

    def _asked(self, name: str, *arguments: Any) -> Rule:
        found = [_reading(each) for each in arguments]
        return self._rule(lambda of, row: n.Call(name, tuple(each(row) for each in found), of))

    def _called(self, name: str) -> "Value":
        return self._value(lambda of, _: n.Call(name, (), of))

    def _computed(self, operator: str, other: Any, *, is_right: bool = False) -> "Value":
        found = _reading(other)

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
        right = _reading(values if isinstance(values, Many | Value) else list(values))
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
        right = _reading(values if isinstance(values, Many | Value) else list(values))
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
        first, last = _reading(low), _reading(high)
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
        right = _reading(pattern)
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
        return self._rule(lambda time, _: n.Occurs(time, _distance(length, "<=", "before")))

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
        return self._rule(lambda time, _: n.Occurs(time, n.Side("before", _literal(day))))

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
        return self._rule(lambda time, _: n.Occurs(time, n.Side("after", _literal(day))))

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


@dataclass(frozen=True, eq=False)
class Row:
    """A row: its fields and relations are attributes, by column name or by path in the Experience Data Model.

    Parameters
    ----------
    model
        Entities, fields and relations.
    about
        What the rule as a whole is about.
    kind
        Entity of the row.
    prefix
        Gives the node of a name of the row.
    path
        What of a path was named so far.
    """

    model: Model
    about: str
    kind: str
    prefix: Callable[[str, Sight], n.Node]
    path: str = ""

    def __getattr__(self, name: str) -> "Value | Many | Row":
        """Return a field, a relation, or the start of a path."""
        if name.startswith("_"):
            raise AttributeError(name)
        return self[f"{self.path}.{name}" if self.path else name]

    def __getitem__(self, name: str) -> "Value | Many | Row":
        """Return a field by its column name or its path."""
        entity = self.model.entity(self.kind)
        relations = {_snake(each.name): each for each in entity.relations.values()} | entity.relations
        if name in relations:
            relation = relations[name]
            reading = _named(self.prefix, relation.name)
            if relation.many:
                return Many(self.model, self.about, relation.to, reading)
            return replace(self, kind=relation.to, prefix=lambda own, row: _behind(reading(row), own), path="")
        if name in entity.fields or name in entity.by_path:
            return Value(self.about, _named(self.prefix, name))
        if any(path.startswith(f"{name}.") for path in entity.by_path):
            return replace(self, path=name)
        raise UnknownNameError(f"field of {self.kind}", name, _names(entity), where="rule")

    def __dir__(self) -> list[str]:
        """Return what completes a name: columns, relations and the parts of paths."""
        return sorted(_completions(self.model.entity(self.kind), self.path))

    def events(self, event_type: str | None = None) -> "Many":
        """Return the events of a person.

        Parameters
        ----------
        event_type
            Such as ``web.webpagedetails.pageViews``; all by default.

        Returns
        -------
        Many
            The events.
        """
        found = cast("Many", self["xEvent"])
        return found.where(event_type=event_type) if event_type else found

    def in_segment(self, name: str) -> Rule:
        """Return the rule that the row is in a segment.

        Parameters
        ----------
        name
            Name of the segment.

        Returns
        -------
        Rule
            The rule.
        """
        return Rule(self.about, lambda _: n.Call("inSegment", (n.Literal(name),)))

    def entered_segment(self, name: str, within: str | None = None) -> Rule:
        """Return the rule that the row has entered a segment.

        Parameters
        ----------
        name
            Name of the segment.
        within
            How long ago at most, such as ``7 days``; ever by default.

        Returns
        -------
        Rule
            The rule.
        """
        given = (n.Literal(name), *((n.Literal(within),) if within else ()))
        return Rule(self.about, lambda _: n.Call("enteredSegment", given))

    def is_null(self) -> Rule:
        """Return the rule that there is no such row.

        Returns
        -------
        Rule
            The rule.
        """
        return self._asked("isNull")

    def is_not_null(self) -> Rule:
        """Return the rule that there is such a row.

        Returns
        -------
        Rule
            The rule.
        """
        return self._asked("isNotNull")

    def _asked(self, name: str) -> Rule:
        def build(sight: Sight) -> n.Node:
            of = self.prefix(self.path, sight)
            return n.Call(name, (), of)

        return Rule(self.about, build)

    def __repr__(self) -> str:
        """Return what it is."""
        return f"Row({self.kind}{': ' + self.path if self.path else ''})"


@dataclass(frozen=True, eq=False)
class Many:
    """Rows behind a relation.

    Parameters
    ----------
    model
        Entities, fields and relations.
    about
        What the rule as a whole is about.
    kind
        Entity of the rows.
    start
        Gives the node of the array.
    conditions
        What is asked of each row.
    """

    model: Model
    about: str
    kind: str
    start: Reading
    conditions: tuple[Reading, ...] = ()

    @property
    def reading(self) -> Reading:
        """The array, with its conditions in brackets."""
        return lambda row: n.Filtered(self.start(row), _all(self._met(row))) if self.conditions else self.start(row)

    def __getattr__(self, name: str) -> "Value | Many | Row":
        """Return a field of each row, or the rows behind a relation of theirs."""
        if name.startswith("_"):
            raise AttributeError(name)
        return Row(self.model, self.about, self.kind, lambda own, row: _behind(self.reading(row), own))[name]

    def __dir__(self) -> list[str]:
        """Return what completes a name: columns, relations and the parts of paths."""
        own = [name for name in vars(type(self)) if not name.startswith("_")]
        return sorted({*own, *_completions(self.model.entity(self.kind), "")})

    def where(self, *rules: Rule, **equals: Any) -> "Many":
        """Return the rows that meet conditions.

        Parameters
        ----------
        *rules
            Rules about such a row, as from ``rules.account``.
        **equals
            Columns and the values that they must have.

        Returns
        -------
        Many
            Fewer rows.
        """
        row = _root(self.model, self.kind, self.about)
        own = [cast("Value", row[name]) == value for name, value in equals.items()]
        return replace(self, conditions=(*self.conditions, *(each.reading for each in (*rules, *own))))

    def within(self, length: str) -> "Many":
        """Return the events that are at most so long ago.

        Parameters
        ----------
        length
            Such as ``30d`` or ``2 weeks``.

        Returns
        -------
        Many
            Fewer rows.
        """
        return self.where(cast("Value", _root(self.model, self.kind, self.about)["timestamp"]).within(length))

    def any(self, *rules: Rule | Callable[[Row], Rule], **equals: Any) -> Rule:
        """Return the rule that there is a row that meets conditions.

        Parameters
        ----------
        *rules
            Rules about such a row, as from ``rules.account``; or one function of the row, whose parameter names it.
        **equals
            Columns and the values that they must have.

        Returns
        -------
        Rule
            The rule.
        """
        return self._quantified("exists", rules, equals)

    def all(self, *rules: Rule | Callable[[Row], Rule], **equals: Any) -> Rule:
        """Return the rule that all rows meet conditions.

        Parameters
        ----------
        *rules
            Rules about such a row, as from ``rules.account``; or one function of the row, whose parameter names it.
        **equals
            Columns and the values that they must have.

        Returns
        -------
        Rule
            The rule.
        """
        return self._quantified("forall", rules, equals)

    def _quantified(self, kind: str, rules: tuple[Any, ...], equals: dict[str, Any]) -> Rule:
        if len(rules) == 1 and not isinstance(rules[0], Rule):
            return self._named(kind, rules[0])
        if kind == "forall":
            asked = replace(self, conditions=()).where(*rules, **equals)
            return self._rule(lambda row: n.Call(kind, asked._tests(row), self.reading(row)))  # noqa: SLF001 - of itself
        found = self.where(*rules, **equals)
        return self._rule(lambda row: n.Call(kind, found._tests(row), self.start(row)))  # noqa: SLF001 - of itself

    def _named(self, kind: str, function: Callable[[Row], Rule]) -> Rule:
        variable = function.__code__.co_varnames[0]
        row = Row(self.model, self.about, self.kind, lambda own, _: _behind(n.Name(variable), own))
        rule = function(row)

        def build(sight: Sight) -> n.Node:
            source = n.Source(variable, self.reading(sight), rule.reading(sight))
            return n.Quantifier(cast("Any", kind), (source,))

        return Rule(self.about, build)

    def _rule(self, reading: Reading) -> Rule:
        return Rule(self.about, reading)

    def _met(self, sight: Sight) -> list[n.Node]:
        return [each((self.kind, *sight)) for each in self.conditions]

    def _tests(self, sight: Sight) -> tuple[n.Node, ...]:
        return (_all(self._met(sight)),) if self.conditions else ()

    def count(self) -> Value:
        """Return how many rows there are.

        Returns
        -------
        Value
            A number.
        """
        return Value(self.about, lambda row: n.Call("count", (), self.reading(row)))

    def sum(self, column: str) -> Value:
        """Return the sum of a column.

        Parameters
        ----------
        column
            Its name or path.

        Returns
        -------
        Value
            A number; 0 where there is no row.
        """
        return self._folded("sum", column)

    def average(self, column: str) -> Value:
        """Return the average of a column.

        Parameters
        ----------
        column
            Its name or path.

        Returns
        -------
        Value
            A number.
        """
        return self._folded("average", column)

    def min(self, column: str) -> Value:
        """Return the least value of a column.

        Parameters
        ----------
        column
            Its name or path.

        Returns
        -------
        Value
            The value.
        """
        return self._folded("min", column)

    def max(self, column: str) -> Value:
        """Return the greatest value of a column.

        Parameters
        ----------
        column
            Its name or path.

        Returns
        -------
        Value
            The value.
        """
        return self._folded("max", column)

    def _folded(self, name: str, column: str) -> Value:
        value = cast("Value", _root(self.model, self.kind, self.about)[column])
        return Value(self.about, lambda row: n.Call(name, (value.reading((self.kind, *row)),), self.reading(row)))

    def __repr__(self) -> str:
        """Return the array in the Profile Query Language."""
        return f"Many({self.kind}: {self.reading((self.about,))})"


def _all(conditions: list[n.Node]) -> n.Node:
    flat = [each for one in conditions for each in (one.operands if isinstance(one, n.And) else (one,))]
    return flat[0] if len(flat) == 1 else n.And(tuple(flat))


def _named(prefix: Callable[[str, Sight], n.Node], name: str) -> Reading:
    return lambda sight: prefix(name, sight)


def _behind(start: n.Node, name: str) -> n.Node:
    for part in name.split("."):
        start = n.Member(start, part)
    return start


def _root(model: Model, entity: str, about: str | None = None) -> Row:
    """Return a row whose fields need no prefix where its entity is in hand, and are the first parameter's elsewhere."""

    def prefix(name: str, sight: Sight) -> n.Node:
        first, _, rest = name.partition(".")
        if entity not in {sight[0], sight[-1]}:
            raise ConfigError(
                f"{entity}.{name} is read where {sight[0]} is in hand.",
                where="rule",
                hint="Give the row a name: `.any(lambda A: …)`.",
            )
        start = n.Name(first) if sight[0] == entity else n.Member(n.Parameter(1), first)
        return _behind(start, rest) if rest else start

    return Row(model, about or entity, entity, prefix)


def _names(entity: Entity) -> Iterator[str]:
    yield from (*entity.fields, *entity.by_path, *(_snake(name) for name in entity.relations))


def _completions(entity: Entity, path: str) -> set[str]:
    if path:
        inner = (each.removeprefix(f"{path}.") for each in entity.by_path if each.startswith(f"{path}."))
        return {each.partition(".")[0] for each in inner}
    starts = {each.partition(".")[0] for each in entity.by_path}
    own = (
        {"events", "in_segment", "entered_segment"}
        if "xEvent" in entity.relations
        else {"in_segment", "entered_segment"}
    )
    return {*entity.fields, *(_snake(name) for name in entity.relations), *starts, *own}


class Rules:
    """The starts of rules: an attribute for each entity, with a workspace's own columns.

    Parameters
    ----------
    model
        Entities, fields and relations; those of the toolkit by default.

    Examples
    --------
    >>> rules = Rules()
    >>> print(rules.account.annual_revenue > 1_000_000)
    annual_revenue > 1000000
    """

    def __init__(self, model: Model | None = None) -> None:
        self._model = model or Model.standard()

    def __getattr__(self, name: str) -> Row:
        """Return the rows of an entity."""
        if name.startswith("_"):
            raise AttributeError(name)
        return _root(self._model, self._model.entity(name).name)

    def __dir__(self) -> list[str]:
        """Return the entities."""
        return sorted(self._model.entities)


person, account = Rules().person, Rules().account

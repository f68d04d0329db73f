"""A row, whose fields and relations are attributes, and the rows behind a relation."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

from cdp_toolkit.errors import ConfigError, UnknownNameError
from cdp_toolkit.model import Model
from cdp_toolkit.segments.builder.names import completions, names, snake
from cdp_toolkit.segments.builder.readings import Readable
from cdp_toolkit.segments.builder.values import Value
from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.rule import Reading, Rule, Sight


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
        relations = {snake(each.name): each for each in entity.relations.values()} | entity.relations
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
        raise UnknownNameError(f"field of {self.kind}", name, names(entity), where="rule")

    def __dir__(self) -> list[str]:
        """Return what completes a name: columns, relations and the parts of paths."""
        return sorted(completions(self.model.entity(self.kind), self.path))

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
class Many(Readable):
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

    def at(self, sight: Sight) -> n.Node:
        """Return the array, with its conditions in brackets.

        Parameters
        ----------
        sight
            Entities of the rows in sight, the innermost first.

        Returns
        -------
        Node
            The node.
        """
        return n.Filtered(self.start(sight), _all(self._met(sight))) if self.conditions else self.start(sight)

    def __getattr__(self, name: str) -> "Value | Many | Row":
        """Return a field of each row, or the rows behind a relation of theirs."""
        if name.startswith("_"):
            raise AttributeError(name)
        return Row(self.model, self.about, self.kind, lambda own, row: _behind(self.at(row), own))[name]

    def __dir__(self) -> list[str]:
        """Return what completes a name: columns, relations and the parts of paths."""
        own = [name for name in vars(type(self)) if not name.startswith("_")]
        return sorted({*own, *completions(self.model.entity(self.kind), "")})

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
        row = root(self.model, self.kind, self.about)
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
        return self.where(cast("Value", root(self.model, self.kind, self.about)["timestamp"]).within(length))

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
            return self._rule(lambda row: n.Call(kind, asked._tests(row), self.at(row)))  # noqa: SLF001 - of itself
        found = self.where(*rules, **equals)
        return self._rule(lambda row: n.Call(kind, found._tests(row), self.start(row)))  # noqa: SLF001 - of itself

    def _named(self, kind: str, function: Callable[[Row], Rule]) -> Rule:
        variable = function.__code__.co_varnames[0]
        row = Row(self.model, self.about, self.kind, lambda own, _: _behind(n.Name(variable), own))
        rule = function(row)

        def build(sight: Sight) -> n.Node:
            source = n.Source(variable, self.at(sight), rule.reading(sight))
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
        return Value(self.about, lambda row: n.Call("count", (), self.at(row)))

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
        value = cast("Value", root(self.model, self.kind, self.about)[column])
        return Value(self.about, lambda row: n.Call(name, (value.reading((self.kind, *row)),), self.at(row)))

    def __repr__(self) -> str:
        """Return the array in the Profile Query Language."""
        return f"Many({self.kind}: {self.at((self.about,))})"


def _all(conditions: list[n.Node]) -> n.Node:
    flat = [each for one in conditions for each in (one.operands if isinstance(one, n.And) else (one,))]
    return flat[0] if len(flat) == 1 else n.And(tuple(flat))


def _named(prefix: Callable[[str, Sight], n.Node], name: str) -> Reading:
    return lambda sight: prefix(name, sight)


def _behind(start: n.Node, name: str) -> n.Node:
    for part in name.split("."):
        start = n.Member(start, part)
    return start


def root(model: Model, entity: str, about: str | None = None) -> Row:
    """Return a row whose fields need no prefix where its entity is in hand, and are the first parameter's elsewhere.

    Parameters
    ----------
    model
        Entities, fields and relations.
    entity
        What the row is.
    about
        What the rule as a whole is about; the row itself by default.

    Returns
    -------
    Row
        The row.
    """
    return Row(model, about or entity, entity, partial(_in_sight, entity))


def _in_sight(entity: str, name: str, sight: Sight) -> n.Node:
    first, _, rest = name.partition(".")
    if entity not in {sight[0], sight[-1]}:
        raise ConfigError(
            f"{entity}.{name} is read where {sight[0]} is in hand.",
            where="rule",
            hint="Give the row a name: `.any(lambda A: …)`.",
        )
    start = n.Name(first) if sight[0] == entity else n.Member(n.Parameter(1), first)
    return _behind(start, rest) if rest else start

"""The segments of one evaluation, each bound once, in the order in which they name each other."""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field

from cdp_toolkit.errors import CdpError, UnknownNameError
from cdp_toolkit.model import Model
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.listed import base_of, with_lists
from cdp_toolkit.segments.pql.bind import bind
from cdp_toolkit.segments.pql.binder import Segments
from cdp_toolkit.segments.pql.bound import Aggregate, Apply, Bound, Column, InSegment
from cdp_toolkit.segments.pql.nodes import Node
from cdp_toolkit.segments.pql.parse import parse
from cdp_toolkit.segments.pql.times import Clock

# Entities whose facts reach a profile as they happen; a segment that reads any other is a batch segment.
_STREAMED = {"person", "event"}


@dataclass
class Bindings:
    """Conditions of segments by name.

    Parameters
    ----------
    segments
        Every segment that may be named.
    model
        Entities, fields and relations.
    clock
        When they are evaluated and where days begin.
    """

    segments: Iterable[Segment]
    model: Model
    clock: Clock
    _bound: dict[str, Bound] = field(default_factory=dict, init=False)
    on_the_way: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        """Index the segments by name."""
        self.by_name = {segment.name: segment for segment in self.segments}
        self._model = with_lists(self.model)

    def condition(self, segment: Segment) -> Bound:
        """Return the condition of a segment.

        Parameters
        ----------
        segment
            The segment.

        Returns
        -------
        Bound
            The condition, with those of the segments that it names in it.

        Raises
        ------
        PqlError
            If its rule is wrong, cannot be evaluated yet, or names itself by way of others.
        UnknownNameError
            If it names something that does not exist.
        """
        if segment.name not in self._bound:
            self.on_the_way.append(segment.name)
            try:
                node = parse(segment.rule)
                self._bound[segment.name] = bind(
                    node, self._model, entity=segment.entity, clock=self.clock, segments=_Named(self)
                )
            finally:
                self.on_the_way.pop()
        return self._bound[segment.name]


class _Named(Segments):
    """The segments of an evaluation, as a rule may name them."""

    def __init__(self, bindings: Bindings) -> None:
        self._bindings = bindings

    def _found(self, name: str, node: Node) -> Segment:
        by_name = self._bindings.by_name
        if name not in by_name:
            raise UnknownNameError("segment", name, by_name, where=node.at.error("").where)
        return by_name[name]

    def entity(self, name: str, node: Node) -> str:
        return self._found(name, node).entity

    def condition(self, name: str, node: Node) -> Bound:
        segment, on_the_way = self._found(name, node), self._bindings.on_the_way
        if name in on_the_way:
            circle = " → ".join([*on_the_way[on_the_way.index(name) :], name])
            raise node.at.error(f"The segments name each other in a circle: {circle}.")
        try:
            return self._bindings.condition(segment)
        except CdpError as error:
            message = f"The segment {name!r} cannot be evaluated: {error.message}"
            raise node.at.error(message, hint=error.hint) from error


@dataclass(frozen=True)
class Facts:
    """What a condition reads.

    Parameters
    ----------
    columns
        Entity and column.
    tables
        Names in ``profiles/``.
    """

    columns: frozenset[tuple[str, str]]
    tables: frozenset[str]

    @property
    def method(self) -> tuple[str, str]:
        """How it can be evaluated, and why: ``streaming`` or ``batch``."""
        beyond = sorted(self.tables - _STREAMED)
        if beyond:
            return "batch", f"reads {', '.join(beyond)}"
        return "streaming", "reads profile attributes and events only"


def facts(condition: Bound, entity: str, model: Model) -> Facts:
    """Return what a condition reads.

    Parameters
    ----------
    condition
        A bound condition.
    entity
        What it is about.
    model
        Entities and relations.

    Returns
    -------
    Facts
        Columns and tables.
    """
    read = [base_of(*each) for each in _read(condition, (entity,), with_lists(model))]
    return Facts(
        frozenset((table, column) for table, column in read if column),
        frozenset({entity, *(table for table, _ in read)}),
    )


def _read(bound: Bound, around: tuple[str, ...], model: Model) -> Iterator[tuple[str, str]]:
    match bound:
        case Apply():
            for argument in bound.arguments:
                yield from _read(argument, around, model)
        case InSegment():
            yield from _read(bound.condition, around, model)
        case Column():
            entity = yield from _walk(around[bound.up], bound.hops, model)
            yield entity, bound.name
        case Aggregate():
            yield from _read_rows(bound, around, model)


def _read_rows(bound: Aggregate, around: tuple[str, ...], model: Model) -> Iterator[tuple[str, str]]:
    entity = yield from _walk(around[bound.up], bound.hops, model)
    for step in bound.steps:
        if step.relation:
            entity = yield from _walk(entity, (step.relation,), model)
        for asked in step.conditions:
            yield from _read(asked, (entity, *around), model)
    for each in (bound.value, *(stage.condition for stage in bound.stages)):
        if each is not None:
            yield from _read(each, (entity, *around), model)


def _walk(entity: str, names: Iterable[str], model: Model) -> Generator[tuple[str, str], None, str]:
    for name in names:
        relation = model.entity(entity).relations[name]
        if relation.through is not None:
            yield relation.through, ""
        if not relation.many:
            yield entity, relation.near
        entity = relation.to
        yield entity, relation.far if relation.many and relation.through is None else "profile_id"
    return entity

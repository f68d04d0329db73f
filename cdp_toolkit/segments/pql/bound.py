"""A condition whose names are found: what ``bind`` makes of nodes and ``compile`` turns into expressions.

A small language with one way to say each thing. Variables are counted, not named: ``up`` is 0 for the row in hand,
1 for the row whose array it is in, and so on. So equal conditions are equal wherever they stand, and are computed once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Literal, TypeVar, cast

from cdp_toolkit.segments.pql.nodes import Compared, Node
from cdp_toolkit.segments.pql.nodes import Literal as Written

Kind = Literal["text", "number", "boolean", "time", "date", "texts", "list", "nothing"]
Scalar = str | int | float | bool | datetime | date | None


@dataclass(frozen=True, kw_only=True)
class Bound:
    """Anything that has a value for a row."""

    kind: Kind
    source: Node = field(default=Written(None), compare=False, repr=False)


@dataclass(frozen=True)
class Constant(Bound):
    """A value that is the same for all rows; a tuple where the kind is ``list``."""

    value: Scalar | tuple[Scalar, ...]


@dataclass(frozen=True)
class Column(Bound):
    """A column of the row that is reached by to-one relations ``hops``."""

    up: int
    hops: tuple[str, ...]
    name: str


@dataclass(frozen=True)
class Apply(Bound):
    """A function or an operator."""

    function: str
    arguments: tuple[Bound, ...]


@dataclass(frozen=True)
class Keep:
    """The first rows of an array, or the last ones: by a value, or by their key; of each group, or of all."""

    amount: int
    value: Bound | None = None
    by: Bound | None = None
    is_from_end: bool = False


@dataclass(frozen=True)
class Step:
    """A relation to walk, which of the rows behind it count, and how many of those; without a name it stays."""

    relation: str
    condition: Bound | None = None
    keep: Keep | None = None

    @property
    def conditions(self) -> Iterator[Bound]:
        """All that is asked of each row."""
        keep = () if self.keep is None else (self.keep.value, self.keep.by)
        yield from (each for each in (self.condition, *keep) if each is not None)


@dataclass(frozen=True)
class Stage:
    """A step of a chain: what must happen, how far from the wanted step before, how often, or that it must not."""

    condition: Bound
    distance: tuple[Compared, str] | None = None
    at_least: int = 1
    is_negated: bool = False


@dataclass(frozen=True)
class Aggregate(Bound):
    """One value from many rows: those that ``steps`` lead to from the row that ``hops`` lead to.

    A chain has ``stages``, and its ``value`` is the time of a row.
    """

    function: Literal["exists", "forall", "count", "distinct", "sum", "average", "min", "max", "chain"]
    up: int
    hops: tuple[str, ...]
    steps: tuple[Step, ...]
    value: Bound | None = None
    stages: tuple[Stage, ...] = ()

    @property
    def conditions(self) -> Iterator[Bound]:
        """All that is asked of each row."""
        for step in self.steps:
            yield from step.conditions
        if self.value is not None:
            yield self.value
        yield from (stage.condition for stage in self.stages)


Leaf = Column | Aggregate
AnyBound = TypeVar("AnyBound", bound=Bound)


@dataclass(frozen=True)
class InSegment(Bound):
    """Whether the row is in a segment, by the segment's own condition."""

    segment: str
    condition: Bound


def _remember_hash(kind: type[Bound]) -> None:
    """Let a node work out its hash once: conditions are looked up all the time, each with all that is in it."""
    work_out = kind.__hash__

    def remembered(self: Bound) -> int:
        known: int | None = self.__dict__.get("_hash")
        if known is None:
            known = self.__dict__["_hash"] = work_out(self)
        return known

    kind.__hash__ = remembered  # type: ignore[assignment]


for _kind in (Constant, Column, Apply, Aggregate, InSegment):
    _remember_hash(_kind)


def truth(function: str, *arguments: Bound, source: Node | None = None) -> Apply:
    """Return a condition.

    Parameters
    ----------
    function
        Name of a function or an operator that gives a truth value.
    *arguments
        What it is applied to.
    source
        What was written; that of the first argument by default.

    Returns
    -------
    Apply
        The condition.
    """
    return Apply(function, arguments, kind="boolean", source=source or arguments[0].source)


def leaves(bound: Bound) -> Iterator[Leaf]:
    """Return what a condition needs of its row and of the rows around it.

    Parameters
    ----------
    bound
        A condition or a value.

    Yields
    ------
    Column or Aggregate
        In the order of the text; the insides of an aggregate are not looked into.
    """
    match bound:
        case Column() | Aggregate():
            yield bound
        case Apply():
            for argument in bound.arguments:
                yield from leaves(argument)
        case InSegment():
            yield from leaves(bound.condition)


def outer(aggregate: Aggregate) -> Iterator[Leaf]:
    """Return what the rows of an aggregate need from outside of their array.

    Parameters
    ----------
    aggregate
        An aggregate.

    Yields
    ------
    Column or Aggregate
        As seen from where the aggregate stands.
    """
    for leaf in inner(aggregate):
        if leaf.up > 0:
            yield shifted(leaf, -1)


def inner(aggregate: Aggregate) -> Iterator[Leaf]:
    """Return what the rows of an aggregate need, for themselves and for the arrays within them.

    Parameters
    ----------
    aggregate
        An aggregate.

    Yields
    ------
    Column or Aggregate
        As seen from a row of the array.
    """
    for condition in aggregate.conditions:
        for leaf in leaves(condition):
            yield leaf
            if isinstance(leaf, Aggregate):
                yield from outer(leaf)


def shifted(bound: AnyBound, by: int, *, least: int = 0) -> AnyBound:
    """Return a condition as it reads from further in, or from further out.

    Parameters
    ----------
    bound
        A condition or a value.
    by
        How many arrays further in; negative for further out.
    least
        Rows nearer than this are its own and stay.

    Returns
    -------
    Bound
        The same with other ``up``.
    """
    moved: Bound = bound
    match bound:
        case Column():
            moved = replace(bound, up=_moved(bound.up, by, least))
        case Apply():
            moved = replace(bound, arguments=tuple(shifted(each, by, least=least) for each in bound.arguments))
        case InSegment():
            moved = replace(bound, condition=shifted(bound.condition, by, least=least))
        case Aggregate():
            steps = tuple(moved_step(step, by, least=least + 1) for step in bound.steps)
            value = bound.value and shifted(bound.value, by, least=least + 1)
            stages = tuple(
                replace(stage, condition=shifted(stage.condition, by, least=least + 1)) for stage in bound.stages
            )
            moved = replace(bound, up=_moved(bound.up, by, least), steps=steps, value=value, stages=stages)
    return cast("AnyBound", moved)


def moved_step(step: Step, by: int, *, least: int) -> Step:
    """Return a step as it reads from further in, or from further out.

    Parameters
    ----------
    step
        A step.
    by
        How many arrays further in; negative for further out.
    least
        Rows nearer than this are its own and stay.

    Returns
    -------
    Step
        The same with other ``up``.
    """

    def _part(bound: Bound | None) -> Bound | None:
        return bound and shifted(bound, by, least=least)

    keep = step.keep and replace(step.keep, value=_part(step.keep.value), by=_part(step.keep.by))
    return replace(step, condition=_part(step.condition), keep=keep)


def _moved(up: int, by: int, least: int) -> int:
    return up + by if up >= least else up

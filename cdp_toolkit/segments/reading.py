"""What conditions read, along the ways that they walk, and where the passing of time may change what they say.

Conditions are bound twice, for the moment of one evaluation and for that of the next. Where the two differ in the end of
a window, such as the time that lies 30 days back, only rows between the two ends can have changed their answer.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from cdp_toolkit.errors import CdpError
from cdp_toolkit.model import Model
from cdp_toolkit.segments.expressions import COMPARISONS
from cdp_toolkit.segments.listed import TO_HISTORY
from cdp_toolkit.segments.pql.bound import Aggregate, Apply, Bound, Column, Constant, InSegment, leaves


class UnclearError(CdpError):
    """It cannot be told whose answer changed, so all profiles have to be asked."""


@dataclass(frozen=True)
class Window:
    """Rows whose answer time may have changed: those with a value from ``low`` to ``high``.

    Parameters
    ----------
    value
        What is compared with an end of the window, of one row.
    low, high
        The end as it was and as it is, in order.
    """

    value: Bound
    low: Constant
    high: Constant


@dataclass
class Reading:
    """What is read of the rows of an entity, and of the rows behind them.

    Parameters
    ----------
    entity
        Whose rows.
    columns
        Their columns.
    windows
        Windows that moved.
    behind
        The same of the rows that a relation leads to, by its name.
    """

    entity: str
    columns: set[str] = field(default_factory=set)
    windows: list[Window] = field(default_factory=list)
    behind: dict[str, "Reading"] = field(default_factory=dict)

    def join(self, other: "Reading") -> None:
        """Take over what else is read of the same entity.

        Parameters
        ----------
        other
            A reading that starts at the same entity.
        """
        self.columns |= other.columns
        self.windows += [each for each in other.windows if each not in self.windows]
        for relation, reading in other.behind.items():
            self.behind.setdefault(relation, Reading(reading.entity)).join(reading)


def reading_of(entity: str, before: Bound, after: Bound, model: Model) -> Reading:
    """Return what a condition reads.

    Parameters
    ----------
    entity
        What it is about.
    before, after
        The condition, bound for the moment of the last evaluation and for that of the next.
    model
        Entities and relations.

    Returns
    -------
    Reading
        Starting at the entity.

    Raises
    ------
    UnclearError
        If time changes it in a way that no window describes, or it reads what is no row of a table.
    """
    root = Reading(entity)
    _Reader(model).read(before, after, (root,))
    return root


@dataclass(frozen=True)
class _Reader:
    model: Model

    def read(self, before: Bound, after: Bound, around: tuple[Reading, ...]) -> None:
        match before, after:
            case Constant(), Constant() if before.value == after.value:
                return
            case Column(), Column():
                self._at(around[after.up], after.hops).columns.add(after.name)
            case InSegment(), InSegment():
                self.read(before.condition, after.condition, around)
            case Apply(), Apply() if before.function == after.function:
                self._read_function(before, after, around)
            case Aggregate(), Aggregate() if before.function == after.function:
                self._read_rows(before, after, around)
            case _:
                raise UnclearError(f"Time changes {after.source}.")

    def _read_function(self, before: Apply, after: Apply, around: tuple[Reading, ...]) -> None:
        for old, new in _pairs(before.arguments, after.arguments):
            is_end = isinstance(old, Constant) and isinstance(new, Constant) and after.function in COMPARISONS
            if is_end and old != new:
                (value,) = (each for each in after.arguments if each is not new)
                self._add_window(value, [cast("Constant", each) for each in (old, new)], around)
            else:
                self.read(old, new, around)

    def _add_window(self, value: Bound, ends: Sequence[Constant], around: tuple[Reading, ...]) -> None:
        low, high = sorted(ends, key=lambda end: cast("Any", end.value))
        if isinstance(value, Column):
            own = Column(0, (), value.name, kind=value.kind)
            self._at(around[value.up], value.hops).windows.append(Window(own, low, high))
            return
        read = list(leaves(value))
        if not all(isinstance(leaf, Column) and not leaf.hops and not leaf.up for leaf in read):
            raise UnclearError(f"Time changes what is compared with {value.source}.")
        around[0].windows.append(Window(value, low, high))

    def _read_rows(self, before: Aggregate, after: Aggregate, around: tuple[Reading, ...]) -> None:
        here = self._at(around[after.up], after.hops)
        for old, new in _pairs(before.steps, after.steps):
            here = self._at(here, (new.relation,) if new.relation else ())
            for asked, again in _pairs(old.conditions, new.conditions):
                self.read(asked, again, (here, *around))
        for asked, again in _pairs(_of_rows(before), _of_rows(after)):
            self.read(asked, again, (here, *around))

    def _at(self, reading: Reading, relations: Iterable[str]) -> Reading:
        for name in relations:
            if name.endswith("[]") and name != TO_HISTORY:  # the items of a list change with its column
                column = name.removesuffix("[]")
                reading.columns.add(column)
                reading = Reading(f"{reading.entity}.{column}")
                continue
            relation = self.model.entity(reading.entity).relations.get(name)
            if relation is None:
                raise UnclearError(f"{name} is no relation of {reading.entity}.")
            reading = reading.behind.setdefault(name, Reading(relation.to))
        return reading


def _of_rows(aggregate: Aggregate) -> Iterator[Bound]:
    """Return the value of an aggregate and what its stages ask."""
    if aggregate.value is not None:
        yield aggregate.value
    yield from (stage.condition for stage in aggregate.stages)


def _pairs(one: Iterable[Any], other: Iterable[Any]) -> Sequence[tuple[Any, Any]]:
    left, right = list(one), list(other)
    if len(left) != len(right):
        raise UnclearError("Time changes how the condition is made.")
    return list(zip(left, right, strict=True))

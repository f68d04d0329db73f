"""Facts that compare a count of rows with a number, taken apart: which rows, in which window of time, how many."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import eq, ge, gt, le, lt
from typing import cast

import numpy as np
import numpy.typing as npt

from cdp_toolkit.model import Model
from cdp_toolkit.segments.pql.bound import Aggregate, Apply, Bound, Column, Constant, leaves, truth
from cdp_toolkit.segments.pql.reach import is_nested

Window = tuple[datetime, datetime]
EVER: Window = (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))
TRUE = Constant(True, kind="boolean")
_INSTANT = timedelta(microseconds=1)
_COMPARISONS: dict[str, Callable[[npt.NDArray[np.int64], float], npt.NDArray[np.bool_]]] = {
    "=": eq, "<": lt, "<=": le, ">": gt, ">=": ge,
}  # fmt: skip
_TURNED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True)
class Counted:
    """A fact that compares a count of rows with a number.

    Parameters
    ----------
    fact
        The fact.
    base
        What is asked of a row besides its time.
    window
        First and last instant; None where the time does not matter.
    comparison
        ``=``, ``<`` and so on.
    number
        What the count is compared with.
    """

    fact: Bound
    base: Bound
    window: Window | None
    comparison: str
    number: float

    def holds(self, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Decide the fact.

        Parameters
        ----------
        counts
            Counts.

        Returns
        -------
        numpy.ndarray
            Whether it is true of each.
        """
        return _COMPARISONS[self.comparison](counts, self.number)


@dataclass(frozen=True)
class Group:
    """Facts that one pass over rows can decide.

    Parameters
    ----------
    relation
        Leads to the rows.
    columns
        What is read of a row besides its time.
    time
        The column of the windows; None where none has one.
    counted
        The facts.
    """

    relation: str
    columns: tuple[Column, ...]
    time: Column | None
    counted: tuple[Counted, ...]

    @property
    def bounds(self) -> Window | None:
        """First and last instant of all windows; None where the time of some does not matter."""
        windows = [each.window for each in self.counted if each.window is not None]
        if len(windows) < len(self.counted):
            return None
        return min(first for first, _ in windows), max(last for _, last in windows)


def groups(model: Model, entity: str, facts: Sequence[Bound]) -> list[Group]:
    """Return the facts that compare counts of rows which a profile owns.

    Parameters
    ----------
    model
        Relations.
    entity
        Whose facts.
    facts
        Facts of all kinds; those that do not count, or read more of a row than texts and flags, are left out.

    Returns
    -------
    list of Group
        By relation and columns read.
    """
    compared: dict[str, list[tuple[Bound, Aggregate, str, float]]] = {}
    for fact in facts:
        found = _comparison(model, entity, fact)
        if found is not None:
            compared.setdefault(found[1].steps[0].relation, []).append(found)
    made = []
    for relation, those in compared.items():
        time = _time_of(aggregate for _, aggregate, _, _ in those)
        counted = []
        for fact, aggregate, comparison, number in those:
            base, window = _split(aggregate.steps[0].condition, time)
            if all(_is_plain(leaf) for leaf in leaves(base)):
                counted.append(Counted(fact, base, window, comparison, number))
        for columns, mine in _by_columns(counted).items():
            has_windows = any(each.window for each in mine)
            made.append(Group(relation, columns, time if has_windows else None, tuple(mine)))
    return made


def _is_plain(leaf: Bound) -> bool:
    return isinstance(leaf, Column) and leaf.up == 0 and leaf.kind in {"text", "boolean"}


def _comparison(model: Model, entity: str, fact: Bound) -> tuple[Bound, Aggregate, str, float] | None:
    """Return the count that a fact compares with a number, if it is of rows that the profile owns."""
    match fact:
        case Aggregate(function="exists"):
            aggregate, comparison, number = fact, ">", 0.0
        case Apply(function, (Aggregate(function="count") as aggregate, Constant(value=int() | float() as number))):
            comparison = function
        case Apply(function, (Constant(value=int() | float() as number), Aggregate(function="count") as aggregate)):
            comparison = _TURNED.get(function, "")
        case _:
            return None
    is_step = (aggregate.up, aggregate.hops, len(aggregate.steps)) == (0, (), 1) and not is_nested(aggregate)
    if comparison not in _COMPARISONS or not is_step:
        return None
    relation = model.entity(entity).relations[aggregate.steps[0].relation]
    is_owned = relation.many and relation.through is None and aggregate.value is None
    return (fact, aggregate, comparison, float(number)) if is_owned else None


def _time_of(aggregates: Iterable[Aggregate]) -> Column | None:
    """Return the time that most conditions bound."""
    found: Counter[Column] = Counter()
    for aggregate in aggregates:
        found.update(
            {time for each in _conjuncts(aggregate.steps[0].condition) if (time := _bounded(each)) is not None}
        )
    return next((time for time, _ in found.most_common(1)), None)


def _conjuncts(condition: Bound | None) -> Iterator[Bound]:
    match condition:
        case None:
            return
        case Apply("and", arguments):
            for each in arguments:
                yield from _conjuncts(each)
        case Apply("or", (only,)):
            yield from _conjuncts(only)
        case _:
            yield condition


def _bounded(conjunct: Bound) -> Column | None:
    """Return the time that a conjunct bounds by an instant."""
    match conjunct:
        case Apply(function, (Column(kind="time", up=0, hops=()) as time, Constant(kind="time", value=datetime()))) if (
            function in _COMPARISONS
        ):
            return time
        case _:
            return None


def _split(condition: Bound | None, time: Column | None) -> tuple[Bound, Window | None]:
    """Return what a condition asks besides the time, and the window of time."""
    first, last = EVER
    rest = []
    for each in _conjuncts(condition):
        if time is None or _bounded(each) != time:
            rest.append(each)
            continue
        comparison, (_, constant) = cast("Apply", each).function, cast("Apply", each).arguments
        at = cast("datetime", cast("Constant", constant).value).astimezone(UTC)
        if comparison in {"=", ">", ">="}:
            first = max(first, at + _INSTANT if comparison == ">" else at)
        if comparison in {"=", "<", "<="}:
            last = min(last, at - _INSTANT if comparison == "<" else at)
    return truth("and", *rest) if rest else TRUE, None if (first, last) == EVER else (first, last)


def _by_columns(counted: Iterable[Counted]) -> dict[tuple[Column, ...], list[Counted]]:
    """Return the facts by the columns that they read, those that read fewer beside those that read more."""
    read = {each: frozenset(cast("Column", leaf) for leaf in leaves(each.base)) for each in counted}
    sets = sorted(set(read.values()), key=len, reverse=True)
    widest = {each: next(other for other in sets if each <= other) for each in sets}
    found: dict[tuple[Column, ...], list[Counted]] = {}
    for each, columns in read.items():
        key = tuple(sorted(widest[columns], key=lambda column: (column.hops, column.name)))
        found.setdefault(key, []).append(each)
    return found

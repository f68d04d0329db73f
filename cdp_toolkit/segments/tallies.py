"""Rows that profiles own, counted for all conditions and windows of time in one pass.

Events are many, but of few kinds: what conditions ask of them besides the time is the same for all events of a kind.
So it is asked once of each kind. Each row finds the conditions that its kind meets by one join, keeps those in whose
window its time lies, and is counted by owner and condition. The work grows with the matches, not with the number of
conditions, and numbers of a packed counter cannot run over, since there is none.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import eq, ge, gt, le, lt
from typing import cast

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.segments.bits import Bits, packed
from cdp_toolkit.segments.buckets import Bucket
from cdp_toolkit.segments.compile import OWNER, Plan
from cdp_toolkit.segments.expressions import expression
from cdp_toolkit.segments.pql.bound import Aggregate, Apply, Bound, Column, Constant, Leaf, Step, leaves, truth
from cdp_toolkit.segments.pql.reach import is_nested

Ids = npt.NDArray[np.int64]
# Beyond this many kinds of rows in a bucket, conditions are asked of each row instead.
_MANY_KINDS = 50_000
_COMPARISONS: dict[str, Callable[[npt.NDArray[np.int64], float], npt.NDArray[np.bool_]]] = {
    "=": eq, "<": lt, "<=": le, ">": gt, ">=": ge,
}  # fmt: skip
_TURNED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_EVER = (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))
_INSTANT = timedelta(microseconds=1)
_TRUE = Constant(True, kind="boolean")

Window = tuple[datetime, datetime]


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


@dataclass(frozen=True)
class Tally:
    """Counts over the rows of one relation whose conditions read the same columns.

    Parameters
    ----------
    engine
        Runs the counts.
    rows
        Gives the rows of a bucket: ``_owner``, the columns of a kind, and ``_at`` where windows are asked.
    kinds
        One row per kind and condition that it meets: the columns of the kind, ``_code``, ``_first``, ``_last`` and
        ``_is_open`` where the time does not matter.
    columns
        The columns of a kind.
    nullable
        Those that may be null.
    codes
        For each code what is asked of its count.
    """

    engine: Engine
    rows: Callable[[Bucket], Frame]
    kinds: Frame
    columns: tuple[str, ...]
    nullable: tuple[str, ...]
    codes: tuple[tuple[Counted, ...], ...]

    def bits(self, bucket: Bucket, ids: Ids) -> dict[Bound, Bits]:
        """Decide the facts for the profiles of a bucket.

        Parameters
        ----------
        bucket
            The bucket.
        ids
            Its profiles, in order.

        Returns
        -------
        dict
            The truth of each fact.
        """
        rows = _keyed(self.rows(bucket), self.nullable)
        on = [*self.columns, *(f"{name}_is_null" for name in self.nullable)]
        met = rows.join(self.kinds, on=on, how="inner") if on else rows.join(self.kinds.drop("_none"), how="cross")
        if any(asked[0].window for asked in self.codes):
            is_within = (nw.col("_at") >= nw.col("_first")) & (nw.col("_at") <= nw.col("_last"))
            met = met.filter(nw.col("_is_open") | is_within)
        table = self.engine.collect(met.group_by(OWNER, "_code").agg(_count=nw.len().cast(nw.Int64)))
        owners, is_owner = place_of(ids, table[OWNER])
        codes, counts = (table[name].to_numpy()[is_owner] for name in ("_code", "_count"))
        order = np.argsort(codes.astype(np.int16 if len(self.codes) < 2**15 else np.int64), kind="stable")
        owners, counts = owners[is_owner][order], counts[order]
        ends = np.cumsum(np.bincount(codes, minlength=len(self.codes)))
        found: dict[Bound, Bits] = {}
        for asked, end, start in zip(self.codes, ends, [0, *ends[:-1]], strict=True):
            for each in asked:
                found[each.fact] = _compared(each, owners[start:end], counts[start:end], len(ids))
        return found


def _compared(counted: Counted, owners: Ids, counts: Ids, size: int) -> Bits:
    compare = _COMPARISONS[counted.comparison]
    without = bool(compare(np.zeros(1, np.int64), counted.number)[0])
    true = np.full(size, without)
    true[owners] = compare(counts, counted.number)
    return Bits(packed(true))


def place_of(ids: Ids, wanted: pa.ChunkedArray) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Find ids among others.

    Parameters
    ----------
    ids
        Ids in order.
    wanted
        Ids in any order.

    Returns
    -------
    places, is_there
        Where each is, and whether it is there at all.
    """
    values = wanted.to_numpy()
    if not len(ids):
        return np.zeros(len(values), np.intp), np.zeros(len(values), np.bool_)
    places = np.minimum(np.searchsorted(ids, values), len(ids) - 1)
    return places, ids[places] == values


def tallies_of(
    plan: Plan, engine: Engine, entity: str, facts: Sequence[Bound], divided: Sequence[Bucket]
) -> tuple[list[Tally], list[Bound]]:
    """Return the facts that can be counted in one pass a relation.

    Parameters
    ----------
    plan
        Turns conditions into frames.
    engine
        Looks up which kinds of rows there are.
    entity
        Whose facts.
    facts
        Facts of all kinds.
    divided
        The buckets of profiles to judge.

    Returns
    -------
    tallies, rest
        The tallies, and the facts that they do not decide.
    """
    found: list[Tally] = []
    taken: set[Bound] = set()
    for (relation, time), counted in _by_relation(plan, entity, facts).items():
        for columns, mine in _by_columns(counted).items():
            windows = [each.window for each in mine]
            bounds = (min(w[0] for w in windows if w), max(w[1] for w in windows if w)) if all(windows) else None
            rows = _Rows(plan, entity, relation, columns, time if any(windows) else None, bounds)
            tally = _tally(rows, mine, engine, divided)
            if tally is not None:
                found.append(tally)
                taken |= {each.fact for each in mine}
    return found, [fact for fact in facts if fact not in taken]


def _by_relation(plan: Plan, entity: str, facts: Iterable[Bound]) -> dict[tuple[str, Column | None], list[Counted]]:
    compared = [each for fact in facts if (each := _comparison(plan, entity, fact)) is not None]
    times: dict[str, Counter[Column]] = {}
    for _, aggregate, _, _ in compared:
        named = {column for each in _conjuncts(aggregate.steps[0].condition) if (column := _bounded(each)) is not None}
        times.setdefault(aggregate.steps[0].relation, Counter()).update(named)
    found: dict[tuple[str, Column | None], list[Counted]] = {}
    for fact, aggregate, comparison, number in compared:
        relation = aggregate.steps[0].relation
        time = next((column for column, _ in times[relation].most_common(1)), None)
        base, window = _split(aggregate.steps[0].condition, time)
        if all(isinstance(leaf, Column) and leaf.up == 0 and leaf.kind in {"text", "boolean"} for leaf in leaves(base)):
            found.setdefault((relation, time), []).append(Counted(fact, base, window, comparison, number))
    return found


def _comparison(plan: Plan, entity: str, fact: Bound) -> tuple[Bound, Aggregate, str, float] | None:
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
    relation = plan.model.entity(entity).relations[aggregate.steps[0].relation]
    is_owned = relation.many and relation.through is None and aggregate.value is None
    return (fact, aggregate, comparison, float(number)) if is_owned else None


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
        case Apply(
            function, (Column(kind="time", up=0, hops=()) as column, Constant(kind="time", value=datetime()))
        ) if function in _COMPARISONS:
            return column
        case _:
            return None


def _split(condition: Bound | None, time: Column | None) -> tuple[Bound, Window | None]:
    """Return what a condition asks besides the time, and the window of time."""
    first, last = _EVER
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
    base = truth("and", *rest) if rest else _TRUE
    return base, None if (first, last) == _EVER else (first, last)


def _by_columns(counted: Iterable[Counted]) -> dict[tuple[Column, ...], list[Counted]]:
    """Return the facts by the columns that they read, those with fewer columns beside those with more."""
    read = {each: frozenset(cast("Column", leaf) for leaf in leaves(each.base)) for each in counted}
    sets = sorted(set(read.values()), key=len, reverse=True)
    widest = {each: next(other for other in sets if each <= other) for each in sets}
    found: dict[tuple[Column, ...], list[Counted]] = {}
    for each, columns in read.items():
        key = tuple(sorted(widest[columns], key=lambda column: (column.hops, column.name)))
        found.setdefault(key, []).append(each)
    return found


@dataclass(frozen=True)
class _Rows:
    """The rows of a relation, as tallies read them."""

    plan: Plan
    entity: str
    relation: str
    columns: tuple[Column, ...]
    time: Column | None
    bounds: Window | None

    @property
    def names(self) -> list[str]:
        return [f"_kind{index}" for index in range(len(self.columns))]

    def of(self, bucket: Bucket) -> Frame:
        """Return one row per owner and row: ``_owner``, the columns of its kind, and ``_at``."""
        needed: list[Leaf] = [*self.columns, *([self.time] if self.time else [])]
        frame, names = self.plan.array(self.entity, [Step(self.relation)], needed, bucket=bucket)
        read = {own: nw.col(names[column]) for own, column in zip(self.names, self.columns, strict=True)}
        at = {"_at": nw.col(names[self.time])} if self.time else {}
        frame = frame.select(OWNER, **read, **at)
        if self.bounds is not None:
            first, last = (nw.lit(bound, nw.Datetime("us", "UTC")) for bound in self.bounds)
            frame = frame.filter((nw.col("_at") >= first) & (nw.col("_at") <= last))
        return frame

    def kinds(self, engine: Engine, divided: Sequence[Bucket]) -> pa.Table | None:
        """Return all kinds of rows; None where there are too many to be worth it."""
        if not self.columns:
            return pa.table({"_none": [0]})
        first = divided[0]
        if len(divided) > 1:
            few = self.of(first).select(*self.names).unique(self.names)
            if engine.collect(few.select(count=nw.len()))["count"][0].as_py() > _MANY_KINDS:
                return None
        found = engine.collect(self.of(Bucket(only=first.only)).select(*self.names).unique(self.names))
        return found if len(found) <= _MANY_KINDS else None


def _tally(rows: _Rows, counted: Sequence[Counted], engine: Engine, divided: Sequence[Bucket]) -> Tally | None:
    kinds = rows.kinds(engine, divided)
    if kinds is None:
        return None
    codes: dict[tuple[Bound, Window | None], list[Counted]] = {}
    for each in counted:
        codes.setdefault((each.base, each.window), []).append(each)
    met = _met(rows, engine, kinds, [base for base, _ in codes])
    nullable = tuple(name for name in rows.names if kinds[name].null_count)
    table = _table(_keyed_table(kinds, nullable), [(met[base], window) for base, window in codes])
    return Tally(engine, rows.of, engine.load(table), tuple(rows.names), nullable, tuple(map(tuple, codes.values())))


def _met(rows: _Rows, engine: Engine, kinds: pa.Table, bases: Iterable[Bound]) -> dict[Bound, Ids]:
    """Return for each condition the kinds that meet it."""
    columns: dict[Leaf, str] = dict(zip(rows.columns, rows.names, strict=True))
    distinct = {f"_base{index}": base for index, base in enumerate(dict.fromkeys(bases))}
    asked = {name: expression(base, columns, rows.plan.clock).fill_null(False) for name, base in distinct.items()}
    numbered = engine.load(kinds.append_column("_number", pa.array(np.arange(len(kinds)))))
    table = engine.collect(numbered.select("_number", **asked))
    numbers = table["_number"].to_numpy()
    return {base: numbers[table[name].to_numpy()] for name, base in distinct.items()}


def _keyed_table(kinds: pa.Table, nullable: Sequence[str]) -> pa.Table:
    """Return kinds without null, which no join finds: another value instead, and a column that says so."""
    for name in nullable:
        column = kinds[name]
        kinds = kinds.append_column(f"{name}_is_null", column.is_null())
        filled = column.fill_null(False if pa.types.is_boolean(column.type) else "")
        kinds = kinds.set_column(kinds.column_names.index(name), name, filled)
    return kinds


def _keyed(rows: Frame, nullable: Sequence[str]) -> Frame:
    """Return rows with the same keys as kinds."""
    if not nullable:
        return rows
    types = rows.collect_schema()
    filled = {name: nw.col(name).fill_null(False if types[name] == nw.Boolean else "") for name in nullable}
    return rows.with_columns(**filled, **{f"{name}_is_null": nw.col(name).is_null() for name in nullable})


def _table(kinds: pa.Table, codes: Sequence[tuple[Ids, Window | None]]) -> pa.Table:
    """Return one row per kind and code."""
    met = pa.array(np.concatenate([met for met, _ in codes]))
    code = pa.array(np.repeat(np.arange(len(codes)), [len(met) for met, _ in codes]))
    windows = [window or _EVER for _, window in codes]
    stamp = pa.timestamp("us", "UTC")
    of_code = {
        "_first": pa.array([first for first, _ in windows], stamp),
        "_last": pa.array([last for _, last in windows], stamp),
        "_is_open": pa.array([window is None for _, window in codes], pa.bool_()),
    }
    found = kinds.take(met).append_column("_code", code)
    for name, values in of_code.items():
        found = found.append_column(name, values.take(code))
    return found

"""Rows that profiles own, counted for all conditions and windows of time in one pass.

Each row finds the conditions that its kind meets by one join, and is counted by owner and condition. The work grows
with the matches, not with the number of conditions; and since counts are numbers of their own, none can run over.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import narwhals as nw
import numpy as np
import pyarrow as pa

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.segments.bits import Bits, packed
from cdp_toolkit.segments.buckets import Bucket
from cdp_toolkit.segments.compile import OWNER, Plan
from cdp_toolkit.segments.counted import EVER, Counted, Window, groups
from cdp_toolkit.segments.expressions import Expr
from cdp_toolkit.segments.kinds import Rows, keyed, keyed_table
from cdp_toolkit.segments.places import Ids, Places
from cdp_toolkit.segments.pql.bound import Bound

# Up to so many windows are counted side by side, a column each; of more, each condition and window is counted by itself.
_FEW_WINDOWS = 4


@dataclass(frozen=True)
class Tally:
    """Counts over the rows of one relation for conditions that read the same columns.

    Parameters
    ----------
    engine
        Runs the counts.
    rows
        The rows.
    kinds
        One row per kind and condition that it meets: the columns of the kind and ``_code``, the condition; with
        ``_first`` and ``_last`` where each condition has a window of its own.
    nullable
        Columns of a kind that may be null.
    codes
        The facts that each code decides.
    windows
        The windows that are counted side by side; empty where each condition has its own.
    """

    engine: Engine
    rows: Rows
    kinds: Frame
    nullable: tuple[str, ...]
    codes: tuple[tuple[Counted, ...], ...]
    windows: tuple[Window | None, ...]

    def looked_up(self, bucket: Bucket) -> pa.Table:
        """Count the rows of a bucket.

        Parameters
        ----------
        bucket
            The bucket.

        Returns
        -------
        pyarrow.Table
            One row per owner and code: ``_owner``, ``_code``, and a count a window.
        """
        return self.engine.collect(self._counted(bucket))

    def bits(self, table: pa.Table, places: Places) -> dict[Bound, Bits]:
        """Decide the facts for the profiles of a bucket.

        Parameters
        ----------
        table
            Their counts.
        places
            The profiles.

        Returns
        -------
        dict
            The truth of each fact.
        """
        owners, is_owner = places.of(table[OWNER])
        names = [name for name in table.column_names if name.startswith("_count")]
        codes, *counts = (table[name].to_numpy() for name in ("_code", *names))
        if not is_owner.all():
            owners, codes, *counts = (each[is_owner] for each in (owners, codes, *counts))
        order = np.argsort(codes.astype(np.int16 if len(self.codes) < 2**15 else np.int64), kind="stable")
        owners, *counts = (each[order] for each in (owners, *counts))
        ends = np.cumsum(np.bincount(codes, minlength=len(self.codes)))
        found: dict[Bound, Bits] = {}
        for asked, start, end in zip(self.codes, [0, *ends[:-1]], ends, strict=True):
            for each in asked:
                column = counts[self.windows.index(each.window) if self.windows else 0]
                found[each.fact] = _decided(each, owners[start:end], column[start:end], len(places.ids))
        return found

    def _counted(self, bucket: Bucket) -> Frame:
        rows = keyed(self.rows.of(bucket), self.nullable)
        on = [*self.rows.names, *(f"{name}_is_null" for name in self.nullable)]
        met = rows.join(self.kinds, on=on, how="inner") if on else rows.join(self.kinds.drop("_none"), how="cross")
        if self.windows:
            counts = {f"_count{index}": _count(window) for index, window in enumerate(self.windows)}
            return met.group_by(OWNER, "_code").agg(**counts)
        is_within = (nw.col("_at") >= nw.col("_first")) & (nw.col("_at") <= nw.col("_last"))
        within = met.filter(is_within | (nw.col("_first") == nw.lit(EVER[0], nw.Datetime("us", "UTC"))))
        return within.group_by(OWNER, "_code").agg(_count=nw.len().cast(nw.Int64))


def _count(window: Window | None) -> Expr:
    if window is None:
        return nw.len().cast(nw.Int64)
    first, last = (nw.lit(bound, nw.Datetime("us", "UTC")) for bound in window)
    return ((nw.col("_at") >= first) & (nw.col("_at") <= last)).cast(nw.Int64).sum().cast(nw.Int64)


def _decided(counted: Counted, owners: Ids, counts: Ids, size: int) -> Bits:
    true = np.full(size, counted.holds(np.zeros(1, np.int64))[0])
    true[owners] = counted.holds(counts)
    return Bits(packed(true))


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
    found = [
        tally
        for each in groups(plan.model, entity, facts)
        for tally in _tally(Rows(plan, entity, each), engine, divided)
    ]
    taken = {counted.fact for tally in found for code in tally.codes for counted in code}
    return found, [fact for fact in facts if fact not in taken]


def _tally(rows: Rows, engine: Engine, divided: Sequence[Bucket]) -> Iterator[Tally]:
    kinds = rows.kinds(engine, divided)
    if kinds is None:
        return
    windows = tuple(dict.fromkeys(each.window for each in rows.group.counted))
    windows = windows if len(windows) <= _FEW_WINDOWS else ()
    codes: dict[tuple[Bound, Window | None], list[Counted]] = {}
    for each in rows.group.counted:
        codes.setdefault((each.base, None if windows else each.window), []).append(each)
    met = rows.met(engine, kinds, [base for base, _ in codes])
    nullable = tuple(name for name in rows.names if kinds[name].null_count)
    table = _table(
        keyed_table(kinds, nullable), [(met[base], window) for base, window in codes], has_windows=not windows
    )
    yield Tally(engine, rows, engine.load(table), nullable, tuple(map(tuple, codes.values())), windows)


def _table(kinds: pa.Table, codes: Sequence[tuple[Ids, Window | None]], *, has_windows: bool) -> pa.Table:
    """Return one row per kind and code."""
    code = pa.array(np.repeat(np.arange(len(codes)), [len(met) for met, _ in codes]))
    found = kinds.take(pa.array(np.concatenate([met for met, _ in codes]))).append_column("_code", code)
    if has_windows:
        for name, bounds in zip(
            ("_first", "_last"), zip(*(window or EVER for _, window in codes), strict=True), strict=True
        ):
            found = found.append_column(name, pa.array(bounds, pa.timestamp("us", "UTC")).take(code))
    return found

"""How large a segment would have been: its rule at times past, over the profiles as they were known then."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import cast

import narwhals as nw
import pyarrow as pa

from cdp_toolkit.engines import Engine
from cdp_toolkit.errors import ConfigError
from cdp_toolkit.model import Model
from cdp_toolkit.segments.bindings import Bindings
from cdp_toolkit.segments.compile import Plan
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.evaluate import Tables
from cdp_toolkit.segments.listed import Scan
from cdp_toolkit.segments.pql.nodes import Unit
from cdp_toolkit.segments.pql.times import Clock

_UNITS = {"h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}


@dataclass(frozen=True)
class Size:
    """The size of a segment at a time.

    Parameters
    ----------
    at
        The time, which ``now`` means.
    members, total
        Profiles in the segment, and all.
    known_at
        When the profiles that were looked at had been stitched.
    is_known_then
        Whether that was before the time; else the oldest profiles there are stand in, cut at the time by the rule alone.
    """

    at: datetime
    members: int
    total: int
    known_at: datetime | None
    is_known_then: bool


@dataclass(frozen=True)
class Backtest:
    """The sizes of a segment at times past.

    Parameters
    ----------
    segment
        Its name.
    sizes
        One a time, the oldest first.
    """

    segment: str
    sizes: tuple[Size, ...]

    @property
    def table(self) -> pa.Table:
        """One row per time: ``at``, ``members``, ``total``, ``known_at``, ``is_known_then``."""
        time = pa.timestamp("us", "UTC")
        kinds = {"at": time, "members": pa.int64(), "total": pa.int64(), "known_at": time, "is_known_then": pa.bool_()}
        rows = [{name: getattr(size, name) for name in kinds} for size in self.sizes]
        return pa.Table.from_pylist(rows, schema=pa.schema(kinds))

    def __str__(self) -> str:
        """Return a line a time, with a bar."""
        most = max([size.members for size in self.sizes], default=1) or 1
        lines = [
            f"  {size.at:%Y-%m-%d %H:%M} {size.members:>9,} of {size.total:,}{'' if size.is_known_then else '*'} "
            f"{'█' * round(20 * size.members / most)}"
            for size in self.sizes
        ]
        return "\n".join([self.segment, *lines, *self._note])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{size.at:%Y-%m-%d %H:%M}</td><td style='text-align:right'>{size.members:,}</td>"
            f"<td style='text-align:right'>{size.total:,}{'' if size.is_known_then else '*'}</td></tr>"
            for size in self.sizes
        )
        notes = "".join(f"<p>{escape(note.strip())}</p>" for note in self._note)
        head = "<tr><th>at (UTC)</th><th>members</th><th>profiles</th></tr>"
        return f"<b>{escape(self.segment)}</b><table>{head}{rows}</table>{notes}"

    @property
    def _note(self) -> list[str]:
        if all(size.is_known_then for size in self.sizes):
            return []
        return ["  * nothing had been stitched yet: the oldest profiles there are stand in"]


def backtest(
    segment: Segment,
    times: Sequence[datetime],
    known: Callable[[datetime], tuple[Scan, datetime | None, bool]],
    *,
    model: Model,
    engine: Engine,
    timezone: str,
    segments: Sequence[Segment] = (),
) -> Backtest:
    """Count a segment at times past.

    Parameters
    ----------
    segment
        The segment.
    times
        The times.
    known
        Gives for a time the scan of ``profiles/<name>`` as it was then, when that was stitched, and whether it was
        before the time.
    model
        Entities, fields and relations.
    engine
        Runs it.
    timezone
        Where days begin.
    segments
        Segments that the rule may name.

    Returns
    -------
    Backtest
        A size a time, the oldest first.
    """
    sizes = []
    for at in sorted(times):
        scan, known_at, is_known_then = known(at)
        clock = Clock(at, timezone)
        condition = Bindings([*segments, segment], model, clock).condition(segment)
        flags = Plan(Tables(scan), model, clock).flags(segment.entity, {"_in": condition})
        counted = flags.select(_in=nw.col("_in").fill_null(False).cast(nw.Int64), _all=nw.lit(1))
        (row,) = engine.collect(counted.select(nw.col("_in").sum(), nw.col("_all").sum())).to_pylist()
        sizes.append(Size(at, int(row["_in"] or 0), int(row["_all"] or 0), known_at, is_known_then))
    return Backtest(segment.name, tuple(sizes))


def moments(until: datetime, every: str, periods: int, timezone: str) -> list[datetime]:
    """Return times at equal distances.

    Parameters
    ----------
    until
        The last one.
    every
        Distance: a number and ``h``, ``d``, ``w``, ``mo`` or ``y``.
    periods
        How many.
    timezone
        Where days begin.

    Returns
    -------
    list of datetime
        The oldest first.

    Raises
    ------
    ConfigError
        If the distance is none.

    Examples
    --------
    >>> from datetime import UTC
    >>> [f"{each:%d.%m.}" for each in moments(datetime(2026, 3, 31, tzinfo=UTC), "1mo", 3, "UTC")]
    ['31.01.', '28.02.', '31.03.']
    """
    found = re.fullmatch(r"(\d+)(h|d|w|mo|y)", every)
    if found is None:
        raise ConfigError(f"{every!r} is no distance.", where="every", hint="Write it as 1d, 2w or 1mo.")
    clock, amount = Clock(until, timezone), int(found[1])
    return [clock.shift(until, -step * amount, cast("Unit", _UNITS[found[2]])) for step in reversed(range(periods))]

"""Why people entered or left an audience: what was true of them then, what is now, and which fact or hour made it so."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any

import narwhals as nw
import pyarrow as pa

from cdp_toolkit.engines import Engine
from cdp_toolkit.model import Model
from cdp_toolkit.segments.bindings import Bindings
from cdp_toolkit.segments.buckets import Bucket
from cdp_toolkit.segments.changes import Ids
from cdp_toolkit.segments.compile import Plan
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.estimate import clauses_of
from cdp_toolkit.segments.explain import shown
from cdp_toolkit.segments.listed import Scan
from cdp_toolkit.segments.pql.bound import Bound, leaves
from cdp_toolkit.segments.pql.times import Clock

MOST = 1000
"""Of how many profiles the reasons are looked up; how many moved is always exact."""

_SHOWN = 20
_COLUMNS = ("profile_id", "change", "because", "clause", "fact")


@dataclass(frozen=True)
class Look:
    """An evaluation that looked at the segment.

    Parameters
    ----------
    at
        What ``now`` meant.
    scan
        Gives ``profiles/<name>`` as it was read.
    """

    at: datetime
    scan: Scan


@dataclass(frozen=True)
class WhyChanged:
    """Who entered and who left, and why.

    Parameters
    ----------
    segment
        Its name.
    since, until
        The two moments compared.
    entered, left
        How many.
    rows
        For each of at most ``MOST`` profiles and condition that turned: ``profile_id``, ``change`` (entered or left),
        ``because`` (a fact, time, new or gone), ``clause`` and ``fact``, the values before and after.
    """

    segment: str
    since: datetime
    until: datetime
    entered: int
    left: int
    rows: tuple[Mapping[str, Any], ...] = ()

    @property
    def table(self) -> pa.Table:
        """The rows as an Arrow table."""
        schema = pa.schema({"profile_id": pa.int64(), **dict.fromkeys(_COLUMNS[1:], pa.string())})
        return pa.Table.from_pylist([dict(row) for row in self.rows], schema=schema)

    def __str__(self) -> str:
        """Return how many moved for which reason, then some of them."""
        lines = [
            f"  {count:>7,} {change} by {because}: {clause}" for (change, because, clause), count in self._reasons()
        ]
        some = [f"    {row['change']} {row['profile_id']}: {row['fact']}" for row in self.rows[:_SHOWN]]
        return "\n".join([self._head, *lines, *some])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        reasons = "".join(
            f"<tr><td>{change}</td><td style='text-align:right'>{count:,}</td><td>{because}</td>"
            f"<td><code>{escape(clause)}</code></td></tr>"
            for (change, because, clause), count in self._reasons()
        )
        some = "".join(
            f"<tr><td>{row['change']}</td><td>{row['profile_id']}</td><td>{escape(row['fact'])}</td></tr>"
            for row in self.rows[:_SHOWN]
        )
        return (
            f"<p>{escape(self._head)}</p><table><tr><th></th><th>profiles</th><th>by</th><th>condition</th></tr>{reasons}"
            f"</table><table><tr><th></th><th>profile</th><th>before → after</th></tr>{some}</table>"
        )

    @property
    def _head(self) -> str:
        return (
            f"{self.segment}, {self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M}: "
            f"{self.entered:,} entered, {self.left:,} left"
        )

    def _reasons(self) -> list[tuple[tuple[str, str, str], int]]:
        return Counter((row["change"], row["because"], row["clause"]) for row in self.rows).most_common()


def why_changed(
    segment: Segment,
    entered: Ids,
    left: Ids,
    then: Look,
    now: Look,
    *,
    model: Model,
    engine: Engine,
    timezone: str,
    segments: Sequence[Segment] = (),
) -> WhyChanged:
    """Say which conditions turned for those who moved, and whether a fact or the passing of time turned them.

    Parameters
    ----------
    segment
        The segment.
    entered, left
        Ids of the profiles that moved.
    then, now
        The two evaluations.
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
    WhyChanged
        A condition that turned with the old tables and the new hour turned by time, any other by a fact.
    """
    moved = {int(each): "entered" for each in entered[:MOST]} | {int(each): "left" for each in left[:MOST]}
    clocks = [Clock(look.at, timezone) for look in (then, now)]
    bound = [clauses_of(Bindings([*segments, segment], model, clock).condition(segment)) for clock in clocks]
    only = engine.load(pa.table({"profile_id": pa.array(list(moved), pa.int64())}))
    worlds = ((then.scan, 0), (now.scan, 1), (then.scan, 1))
    before, after, later = (
        _known(Plan(scan, model, clocks[which]), segment.entity, bound[which], only, engine) for scan, which in worlds
    )
    rows = tuple(
        {"profile_id": each, "change": change, **reason}
        for each, change in moved.items()
        for reason in _reasons(bound[1], before.get(each), after.get(each), later.get(each), change)
    )
    return WhyChanged(segment.name, then.at, now.at, len(entered), len(left), rows)


def _known(
    plan: Plan, entity: str, clauses: Sequence[Bound], only: nw.LazyFrame[Any], engine: Engine
) -> dict[int, Mapping[str, Any]]:
    """Return by profile the truth of each clause, and the values that it is made of."""
    asked: dict[str, Bound] = {}
    for index, clause in enumerate(clauses):
        asked[f"clause{index}"] = clause
        asked |= {f"value{index}_{place}": leaf for place, leaf in enumerate(dict.fromkeys(leaves(clause)))}
    found = engine.collect(plan.flags(entity, asked, bucket=Bucket(only=only)))
    return {row["profile_id"]: row for row in found.to_pylist()}


def _reasons(
    clauses: Sequence[Bound],
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    later: Mapping[str, Any] | None,
    change: str,
) -> Iterator[dict[str, str]]:
    if before is None or after is None or later is None:
        word = "new" if before is None else "gone"
        yield {"because": f"a {word} profile", "clause": "", "fact": f"the profile is {word}"}
        return
    turned = False
    for index, clause in enumerate(clauses):
        name = f"clause{index}"
        if bool(before[name]) != bool(after[name]) and bool(after[name]) == (change == "entered"):
            turned = True
            by_time = bool(later[name]) == bool(after[name])
            fact = "; ".join(_facts(clause, index, before, after))
            yield {"because": "time" if by_time else "a fact", "clause": str(clause.source), "fact": fact}
    if not turned:
        yield {"because": "its definition", "clause": "", "fact": "no condition of today's definition turned"}


def _facts(clause: Bound, index: int, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for place, leaf in enumerate(dict.fromkeys(leaves(clause))):
        old, new = (shown(world[f"value{index}_{place}"]) for world in (before, after))
        yield f"{leaf.source}: {old} → {new}" if old != new else f"{leaf.source}: {new}"

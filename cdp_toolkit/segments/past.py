"""Who was in an audience at a moment that has passed, from the history of moves."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.lake.packed import Numbering
from cdp_toolkit.segments.membership import HISTORY
from cdp_toolkit.segments.standings import MEMBERSHIP, after


def looks(runs: Iterable[Mapping[str, Any]], segment: str) -> list[tuple[datetime, datetime]]:
    """Return when a segment was evaluated.

    Parameters
    ----------
    runs
        Rows of the table ``runs``.
    segment
        Its name.

    Returns
    -------
    list of tuple
        For each evaluation what ``now`` meant, and when it ran.
    """
    evaluations = (run for run in runs if run["verb"] == "evaluate" and run["outcome"] != "failed")
    return [
        (datetime.fromisoformat(run["details"]["evaluation"]["as_of"]), run["started_at"])
        for run in evaluations
        if segment in run["details"].get("methods", {}) and "evaluation" in run["details"]
    ]


def look_at(moment: datetime, runs: Iterable[Mapping[str, Any]], segment: str) -> Mapping[str, Any] | None:
    """Return the evaluation of a segment that a moment in the past is told by.

    Parameters
    ----------
    moment
        The moment.
    runs
        Rows of the table ``runs``.
    segment
        Its name.

    Returns
    -------
    dict or None
        The last run that looked at the segment for that moment or before; None if there is none.
    """
    known = list(runs)
    seen = max((each for each in looks(known, segment) if each[0] <= moment), default=None)
    return None if seen is None else next(run for run in known if run["started_at"] == seen[1])


def standing_at(
    moment: datetime,
    history: Frame,
    seen: Sequence[tuple[datetime, datetime]],
    numbering: Numbering,
    engine: Engine,
) -> pa.Table:
    """Return everyone's standing in a segment as the evaluation before a moment left it.

    Parameters
    ----------
    moment
        The moment.
    history
        The segment's rows of ``segments/history`` as they are on disk.
    seen
        When the segment was evaluated; see ``looks``.
    numbering
        How many profiles there are a bucket.
    engine
        Reads.

    Returns
    -------
    pyarrow.Table
        Rows of ``segments/membership`` as they are on disk. Of evaluations with the same ``now`` the one that ran last
        counts; one that looked back from a later time counts for the time that it looked at.
    """
    rows = engine.collect(history).select(HISTORY.names)
    moved = zip(rows["changed_at"].to_pylist(), rows["recorded_at"].to_pylist(), strict=True)
    before = [each for each in {*seen, *moved} if each[0] <= moment]
    if not before:
        return MEMBERSHIP.empty_table()
    _, recorded_at = max(before)
    known = rows.filter(pc.field("recorded_at") <= pa.scalar(recorded_at, pa.timestamp("us", "UTC")))
    return after(known, numbering)

"""Audiences as they were: who was in, who came and went and why, and the profiles that were known at a time."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import narwhals as nw
import numpy as np

from cdp_toolkit.engines import Frame
from cdp_toolkit.errors import NotYetError
from cdp_toolkit.lake import Lake
from cdp_toolkit.profiles.build import table_of
from cdp_toolkit.segments.changes import Ids
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.past import look_at, looks, standing_at
from cdp_toolkit.segments.why import Look, WhyChanged, why_changed


def standing(lake: Lake, segment: str, moment: datetime) -> Frame:
    """Return who was in a segment, with the times of their entries.

    Parameters
    ----------
    lake
        Has the history.
    segment
        Its name.
    moment
        When.

    Returns
    -------
    Frame
        Rows of ``segments/membership`` that are realized, as the last evaluation until then left them.
    """
    history = lake.packed("segments/history", only={"segment": [segment]})
    past = standing_at(moment, history, looks(lake.log.rows("evaluate"), segment), lake.numbering(), lake.engine)
    return lake.unpacked("segments/membership", past).filter(nw.col("status") == "realized")


def profiles_at(lake: Lake, policy: str, at: datetime) -> tuple[Callable[[str], Frame], datetime | None, bool]:
    """Return the profiles as they were known at a time.

    Parameters
    ----------
    lake
        Knows the runs.
    policy
        Merge policy.
    at
        The time.

    Returns
    -------
    scan, stitched_at, is_known_then
        Gives ``profiles/<name>``; when these were stitched; whether that was before the time: else they are the oldest.
    """
    stitched = [run for run in lake.log.rows("stitch") if run["written"]]
    before = [run for run in stitched if run["started_at"] <= at]
    until = before or stitched[:1]
    versions = {name: version for run in until for name, version in run["written"].items()}
    return _versions(lake, policy, versions), until[-1]["started_at"] if until else None, bool(before)


def _versions(lake: Lake, policy: str, versions: Mapping[str, int]) -> Callable[[str], Frame]:
    def scan(name: str) -> Frame:
        table = name if "/" in name else f"profiles/{table_of(name, policy)}"
        return lake.scan(table, versions.get(table))

    return scan


def explain_changes(
    lake: Lake, segment: Segment, since: datetime, *, timezone: str, policy: str, segments: Sequence[Segment]
) -> WhyChanged:
    """Say who entered or left a segment since a moment, and why.

    Parameters
    ----------
    lake
        Knows the runs, the history and the tables as they were.
    segment
        The segment.
    since
        The moment.
    timezone
        Where days begin.
    policy
        Merge policy of the segment.
    segments
        Segments that the rule may name.

    Returns
    -------
    WhyChanged
        From the evaluation that tells the moment to the last one.

    Raises
    ------
    NotYetError
        If the segment was not evaluated until then.
    """
    runs = lake.log.rows("evaluate")
    found = [look_at(moment, runs, segment.name) for moment in (since, datetime.max.replace(tzinfo=since.tzinfo))]
    told = [look for look in found if look is not None]
    if len(told) < 2:
        raise NotYetError(f"The segment {segment.name!r} was not evaluated until {since:%Y-%m-%d %H:%M} UTC.")
    then, now = (
        Look(datetime.fromisoformat(look["details"]["evaluation"]["as_of"]), _versions(lake, policy, look["read"]))
        for look in told
    )
    before, after = (_members(lake, segment.name, look.at) for look in (then, now))
    entered, left = np.setdiff1d(after, before), np.setdiff1d(before, after)
    return why_changed(
        segment, entered, left, then, now,
        model=lake.model, engine=lake.engine, timezone=timezone, segments=segments,
    )  # fmt: skip


def _members(lake: Lake, segment: str, moment: datetime) -> Ids:
    ids: Ids = lake.engine.collect(standing(lake, segment, moment).select("profile_id"))["profile_id"].to_numpy()
    return ids

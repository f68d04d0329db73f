"""How many a rule finds, exactly, bucket by bucket: it can be watched, and left at any time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow.compute as pc

from cdp_toolkit.engines import Engine
from cdp_toolkit.model import Model
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.evaluate import evaluate
from cdp_toolkit.segments.listed import Scan

BUCKET_SIZE = 250_000
"""Profiles between two chances to stop."""


@dataclass(frozen=True)
class Counted:
    """How far a count has come.

    Parameters
    ----------
    looked_at
        Profiles that were looked at.
    members
        How many of them are in.
    """

    looked_at: int
    members: int


def count(
    segment: Segment,
    scan: Scan,
    model: Model,
    engine: Engine,
    *,
    as_of: datetime,
    timezone: str = "UTC",
    segments: Sequence[Segment] = (),
    bucket_size: int = BUCKET_SIZE,
) -> Iterator[Counted]:
    """Count a segment.

    Parameters
    ----------
    segment
        The segment, active whatever its status.
    scan
        Gives ``profiles/<name>``.
    model
        Entities, fields and relations.
    engine
        Runs the buckets one by one.
    as_of
        The moment that ``now`` means.
    timezone
        Where days begin.
    segments
        Segments that the rule may name.
    bucket_size
        About how many profiles are looked at together.

    Yields
    ------
    Counted
        After each bucket; the last one is the answer. Whoever stops asking ends the count.

    Raises
    ------
    CdpError
        If the rule is wrong, or reads a table or column that is not there.
    """
    chosen = segment.model_copy(update={"status": "active"})
    others = [each for each in segments if each.name != segment.name]
    evaluation = evaluate(
        [*others, chosen], scan, model, as_of=as_of, timezone=timezone, only=[chosen.name], bucket_size=bucket_size,
        engine=engine,
    )  # fmt: skip
    for error in evaluation.failed.values():
        raise error
    looked_at = members = 0
    for part in evaluation.parts():
        flags = part.collect(engine)
        looked_at, members = looked_at + len(flags), members + int(pc.sum(flags[chosen.name]).as_py() or 0)
        yield Counted(looked_at, members)

"""How many a rule finds, exactly, bucket by bucket: it can be watched, and left at any time."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import pyarrow as pa

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.model import Model
from cdp_toolkit.segments.bits import Bits
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.evaluate import evaluate
from cdp_toolkit.segments.listed import Scan

BUCKET_SIZE = 100_000
"""Profiles between two chances to stop: 10M people take no longer so than in larger buckets, and an estimate beside them less."""


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
    is_wanted: Callable[[], bool] = lambda: True,
) -> Generator[Counted]:
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
    is_wanted
        Is asked before each table that is read, also where profiles behind a relation are judged before the first bucket;
        the count ends without an answer once it says no.

    Yields
    ------
    Counted
        After each bucket; the last one, of all profiles, is the answer. Whoever stops asking ends the count.

    Raises
    ------
    CdpError
        If the rule is wrong, or reads a table or column that is not there.
    """
    chosen = segment.model_copy(update={"status": "active"})
    others = [each for each in segments if each.name != segment.name]
    watched = cast("Engine", _Watched(engine, is_wanted))
    evaluation = evaluate(
        [*others, chosen], scan, model, as_of=as_of, timezone=timezone, only=[chosen.name], bucket_size=bucket_size,
        engine=watched,
    )  # fmt: skip
    for error in evaluation.failed.values():
        raise error
    looked_at = members = 0
    try:
        for part in evaluation.parts():
            ids, (bits,) = part.bits(engine)
            looked_at, members = looked_at + len(ids), members + Bits(bits).to_arrow(len(ids)).true_count
            yield Counted(looked_at, members)
    except _UnwantedError:
        return


class _UnwantedError(Exception):
    """Nobody waits for the answer any more."""


class _Watched:
    """An engine that runs nothing more once the answer is not wanted."""

    def __init__(self, engine: Engine, is_wanted: Callable[[], bool]) -> None:
        self._engine, self._is_wanted = engine, is_wanted

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def collect(self, frame: Frame) -> pa.Table:
        if not self._is_wanted():
            raise _UnwantedError
        return self._engine.collect(frame)

"""Everyone's standing in the segments: the history of moves in short."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.lake.bits import both, few_numbers, holds, pack, pack_numbers, unpack, without
from cdp_toolkit.lake.packed import Numbering, packed_schema
from cdp_toolkit.lake.tables import TABLES

MEMBERSHIP = packed_schema(TABLES["segments/membership"])

Packed = tuple[int, bytes]
"""How many profiles, and their bits as a row keeps them."""

Standing = tuple[str, datetime, datetime, datetime | None]
"""Status, first entry, latest entry, exit."""


def membership(
    previous: Frame | None, moves: pa.Table, numbering: Numbering, engine: Engine
) -> Iterator[pa.RecordBatch]:
    """Return everyone's standing after moves.

    Parameters
    ----------
    previous
        ``segments/membership`` before, as it is on disk; None where the moves are all that ever happened.
    moves
        Rows of ``segments/history`` as they are on disk.
    numbering
        How many profiles there are a bucket.
    engine
        Reads, a bucket at a time.

    Yields
    ------
    pyarrow.RecordBatch
        Rows of ``segments/membership`` as they are on disk. ``last_qualified_at`` is the latest entry and does not move
        while a profile stays in.
    """
    places = {(row["entity"], row["bucket"]) for row in moves.select(["entity", "bucket"]).to_pylist()}
    if previous is not None:
        known = engine.collect(previous.select("entity", "bucket").unique(["entity", "bucket"]))
        places |= {(row["entity"], row["bucket"]) for row in known.to_pylist()}
    for entity, bucket in sorted(places):
        is_here = (pc.field("entity") == entity) & (pc.field("bucket") == bucket)
        own = moves.filter(is_here).sort_by("recorded_at").to_pylist()
        standings = _standings(previous, entity, bucket, engine)
        size = len(numbering.ids(entity, bucket))
        for move in own:
            mine = standings.setdefault(move["segment"], {})
            _move(mine, move["change"], (move["profiles"], move["bits"]), move["changed_at"], size)
        yield _batch(entity, bucket, standings)


def _standings(previous: Frame | None, entity: str, bucket: int, engine: Engine) -> dict[str, dict[Standing, Packed]]:
    if previous is None:
        return {}
    rows = engine.collect(previous.filter((nw.col("entity") == entity) & (nw.col("bucket") == bucket)))
    found: dict[str, dict[Standing, Packed]] = {}
    for row in rows.to_pylist():
        standing = (row["status"], row["first_qualified_at"], row["last_qualified_at"], row["exited_at"])
        found.setdefault(row["segment"], {})[standing] = (row["profiles"], row["bits"])
    return found


def _move(standings: dict[Standing, Packed], change: str, moving: Packed, at: datetime, size: int) -> None:
    """Give the profiles that enter or leave their new standing."""
    has_entered = change == "entered"
    from_ = [each for each in standings if (each[0] == "exited") == has_entered]

    def then(standing: Standing) -> Standing:
        _, first, last, _ = standing
        return ("realized", first, at, None) if has_entered else ("exited", first, last, at)

    numbers = few_numbers(*moving)
    if not from_:
        left = moving
    elif numbers is not None:
        for standing in from_:
            is_mine = holds(*standings[standing], numbers, size)
            if is_mine.any():
                mine, numbers = numbers[is_mine], numbers[~is_mine]
                standings[standing] = without(*standings[standing], mine, size)
                _put(standings, then(standing), pack_numbers(mine, size), size)
        left = pack_numbers(numbers, size)
    else:
        bits = unpack(*moving, size)
        for standing in from_:
            own = unpack(*standings[standing], size)
            both = own & bits
            if both.any():
                bits ^= both
                standings[standing] = pack(own ^ both)
                _put(standings, then(standing), pack(both), size)
        left = pack(bits)
    if has_entered and left[0]:
        _put(standings, ("realized", at, at, None), left, size)


def _put(standings: dict[Standing, Packed], standing: Standing, packed: Packed, size: int) -> None:
    known = standings.get(standing)
    standings[standing] = packed if known is None else both(known, packed, size)


def _batch(entity: str, bucket: int, standings: Mapping[str, Mapping[Standing, Packed]]) -> pa.RecordBatch:
    columns: dict[str, list[Any]] = {name: [] for name in MEMBERSHIP.names}
    for segment, groups in sorted(standings.items()):
        for (status, first, last, left), (count, bits) in groups.items():
            if count:
                row = (segment, entity, status, first, last, left, bucket, count, bits)
                for name, value in zip(MEMBERSHIP.names, row, strict=True):
                    columns[name].append(value)
    return pa.record_batch(columns, schema=MEMBERSHIP)

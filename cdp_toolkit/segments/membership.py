"""Who entered, who is still in, who left: kept as bits, segment by segment and bucket by bucket.

An evaluation gives moves, who entered and who left: the difference of the bits before and after. They are appended to
the history. The membership is the history in short: moves applied in their order give everyone's standing, now or at
any moment before.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, reduce
from operator import or_
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.lake.bits import (
    Bits,
    holds,
    joined,
    moved_bits,
    pack,
    pack_numbers,
    set_bits,
    to_bits,
)
from cdp_toolkit.lake.packed import Ids, Numbering, bucket_of, packed_schema
from cdp_toolkit.lake.tables import TABLES
from cdp_toolkit.segments.evaluate import Part
from cdp_toolkit.segments.standings import Packed

HISTORY = packed_schema(TABLES["segments/history"]).append(pa.field("recorded_at", pa.timestamp("us", "UTC")))

_FEW = 16
"""Where fewer than one in so many profiles are evaluated, they are looked at one by one."""

_LAST_BUCKET = bucket_of(2**63 - 1)


_Move = tuple[str, str, Packed]
"""Segment, ``entered`` or ``exited``, who."""


@dataclass(frozen=True)
class _Stretch:
    """The profiles of one bucket that are evaluated.

    Where they start among those of the part, their numbers, which of the bucket they are, and who was in.
    """

    bucket: int
    start: int
    numbers: npt.NDArray[np.int64]
    asked: npt.NDArray[np.bool_]
    before: Mapping[str, Sequence[Packed]]

    def moves(self, segment: str, flags: Bits) -> Iterator[_Move]:
        """Return who moved; ``flags`` are of the evaluated profiles, in the order of their ids."""
        size, was = len(self.asked), self.before.get(segment, [])
        if len(self._chosen) < size / _FEW:
            now = self._numbers(flags)
            if not was:
                yield segment, "entered", pack_numbers(now, size)
                return
            is_in = np.zeros(len(self._chosen), np.bool_)
            is_in[np.searchsorted(self._chosen, now)] = True
            was_in = reduce(or_, (holds(*each, self._chosen, size) for each in was))
            yield segment, "entered", pack_numbers(self._chosen[is_in & ~was_in], size)
            yield segment, "exited", pack_numbers(self._chosen[was_in & ~is_in], size)
            return
        after = self._bits(flags)
        if not was:
            yield segment, "entered", pack(after)
        elif not self._is_whole or was != [pack(after)]:
            earlier = joined(was, size)
            yield segment, "entered", pack(after & ~earlier)
            yield segment, "exited", pack(earlier & ~after & np.packbits(self.asked, bitorder="little"))

    def _numbers(self, flags: Bits) -> npt.NDArray[np.int64]:
        return self.numbers[set_bits(moved_bits(flags, self.start, self.start + len(self.numbers)))]

    def _bits(self, flags: Bits) -> Bits:
        if not self._is_in_order:
            return to_bits(self._numbers(flags), len(self.asked))
        first = int(self.numbers[0]) if len(self.numbers) else 0
        return moved_bits(flags, self.start, self.start + len(self.numbers), to=first, size=len(self.asked))

    @cached_property
    def _is_in_order(self) -> bool:
        """Whether the numbers follow each other, as they do until new profiles come."""
        return bool((np.diff(self.numbers) == 1).all())

    @cached_property
    def _chosen(self) -> npt.NDArray[np.int64]:
        return np.flatnonzero(self.asked)

    @cached_property
    def _is_whole(self) -> bool:
        return bool(self.asked.all())


@dataclass(frozen=True)
class Moves:
    """Finds who entered and who left.

    Parameters
    ----------
    previous
        ``segments/membership`` as it is on disk; None if it was never written.
    numbering
        Numbers of profiles; new profiles get theirs.
    engine
        Runs the parts.
    as_of
        When the evaluation looked.
    recorded_at
        When it ran.
    """

    previous: Frame | None
    numbering: Numbering
    engine: Engine
    as_of: datetime
    recorded_at: datetime

    def of_parts(self, parts: Iterable[Part], looked_at: Mapping[str, Ids] | None = None) -> Iterator[pa.Table]:
        """Return who entered and who left by an evaluation.

        Parameters
        ----------
        parts
            Buckets of profiles; each is run when its turn comes.
        looked_at
            For an entity the ids of the profiles that were evaluated, with those that are no more; for all other
            entities the parts are complete, so that whoever is not in them is no more.

        Yields
        ------
        pyarrow.Table
            Rows of ``segments/history`` as they are on disk.
        """
        for part in parts:
            flags = part.collect(self.engine)
            yield from self._of_part(part, flags, (looked_at or {}).get(part.entity))

    def _of_part(self, part: Part, flags: pa.Table, looked_at: Ids | None) -> Iterator[pa.Table]:
        ids = flags["profile_id"].to_numpy()
        order = None if bool((ids[1:] > ids[:-1]).all()) else np.argsort(ids, kind="stable")
        stretches = list(self._stretches(part, ids if order is None else ids[order], looked_at))
        moves: list[list[_Move]] = [[] for _ in stretches]
        for segment in part.segments:
            bits = _true(flags[segment], order)
            for stretch, found in zip(stretches, moves, strict=True):
                found.extend(stretch.moves(segment, bits))
        for stretch, found in zip(stretches, moves, strict=True):
            yield self._rows(part.entity, stretch.bucket, found)

    def _stretches(self, part: Part, ids: Ids, looked_at: Ids | None) -> Iterator["_Stretch"]:
        """Return the buckets that a part reaches into; ``ids`` are in order."""
        first, end = part.bucket.first or 0, part.bucket.end
        last = _LAST_BUCKET if end is None else bucket_of(end - 1)
        where = bucket_of(ids)
        for bucket in range(bucket_of(first), last + 1):
            start, stop = np.searchsorted(where, [bucket, bucket + 1])
            numbers = self.numbering.number(part.entity, bucket, ids[start:stop])
            known = self.numbering.ids(part.entity, bucket)
            asked = (known >= first) & (True if end is None else known < end)
            if looked_at is not None:
                asked &= np.isin(known, looked_at)
            yield _Stretch(bucket, int(start), numbers, asked, self._members(part, bucket) if asked.any() else {})

    def of_ended(self, segments: Collection[str]) -> Iterator[pa.Table]:
        """Return who leaves segments that are no more.

        Parameters
        ----------
        segments
            Their names.

        Yields
        ------
        pyarrow.Table
            Rows of ``segments/history`` as they are on disk.
        """
        if self.previous is None or not segments:
            return
        is_member = nw.col("segment").is_in(list(segments)) & (nw.col("status") == "realized")
        for row in self.engine.collect(self.previous.filter(is_member)).to_pylist():
            yield self._rows(row["entity"], row["bucket"], [(row["segment"], "exited", (row["profiles"], row["bits"]))])

    def _members(self, part: Part, bucket: int) -> dict[str, list[Packed]]:
        if self.previous is None:
            return {}
        is_here = (nw.col("entity") == part.entity) & (nw.col("bucket") == bucket) & (nw.col("status") == "realized")
        rows = self.previous.filter(is_here & nw.col("segment").is_in(list(part.segments)))
        found: dict[str, list[Packed]] = {}
        for row in self.engine.collect(rows.select("segment", "profiles", "bits")).to_pylist():
            found.setdefault(row["segment"], []).append((row["profiles"], row["bits"]))
        return found

    def _rows(self, entity: str, bucket: int, moves: Sequence[_Move]) -> pa.Table:
        kept = [(segment, change, *packed) for segment, change, packed in moves if packed[0]]
        segments, changes, counts, bits = zip(*kept, strict=True) if kept else ((), (), (), ())
        always = {"entity": entity, "bucket": bucket, "changed_at": self.as_of, "recorded_at": self.recorded_at}
        columns: dict[str, Sequence[Any]] = {name: [value] * len(kept) for name, value in always.items()}
        columns |= {"segment": segments, "change": changes, "profiles": counts, "bits": bits}
        return pa.table({name: columns[name] for name in HISTORY.names}, schema=HISTORY)


def _true(flags: pa.ChunkedArray, order: npt.NDArray[np.int64] | None) -> Bits:
    """Return flags as bits, false where they are null, in another order if one is given."""
    known = flags.fill_null(False).combine_chunks()
    if order is not None or known.offset or not len(known):
        values = known.to_numpy(zero_copy_only=False)
        return np.packbits(values if order is None else values[order], bitorder="little")
    return np.frombuffer(known.buffers()[1], np.uint8)[: (len(known) + 7) // 8]

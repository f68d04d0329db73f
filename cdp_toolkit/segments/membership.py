"""Who entered, who is still in, who left: kept as bits, segment by segment and bucket by bucket.

An evaluation gives moves, who entered and who left: the difference of the bits before and after. They are appended to
the history, and to the membership as rows that take profiles out of one standing and put them into another.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import zip_longest
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdp_toolkit.engines import Engine
from cdp_toolkit.lake.bits import Bits, joined, moved_bits, odd, pack, set_bits, to_bits
from cdp_toolkit.lake.groups import Groups
from cdp_toolkit.lake.packed import Ids, Numbering, bucket_of, merged, packed_schema
from cdp_toolkit.lake.tables import TABLES
from cdp_toolkit.segments.evaluate import Part
from cdp_toolkit.segments.few import Few
from cdp_toolkit.segments.standings import MEMBERSHIP, Packed, Standing, Standings, moves

HISTORY = packed_schema(TABLES["segments/history"]).append(pa.field("recorded_at", pa.timestamp("us", "UTC")))

_FEW = 16
"""Where fewer than one in so many profiles are evaluated, they are looked at one by one."""

_AT_ONCE = 2
"""Buckets that are read, or looked at, ahead of the one in hand."""

_LAST_BUCKET = bucket_of(2**63 - 1)


@dataclass(frozen=True)
class Moved:
    """Who moved in a bucket.

    Parameters
    ----------
    history, membership
        Rows to add to ``segments/history`` and ``segments/membership``, as they are on disk.
    """

    history: pa.Table
    membership: pa.Table


@dataclass(frozen=True)
class _Stretch:
    """The profiles of one bucket that are evaluated.

    Where they start among those of the part, their numbers, which of the bucket's they are, and how many it has.
    """

    bucket: int
    start: int
    numbers: npt.NDArray[np.int64]
    asked: npt.NDArray[np.int64]
    size: int

    @property
    def is_few(self) -> bool:
        """Whether they are looked at one by one."""
        return len(self.asked) < self.size / _FEW

    @cached_property
    def _is_in_turn(self) -> bool:
        """Whether the numbers follow each other; asked once for all segments."""
        return bool((np.diff(self.numbers) == 1).all())

    def flags(self, bits: Bits) -> Bits:
        """Return who is in: a row for each of those of ``bits``, a bit for each of ``asked``."""
        start, stop = self.start, self.start + len(self.numbers)
        own = moved_bits(bits, start, stop)
        if np.array_equal(self.asked, self.numbers):  # nobody of them is gone
            return own
        found = np.zeros((len(bits), len(self.asked)), np.bool_)
        flags = np.unpackbits(own, axis=1, count=stop - start, bitorder="little")
        found[:, np.searchsorted(self.asked, self.numbers)] = flags
        return np.packbits(found, axis=1, bitorder="little")

    def bits(self, flags: Bits) -> Bits:
        """Return who is in, as bits of the whole bucket."""
        start, stop = self.start, self.start + len(self.numbers)
        if not self._is_in_turn:  # new profiles have come since the first were numbered
            return to_bits(self.numbers[set_bits(moved_bits(flags, start, stop))], self.size)
        first = int(self.numbers[0]) if len(self.numbers) else 0
        return moved_bits(flags, start, stop, to=first, size=self.size)


class _Rows:
    """Rows of one bucket, which may come from several parts."""

    def __init__(self, at: datetime) -> None:
        self._at = at
        self._history: defaultdict[tuple[str, str], list[Packed]] = defaultdict(list)
        self._membership: defaultdict[tuple[str, Standing, bool], list[Packed]] = defaultdict(list)

    def add(self, segment: str, change: str, moving: Packed, before: Standings, size: int) -> None:
        """Add who moved; ``before`` are their standings so far."""
        if moving[0]:
            self._history[segment, change].append(moving)
            for standing, (count, bits) in moves(before, change, moving, self._at, size):
                self._membership[segment, standing, count < 0].append((abs(count), bits))

    def tables(self, place: tuple[str, int], recorded_at: datetime, size: int) -> Moved:
        """Return one row of each kind."""
        entity, bucket = place
        history = [
            (segment, entity, change, self._at, bucket, *_as_one(rows, size), recorded_at)
            for (segment, change), rows in self._history.items()
        ]
        membership = [
            (segment, entity, *standing, bucket, -count if is_taken else count, bits)
            for (segment, standing, is_taken), rows in self._membership.items()
            for count, bits in [_as_one(rows, size)]
        ]
        return Moved(_table(history, HISTORY), _table(membership, MEMBERSHIP))


def _as_one(rows: Sequence[Packed], size: int) -> Packed:
    return rows[0] if len(rows) == 1 else odd(rows, size)


def _table(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
    return pa.table(dict(zip(schema.names, columns, strict=True)), schema=schema)


@dataclass(frozen=True)
class Moves:
    """Finds who entered and who left.

    Parameters
    ----------
    previous
        Rows of ``segments/membership``; None if it was never written.
    numbering
        Numbers of profiles; new profiles get theirs.
    engine
        Runs the parts.
    as_of
        When the evaluation looked.
    recorded_at
        When it ran.
    """

    previous: Groups | None
    numbering: Numbering
    engine: Engine
    as_of: datetime
    recorded_at: datetime

    def of_parts(self, parts: Iterable[Part], looked_at: Mapping[str, Ids] | None = None) -> Iterator[Moved]:
        """Return who entered and who left by an evaluation.

        Parameters
        ----------
        parts
            Buckets of profiles, in the order of their ids; each is run when its turn comes.
        looked_at
            For an entity the ids of the profiles that were evaluated, with those that are no more; for all other
            entities the parts are complete, so that whoever is not in them is no more.

        Yields
        ------
        Moved
            Who did in one bucket.
        """
        asked = {entity: np.sort(ids) for entity, ids in (looked_at or {}).items()}
        place, rows = ("", 0), _Rows(self.as_of)
        for part in parts:
            ids, bits = part.bits(self.engine)
            stretches = self._stretches(part, ids, asked.get(part.entity))
            for stretch, found in self._in_turn(part, bits, [*stretches]):
                if place != (part.entity, stretch.bucket):  # a bucket that ends in one part may go on in the next
                    yield self._finished(place, rows)
                    place, rows = (part.entity, stretch.bucket), _Rows(self.as_of)
                if isinstance(found, Moved):
                    yield found
                else:
                    self._add(rows, part, stretch, found, bits)
        yield self._finished(place, rows)

    def _finished(self, place: tuple[str, int], rows: _Rows) -> Moved:
        return rows.tables(place, self.recorded_at, len(self.numbering.ids(*place)))

    def _stretches(self, part: Part, ids: Ids, looked_at: Ids | None) -> Iterator[_Stretch]:
        """Return the buckets that a part reaches into; ``ids`` are in order."""
        first, end = part.bucket.first or 0, part.bucket.end
        last = _LAST_BUCKET if end is None else bucket_of(end - 1)
        where = bucket_of(ids)
        for bucket in range(bucket_of(first), last + 1):
            start, stop = np.searchsorted(where, [bucket, bucket + 1])
            numbers = self.numbering.number(part.entity, bucket, ids[start:stop])
            known = self.numbering.ids(part.entity, bucket)
            if looked_at is None:
                asked = np.flatnonzero((known >= first) & (True if end is None else known < end))
            else:
                own = looked_at[slice(*np.searchsorted(bucket_of(looked_at), [bucket, bucket + 1]))]
                own = own[(own >= first) & (True if end is None else own < end)]
                is_all = np.array_equal(own, ids[start:stop])  # nobody of them is gone
                asked = np.sort(numbers) if is_all else self.numbering.known(part.entity, bucket, own)
            if len(asked):
                yield _Stretch(bucket, int(start), numbers, asked, len(known))

    def _in_turn(
        self, part: Part, bits: Sequence[Bits], stretches: Sequence[_Stretch]
    ) -> Iterator[tuple[_Stretch, pa.Table | Moved]]:
        """Return with each stretch who moved in it, where it is few; else the membership of its bucket so far."""
        is_known = self.previous is not None  # else the first few of a bucket would not be one row with the others
        rows = np.stack(bits) if is_known and any(stretch.is_few for stretch in stretches) else None

        def begun(stretch: _Stretch) -> pa.Table | Moved:
            before = (
                MEMBERSHIP.empty_table() if self.previous is None else self.previous.rows(part.entity, stretch.bucket)
            )
            if rows is not None and stretch.is_few:
                return self._of_few(part, stretch, before, stretch.flags(rows))
            is_asked = pc.is_in(before["segment"], pa.array(part.segments, pa.string()))
            return before if pc.all(is_asked).as_py() else before.filter(is_asked)

        if not self.engine.is_concurrent:
            yield from ((stretch, begun(stretch)) for stretch in stretches)
            return
        with ThreadPoolExecutor(_AT_ONCE) as ahead:  # the next buckets are read while one is compared
            coming = deque(ahead.submit(begun, stretch) for stretch in stretches[:_AT_ONCE])
            for stretch, following in zip_longest(stretches, stretches[_AT_ONCE:]):
                found = coming.popleft().result()
                if following is not None:
                    coming.append(ahead.submit(begun, following))
                yield stretch, found

    def _of_few(self, part: Part, stretch: _Stretch, before: pa.Table, now: Bits) -> Moved:
        found = Few(stretch.asked, stretch.size, self.as_of).moves(before, part.segments, now)
        same = {
            "entity": part.entity, "bucket": stretch.bucket, "changed_at": self.as_of, "recorded_at": self.recorded_at
        }  # fmt: skip
        history, membership = (
            pa.table(
                {
                    field.name: rows[field.name]
                    if field.name in rows.column_names
                    else pa.repeat(pa.scalar(same[field.name], field.type), len(rows))
                    for field in schema
                },
                schema=schema,
            )
            for rows, schema in zip(found, (HISTORY, MEMBERSHIP), strict=True)
        )
        return Moved(history, membership)

    def _add(self, rows: _Rows, part: Part, stretch: _Stretch, before: pa.Table, flags: Sequence[Bits]) -> None:
        known = self._standings(before)
        asked = None if len(stretch.asked) == stretch.size else to_bits(stretch.asked, stretch.size)
        for segment, bits in zip(part.segments, flags, strict=True):
            own, now = known.get(segment, {}), stretch.bits(bits)
            was = [packed for standing, packed in own.items() if standing[0] == "realized"]
            if not was:
                rows.add(segment, "entered", pack(now), own, stretch.size)
            elif asked is not None or was != [pack(now)]:
                then = joined(was, stretch.size)
                left = then & ~now
                rows.add(segment, "entered", pack(now & ~then), own, stretch.size)
                left = left if asked is None else left & asked
                rows.add(segment, "exited", pack(left), own, stretch.size)

    def _standings(self, before: pa.Table) -> dict[str, Standings]:
        found: dict[str, Standings] = {}
        for row in merged(before, self.numbering).to_pylist():
            standing = (row["status"], row["first_qualified_at"], row["last_qualified_at"], row["exited_at"])
            found.setdefault(row["segment"], {})[standing] = (row["profiles"], row["bits"])
        return found

    def of_ended(self, segments: Collection[str]) -> Iterator[Moved]:
        """Return who leaves segments that are no more.

        Parameters
        ----------
        segments
            Their names.

        Yields
        ------
        Moved
            Who does from one bucket.
        """
        if self.previous is None or not segments:
            return
        for entity, bucket in self.previous.places:
            before = self.previous.rows(entity, bucket)
            is_ended = pc.is_in(before["segment"], pa.array(segments, pa.string()))
            before = before.filter(pc.and_(is_ended, pc.equal(before["status"], "realized")))
            rows, size = _Rows(self.as_of), len(self.numbering.ids(entity, bucket))
            for segment, own in self._standings(before).items():
                rows.add(segment, "exited", _as_one([*own.values()], size), own, size)
            yield self._finished((entity, bucket), rows)

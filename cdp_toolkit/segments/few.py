"""Who moved among a few profiles of a bucket: all segments at once, without looking at anybody else."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdp_toolkit.lake.bits import Bits, set_bits
from cdp_toolkit.lake.held import holds_each, pack_each
from cdp_toolkit.lake.packed import alike
from cdp_toolkit.segments.standings import MEMBERSHIP

_CELLS = 8_000_000  # profiles times segments that are compared in one go

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Few:
    """A few profiles of a bucket, and when they were evaluated.

    Parameters
    ----------
    numbers
        Their numbers, in order.
    size
        How many profiles the bucket has.
    at
        When they were evaluated.
    """

    numbers: Numbers
    size: int
    at: datetime

    def moves(self, before: pa.Table, segments: Sequence[str], now: Bits) -> tuple[pa.Table, pa.Table]:
        """Return who of them moved.

        Parameters
        ----------
        before
            Rows of ``segments/membership`` of the bucket, as they are on disk.
        segments
            Segments that were evaluated.
        now
            A row for each segment, a bit for each profile: who is in.

        Returns
        -------
        history, membership
            Rows to add to both tables, without the columns that are the same for all of them.
        """
        step = max(1, _CELLS // max(1, len(self.numbers)))
        of = pc.index_in(before["segment"], pa.array(segments, pa.string())).fill_null(-1).to_numpy()
        history, membership = [], []
        for start in range(0, len(segments), step):
            end = min(start + step, len(segments))
            rows = np.flatnonzero((of >= start) & (of < end))
            found = self._moves(before, rows, pa.array(segments[start:end], pa.string()), now[start:end])
            history += found[0]
            membership += found[1]
        return pa.concat_tables(history), pa.concat_tables(membership)

    def _moves(
        self, before: pa.Table, rows: Numbers, segments: pa.Array, now: Bits
    ) -> tuple[list[pa.Table], list[pa.Table]]:
        standings, held = self._held(before, rows)
        of = pc.index_in(standings["segment"], segments).to_numpy()
        is_in = pc.equal(standings["status"], "realized").to_numpy()
        fresh = now.copy()
        for each in _rounds(of):
            fresh[of[each]] &= ~held[each]
        new_to, newcomers = _true(fresh)
        row, movers = _true(held & (now[of] ^ np.where(is_in, 0xFF, 0).astype(np.uint8)[:, None]))

        moment = pa.scalar(self.at, MEMBERSHIP.field("exited_at").type)
        has_left = is_in[row]
        came = np.append(new_to, of[row[~has_left]]), np.append(newcomers, movers[~has_left])
        history = []
        for change, (segment, who) in (("entered", came), ("exited", (of[row[has_left]], movers[has_left]))):
            order = np.argsort(segment * self.size + who, kind="stable")  # merges two runs
            own, packed = self._packed(segment[order], who[order])
            history.append(pa.table({"segment": segments.take(own), "change": pa.repeat(change, len(own))} | packed))
        own, packed = self._packed(row, movers)
        left = standings.take(own)
        has_left = pc.equal(left["status"], "realized")
        then = {
            "segment": left["segment"],
            "status": pc.if_else(has_left, "exited", "realized"),
            "first_qualified_at": left["first_qualified_at"],
            "last_qualified_at": pc.if_else(has_left, left["last_qualified_at"], moment),
            "exited_at": pc.if_else(has_left, moment, pa.scalar(None, moment.type)),
        }
        own, packed_new = self._packed(new_to, newcomers)
        times = pa.repeat(moment, len(own))
        new = {
            "segment": segments.take(own), "status": pa.repeat("realized", len(times)), "first_qualified_at": times,
            "last_qualified_at": times, "exited_at": pa.nulls(len(times), moment.type),
        }  # fmt: skip
        from_ = {name: left[name] for name in then} | packed | {"profiles": pc.negate(packed["profiles"])}
        return history, [pa.table(each) for each in (from_, then | packed, new | packed_new)]

    def _held(self, before: pa.Table, rows: Numbers) -> tuple[pa.Table, Bits]:
        """Return one row for each standing, and which of the profiles have it."""
        counts, data = before["profiles"].to_numpy(), before["bits"].combine_chunks()
        held = holds_each(counts, data, rows, self.numbers, self.size)
        standings = before.drop_columns(["profiles", "bits"]).take(pa.array(rows))  # what is taken takes its bits along
        first, group = alike(standings)
        if len(first) < len(rows):
            standing = held[first]
            more = np.delete(np.arange(len(rows)), first)
            for each in _rounds(group[more]):
                standing[group[more[each]]] ^= held[more[each]]
            return standings.take(pa.array(first)), standing
        return standings, held

    def _packed(self, row: Numbers, who: Numbers) -> tuple[pa.Array, dict[str, Any]]:
        """Return which rows have anybody, and these rows packed; ``who`` are places among the numbers."""
        rows, counts, bits = pack_each(row, self.numbers[who], self.size)
        return pa.array(rows), {"profiles": pa.array(counts, pa.int64()), "bits": bits}


def _rounds(numbers: Numbers) -> Iterator[Numbers]:
    """Return the places of numbers, in as many rounds as a number comes at the most: many times as fast as ``reduceat`` of rows."""
    left = np.arange(len(numbers))
    while len(left):
        _, first = np.unique(numbers[left], return_index=True)
        yield left[first]
        left = np.delete(left, first)


def _true(bits: Bits) -> tuple[Numbers, Numbers]:
    """Return row and column of each bit that is set."""
    row, column = np.divmod(set_bits(bits.reshape(-1)), max(1, 8 * bits.shape[1]))
    return row, column

"""Tables that hold many profiles in a row, as bits.

The profiles of an entity lie in buckets, by ranges of their ids. In its bucket each profile has a number, given when
it is first seen and never again, so the bits of a row that is years old still mean the same profiles. A few profiles
are kept as a list of numbers, many as one bit a number, whichever is shorter.

88M memberships of 10M profiles in 1,000 segments: see docs/decisions/070-membership-in-bits.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cdp_toolkit.lake.bits import few_numbers, set_bits, unpack
from cdp_toolkit.lake.tables import Table
from cdp_toolkit.model.types import arrow_type

_BUCKET_BITS = 59
"""Ids have 63 bits, so there are 16 buckets: at 10M profiles the bits of a segment in one of them are about 80 kB."""

Ids = npt.NDArray[np.int64]

_Id = TypeVar("_Id", int, Ids)
_ID = np.dtype("<i8")
_ROWS_A_BATCH = 1 << 17


def packed_schema(known: Table) -> pa.Schema:
    """Return the columns of a packed table as they are on disk.

    Parameters
    ----------
    known
        The table.

    Returns
    -------
    pyarrow.Schema
        Its columns without ``profile_id``; then ``bucket``, how many ``profiles``, and their ``bits``.
    """
    fields = [(name, arrow_type(kind)) for name, kind in known.columns.items() if name != "profile_id"]
    return pa.schema([*fields, ("bucket", pa.int64()), ("profiles", pa.int64()), ("bits", pa.binary())])


def bucket_of(profile_id: _Id) -> _Id:
    """Return the bucket that a profile lies in.

    Parameters
    ----------
    profile_id
        Its id, from 0 to 2⁶³ - 1; or many of them.

    Returns
    -------
    int or numpy.ndarray
        0 to 15, in the order of the ids.
    """
    return profile_id >> _BUCKET_BITS


class Numbering:
    """The profiles of each bucket in the order of their numbers.

    Parameters
    ----------
    rows
        ``segments/numbering``: one row per entity, bucket and stretch of numbers; None if it was never written.
    """

    SCHEMA = pa.schema({"entity": pa.string(), "bucket": pa.int64(), "start": pa.int64(), "ids": pa.binary()})

    def __init__(self, rows: pa.Table | None = None) -> None:
        self._ids: dict[tuple[str, int], Ids] = {}
        self._order: dict[tuple[str, int], npt.NDArray[np.int64]] = {}
        self._added: list[tuple[str, int, int, bytes]] = []
        stretches = [] if rows is None else rows.sort_by("start").to_pylist()
        found: dict[tuple[str, int], list[Ids]] = {}
        for each in stretches:
            found.setdefault((each["entity"], each["bucket"]), []).append(np.frombuffer(each["ids"], _ID))
        self._ids = {bucket: np.concatenate(parts) for bucket, parts in found.items()}

    def ids(self, entity: str, bucket: int) -> Ids:
        """Return the profiles of a bucket.

        Parameters
        ----------
        entity, bucket
            Which bucket.

        Returns
        -------
        numpy.ndarray
            Profile ids; the place of each is its number.
        """
        return self._ids.get((entity, bucket), np.empty(0, np.int64))

    def number(self, entity: str, bucket: int, ids: Ids) -> npt.NDArray[np.int64]:
        """Return the numbers of profiles, new ones for those that have none.

        Parameters
        ----------
        entity, bucket
            Which bucket.
        ids
            Profiles of that bucket, each once.

        Returns
        -------
        numpy.ndarray
            A number a profile.
        """
        known = self.ids(entity, bucket)
        if np.array_equal(known, ids):
            return np.arange(len(ids))
        fresh = np.setdiff1d(ids, known)
        if len(fresh):
            self._added.append((entity, bucket, len(known), fresh.astype(_ID).tobytes()))
            known = self._ids[entity, bucket] = np.concatenate([known, fresh])
            self._order.pop((entity, bucket), None)
        if (entity, bucket) not in self._order:
            self._order[entity, bucket] = np.argsort(known)
        order = self._order[entity, bucket]
        return order[np.searchsorted(known, ids, sorter=order)]

    def added(self) -> pa.Table:
        """Return the rows to append to ``segments/numbering``.

        Returns
        -------
        pyarrow.Table
            One row per bucket and stretch of numbers given since; empty if there are none.
        """
        columns = list(zip(*self._added, strict=True)) or [()] * len(self.SCHEMA)
        return pa.table(dict(zip(self.SCHEMA.names, columns, strict=True)), schema=self.SCHEMA)


def unpacked(
    rows: pa.Table, numbering: Numbering, columns: Mapping[str, str], *, among: Ids | None = None
) -> Iterator[pa.RecordBatch]:
    """Return the rows of a packed table, one a profile.

    Parameters
    ----------
    rows
        Packed rows.
    numbering
        Which profiles the bits mean.
    columns
        Columns of the table as it is read.
    among
        Profiles to look for, so that nothing is made for others; all by default.

    Yields
    ------
    pyarrow.RecordBatch
        Some rows with those columns.
    """
    schema = pa.schema([(name, arrow_type(kind)) for name, kind in columns.items()])
    wanted = partial(_ids_of, numbering) if among is None else _Wanted(numbering, np.unique(among)).of
    carried = rows.select([name for name in schema.names if name != "profile_id"]).combine_chunks()
    for start, end in _stretches(rows["profiles"].to_pylist()):
        part = rows.slice(start, end - start)
        ids = [wanted(each) for each in part.select(["entity", "bucket", "profiles", "bits"]).to_pylist()]
        repeated = carried.take(pa.array(np.repeat(np.arange(start, end), [len(each) for each in ids])))
        repeated = repeated.append_column("profile_id", pa.array(np.concatenate(ids), pa.int64()))
        yield from repeated.select(schema.names).cast(schema).combine_chunks().to_batches()


@dataclass(frozen=True)
class _Wanted:
    """Looks for some profiles in packed rows, bit by bit; ``among`` is in order."""

    numbering: Numbering
    among: Ids
    numbers: dict[tuple[str, int], npt.NDArray[np.int64]] = field(default_factory=dict)

    def of(self, row: Mapping[str, Any]) -> Ids:
        place = (row["entity"], row["bucket"])
        ids = self.numbering.ids(*place)
        if place not in self.numbers:
            self.numbers[place] = np.flatnonzero(_is_among(ids, self.among))
        mine = self.numbers[place]
        bits = unpack(row["profiles"], row["bits"], len(ids))
        found: Ids = ids[mine[(bits[mine >> 3] >> (mine & 7) & 1).astype(np.bool_)]]
        return found


def _is_among(ids: Ids, among: Ids) -> npt.NDArray[np.bool_]:
    if not len(among):
        return np.zeros(len(ids), np.bool_)
    return np.equal(among[np.minimum(np.searchsorted(among, ids), len(among) - 1)], ids)


def _ids_of(numbering: Numbering, row: Mapping[str, Any]) -> Ids:
    ids = numbering.ids(row["entity"], row["bucket"])
    count, data = row["profiles"], row["bits"]
    numbers = few_numbers(count, data)
    return ids[set_bits(np.frombuffer(data, np.uint8)) if numbers is None else numbers]


def _stretches(counts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Return where to cut rows so that each part makes about as many rows as a batch should have."""
    start = total = 0
    for place, count in enumerate(counts):
        total += count
        if total >= _ROWS_A_BATCH:
            yield start, place + 1
            start, total = place + 1, 0
    if start < len(counts):
        yield start, len(counts)

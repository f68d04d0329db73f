"""Tables that hold many profiles in a row, as bits.

The profiles of an entity lie in buckets, by ranges of their ids. In its bucket each profile has a number, given when
it is first seen and never again, so the bits of a row that is years old still mean the same profiles. A few profiles
are kept as a list of numbers, many as one bit a number, whichever is shorter.

Rows are taken out by adding others: of rows that are alike in all but their profiles, those count that an odd number of
them has. The row that takes out counts its profiles with a minus, so that the ``profiles`` of any rows add up to how
many there are, whether they are unpacked or not.

88M memberships of 10M profiles in 1,000 segments: see docs/decisions/070-membership-in-bits.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdp_toolkit.lake.bits import few_numbers, odd, set_bits, unpack
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
        self._order: dict[tuple[str, int], npt.NDArray[np.int64] | None] = {}
        self._added: list[tuple[str, int, int, bytes]] = []
        found: dict[tuple[str, int], list[Ids]] = {}
        rows = self.SCHEMA.empty_table() if rows is None else rows
        places, ids = rows.select(["entity", "bucket", "start"]).to_pylist(), list(rows["ids"])
        for each, own in sorted(zip(places, ids, strict=True), key=lambda row: row[0]["start"]):
            found.setdefault((each["entity"], each["bucket"]), []).append(np.frombuffer(own.as_buffer(), _ID))
        self._ids = {bucket: parts[0] if len(parts) == 1 else np.concatenate(parts) for bucket, parts in found.items()}

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
        numbers, is_known = self._found(entity, bucket, ids)
        if not is_known.all():
            fresh = np.sort(ids[~is_known])
            self._added.append((entity, bucket, len(known), fresh.astype(_ID).tobytes()))
            self._ids[entity, bucket] = np.concatenate([known, fresh])
            self._order.pop((entity, bucket), None)
            return self._found(entity, bucket, ids)[0]
        return numbers

    def known(self, entity: str, bucket: int, ids: Ids) -> npt.NDArray[np.int64]:
        """Return the numbers of those profiles that have one.

        Parameters
        ----------
        entity, bucket
            Which bucket.
        ids
            Profiles of that bucket, each once.

        Returns
        -------
        numpy.ndarray
            The numbers in order.
        """
        numbers, is_known = self._found(entity, bucket, ids)
        return np.sort(numbers[is_known])

    def _found(self, entity: str, bucket: int, ids: Ids) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        known = self.ids(entity, bucket)
        if not len(known):
            return np.zeros(len(ids), np.int64), np.zeros(len(ids), np.bool_)
        if (entity, bucket) not in self._order:
            # In order of their ids until profiles come later, which are in order among themselves.
            is_sorted = bool((known[1:] > known[:-1]).all())
            self._order[entity, bucket] = None if is_sorted else np.argsort(known, kind="stable")
        order = self._order[entity, bucket]
        places = np.minimum(np.searchsorted(known, ids, sorter=order), len(known) - 1)
        numbers = places if order is None else order[places]
        return numbers, known[numbers] == ids

    def added(self) -> pa.Table:
        """Return the rows to append to ``segments/numbering``.

        Returns
        -------
        pyarrow.Table
            One row per bucket and stretch of numbers given since; empty if there are none.
        """
        joined: list[tuple[str, int, int, bytes]] = []  # stretches of a bucket that were numbered one after the other
        for place, own in groupby(self._added, key=lambda each: each[:2]):
            stretches = list(own)
            joined.append((*place, stretches[0][2], b"".join(each[3] for each in stretches)))
        columns = list(zip(*joined, strict=True)) or [()] * len(self.SCHEMA)
        return pa.table(dict(zip(self.SCHEMA.names, columns, strict=True)), schema=self.SCHEMA)


def merged(rows: pa.Table, numbering: Numbering) -> pa.Table:
    """Return packed rows with no two alike in all but their profiles.

    Parameters
    ----------
    rows
        Packed rows, some of which may take profiles out of others.
    numbering
        How many profiles there are a bucket.

    Returns
    -------
    pyarrow.Table
        Rows for the same profiles, in the order in which the first of each came; none without any.
    """
    first, group = alike(rows)
    if len(first) == len(rows):
        return rows
    members = np.argsort(group, kind="stable")
    ends = np.cumsum(np.bincount(group, minlength=len(first)))
    counts = np.zeros(len(first), np.int64)
    np.add.at(counts, group, rows["profiles"].to_numpy())
    several = np.flatnonzero((np.diff(ends, prepend=0) > 1) & (counts > 0))
    bits, made = rows["bits"].combine_chunks(), []
    places = rows.select(["entity", "bucket", "profiles"])
    for each in several:
        parts = members[ends[each - 1] if each else 0 : ends[each]]
        few = places.take(parts).to_pylist()
        size = len(numbering.ids(few[0]["entity"], few[0]["bucket"]))
        own = [(row["profiles"], bits[part].as_py()) for row, part in zip(few, parts, strict=True)]
        made.append(odd(own, size)[1])
    source = first.copy()
    source[several] = len(bits) + np.arange(len(several))
    kept = np.flatnonzero(counts > 0)
    kept = kept[np.argsort(first[kept])]
    whole = pa.chunked_array([bits, pa.array(made, bits.type)]).take(pa.array(source[kept]))
    table = rows.take(pa.array(first[kept]))
    for name, column in (("profiles", pa.array(counts[kept])), ("bits", whole)):
        table = table.set_column(table.schema.get_field_index(name), name, column)
    return table


def alike(rows: pa.Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Tell which packed rows are alike in all but their profiles.

    Parameters
    ----------
    rows
        Packed rows.

    Returns
    -------
    first, group
        The first row of each group, and the group of each row.
    """
    codes = np.zeros(len(rows), np.int64)
    for name in (each for each in rows.column_names if each not in {"profiles", "bits"}):
        encoded = rows[name].combine_chunks().dictionary_encode(null_encoding="encode")
        if codes.max(initial=0) > 2**62 // max(len(encoded.dictionary), 1):
            codes = np.unique(codes, return_inverse=True)[1]
        codes = codes * len(encoded.dictionary) + encoded.indices.to_numpy()
    _, first, group = np.unique(codes, return_index=True, return_inverse=True)
    return first, group


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
    if (pc.min(rows["profiles"]).as_py() or 0) < 0:
        rows = merged(rows, numbering)
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

"""Many rows of a packed table at once, asked about the same few profiles."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa

from cdp_toolkit.lake.bits import NUMBER, Bits, Numbers, pack_numbers

_AT_ONCE = 2**16  # numbers of lists


def holds_each(counts: Numbers, data: pa.Array, rows: Numbers, numbers: Numbers, size: int) -> Bits:
    """Tell of each of many rows which numbers it keeps.

    Parameters
    ----------
    counts, data
        As ``pack`` gave them, a row each.
    rows
        Which rows, in order; nothing is read of others.
    numbers
        Numbers of profiles of the bucket, in order.
    size
        How many profiles the bucket has by now.

    Returns
    -------
    numpy.ndarray
        A row for each row, a bit for each number, eight to a byte, the lowest first.
    """
    found = np.zeros((len(rows), (len(numbers) + 7) // 8), np.uint8)
    ends = np.frombuffer(data.buffers()[1], np.int32)[data.offset :].astype(np.int64)
    starts, ends = ends[rows], ends[rows + 1]
    is_listed = ends - starts == NUMBER.itemsize * np.abs(counts[rows])
    places, mask = numbers >> 3, (1 << (numbers & 7)).astype(np.uint8)
    all_bits = np.frombuffer(data.buffers()[2] or b"", np.uint8)
    as_bits = np.flatnonzero(~is_listed)
    bytes_of = np.zeros((len(as_bits), len(numbers)), np.uint8)
    for bits, start, end in zip(bytes_of, starts[as_bits].tolist(), ends[as_bits].tolist(), strict=True):
        there = np.searchsorted(places, end - start)  # a row may be older than the last profiles
        # Without the mode it would be copied once more.
        all_bits[start:end].take(places[:there], out=bits[:there], mode="clip")
    bytes_of &= mask
    found[as_bits] = np.packbits(bytes_of, axis=1, bitorder="little")
    is_number = np.zeros(size, np.bool_)
    is_number[numbers] = True
    as_list = np.flatnonzero(is_listed)
    sizes = (ends - starts)[as_list] // NUMBER.itemsize
    for row, listed in _lists(data.take(pa.array(rows[as_list])), sizes):
        is_asked = is_number.take(listed)
        column = np.searchsorted(numbers, listed[is_asked])
        np.bitwise_or.at(found, (as_list[row[is_asked]], column >> 3), (1 << (column & 7)).astype(np.uint8))
    return found


def _lists(lists: pa.Array, sizes: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
    """Return the numbers of lists, and in which list each is, so many at a time as stay in the cache."""
    ends = np.cumsum(sizes)
    cuts = np.searchsorted(ends, np.arange(_AT_ONCE, ends[-1] if len(ends) else 0, _AT_ONCE))
    for first, last in pairwise(sorted({0, *cuts.tolist(), len(sizes)})):
        own = sizes[first:last]
        listed = np.cumsum(np.frombuffer(_bytes_of(lists[first:last]), NUMBER), dtype=np.int64)
        # The gaps of each add up from its own beginning.
        listed -= np.repeat(np.append(0, listed)[np.cumsum(own) - own], own)
        yield np.repeat(np.arange(first, last), own), listed


def _bytes_of(data: pa.Array) -> memoryview:
    """Return the values of a column, one behind the other."""
    first, last = (np.frombuffer(data.buffers()[1], np.int32)[data.offset + each] for each in (0, len(data)))
    return memoryview(data.buffers()[2] or b"")[first:last]


def pack_each(row: Numbers, numbers: Numbers, size: int) -> tuple[Numbers, Numbers, pa.Array]:
    """Return rows that keep some numbers.

    Parameters
    ----------
    row
        For each number the row that keeps it, in order.
    numbers
        Numbers of profiles of the bucket, in order within each row.
    size
        How many profiles the bucket has.

    Returns
    -------
    rows, counts, data
        The rows that keep any, and of each what ``pack`` gives.
    """
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    ends = np.append(starts[1:], len(row))[: len(starts)]
    counts = ends - starts
    if NUMBER.itemsize * counts.max(initial=0) > (size + 7) // 8:
        data = [pack_numbers(each, size)[1] for each in np.split(numbers, starts[1:])]
        return row[starts], counts, pa.array(data, pa.binary())
    gaps = np.diff(numbers, prepend=0)
    gaps[starts] = numbers[starts]
    offsets = pa.array(np.append(0, ends) * NUMBER.itemsize, pa.int32())
    buffers = [None, offsets.buffers()[1], pa.py_buffer(gaps.astype(NUMBER))]
    return row[starts], counts, pa.Array.from_buffers(pa.binary(), len(starts), buffers)

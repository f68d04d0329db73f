"""Many rows of a packed table at once, asked about the same few profiles."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdp_toolkit.lake.bits import NUMBER, Numbers, pack_numbers

Flags = npt.NDArray[np.bool_]


def holds_each(counts: Numbers, data: pa.Array, numbers: Numbers, size: int) -> Flags:
    """Tell of each of many rows which numbers it keeps.

    Parameters
    ----------
    counts, data
        As ``pack`` gave them, a row each.
    numbers
        Numbers of profiles of the bucket, in order.
    size
        How many profiles the bucket has by now.

    Returns
    -------
    numpy.ndarray
        A row for each row, a column for each number.
    """
    found = np.zeros((len(data), len(numbers)), np.bool_)
    lengths = pc.binary_length(data).to_numpy().astype(np.int64)
    is_listed = lengths == NUMBER.itemsize * np.abs(counts)
    places, mask = numbers >> 3, (1 << (numbers & 7)).astype(np.uint8)
    for place in np.flatnonzero(~is_listed):
        bits = np.frombuffer(data[place].as_buffer(), np.uint8)
        there = len(numbers) if len(bits) * 8 >= size else int(np.searchsorted(places, len(bits)))
        np.not_equal(bits[places[:there]] & mask[:there], 0, out=found[place, :there])
    if not is_listed.any():
        return found
    # All lists as one: the gaps of each add up from its own beginning, modulo 2³², which no number reaches.
    lists = data.filter(pa.array(is_listed))
    ends = np.cumsum(lengths[is_listed] // NUMBER.itemsize)
    listed = np.cumsum(np.frombuffer(_bytes_of(lists), NUMBER), dtype=np.uint32)
    before = np.append(np.uint32(0), listed)[np.append(0, ends[:-1])]
    listed -= np.repeat(before, np.diff(ends, prepend=0))
    columns = np.full(size, -1, np.int32)
    columns[numbers] = np.arange(len(numbers), dtype=np.int32)
    column = columns[listed]
    is_asked = np.flatnonzero(column >= 0)
    row = np.flatnonzero(is_listed)[np.searchsorted(ends, is_asked, side="right")]
    found[row, column[is_asked]] = True
    return found


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

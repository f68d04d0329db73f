"""Truth of a condition for many profiles, a bit each, in three values as in SQL.

A thousand conditions over half a million profiles are joined by and, or and not in 0.05 s so: 62 KB each, which stay
in the processor's cache, where an engine plans, schedules and allocates a column for every step.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Bits:
    """For each profile whether a condition is true, and where that is not known for all, whether it is known.

    Parameters
    ----------
    true
        A bit a profile, the lowest of each byte first.
    known
        The same; nothing that is true is unknown. None where all is known.
    """

    true: Bytes
    known: Bytes | None = None

    @classmethod
    def of(cls, column: pa.ChunkedArray, order: npt.NDArray[np.intp] | None = None) -> "Bits":
        """Take over a column of booleans.

        Parameters
        ----------
        column
            One boolean per profile, null where it is unknown.
        order
            Places of the rows in the order wanted; as they are by default.

        Returns
        -------
        Bits
            The same as bits.
        """
        if not column.null_count:
            return cls(_taken(column, order))
        return cls(_taken(column.fill_null(False), order), _taken(column.is_valid(), order))

    def to_arrow(self, size: int) -> pa.Array:
        """Return the bits as a column.

        Parameters
        ----------
        size
            How many profiles there are.

        Returns
        -------
        pyarrow.Array
            One boolean per profile; false where it is unknown.
        """
        return pa.Array.from_buffers(pa.bool_(), size, [None, pa.py_buffer(self.true)])


def _taken(column: pa.ChunkedArray, order: npt.NDArray[np.intp] | None) -> Bytes:
    """Return the bits of a column without null, which Arrow keeps in the same way."""
    array = column.combine_chunks()
    if array.offset % 8 or not len(array):
        return packed(column.to_numpy() if order is None else column.to_numpy()[order])
    bits = np.frombuffer(array.buffers()[1], np.uint8)[array.offset // 8 :][: -(-len(array) // 8)]
    # Byte by byte: a third of the time that Arrow's booleans take, each of which is looked at.
    return bits if order is None else packed(np.unpackbits(bits, count=len(array), bitorder="little").take(order))


def packed(values: npt.NDArray[np.bool_] | Bytes) -> Bytes:
    """Return booleans as bits.

    Parameters
    ----------
    values
        Booleans, or 0 and 1.

    Returns
    -------
    numpy.ndarray
        Bytes, the lowest bit first.
    """
    return np.packbits(values, bitorder="little")


def _and(one: Bits, other: Bits) -> Bits:
    true = one.true & other.true
    if one.known is None and other.known is None:
        return Bits(true)
    return Bits(true, true | _false(one) | _false(other))


def _or(one: Bits, other: Bits) -> Bits:
    true = one.true | other.true
    if one.known is None and other.known is None:
        return Bits(true)
    return Bits(true, true | (_false(one) & _false(other)))


def _not(bits: Bits) -> Bits:
    return Bits(_false(bits), bits.known)


def _false(bits: Bits) -> Bytes:
    false: Bytes = ~bits.true if bits.known is None else bits.known & ~bits.true
    return false


CONNECTIVES: dict[str, Callable[[Sequence[Bits]], Bits]] = {
    "and": lambda parts: reduce(_and, parts),
    "or": lambda parts: reduce(_or, parts),
    "not": lambda parts: _not(parts[0]),
    "is_true": lambda parts: Bits(parts[0].true),
    "is_false": lambda parts: Bits(_false(parts[0])),
    "true_or_unknown": lambda parts: Bits(parts[0].true, parts[0].true),
}
"""What joins conditions, by the name that a bound condition has for it; ``is_true`` is false where it is unknown."""


def rows_of(columns: Sequence[Bytes], size: int) -> Bytes:
    """Return bits by profile instead of by condition.

    Parameters
    ----------
    columns
        The bits of each condition.
    size
        How many profiles there are.

    Returns
    -------
    numpy.ndarray
        One row per profile: a bit a condition.
    """
    out = np.empty((size, -(-len(columns) // 8)), np.uint8)
    for start in range(0, len(columns), 8):
        block = np.stack([np.unpackbits(each, count=size, bitorder="little") for each in columns[start : start + 8]])
        out[:, start // 8] = np.packbits(block, axis=0, bitorder="little")[0]
    return out


def columns_of(rows: Bytes, count: int) -> list[Bytes]:
    """Return bits by condition instead of by profile.

    Parameters
    ----------
    rows
        One row per profile: a bit a condition.
    count
        How many conditions there are.

    Returns
    -------
    list of numpy.ndarray
        The bits of each condition.
    """
    found: Any = []
    for index in range(count):
        found.append(np.packbits((rows[:, index // 8] >> (index % 8)) & 1, bitorder="little"))
    return list(found)

"""Profiles of a bucket as a row of a packed table keeps them: a bit a number, or a list of numbers if that is shorter."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]

NUMBER = np.dtype("<u4")
"""How a list keeps the gap before each of its numbers."""
_SPARSE = 64  # so many times fewer are looked up in a list one by one


def pack(bits: Bits) -> tuple[int, bytes]:
    """Return bits as a row keeps them.

    Parameters
    ----------
    bits
        One bit a profile of the bucket, eight to a byte, the lowest first.

    Returns
    -------
    count, data
        How many are set, and the shorter of their numbers and the bits themselves.
    """
    count = _count(bits)
    if NUMBER.itemsize * count <= len(bits):
        return count, _gaps(set_bits(bits))
    return count, bits.tobytes()


def pack_numbers(numbers: Numbers, size: int) -> tuple[int, bytes]:
    """Return numbers as a row keeps them.

    Parameters
    ----------
    numbers
        Numbers of profiles of a bucket, each once, in any order.
    size
        How many profiles the bucket has.

    Returns
    -------
    count, data
        As ``pack`` gives them for the same bits.
    """
    if NUMBER.itemsize * len(numbers) <= (size + 7) // 8:
        return len(numbers), _gaps(np.sort(numbers))
    return pack(to_bits(numbers, size))


def to_bits(numbers: npt.NDArray[Any], size: int) -> Bits:
    """Return numbers as bits.

    Parameters
    ----------
    numbers
        Numbers of profiles of a bucket.
    size
        How many profiles the bucket has.

    Returns
    -------
    numpy.ndarray
        Eight to a byte, the lowest first.
    """
    flags = np.zeros((size + 7) // 8 * 8, np.bool_)
    flags[numbers] = True
    return np.packbits(flags, bitorder="little")


def unpack(count: int, data: bytes, size: int) -> Bits:
    """Return what a row keeps as bits.

    Parameters
    ----------
    count, data
        As ``pack`` gave them.
    size
        How many profiles the bucket has by now.

    Returns
    -------
    numpy.ndarray
        One bit a profile of the bucket; may be changed.
    """
    if _is_listed(count, data):
        return to_bits(_numbers_of(data), size)
    bits = np.zeros((size + 7) // 8, np.uint8)
    bits[: len(data)] = np.frombuffer(data, np.uint8)
    return bits


def holds(count: int, data: bytes, numbers: Numbers, size: int) -> npt.NDArray[np.bool_]:
    """Tell which numbers a row keeps.

    Parameters
    ----------
    count, data
        As ``pack`` gave them.
    numbers
        Numbers of profiles of the bucket, in order.
    size
        How many profiles the bucket has by now.

    Returns
    -------
    numpy.ndarray
        For each number whether it is kept.
    """
    if _is_listed(count, data):
        if len(numbers) * _SPARSE < count:
            known = np.append(_numbers_of(data), size)
            return np.asarray(known[np.searchsorted(known, numbers)] == numbers)
        flags = np.zeros(size, np.bool_)
        flags[_numbers_of(data)] = True
        return flags[numbers]
    bits, places = np.frombuffer(data, np.uint8), numbers >> 3
    kept: npt.NDArray[np.bool_] = (bits[np.minimum(places, len(bits) - 1)] >> (numbers & 7).astype(np.uint8)) & 1 == 1
    return kept & (places < len(bits))


def few_numbers(count: int, data: bytes) -> Numbers | None:
    """Return the numbers of a row that keeps them as a list.

    Parameters
    ----------
    count, data
        As ``pack`` gave them.

    Returns
    -------
    numpy.ndarray or None
        The numbers in order; None where they are many, and kept as bits.
    """
    return _numbers_of(data) if _is_listed(count, data) else None


def joined(rows: Iterable[tuple[int, bytes]], size: int) -> Bits:
    """Return what several rows keep together.

    Parameters
    ----------
    rows
        Each as ``pack`` gave it.
    size
        How many profiles the bucket has by now.

    Returns
    -------
    numpy.ndarray
        One bit a profile of the bucket.
    """
    bits = np.zeros((size + 7) // 8, np.uint8)
    for row in rows:
        bits |= unpack(*row, size)
    return bits


def odd(rows: Sequence[tuple[int, bytes]], size: int) -> tuple[int, bytes]:
    """Return a row that keeps what an odd number of rows keep.

    Parameters
    ----------
    rows
        Each as ``pack`` gave it; the count is negative where the others keep all of it, and it is taken out.
    size
        How many profiles the bucket has by now.

    Returns
    -------
    count, data
        As ``pack`` gives them.
    """
    count = sum(each[0] for each in rows)
    lists = [few for few in (few_numbers(*each) for each in rows) if few is not None]
    listed = np.concatenate(lists) if lists else np.empty(0, np.int64)
    if len(lists) == len(rows):
        numbers, times = np.unique(listed, return_counts=True)
        return pack_numbers(numbers[times % 2 == 1], size)
    bits = np.zeros((size + 7) // 8, np.uint8)
    for each in rows:
        if not _is_listed(*each):
            own = np.frombuffer(each[1], np.uint8)
            bits[: len(own)] ^= own
    np.bitwise_xor.at(bits, listed >> 3, (1 << (listed & 7)).astype(np.uint8))
    return pack(bits) if NUMBER.itemsize * count <= len(bits) else (count, bits.tobytes())


def moved_bits(bits: Bits, start: int, stop: int, *, to: int = 0, size: int | None = None) -> Bits:
    """Return a stretch of bits at another place.

    Parameters
    ----------
    bits
        Eight to a byte, the lowest first; or rows of them.
    start, stop
        The stretch.
    to
        Where it begins in the result.
    size
        How many bits the result has, all others of which are not set; as many as the stretch by default.

    Returns
    -------
    numpy.ndarray
        Eight to a byte, the lowest first.
    """
    out = np.zeros((*bits.shape[:-1], (stop - start if size is None else size) + 15 >> 3), np.uint8)
    if start < stop:
        part = bits[..., start >> 3 : (stop + 7) >> 3].copy()
        part[..., 0] &= 0xFF << (start & 7) & 0xFF
        part[..., -1] &= 0xFF >> (-stop & 7)
        by, at, width = (to & 7) - (start & 7), to >> 3, part.shape[-1]
        if by >= 0:
            out[..., at : at + width] = part << by
            out[..., at + 1 : at + 1 + width] |= (part >> (8 - by))[..., : out.shape[-1] - at - 1]
        else:
            out[..., at : at + width] = part >> -by
            out[..., at : at + width - 1] |= part[..., 1:] << (8 + by)
    return out[..., :-1]


def _count(bits: Bits) -> int:
    whole = len(bits) & ~7
    words = np.bitwise_count(bits[:whole].view(np.uint64)).sum(dtype=np.int64)
    return int(words + np.bitwise_count(bits[whole:]).sum(dtype=np.int64))


def _is_listed(count: int, data: bytes) -> bool:
    return len(data) == NUMBER.itemsize * abs(count)


def _numbers_of(data: bytes) -> Numbers:
    return np.cumsum(np.frombuffer(data, NUMBER), dtype=np.int64)


def _gaps(numbers: Numbers) -> bytes:
    # Small where profiles lie close together, and so a third shorter once compressed.
    gaps = numbers.astype(NUMBER)
    gaps[1:] -= gaps[:-1].copy()
    return gaps.tobytes()


def set_bits(bits: Bits) -> Numbers:
    """Return the numbers whose bit is set.

    Parameters
    ----------
    bits
        Eight to a byte, the lowest first.

    Returns
    -------
    numpy.ndarray
        Numbers in rising order.
    """
    filled = np.flatnonzero(bits != 0)  # flags are looked through faster than bytes
    places = np.flatnonzero(np.unpackbits(bits[filled], bitorder="little"))
    numbers: Numbers = filled[places >> 3] * 8 + (places & 7)
    return numbers

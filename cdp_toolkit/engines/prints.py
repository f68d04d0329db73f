"""Hashes of rows, by which two versions of a table are compared without reading them."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from cdp_toolkit.engines.stretches import Ids

Prints = npt.NDArray[np.uint64]

HASHED_BY = pl.__version__
"""Hashes of another release of Polars are others."""
_ODD, _OF_NULL = np.uint64(0x9E3779B97F4A7C15), np.uint64(0x5851F42D4C957F2D)
_ALL = 2**64


def prints(columns: Mapping[str, pa.Array], keys: Ids, starts: Ids) -> tuple[Prints, dict[str, int]]:
    """Return hashes of rows that lie in the order of their keys.

    Parameters
    ----------
    columns
        All columns but the key's, by name.
    keys
        The key of each row.
    starts
        Where the rows of each key begin.

    Returns
    -------
    prints, totals
        For each key a hash of its rows, whatever their order; and for each column a hash of all its values and whose they
        are, as ``total`` gives it.
    """
    rows, odd = np.ones(len(keys), np.uint64), _odd(keys)
    totals = {}
    for name, column in columns.items():
        hashes = _hashes(column)
        totals[name] = int(np.dot(odd, hashes))
        rows ^= hashes
        rows *= _ODD
        rows ^= rows >> np.uint64(29)
    found: Prints = np.add.reduceat(rows, starts)
    return found, totals


def total(keys: Ids, column: pa.Array | None = None) -> int:
    """Return a hash of the values of a column and whose they are.

    Hashes of several rows add up, so that those of some can be taken off, and no order matters.

    Parameters
    ----------
    keys
        The key of each row.
    column
        The column; that of the keys by default.

    Returns
    -------
    int
        From 0 to 2⁶⁴ - 1.
    """
    return int(_odd(keys).sum() if column is None else np.dot(_odd(keys), _hashes(column)))


def added(totals: Mapping[str, int], others: Mapping[str, int], *, sign: int = 1) -> dict[str, int]:
    """Return the hashes of columns of more rows, or of fewer.

    Parameters
    ----------
    totals, others
        By column.
    sign
        -1 where the others are taken off.

    Returns
    -------
    dict
        By column; those that only one has stay as they are.
    """
    return {
        name: (totals.get(name, 0) + sign * others.get(name, 0)) % _ALL for name in dict.fromkeys([*totals, *others])
    }


def _odd(keys: Ids) -> Prints:
    """Return what values are multiplied by: another number for each key, and odd, so that a value that changes changes the product."""
    return keys.view(np.uint64) << np.uint64(1) | np.uint64(1)


def _hashes(column: pa.Array) -> Prints:
    if pa.types.is_null(column.type):
        return np.full(len(column), _OF_NULL, np.uint64)
    if pa.types.is_dictionary(column.type):
        of_values = np.append(pl.Series(column.dictionary).hash().to_numpy(), _OF_NULL)
        found: Prints = of_values[column.indices.fill_null(-1).to_numpy()]
        return found
    hashes = pl.Series(column).hash().to_numpy()
    return np.where(column.is_valid().to_numpy(zero_copy_only=False), hashes, _OF_NULL) if column.null_count else hashes

"""Numbers found by numbers: which id a hash means. A join would carry all columns of the rows along; this carries none."""

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

Ids = npt.NDArray[np.int64]

_MOST_STEPS = 16


class Known:
    """One number a key.

    Keys that are hashes lie evenly, so where one is to be found its first bits say: of 15M keys one is found by two reads of
    memory, where a search has 24. Keys that lie otherwise are searched for.

    Parameters
    ----------
    rows
        Two columns of integers: the keys, each once, and the numbers.
    """

    def __init__(self, rows: pl.DataFrame) -> None:
        rows = rows.drop_nulls()
        rows = rows.sort(rows.columns[0])
        self._keys, self._numbers = (column.cast(pl.Int64).to_numpy() for column in rows)
        size = len(self._keys)
        bits = size.bit_length() + 1
        self._shift = max(0, int(self._keys[-1]).bit_length() - bits) if size else 0
        starts = np.arange(2**bits + 1, dtype=np.int64) << self._shift
        self._starts = np.searchsorted(self._keys, starts).astype(np.int32)
        self._is_even = bool(size) and self._keys[0] >= 0 and int(np.diff(self._starts).max()) <= _MOST_STEPS

    def find(self, asked: pl.Series) -> pl.Series:
        """Return the numbers of keys.

        Parameters
        ----------
        asked
            Keys, in any order.

        Returns
        -------
        polars.Series
            As many numbers; null where a key is null or not known.
        """
        if not len(self._keys) or asked.null_count() == len(asked):
            return pl.Series(asked.name, [None], pl.Int64).new_from_index(0, len(asked))
        keys = asked.fill_null(-1).to_numpy()
        places = self._places(keys) if self._is_even else np.searchsorted(self._keys, keys)
        is_known = self._keys.take(places, mode="clip") == keys
        if asked.null_count():
            is_known &= asked.is_not_null().to_numpy()
        return pl.Series(asked.name, pa.array(self._numbers.take(places, mode="clip"), mask=~is_known))

    def _places(self, keys: Ids) -> Ids:
        places: Ids = self._starts.take(keys >> self._shift, mode="clip").astype(np.int64)
        for _ in range(_MOST_STEPS):
            is_before = self._keys.take(places, mode="clip") < keys
            if not is_before.any():
                break
            places += is_before
        return places

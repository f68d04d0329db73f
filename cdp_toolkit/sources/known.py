"""Rows that are landed already are not landed again, where a load reads a little of the past a second time."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdp_toolkit.lake import Lake
from cdp_toolkit.sources.source import Overlap

# 64 bits a row: of 10 million rows and a million new ones, the chance that any is dropped wrongly is below one in a million.
_KEY, _NULL = "_known", "\x00"


class Known:
    """The rows of a table that a load may meet again; read once a load, however many batches overlap.

    Parameters
    ----------
    table
        ``landing/<source>/<object>``.
    lake
        Where the table is.
    """

    def __init__(self, table: str, lake: Lake) -> None:
        self._table = table
        self._lake = lake
        self._read_as: Overlap | None = None
        self._keys = np.empty(0, np.int64)
        self._met: list[npt.NDArray[np.int64]] = []

    def without(self, reader: pa.RecordBatchReader, overlap: Overlap) -> pa.RecordBatchReader:
        """Drop the rows that are in the table already, and those that come twice.

        Parameters
        ----------
        reader
            Rows to land.
        overlap
            What makes two rows the same, and since when the table can hold them.

        Returns
        -------
        pyarrow.RecordBatchReader
            The rows that are new, in their order.
        """
        columns = list(overlap.columns) or [name for name in reader.schema.names if not name.startswith("_")]
        self._read(replace(overlap, columns=tuple(columns)))
        self._met = []
        return pa.RecordBatchReader.from_batches(reader.schema, self._new(reader, columns))

    def settle(self) -> None:
        """Count the rows of the last batch among those of the table, since they have landed."""
        self._keys = np.unique(np.concatenate([self._keys, *self._met]))
        self._met = []

    def _read(self, overlap: Overlap) -> None:
        # Read now: within the write of a Delta table none can be read.
        was = self._read_as
        if was is not None and was.columns == overlap.columns and was.since <= overlap.since:
            return
        columns = list(overlap.columns)
        landed = self._lake.delivered(self._table, columns, where=pc.field("_loaded_at") >= overlap.since)
        read = [_keys(batch, columns, self._lake) for batch in landed]
        self._keys, self._read_as = np.unique(np.concatenate([np.empty(0, np.int64), *read])), overlap

    def _new(self, reader: pa.RecordBatchReader, columns: list[str]) -> Iterator[pa.RecordBatch]:
        for batch in reader:
            keys = _keys(batch, columns, self._lake)
            _, firsts = np.unique(keys, return_index=True)
            known = [np.flatnonzero(np.isin(keys, each)) for each in (self._keys, *self._met)]
            fresh = np.setdiff1d(firsts, np.concatenate(known))
            self._met.append(keys[fresh])
            yield batch.take(pa.array(np.sort(fresh)))


def _keys(batch: pa.RecordBatch, columns: list[str], lake: Lake) -> npt.NDArray[np.int64]:
    texts = [pc.fill_null(batch.column(name), _NULL) for name in columns]
    joined = pc.binary_join_element_wise(*texts, "\x1f")
    rows = lake.engine.load(pa.table({"text": joined, "row": pa.array(range(len(batch)), pa.int64())}))
    hashed = lake.engine.collect(lake.engine.key64(rows, {_KEY: "text"}).select("row", _KEY))
    keys: npt.NDArray[np.int64] = hashed.sort_by("row")[_KEY].to_numpy()  # an engine promises no order
    return keys

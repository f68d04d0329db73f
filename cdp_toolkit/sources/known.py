"""Rows that are landed already are not landed again, where a load reads a little of the past a second time."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cdp_toolkit.lake import Lake
from cdp_toolkit.sources.source import Overlap

# 64 bits a row: of 10 million rows and a million new ones, the chance that any is dropped wrongly is below one in a million.
_KEY, _NULL = "_known", "\x00"


def without_known(table: str, reader: pa.RecordBatchReader, overlap: Overlap, lake: Lake) -> pa.RecordBatchReader:
    """Drop the rows that are in a table already, and those that come twice.

    Parameters
    ----------
    table
        ``landing/<source>/<object>``.
    reader
        Rows to land.
    overlap
        What makes two rows the same, and since when the table can hold them.
    lake
        Where the table is.

    Returns
    -------
    pyarrow.RecordBatchReader
        The rows that are new, in their order.
    """
    columns = list(overlap.columns) or [name for name in reader.schema.names if not name.startswith("_")]
    landed = lake.delivered(table, columns, where=pc.field("_loaded_at") >= overlap.since)
    # Read now: within the write of a Delta table none can be read.
    known = np.unique(np.concatenate([np.empty(0, np.int64), *(_keys(batch, columns, lake) for batch in landed)]))
    return pa.RecordBatchReader.from_batches(reader.schema, _new(reader, columns, known, lake))


def _new(
    reader: pa.RecordBatchReader, columns: list[str], known: npt.NDArray[np.int64], lake: Lake
) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        keys = _keys(batch, columns, lake)
        _, firsts = np.unique(keys, return_index=True)
        fresh = np.setdiff1d(firsts, np.flatnonzero(np.isin(keys, known)))
        known = np.union1d(known, keys[fresh])
        yield batch.take(pa.array(np.sort(fresh)))


def _keys(batch: pa.RecordBatch, columns: list[str], lake: Lake) -> npt.NDArray[np.int64]:
    texts = [pc.fill_null(batch.column(name), _NULL) for name in columns]
    joined = pc.binary_join_element_wise(*texts, "\x1f")
    rows = lake.engine.load(pa.table({"text": joined, "row": pa.array(range(len(batch)), pa.int64())}))
    hashed = lake.engine.collect(lake.engine.key64(rows, {_KEY: "text"}).select("row", _KEY))
    keys: npt.NDArray[np.int64] = hashed.sort_by("row")[_KEY].to_numpy()  # an engine promises no order
    return keys

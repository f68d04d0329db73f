"""Rows in the order of a column, however many: what belongs together lies together on disk."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import chain
from pathlib import Path

import polars as pl
import pyarrow as pa
from deltalake import WriterProperties, write_deltalake

from cdp_toolkit.engines.copied import copied
from cdp_toolkit.engines.engine import Mode
from cdp_toolkit.engines.ranges import BYTES, Part, in_ranges, plain_schema, written_out

_ROWS_A_BATCH = 1 << 16
_WRITER = WriterProperties(compression="SNAPPY", max_row_group_size=100_000)


def write_clustered(rows: pa.RecordBatchReader, uri: str, mode: Mode, options: Mapping[str, str], by: str) -> None:
    """Write rows that are in order as one version of a Delta table; in a folder, with a copy to look them up in.

    Parameters
    ----------
    rows
        All rows; texts may be numbers with a dictionary.
    uri
        Address of the table.
    mode
        Whether the rows replace those of the table or come after them.
    options
        Storage options of the lake.
    by
        Column whose order they are in.
    """
    with copied(rows, Path(uri), by) if "://" not in uri and mode == "overwrite" else nullcontext(rows) as rows_once:
        plain = (
            batch for each in rows_once for batch in written_out(pa.Table.from_batches([each])).to_batches()
        )  # fmt: skip
        write_deltalake(
            uri,
            pa.RecordBatchReader.from_batches(plain_schema(rows.schema), plain),
            mode=mode,
            schema_mode="overwrite" if mode == "overwrite" else "merge",
            storage_options=dict(options) or None,
            writer_properties=_WRITER,
        )


@contextmanager
def clustered(
    frame: pl.LazyFrame, by: str, *, most_bytes: int = BYTES, rows_a_group: int = _ROWS_A_BATCH
) -> Iterator[pa.RecordBatchReader]:
    """Run a frame and give its rows in order.

    Parameters
    ----------
    frame
        Any frame.
    by
        A column of 63-bit keys; rows without one come first.
    most_bytes
        How many bytes of rows are sorted in memory at once.
    rows_a_group
        How many rows are at least sorted at once.

    Yields
    ------
    pyarrow.RecordBatchReader
        All rows, with about so many of them in memory; texts of few kinds are numbers with a dictionary.
    """
    with in_ranges([frame], by, most_bytes=most_bytes, rows_a_group=rows_a_group, is_whole=False) as ranges:
        parts = map(partial(_in_order, by), ranges)
        first = next(parts)
        schema = first.schema
        batches = (batch for part in chain([first], parts) for batch in part.to_batches(_ROWS_A_BATCH))
        del first
        yield pa.RecordBatchReader.from_batches(schema, batches)


def _in_order(by: str, part: Part) -> pa.Table:
    (rows,) = part
    keys = pl.Series(rows[by])
    return rows if keys.is_sorted() else rows.take(pa.array(keys.arg_sort().to_numpy()))

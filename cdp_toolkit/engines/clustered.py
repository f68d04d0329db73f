"""Rows in the order of a column, however many: what belongs together lies together on disk."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

import polars as pl
import pyarrow as pa
from deltalake import WriterProperties, write_deltalake

from cdp_toolkit.engines.copied import copied
from cdp_toolkit.engines.engine import Mode
from cdp_toolkit.engines.ranges import CELLS, in_ranges

_ROWS_A_BATCH = 1 << 16
_WRITER = WriterProperties(max_row_group_size=100_000)


def write_clustered(rows: pa.RecordBatchReader, uri: str, mode: Mode, options: Mapping[str, str], by: str) -> None:
    """Write rows that are in order as one version of a Delta table; in a folder, with a copy to look them up in.

    Parameters
    ----------
    rows
        All rows.
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
        write_deltalake(
            uri,
            rows_once,
            mode=mode,
            schema_mode="overwrite" if mode == "overwrite" else "merge",
            storage_options=dict(options) or None,
            writer_properties=_WRITER,
        )


@contextmanager
def clustered(frame: pl.LazyFrame, by: str, *, most_cells: int = CELLS) -> Iterator[pa.RecordBatchReader]:
    """Run a frame and give its rows in order.

    Parameters
    ----------
    frame
        Any frame.
    by
        A column of 63-bit keys; rows without one come first.
    most_cells
        How many rows times columns are sorted in memory at once.

    Yields
    ------
    pyarrow.RecordBatchReader
        All rows, with about so many of them in memory.
    """
    level = pl.CompatLevel.oldest()
    schema = pl.DataFrame(schema=frame.collect_schema()).to_arrow(compat_level=level).schema
    with in_ranges([frame], by, most_cells=most_cells, is_whole=False) as ranges:
        parts = (part for (rows,) in ranges for part in rows.sort(by).iter_slices(_ROWS_A_BATCH))
        batches = (batch for part in parts for batch in part.to_arrow(compat_level=level).to_batches())
        yield pa.RecordBatchReader.from_batches(schema, batches)

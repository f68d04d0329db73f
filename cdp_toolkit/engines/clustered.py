"""Rows in the order of a column, however many: what belongs together lies together on disk.

A sort in memory would need all rows at once. So the rows go to parts by the highest bits of the column first, in one
streaming pass, and each part is sorted by itself.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from itertools import chain
from pathlib import Path

import polars as pl
import pyarrow as pa
from deltalake import WriterProperties, write_deltalake
from polars.io.plugins import register_io_source

from cdp_toolkit.engines.copied import copied
from cdp_toolkit.engines.engine import Mode

# Rows up to this size are sorted in memory, which is many times faster for the small tables of which there are many.
_SMALL_BYTES = 2**28
_PARTS = 2**57  # keys have 63 bits: 64 parts
_ROW_GROUP = 100_000


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
            writer_properties=WriterProperties(max_row_group_size=_ROW_GROUP),
        )


@contextmanager
def clustered(frame: pl.LazyFrame, by: str, *, small_bytes: int = _SMALL_BYTES) -> Iterator[pa.RecordBatchReader]:
    """Run a frame and give its rows in order.

    Parameters
    ----------
    frame
        Any frame.
    by
        A column of 63-bit keys; rows without one come first.
    small_bytes
        Up to which size rows are sorted in memory.

    Yields
    ------
    pyarrow.RecordBatchReader
        All rows, with at most one part of them in memory.
    """
    schema = pl.DataFrame(schema=frame.collect_schema())
    batches = iter(frame.collect_batches(maintain_order=False))
    few, size = [schema], 0.0
    for batch in batches:
        few.append(batch)
        size += batch.estimated_size()
        if size > small_bytes:
            break
    else:
        yield _reader(schema, [pl.concat(few).sort(by)])
        return
    with tempfile.TemporaryDirectory() as scratch:
        rows = _again(schema, chain(few, batches))
        del few
        key = pl.col(by) // _PARTS
        rows.sink_parquet(pl.PartitionBy(scratch, key={"_part": key}, include_key=False), compression="lz4", mkdir=True)
        yield _reader(
            schema, (pl.read_parquet(part, hive_partitioning=False).sort(by) for part in _parts(Path(scratch)))
        )


def _again(schema: pl.DataFrame, batches: Iterable[pl.DataFrame]) -> pl.LazyFrame:
    """Return batches that have been begun as a frame that can be read once."""

    def read(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        del predicate, n_rows, batch_size  # it is written whole
        yield from (batch if with_columns is None else batch.select(with_columns) for batch in batches)

    return register_io_source(read, schema=schema.schema)


def _parts(folder: Path) -> list[list[Path]]:
    """Return the files of each part, in the order of its keys."""
    parts = {int(part.name.partition("=")[2]) if part.name[-1].isdigit() else -1: part for part in folder.iterdir()}
    return [sorted(part.iterdir()) for _, part in sorted(parts.items())]


def _reader(schema: pl.DataFrame, frames: Iterable[pl.DataFrame]) -> pa.RecordBatchReader:
    level = pl.CompatLevel.oldest()
    batches = (batch for frame in frames for batch in frame.to_arrow(compat_level=level).to_batches())
    return pa.RecordBatchReader.from_batches(schema.to_arrow(compat_level=level).schema, batches)

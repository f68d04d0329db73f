"""Rows in the order of a column, however many: what belongs together lies together on disk.

A sort in memory would need all rows at once. So stretches of rows are sorted one by one and kept on disk, and then read
again side by side, one range of keys after the other.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa
from deltalake import WriterProperties, write_deltalake

from cdp_toolkit.engines.copied import copied
from cdp_toolkit.engines.engine import Mode

# So many are sorted in memory, which is many times faster for the small tables of which there are many: about 1 GB.
_CELLS = 2**25
_BOUNDS = pl.Series([number << 55 for number in range(1, 256)])  # keys have 63 bits
_GROUPS = 64
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
def clustered(frame: pl.LazyFrame, by: str, *, most_cells: int = _CELLS) -> Iterator[pa.RecordBatchReader]:
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
    schema = pl.DataFrame(schema=frame.collect_schema())
    most = max(1, most_cells // max(1, schema.width))
    runs = (rows.sort(by) for rows in _stretches(frame, schema, most))
    first = next(runs)
    if first.height <= most:
        yield _reader(schema, [first])
        return
    with tempfile.TemporaryDirectory() as scratch:
        kept = [_kept(first, by, Path(scratch, "0"))]
        del first
        kept += [_kept(rows, by, Path(scratch, str(number))) for number, rows in enumerate(runs, 1)]
        yield _reader(schema, _merged(kept, by, most))


def _stretches(frame: pl.LazyFrame, schema: pl.DataFrame, most: int) -> Iterator[pl.DataFrame]:
    """Return the rows of a frame in parts of a little more than ``most``; the last may have fewer, or none."""
    held, height = [schema], 0
    for batch in frame.collect_batches(maintain_order=False):
        held.append(batch)
        height += batch.height
        if height > most:
            yield pl.concat(held)
            held, height = [schema], 0
    yield pl.concat(held)


class _Run(NamedTuple):
    """Sorted rows on disk, and how many of them come before each range of keys."""

    file: Path
    places: list[int]


def _kept(rows: pl.DataFrame, by: str, file: Path) -> _Run:
    rows.write_parquet(file, compression="lz4", row_group_size=max(1, rows.height // _GROUPS), statistics=False)
    places = rows[by].drop_nulls().search_sorted(_BOUNDS) + rows[by].null_count()
    return _Run(file, [0, *places.to_list(), rows.height])


def _merged(runs: Sequence[_Run], by: str, most: int) -> Iterator[pl.DataFrame]:
    """Return the rows of all runs in order, some ranges of keys at a time."""
    first = 0
    ends = [sum(run.places[number] for run in runs) for number in range(len(_BOUNDS) + 2)]
    for number in range(1, len(ends)):
        if number + 1 == len(ends) or ends[number + 1] - ends[first] > most:
            parts = [
                pl.scan_parquet(file).slice(places[first], places[number] - places[first]) for file, places in runs
            ]
            yield pl.concat(parts).collect().sort(by)
            first = number


def _reader(schema: pl.DataFrame, frames: Iterable[pl.DataFrame]) -> pa.RecordBatchReader:
    level = pl.CompatLevel.oldest()
    batches = (batch for frame in frames for batch in frame.to_arrow(compat_level=level).to_batches())
    return pa.RecordBatchReader.from_batches(schema.to_arrow(compat_level=level).schema, batches)

"""Rows in ranges of a key, however many: each range by itself fits into memory, and no key is in two of them.

Rows are kept on disk as they come; then stretches of them are cut where ranges end, and a range is read out of all
stretches. Where a range ends a sample of the keys says, since ids that are the smallest of several hashes lie unevenly.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa

# Rows times columns that are sorted in memory; a cell is 16 bytes in Polars, even if it is null: a quarter of a GB.
CELLS = 2**24
_MOST_RANGES, _SAMPLE = 256, 2**16
_LEVEL = pl.CompatLevel.oldest()
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")  # most of what is wide is null: a tenth of the bytes

Part = tuple[pl.DataFrame, ...]


@contextmanager
def in_ranges(
    frames: Sequence[pl.LazyFrame], by: str, *, most_cells: int = CELLS, is_whole: bool = True
) -> Iterator[Iterator[Part]]:
    """Run frames and give their rows by ranges of a key, the lowest first.

    Parameters
    ----------
    frames
        Frames that have the key; the first has the most cells.
    by
        A column of integers.
    most_cells
        About how many rows times columns of the first frame a range has, unless one key has more.
    is_whole
        Whether all rows of a key must be in one range; rows that come in order need not be put in order if not.

    Yields
    ------
    iterator of tuple of polars.DataFrame
        For each range the rows of each frame, in any order; rows without a key come first, in ranges of their own.
    """
    with tempfile.TemporaryDirectory() as scratch:
        files = [Path(scratch, f"{place}.parquet") for place in range(len(frames))]
        for frame, file in zip(frames, files, strict=True):
            # Asked for batches, Polars does not wait for who takes them: of 5.4M events it held nearly all.
            frame.sink_parquet(file, compression="lz4", row_group_size=2**16, statistics=False)
        rows = [pl.scan_parquet(file) for file in files]
        schemas = [pl.DataFrame(schema=frame.collect_schema()) for frame in frames]
        most = [max(1, most_cells // max(1, schema.width)) for schema in schemas]
        height = _height(rows[0])
        if height <= most[0]:
            yield iter([tuple(each.collect() for each in rows)])
            return
        starts = range(0, height, most[0])
        sample = rows[0].select(by).gather_every(-(-height // _SAMPLE)).collect()[by]
        if not is_whole and sample.is_sorted() and _is_sorted(rows[0].select(by), starts):
            yield ((rows[0].slice(start, most[0]).collect(),) for start in starts)
            return
        keys = sample.drop_nulls().sort()
        ranges = min(_MOST_RANGES, 4 * len(starts))
        bounds = keys.gather_every(-(-max(1, keys.len()) // ranges))[1:].unique(maintain_order=True)
        kept = []
        for each, file, size in zip(rows, files, most, strict=True):
            starts = range(0, max(1, _height(each)), size)
            kept.append([_kept(each.slice(start, size), by, bounds, file.with_suffix(f".{start}")) for start in starts])
            file.unlink()
        yield _ranges(kept, schemas, most[0] // 2)  # while one is made, the one before is still read


def _height(rows: pl.LazyFrame) -> int:
    return int(rows.select(pl.len()).collect().item())


def _is_sorted(keys: pl.LazyFrame, starts: range) -> bool:
    parts = (keys.slice(start, starts.step + 1).collect().to_series() for start in starts)  # with the first of the next
    return all(part.is_sorted() for part in parts)


class _Kept(NamedTuple):
    """A stretch on disk: how many of its rows have no key, and how many lie in each range."""

    file: Path
    sizes: list[int]

    def read(self, first: int, end: int) -> list[pa.RecordBatch]:
        """Return the rows of some ranges."""
        # Not mapped, since what is mapped counts as memory of the process.
        with pa.OSFile(str(self.file)) as source, pa.ipc.open_file(source) as batches:
            return [batches.get_batch(number) for number in range(first, end) if self.sizes[number]]


def _kept(stretch: pl.LazyFrame, by: str, bounds: pl.Series, file: Path) -> _Kept:
    rows = stretch.collect().rechunk()
    order = rows[by].arg_sort()
    keys = rows[by].gather(order)
    missing = keys.null_count()
    ends = [0, missing, *(keys.slice(missing).search_sorted(bounds, side="left") + missing).to_list(), rows.height]
    sizes = [end - start for start, end in pairwise(ends)]
    with pa.ipc.new_file(str(file), rows.head(0).to_arrow(compat_level=_LEVEL).schema, options=_OPTIONS) as out:
        for start, size in zip(ends, sizes, strict=False):
            # Gathered range by range: the whole in order would be in memory once more.
            out.write_batch(_batch(rows[order.slice(start, size)]))
    return _Kept(file, sizes)


def _batch(rows: pl.DataFrame) -> pa.RecordBatch:
    table = rows.to_arrow(compat_level=_LEVEL).combine_chunks()
    return pa.RecordBatch.from_arrays([column.chunk(0) for column in table.columns], schema=table.schema)


def _ranges(kept: Sequence[Sequence[_Kept]], schemas: Sequence[pl.DataFrame], most: int) -> Iterator[Part]:
    for place, stretches in enumerate(kept):
        for each in stretches:
            if each.sizes[0]:
                yield tuple(
                    _read([each], schema, 0, 1) if number == place else schema for number, schema in enumerate(schemas)
                )
    sizes = [sum(stretch) for stretch in zip(*(each.sizes for each in kept[0]), strict=True)]
    first = 1
    for end in range(2, len(sizes) + 1):
        if end == len(sizes) or sum(sizes[first : end + 1]) > most:
            yield tuple(_read(each, schema, first, end) for each, schema in zip(kept, schemas, strict=True))
            first = end


def _read(stretches: Sequence[_Kept], schema: pl.DataFrame, first: int, end: int) -> pl.DataFrame:
    batches = [batch for each in stretches for batch in each.read(first, end)]
    return pl.DataFrame(pa.Table.from_batches(batches)) if batches else schema

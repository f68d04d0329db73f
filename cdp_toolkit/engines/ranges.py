"""Rows in ranges of a key, however many: each range by itself fits into memory, and no key is in two of them.

Rows are kept on disk as they come; then stretches of them are cut where ranges end, and a range is read out of all
stretches. Where a range ends a sample of the keys says, since ids that are the smallest of several hashes lie unevenly.

On the way texts of few kinds are numbers with a dictionary, as Parquet has them: a cell of a wide table, most of which is
null, is 4 bytes instead of 16, and moved at a third of the cost.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from cdp_toolkit.engines.stretches import is_text

BYTES = 3 * 2**27
"""Rows that are put in order in memory; they are there twice."""

_MOST_RANGES, _SAMPLE = 256, 2**16
_GROUP = 2**16
_KINDS = 2**15  # bytes of the dictionary of a group of rows, compressed; what has more is written out
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")  # most of what is wide is null: a tenth of the bytes

Part = tuple[pa.Table, ...]


@contextmanager
def in_ranges(
    frames: Sequence[pl.LazyFrame],
    by: str,
    *,
    most_bytes: int = BYTES,
    rows_a_group: int = _GROUP,
    is_whole: bool = True,
) -> Iterator[Iterator[Part]]:
    """Run frames and give their rows by ranges of a key, the lowest first.

    Parameters
    ----------
    frames
        Frames that have the key; the first is the largest.
    by
        A column of integers.
    most_bytes
        About how many bytes of the first frame a range has, unless one key has more.
    rows_a_group
        How many rows are at least read at a time.
    is_whole
        Whether all rows of a key must be in one range; rows that come in order need not be put in order if not.

    Yields
    ------
    iterator of tuple of pyarrow.Table
        For each range the rows of each frame, in any order; rows without a key come first, in ranges of their own.
    """
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as opened:
        kept = [
            opened.enter_context(_Rows(frame, Path(scratch, f"{place}.parquet"), rows_a_group))
            for place, frame in enumerate(frames)
        ]
        first = kept[0]
        most = first.rows_in(most_bytes)
        if first.height <= most:
            yield (tuple(each.read(0, each.groups) for each in kept) for _ in range(1))  # read once asked, and let go
            return
        keys = first.keys(by)
        sample = keys.gather_every(-(-first.height // _SAMPLE))
        if not is_whole and sample.is_sorted() and keys.is_sorted():
            step = max(1, most // rows_a_group)
            yield ((first.read(start, start + step),) for start in range(0, first.groups, step))
            return
        bounds = sample.drop_nulls().sort()
        ranges = min(_MOST_RANGES, 4 * -(-first.height // most))
        bounds = bounds.gather_every(-(-max(1, bounds.len()) // ranges))[1:].unique(maintain_order=True)
        del keys, sample
        none = [rows.read(0, 0) for rows in kept]
        cut = [[opened.enter_context(each) for each in rows.cut(by, bounds, most)] for rows in kept]
        yield _ranges(cut, none, most // 2)  # while one is made, the one before is still read


def written_out(rows: pa.Table) -> pa.Table:
    """Return rows with all texts as texts.

    Parameters
    ----------
    rows
        Rows some of whose texts are numbers with a dictionary.

    Returns
    -------
    pyarrow.Table
        The same rows.
    """
    return rows.cast(plain_schema(rows.schema))


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Return the columns that rows have once all texts are written out.

    Parameters
    ----------
    schema
        Columns, some of them with a dictionary.

    Returns
    -------
    pyarrow.Schema
        The same columns without one.
    """
    kinds = (field.type for field in schema)
    return pa.schema([
        (name, kind.value_type if pa.types.is_dictionary(kind) else kind)
        for name, kind in zip(schema.names, kinds, strict=True)
    ])  # fmt: skip


class _Rows:
    """Rows of a frame on disk."""

    def __init__(self, frame: pl.LazyFrame, file: Path, rows_a_group: int) -> None:
        self._file, self._rows_a_group = file, rows_a_group
        # Asked for batches, Polars does not wait for who takes them: of 5.4M events it held nearly all.
        frame.sink_parquet(file, compression="lz4", row_group_size=rows_a_group, statistics=False)
        about = pq.read_metadata(file)
        self.height, self.groups = about.num_rows, about.num_row_groups
        self._short = _short_columns(about)

    def __enter__(self) -> Self:
        self._parquet = pq.ParquetFile(self._file, read_dictionary=self._short)
        return self

    def __exit__(self, *_: object) -> None:
        self._parquet.close()

    def read(self, start: int, end: int) -> pa.Table:
        """Return the rows of some groups."""
        rows = self._parquet.read_row_groups(range(start, min(end, self.groups)), use_threads=False)
        return _joined(rows)

    def rows_in(self, size: int) -> int:
        """Return how many rows have so many bytes."""
        if not self.groups:
            return 1
        first = self.read(0, 1)
        return max(1, int(size * first.num_rows / max(1, first.nbytes)))

    def keys(self, by: str) -> pl.Series:
        """Return a column of integers."""
        return pl.scan_parquet(self._file).select(by).collect()[by]

    def cut(self, by: str, bounds: pl.Series, most: int) -> Iterator["_Stretch"]:
        """Write the rows anew, so many at a time, in the order of a key."""
        step = max(1, most // self._rows_a_group)
        for start in range(0, self.groups, step):
            yield _stretch(self.read(start, start + step), by, bounds, self._file.with_suffix(f".{start}"))
        self._parquet.close()
        self._file.unlink()  # as large as what was made of it


def _short_columns(about: pq.FileMetaData) -> list[str]:
    """Return the columns of which each group has a small dictionary."""
    texts = {field.name for field in about.schema.to_arrow_schema() if is_text(field.type)}
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    found = []
    for place in range(about.num_columns if groups else 0):
        columns = [group.column(place) for group in groups]
        if columns[0].path_in_schema in texts and all(
            "RLE_DICTIONARY" in each.encodings
            and each.has_dictionary_page
            and each.data_page_offset - each.dictionary_page_offset <= _KINDS
            for each in columns
        ):
            found.append(columns[0].path_in_schema)
    return found


def _joined(rows: pa.Table) -> pa.Table:
    return rows.unify_dictionaries().combine_chunks()


class _Stretch:
    """A stretch on disk: how many of its rows have no key, and how many lie in each range."""

    def __init__(self, file: Path, sizes: list[int]) -> None:
        self.file, self.sizes = file, sizes

    def __enter__(self) -> Self:
        # Not mapped, since what is mapped counts as memory of the process; open, since that reads the dictionaries.
        self._source = pa.OSFile(str(self.file))
        self._batches = pa.ipc.open_file(self._source)
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()

    def read(self, first: int, end: int) -> list[pa.RecordBatch]:
        """Return the rows of some ranges."""
        return [self._batches.get_batch(number) for number in range(first, end) if self.sizes[number]]


def _stretch(rows: pa.Table, by: str, bounds: pl.Series, file: Path) -> _Stretch:
    keys = pl.Series(rows[by])
    order = keys.arg_sort()
    keys = keys.gather(order)
    missing = keys.null_count()
    ends = [0, missing, *(keys.slice(missing).search_sorted(bounds, side="left") + missing).to_list(), rows.num_rows]
    sizes = [end - start for start, end in pairwise(ends)]
    with pa.ipc.new_file(str(file), rows.schema, options=_OPTIONS) as out:
        for start, size in zip(ends, sizes, strict=False):
            # Taken range by range: the whole in order would be in memory once more.
            out.write_batch(_batch(rows.take(pa.array(order.slice(start, size).to_numpy()))))
    return _Stretch(file, sizes)


def _batch(rows: pa.Table) -> pa.RecordBatch:
    columns = [column.combine_chunks() for column in rows.columns]
    return pa.RecordBatch.from_arrays(columns, schema=rows.schema)


def _ranges(cut: Sequence[Sequence[_Stretch]], none: Sequence[pa.Table], most: int) -> Iterator[Part]:
    for place, stretches in enumerate(cut):
        for each in stretches:
            if each.sizes[0]:
                yield tuple(
                    _read([each], empty, 0, 1) if number == place else empty for number, empty in enumerate(none)
                )
    sizes = [sum(stretch) for stretch in zip(*(each.sizes for each in cut[0]), strict=True)]
    first = 1
    for end in range(2, len(sizes) + 1):
        if end == len(sizes) or sum(sizes[first : end + 1]) > most:
            yield tuple(_read(each, empty, first, end) for each, empty in zip(cut, none, strict=True))
            first = end


def _read(stretches: Sequence[_Stretch], empty: pa.Table, first: int, end: int) -> pa.Table:
    batches = [batch for each in stretches for batch in each.read(first, end)]
    return _joined(pa.concat_tables(pa.Table.from_batches([batch]) for batch in batches)) if batches else empty

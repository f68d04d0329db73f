"""Rows of some keys, looked up instead of scanned: beside a table in the order of its keys lies a copy for that.

A key's rows are one stretch. The copy is cut into parts; of each there are the keys with where their stretches begin, and
the rows, uncompressed, so that a reader maps the file and touches nothing but the stretches asked for. Texts that repeat
are kept once a part. The copy names the data files that it was made from: one that names others is no copy of them.

1M rows of 100,000 keys out of 100M rows: see docs/decisions/072-look-up-who-changed.md.
"""

import json
import shutil
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from deltalake import DeltaTable

Ids = npt.NDArray[np.int64]

_FOLDER, _UNFINISHED, _ABOUT = "_stretches", "unfinished", "about.json"
_PART_ROWS = 1_000_000
_SAMPLE, _SHARED = 10_000, 4  # texts that so many rows share on average are kept once
_KEPT = 2  # versions: what is being read while the next is written


@dataclass(frozen=True)
class Copy:
    """Where a version of a table may have its copy.

    Parameters
    ----------
    table
        Folder of the Delta table.
    version
        The version.
    files
        Names of its data files.
    schema
        Its columns.
    """

    table: str | Path
    version: int
    files: Sequence[str]
    schema: pa.Schema

    @property
    def folder(self) -> Path:
        """Where the copy lies."""
        return Path(self.table) / _FOLDER / str(self.version)


def take(copy: Copy, ids: Ids, columns: Sequence[str]) -> pa.Table | None:
    """Return the rows of some keys.

    Parameters
    ----------
    copy
        Where to look.
    ids
        The keys, in order, each once.
    columns
        Columns to return.

    Returns
    -------
    pyarrow.Table or None
        The rows of those keys that there are, in the order of the keys, texts that repeat as a dictionary; None if there
        is no copy of that version.
    """
    try:
        about = json.loads((copy.folder / _ABOUT).read_text("utf-8"))
        if about["files"] != sorted(copy.files) or not {*columns} <= {*about["columns"]}:
            return None
        cuts = np.searchsorted(ids, np.array(about["firsts"], np.int64))
        asked = {part: each for part, each in enumerate(np.split(ids, cuts)[1:]) if len(each)}
        schema = pa.schema([copy.schema.field(column) for column in columns])
        with ThreadPoolExecutor() as threads:
            found = [*threads.map(lambda part: _taken(copy.folder, about["by"], part, asked[part], schema), asked)]
        return pa.table({field.name: _one([part[field.name] for part in found], field.type) for field in schema})
    except OSError:  # none was made, or a newer one has taken its place
        return None


def newest(table: str | Path, files: Collection[str]) -> tuple[int, frozenset[str]] | None:
    """Return the newest copy whose data files are all among some.

    Parameters
    ----------
    table
        Folder of the Delta table.
    files
        Names of data files.

    Returns
    -------
    tuple or None
        The version that it is a copy of, and the names of the data files of that version.
    """
    try:
        versions = sorted((each for each in (Path(table) / _FOLDER).iterdir() if each.name.isdigit()), key=_number)
        for version in reversed(versions):
            copied = frozenset(json.loads((version / _ABOUT).read_text("utf-8"))["files"])
            if copied <= {*files}:
                return _number(version), copied
    except OSError:  # none was made, or a newer one has taken its place
        return None
    return None


def _taken(folder: Path, by: str, part: int, ids: Ids, schema: pa.Schema) -> dict[str, pa.Array]:
    about, rows = (_mapped(folder / f"{part:05}.{what}") for what in ("keys", "rows"))
    keys, starts = about["key"].to_numpy(), about["start"].to_numpy()
    places = np.searchsorted(keys, ids)
    places = places[keys[np.minimum(places, len(keys) - 1)] == ids]
    is_last = places == len(starts) - 1
    first = starts[places].astype(np.int64)
    sizes = np.where(is_last, rows.num_rows, starts[np.minimum(places + 1, len(starts) - 1)]) - first
    wanted = pa.array(np.repeat(first - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum()))
    owners = pa.array(np.repeat(keys[places], sizes))
    return {name: owners if name == by else rows[name].take(wanted) for name in schema.names}


def _one(parts: Sequence[pa.Array], kind: pa.DataType) -> pa.ChunkedArray:
    """Return the parts of a column as one; texts stay short where they are so in all parts: as they are, 0.13 s for 2M."""
    if parts and all(pa.types.is_dictionary(part.type) for part in parts):
        kind = pa.dictionary(pa.int32(), kind)
        parts = [
            pa.DictionaryArray.from_arrays(part.indices.cast(pa.int32()), part.dictionary.cast(kind.value_type))
            for part in parts
        ]
    return pa.chunked_array([part if part.type == kind else part.cast(kind) for part in parts], kind)


def _mapped(file: Path) -> pa.RecordBatch:
    return pa.ipc.open_file(pa.memory_map(str(file))).get_batch(0)


@contextmanager
def copied(rows: pa.RecordBatchReader, table: Path, by: str) -> Iterator[pa.RecordBatchReader]:
    """Copy rows while they are written as the next version of a table.

    Parameters
    ----------
    rows
        All rows of the version, in the order of the key; those without one may come first or last.
    table
        Folder of the Delta table.
    by
        Column of the key.

    Yields
    ------
    pyarrow.RecordBatchReader
        The same rows, to be written within this context. A process that ends before it leaves no copy that counts.
    """
    folder = table / _FOLDER / _UNFINISHED
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with ThreadPoolExecutor(1) as behind:
        copy = _Copying(folder, by, behind)
        yield pa.RecordBatchReader.from_batches(rows.schema, copy.through(rows))
        firsts = copy.ended()
    delta = DeltaTable(table)
    files = sorted(uri.rpartition("/")[2] for uri in delta.file_uris())
    about = {"by": by, "firsts": firsts, "columns": rows.schema.names, "files": files}
    (folder / _ABOUT).write_text(json.dumps(about), "utf-8")
    finished = folder.with_name(str(delta.version()))
    shutil.rmtree(finished, ignore_errors=True)
    folder.rename(finished)
    for old in sorted((each for each in finished.parent.iterdir() if each.name.isdigit()), key=_number)[:-_KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def _number(folder: Path) -> int:
    return int(folder.name)


class _Copying:
    def __init__(self, folder: Path, by: str, behind: ThreadPoolExecutor) -> None:
        self._folder, self._by, self._behind = folder, by, behind
        self._firsts: list[int] = []
        self._writing: Future[None] | None = None

    def through(self, rows: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        """Return the rows as they are, and note them on the way."""
        held: list[pa.RecordBatch] = []
        for batch in rows:
            yield batch
            held.append(batch)
            if sum(map(len, held)) >= _PART_ROWS:
                held = self._note(held, is_last=False)
        self._note(held, is_last=True)

    def ended(self) -> list[int]:
        """Return the first key of each part, once all are written."""
        if self._writing is not None:
            self._writing.result()
        return self._firsts

    def _note(self, held: Sequence[pa.RecordBatch], *, is_last: bool) -> list[pa.RecordBatch]:
        """Write the rows of all keys that are complete, and return the others."""
        rows = pa.Table.from_batches(held).combine_chunks() if held else None
        if rows is None or not len(rows):
            return []
        rows = rows.filter(rows[self._by].is_valid()).combine_chunks() if rows[self._by].null_count else rows
        keys = rows[self._by].to_numpy()
        complete = len(keys) if is_last else int(np.searchsorted(keys, keys[-1])) if len(keys) else 0
        if complete:
            self.ended()
            self._firsts.append(int(keys[0]))
            part = self._folder / f"{len(self._firsts) - 1:05}"
            self._writing = self._behind.submit(_write, rows.slice(0, complete), self._by, part)
        return list(rows.slice(complete).to_batches())


def _write(rows: pa.Table, by: str, part: Path) -> None:
    keys = rows[by].to_numpy()
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    _save(pa.record_batch({"key": keys[starts], "start": starts.astype(np.uint32)}), part.with_suffix(".keys"))
    columns = {name: _short(rows[name].combine_chunks()) for name in rows.column_names if name != by}
    _save(
        pa.record_batch(columns) if columns else pa.record_batch({by: rows[by].combine_chunks()}),
        part.with_suffix(".rows"),
    )


def _short(column: pa.Array) -> pa.Array:
    """Return a column in fewer bytes, where its texts repeat or all is null."""
    if column.null_count == len(column):
        return pa.nulls(len(column))
    sample = column.slice(0, _SAMPLE)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    if len(sample.unique()) * _SHARED > len(sample):
        return column
    encoded = column.dictionary_encode()
    for kind in (pa.int8(), pa.int16()):
        if len(encoded.dictionary) < 2 ** (kind.bit_width - 1):
            return pa.DictionaryArray.from_arrays(encoded.indices.cast(kind), encoded.dictionary)
    return encoded


def _save(batch: pa.RecordBatch, file: Path) -> None:
    with pa.ipc.new_file(str(file), batch.schema) as out:
        out.write_batch(batch)

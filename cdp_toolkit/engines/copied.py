"""The copy of a table in the order of its keys, written while the table is; ``stretches`` looks rows up in it.

It is complete or it does not count: its folder has a name of its own until all is written, and names the data files that
it was made from.
"""

import json
import shutil
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable

from cdp_toolkit.engines.prints import HASHED_BY, added, prints, total
from cdp_toolkit.engines.stretches import ABOUT, FOLDER, SECONDS, is_text, number_of

_UNFINISHED = "unfinished"
_PART_BYTES = 2**27  # one is written while the next comes; a million rows, 47 columns wide, were 0.5 GB each
_SAMPLE, _SHARED = 10_000, 4  # values that so many rows share on average are kept once
_NARROW = 2**31
_KEPT = 2  # versions: what is being read while the next is written


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
    folder = table / FOLDER / _UNFINISHED
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with ThreadPoolExecutor(1) as behind:
        copy = _Copying(folder, by, _firsts(folder.parent), behind)
        yield pa.RecordBatchReader.from_batches(rows.schema, copy.through(rows))
        told = copy.ended()
    delta = DeltaTable(table)
    files = sorted(uri.rpartition("/")[2] for uri in delta.file_uris())
    about = {"by": by, "columns": rows.schema.names, "files": files, "prints": HASHED_BY}
    (folder / ABOUT).write_text(json.dumps(about | told), "utf-8")
    finished = folder.with_name(str(delta.version()))
    shutil.rmtree(finished, ignore_errors=True)
    folder.rename(finished)
    for old in _versions(finished.parent)[:-_KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def _versions(folder: Path) -> list[Path]:
    return sorted((each for each in folder.iterdir() if each.name.isdigit()), key=number_of)


def _firsts(folder: Path) -> list[int]:
    """Return the first key of each part of the newest copy, none if there is no copy."""
    versions = _versions(folder)
    firsts: list[int] = json.loads((versions[-1] / ABOUT).read_text("utf-8"))["firsts"] if versions else []
    return firsts


class _Copying:
    def __init__(self, folder: Path, by: str, before: Sequence[int], behind: ThreadPoolExecutor) -> None:
        self._folder, self._by, self._before, self._behind = folder, by, before, behind
        self._reached = -1
        self._firsts: list[int] = []
        self._keys: list[str] = []
        self._totals: dict[str, int] = {}
        self._writing: Future[tuple[str, dict[str, int]]] | None = None

    def through(self, rows: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        """Return the rows as they are, and note them on the way."""
        held: list[pa.RecordBatch] = []
        size = 0
        for batch in rows:
            yield batch
            held.append(batch)
            size += batch.nbytes
            end = self._end(batch, size)
            if end is not None:
                held, size = self._note(held, end), 0
        self._note(held, None)

    def _end(self, batch: pa.RecordBatch, size: int) -> int | None:
        """Return before which key the part in hand ends, if it does with this batch.

        Where a part of the last version ended, if that is near: then the next may have the same keys, too, and none of them
        is read to compare the two.
        """
        keys = batch[self._by].drop_null()
        if not len(keys):
            return None
        start, self._reached = bisect_right(self._before, self._reached), keys[-1].as_py()
        end = bisect_right(self._before, self._reached)
        if start < end and size >= _PART_BYTES * 3 // 4:
            return self._before[end - 1]
        most = _PART_BYTES if end == len(self._before) else _PART_BYTES * 5 // 4
        return self._reached if size >= most else None

    def ended(self) -> dict[str, Any]:
        """Return the first key of each part, what its keys are called, and hashes of columns, once all are written."""
        if self._writing is not None:
            keys, totals = self._writing.result()
            self._keys.append(keys)
            self._totals = added(self._totals, totals)
            self._writing = None
        return {"firsts": self._firsts, "keys": self._keys, "totals": self._totals}

    def _note(self, held: Sequence[pa.RecordBatch], end: int | None) -> list[pa.RecordBatch]:
        """Write the rows of all keys before another, or of all that there are, and return the others."""
        rows = pa.Table.from_batches(held).combine_chunks() if held else None
        if rows is None or not len(rows):
            return []
        rows = rows.filter(rows[self._by].is_valid()).combine_chunks() if rows[self._by].null_count else rows
        keys = rows[self._by].to_numpy()
        complete = len(keys) if end is None else int(np.searchsorted(keys, end))
        if complete:
            self.ended()
            self._firsts.append(int(keys[0]))
            part = self._folder / f"{len(self._firsts) - 1:05}"
            self._writing = self._behind.submit(_write, rows.slice(0, complete), self._by, part)
        return list(rows.slice(complete).to_batches())


def _write(rows: pa.Table, by: str, part: Path) -> tuple[str, dict[str, int]]:
    """Write a part and return a digest of its keys, and hashes of its columns."""
    keys = rows[by].to_numpy()
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    columns = {name: _short(rows[name].combine_chunks()) for name in rows.column_names if name != by}
    of_keys, totals = prints(columns, keys, starts)
    about = {"key": keys[starts], "start": starts.astype(np.uint32), "print": of_keys}
    _save(pa.record_batch(about), part.with_suffix(".keys"))
    kept = {name: _in_seconds(column) for name, column in columns.items()} or {by: rows[by].combine_chunks()}
    _save(pa.record_batch(kept), part.with_suffix(".rows"))
    return blake2b(about["key"].tobytes(), digest_size=16).hexdigest(), totals | {by: total(keys)}


def _short(column: pa.Array) -> pa.Array:
    """Return a column in fewer bytes, where its values repeat or all is null."""
    if column.null_count == len(column):
        return pa.nulls(len(column))
    kind = column.type
    if not pa.types.is_dictionary(kind):
        sample = column.slice(0, _SAMPLE)
        if pa.types.is_nested(kind) or pa.types.is_boolean(kind) or len(sample.unique()) * _SHARED > len(sample):
            return _narrow(column)
        column = column.dictionary_encode()
    for narrow in (pa.int8(), pa.int16()):
        if len(column.dictionary) < 2 ** (narrow.bit_width - 1):
            return pa.DictionaryArray.from_arrays(column.indices.cast(narrow), column.dictionary)
    return column if is_text(column.type.value_type) else column.cast(kind)


def _narrow(column: pa.Array) -> pa.Array:
    """Return a column whose texts, or lists of them, end at places of four bytes."""
    narrow = {pa.large_string(): pa.string(), pa.large_list(pa.large_string()): pa.list_(pa.string())}
    return column.cast(narrow[column.type]) if column.type in narrow and column.nbytes < _NARROW else column


def _in_seconds(column: pa.Array) -> pa.Array:
    """Return times as four bytes, the seconds since 1970, where they have no parts of a second."""
    if not pa.types.is_timestamp(column.type):
        return column
    try:
        return column.cast(pa.timestamp("s", column.type.tz)).cast(pa.int64()).cast(SECONDS)
    except pa.ArrowInvalid:  # a part of a second would be lost, or one lies before 1970 or after 2106
        return column


def _save(batch: pa.RecordBatch, file: Path) -> None:
    with pa.ipc.new_file(str(file), batch.schema) as out:
        out.write_batch(batch)

"""Rows of some keys, looked up instead of scanned, in the copy that lies beside a table in the order of its keys.

A key's rows are one stretch. The copy is cut into parts; of each there are the keys with where their stretches begin, and
the rows, uncompressed, so that a reader maps the file and touches nothing but the stretches asked for. Texts that repeat
are kept once a part. The copy names the data files that it was made from: one that names others is no copy of them.

Of each key there is a print, a hash of all its rows, so that two versions are compared without reading rows.

1M rows of 100,000 keys out of 100M rows: see docs/decisions/072-look-up-who-changed.md.
"""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ids = npt.NDArray[np.int64]
Prints = npt.NDArray[np.uint64]

FOLDER, ABOUT = "_stretches", "about.json"
SECONDS = pa.uint32()
"""How a copy keeps times that have no parts of a second."""
_SMALLEST = -(2**63)
_Range = tuple[int, int | None, str]


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
        return Path(self.table) / FOLDER / str(self.version)


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
        about = json.loads((copy.folder / ABOUT).read_text("utf-8"))
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
        versions = sorted((each for each in (Path(table) / FOLDER).iterdir() if each.name.isdigit()), key=number_of)
        for version in reversed(versions):
            copied = frozenset(json.loads((version / ABOUT).read_text("utf-8"))["files"])
            if copied <= {*files}:
                return number_of(version), copied
    except OSError:  # none was made, or a newer one has taken its place
        return None
    return None


def differing(before: Copy, now: Copy) -> Ids | None:
    """Return the keys whose rows are others in one version than in another, without reading rows.

    Parameters
    ----------
    before, now
        Where to look.

    Returns
    -------
    numpy.ndarray or None
        The keys, in order, with those that only one version has; None where only the rows themselves can tell.
    """
    try:
        one, other = (json.loads((copy.folder / ABOUT).read_text("utf-8")) for copy in (before, now))
        if one["files"] != sorted(before.files) or other["files"] != sorted(now.files):
            return None
        if any(one.get(what) != other.get(what) for what in ("by", "columns", "prints")):
            return None
        known = {each: part for part, each in enumerate(_ranges(one))}

        def between(part: int, range_: _Range) -> Ids:
            if range_[2] and range_ in known:
                return _reprinted(before.folder, known[range_], now.folder, part)
            then, since = (
                _between(copy.folder, about["firsts"], *range_[:2]) for copy, about in ((before, one), (now, other))
            )
            return _differing(then, since)

        with ThreadPoolExecutor() as threads:
            return np.concatenate([*threads.map(between, count(), _ranges(other))])
    except OSError:
        return None


def _ranges(about: Mapping[str, Any]) -> list[_Range]:
    """Return from which key to before which each part reaches, and what its keys are called."""
    lows = [_SMALLEST, *about["firsts"][1:]]
    return [*zip(lows, [*lows[1:], None], about.get("keys") or [""] * len(lows), strict=True)]


def _reprinted(before: Path, known: int, now: Path, part: int) -> Ids:
    """Return whose prints differ in two parts with the same keys; the keys of the others are not read."""
    then, since = _mapped(before / f"{known:05}.keys"), _mapped(now / f"{part:05}.keys")
    is_other = then["print"].to_numpy() != since["print"].to_numpy()
    found: Ids = since["key"].to_numpy()[is_other]
    return found


def _between(folder: Path, firsts: Sequence[int], low: int, high: int | None) -> tuple[Ids, Prints]:
    """Return the keys from one to before another, and their prints."""
    start = max(bisect_right(firsts, low) - 1, 0)
    end = len(firsts) if high is None else bisect_left(firsts, high)
    keys, prints = [], []
    for part in range(start, end):
        about = _mapped(folder / f"{part:05}.keys")
        those = about["key"].to_numpy()
        first, last = np.searchsorted(those, low), len(those) if high is None else np.searchsorted(those, high)
        keys.append(those[first:last])
        prints.append(about["print"].to_numpy()[first:last])
    if len(keys) == 1:  # as it is mapped, uncopied
        return keys[0], prints[0]
    return np.concatenate([np.empty(0, np.int64), *keys]), np.concatenate([np.empty(0, np.uint64), *prints])


def _differing(one: tuple[Ids, Prints], other: tuple[Ids, Prints]) -> Ids:
    if np.array_equal(one[0], other[0]):
        same: Ids = one[0][one[1] != other[1]]
        return same
    keys, prints = (np.concatenate(both) for both in zip(one, other, strict=True))
    order = np.argsort(keys, kind="stable")  # merges two runs
    keys, prints = keys[order], prints[order]
    is_pair = (keys[1:] == keys[:-1]) & (prints[1:] == prints[:-1])
    lone = ~(np.append(is_pair, False) | np.append(False, is_pair))
    found = keys[lone]
    distinct: Ids = found[np.append(True, found[1:] != found[:-1])[: len(found)]]
    return distinct


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
    return {name: owners if name == by else _copied(rows[name].take(wanted)) for name in schema.names}


def _copied(column: pa.Array) -> pa.Array:
    """Return a column that holds on to no mapped file: a taken dictionary is the one of the file."""
    if not pa.types.is_dictionary(column.type):
        return column
    if not is_text(column.type.value_type):
        return column.dictionary_decode()
    dictionary = column.dictionary
    return pa.DictionaryArray.from_arrays(column.indices, dictionary.take(pa.array(np.arange(len(dictionary)))))


def _one(parts: Sequence[pa.Array], kind: pa.DataType) -> pa.ChunkedArray:
    """Return the parts of a column as one; texts stay short where they are so in all parts: as they are, 0.13 s for 2M."""
    if parts and all(pa.types.is_dictionary(part.type) for part in parts):
        kind = pa.dictionary(pa.int32(), kind)
        parts = [
            pa.DictionaryArray.from_arrays(part.indices.cast(pa.int32()), part.dictionary.cast(kind.value_type))
            for part in parts
        ]
    return pa.chunked_array([part if part.type == kind else _cast(part, kind) for part in parts], kind)


def _cast(part: pa.Array, kind: pa.DataType) -> pa.Array:
    if part.type == SECONDS and pa.types.is_timestamp(kind):
        part = part.cast(pa.int64()).cast(pa.timestamp("s", kind.tz))
    return part.cast(kind)


def _mapped(file: Path) -> pa.RecordBatch:
    return pa.ipc.open_file(pa.memory_map(str(file))).get_batch(0)


def is_text(kind: pa.DataType) -> bool:
    """Return whether a column has texts.

    Parameters
    ----------
    kind
        Type of its values.

    Returns
    -------
    bool
        Whether they are texts.
    """
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def number_of(folder: Path) -> int:
    """Return the version that a folder of a copy is named after.

    Parameters
    ----------
    folder
        The folder.

    Returns
    -------
    int
        The version.
    """
    return int(folder.name)

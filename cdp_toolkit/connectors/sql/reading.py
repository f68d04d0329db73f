"""A table becomes batches to land: all of it, or what its watermark says is new."""

import tempfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from cdp_toolkit.connectors.sql.database import Database, Selection
from cdp_toolkit.connectors.sql.watermark import Group, Watermark
from cdp_toolkit.errors import SourceError, nearest
from cdp_toolkit.sources.source import Batch, Cursor

# What is held at once: a commit takes 25 ms, reading so many rows of 8 columns 0.2 s.
_ROWS = 200_000
_BYTES = 1 << 26


def describe(database: Database, select: str, watermark: str | None) -> dict[str, str]:
    """Return the columns of a query.

    Parameters
    ----------
    database
        Where it runs.
    select
        The query.
    watermark
        Column that must be among them, if any.

    Returns
    -------
    dict
        Type of each column, as the database calls it.

    Raises
    ------
    SourceError
        If the query does not run, or lacks the watermark.
    """
    columns = database.columns(select)
    if watermark is not None and watermark not in columns:
        near = nearest(watermark, columns)
        raise SourceError(
            f"There is no column {watermark!r} to be the watermark.",
            hint=f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(columns)}.",
        )
    return columns


def read_whole(database: Database, name: str, select: str, cursor: Cursor) -> Iterator[Batch]:
    """Read a table as a whole, if it has changed since it was last read.

    Parameters
    ----------
    database
        Where it is.
    name
        Name of the object.
    select
        The query.
    cursor
        What was remembered.

    Yields
    ------
    Batch
        All rows, in one commit; nothing if they are those of the last time.

    Raises
    ------
    SourceError
        If the database refuses.
    """
    columns = describe(database, select, None)
    with tempfile.TemporaryDirectory() as scratch:
        kept, digest = Path(scratch) / "rows.arrow", 0
        schema = pa.schema([(column, pa.string()) for column in columns])
        with pa.ipc.new_stream(str(kept), schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as file:
            for batch in database.read(Selection(select, columns)):
                digest = (digest + _digest(batch)) % (1 << 64)
                file.write_batch(batch)
        if cursor.get("digest") != str(digest):
            yield Batch(name, {"digest": str(digest)}, lambda: _placed(pa.ipc.open_stream(str(kept)), schema, name))


def read_changed(database: Database, name: str, select: str, mark: Watermark) -> Iterator[Batch]:
    """Read what a table's watermark says is new.

    Parameters
    ----------
    database
        Where it is.
    name
        Name of the object.
    select
        The query.
    mark
        How far it has been read.

    Yields
    ------
    Batch
        Rows in the order of the watermark, with how far the table is read behind them.

    Raises
    ------
    SourceError
        If the database refuses.
    """
    columns = describe(database, select, mark.column)
    selection = Selection(select, columns, ordered_by=mark.column, since=mark.since)
    is_increment, rows = mark.is_done, 0
    total = 0 if is_increment else database.count(selection)
    for piece, is_whole, is_last in _cut(database.read(selection), mark.column):
        values = _group(piece[mark.column], is_whole=is_whole)
        overlap, mark = mark.overlap_of(values, tuple(columns)), mark.after(values, is_done=is_last)
        rows += len(piece)
        yield Batch(
            name,
            mark.cursor,
            partial(_placed, piece.to_batches(), piece.schema, name),
            share=min(rows / total, 1.0) if total else None,
            overlap=overlap,
        )
    if rows == 0 and not is_increment and not mark.is_fresh:
        yield Batch(name, mark.after(Group(None, None, has_null=False, is_whole=True), is_done=True).cursor)


def _cut(batches: Iterable[pa.RecordBatch], column: str) -> Iterator[tuple[pa.Table, bool, bool]]:
    """Yield pieces that end, if they can, where the watermark changes; whether they do; and whether it is the last."""
    held: list[pa.RecordBatch] = []
    for batch in (part for whole in batches for part in _parts(whole)):
        # Cut only when more rows follow: so the last piece is known to be the last.
        if sum(len(each) for each in held) >= _ROWS or sum(each.nbytes for each in held) >= _BYTES:
            rows = pa.Table.from_batches(held)
            end = _last_change(rows[column])
            yield rows.slice(0, end or len(rows)), end > 0, False
            held = rows.slice(end).to_batches() if end else []
        held.append(batch)
    if held:
        yield pa.Table.from_batches(held), True, True


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    return (batch.slice(start, _ROWS) for start in range(0, len(batch), _ROWS))


def _last_change(values: pa.ChunkedArray) -> int:
    """Return where the last run of equal values begins."""
    last = values[-1]
    is_last = pc.fill_null(pc.equal(values, last), False) if last.is_valid else values.is_null()
    others = np.flatnonzero(~is_last.to_numpy())
    return int(others[-1]) + 1 if len(others) else 0


def _group(values: pa.ChunkedArray, *, is_whole: bool) -> Group:
    known = values.drop_null()
    first, last = (known[0].as_py(), known[-1].as_py()) if len(known) else (None, None)
    return Group(first, last, has_null=len(known) < len(values), is_whole=is_whole)


def _digest(rows: pa.RecordBatch | pa.Table) -> int:
    """Return a number that is the same for the same rows in any order."""
    return int(pl.DataFrame(rows).hash_rows().to_numpy().sum(dtype=np.uint64))


def _placed(batches: Iterable[pa.RecordBatch], schema: pa.Schema, name: str) -> pa.RecordBatchReader:
    """Say of each row where it stood."""
    placed = pa.schema([*schema, ("_file", pa.string()), ("_line", pa.int64())])

    def stream() -> Iterator[pa.RecordBatch]:
        line = 1
        for batch in batches:
            where = [pa.repeat(pa.scalar(name), len(batch)), pa.array(np.arange(line, line + len(batch)))]
            yield pa.RecordBatch.from_arrays([*batch.columns, *where], schema=placed)
            line += len(batch)

    return pa.RecordBatchReader.from_batches(placed, stream())

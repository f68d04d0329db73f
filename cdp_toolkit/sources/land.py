"""Read since the cursor, write as delivered, resume.

One Delta commit holds the rows of a batch and the cursor behind them, and the number of the commit is looked up before
it is written: a process that is killed anywhere leaves a batch landed whole or not at all, and the next one goes on
behind it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa

from cdp_toolkit.errors import CdpError, ConnectorStopped, SourceError
from cdp_toolkit.lake import Lake
from cdp_toolkit.sources.source import Batch, Cursor, Object, Source, SourceFailure

_STAMPS = pa.schema([("_batch", pa.int64()), ("_loaded_at", pa.timestamp("us", "UTC"))])
_RESERVED = ("_batch", "_loaded_at")

Check = Callable[[str, Sequence[str]], None]


@dataclass
class Landed:
    """What was landed from a source.

    Parameters
    ----------
    rows
        Rows that are new in ``landing/``.
    files
        Parts that were landed, by object.
    unchanged
        Parts that were known already.
    refused
        Parts that could not be read, with the reason.
    notes
        What else the user should know: guessed encodings, files that belong to no object.
    """

    rows: int = 0
    files: dict[str, list[str]] = field(default_factory=dict)
    unchanged: int = 0
    refused: list[SourceError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def land(name: str, source: Source, lake: Lake, *, check: Check | None = None) -> Landed:
    """Write what is new in a source to ``landing/<name>/``.

    Parameters
    ----------
    name
        Name of the source.
    source
        The way to read it.
    lake
        Where to; it remembers how far each object has come.
    check
        Refuses a delivery by its object and columns with a ``SourceError``, such as one without its key.

    Returns
    -------
    Landed
        Counts, and what was refused; one part that cannot be read does not stop the others.

    Raises
    ------
    ConnectorStopped
        If the source cannot be read at all.
    """
    landed = Landed()
    loaded_at = datetime.now(UTC)
    for each in source.objects():
        _land_object(name, each, source, lake, landed, check=check, loaded_at=loaded_at)
    landed.notes += [f"{found} belongs to no object that the mapping of {name} knows." for found in source.unknown()]
    return landed


def _land_object(
    name: str, each: Object, source: Source, lake: Lake, landed: Landed, *, check: Check | None, loaded_at: datetime
) -> None:
    table = f"landing/{name}/{each.name}"
    counter, cursor = lake.landed(table)
    done = refused = 0
    for batch in source.read(each, cursor):
        if isinstance(batch, SourceFailure):
            landed.refused.append(_source_error(batch.error, batch.part))
            refused += 1
            continue
        try:
            rows = _land_batch(table, batch, lake, counter + 1, cursor | batch.cursor, check=check, loaded_at=loaded_at)
        except SourceError as error:
            landed.refused.append(_source_error(error, batch.part))
            refused += 1
            continue
        counter, cursor = counter + 1, cursor | batch.cursor
        done += 1
        landed.rows += rows
        landed.files.setdefault(each.name, []).append(batch.part)
        landed.notes += batch.notes
    landed.unchanged += max(len(each.parts) - done - refused, 0)


def _land_batch(
    table: str, batch: Batch, lake: Lake, counter: int, cursor: Cursor, *, check: Check | None, loaded_at: datetime
) -> int:
    reader = batch.open()
    names = [name for name in reader.schema.names if name not in {"_file", "_line", "_problem", "_raw"}]
    _refuse_columns(names)
    if check is not None:
        check(table.rpartition("/")[2], names)
    stamped = _Stamped(reader, counter, loaded_at)
    try:
        lake.land(table, stamped.reader(), counter=counter, cursor=cursor)
    except Exception as error:
        # Delta reports only a text of what broke the stream; what really happened was kept on the way.
        if stamped.failure is not None and stamped.failure is not error:
            raise stamped.failure from error
        raise
    return stamped.rows


class _Stamped:
    """A stream of rows that gets its stamps on the way, counts, and keeps what broke it."""

    def __init__(self, reader: pa.RecordBatchReader, counter: int, loaded_at: datetime) -> None:
        self.rows = 0
        self.failure: Exception | None = None
        self._reader = reader
        self._stamps = (counter, loaded_at)

    def reader(self) -> pa.RecordBatchReader:
        schema = pa.schema([*self._reader.schema, *_STAMPS])
        return pa.RecordBatchReader.from_batches(schema, self._batches(schema))

    def _batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._reader:
                self.rows += batch.num_rows
                stamps = [
                    pa.repeat(pa.scalar(stamp, kind.type), batch.num_rows)
                    for stamp, kind in zip(self._stamps, _STAMPS, strict=True)
                ]
                yield pa.RecordBatch.from_arrays([*batch.columns, *stamps], schema=schema)
        except Exception as error:
            self.failure = error
            raise


def _refuse_columns(names: Sequence[str]) -> None:
    folded: dict[str, str] = {}
    for name in names:
        twin = folded.setdefault(name.casefold(), name)
        if name in _RESERVED or (twin != name or list(names).count(name) > 1):
            why = "is kept for the lake" if name in _RESERVED else f"is there twice (also as {twin!r})"
            raise SourceError(f"The column {name!r} {why}.", hint="Rename it in the export.")


def _source_error(error: Exception, part: str) -> SourceError:
    if isinstance(error, ConnectorStopped):
        raise error
    if isinstance(error, CdpError):
        return SourceError(error.message, where=error.where or part, hint=error.hint)
    return SourceError(f"It could not be read: {error}", where=part)

"""Read since the cursor, write as delivered, resume.

One Delta commit holds the rows of a batch and the cursor behind them, and the number of the commit is looked up before
it is written: a process that is killed anywhere leaves a batch landed whole or not at all, and the next one goes on
behind it.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa

from cdp_toolkit.errors import CdpError, ConnectorStopped, SourceError
from cdp_toolkit.lake import Lake, OpenRun
from cdp_toolkit.sources.fields import record_fields
from cdp_toolkit.sources.known import Known
from cdp_toolkit.sources.progress import Progress
from cdp_toolkit.sources.source import Batch, Cursor, Linked, Metered, Noted, Object, Sifting, Source, SourceFailure

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
        What else the user should know: guessed encodings, files that belong to no object, fields that changed.
    stopped
        Why the source could not be read to its end; None if it was. What had landed by then stays, and the next load goes
        on behind it.
    """

    rows: int = 0
    files: dict[str, list[str]] = field(default_factory=dict)
    unchanged: int = 0
    refused: list[SourceError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stopped: ConnectorStopped | None = None


def land(
    name: str,
    source: Source,
    lake: Lake,
    *,
    check: Check | None = None,
    progress: Progress | None = None,
    within: OpenRun | None = None,
    loaded_at: datetime | None = None,
    is_left: Callable[[], bool] = lambda: False,
) -> Landed:
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
    progress
        Is told of each batch that has landed.
    within
        The run that this is part of; see ``Lake.land``.
    loaded_at
        Time that the rows are stamped with; now by default.
    is_left
        Tells whether nobody waits for this any more; it then ends, and lands no further batch.

    Returns
    -------
    Landed
        Counts, and what was refused; one part or object that cannot be read does not stop the others, and a source that
        is down or has spent its calls ends in ``stopped``.

    Raises
    ------
    concurrent.futures.CancelledError
        If it was left.
    """
    loaded_at = loaded_at or datetime.now(UTC)
    landing = _Landing(name, source, lake, check, progress or _untold, within, loaded_at, is_left)
    try:
        landing.all()
    except ConnectorStopped as error:
        landing.landed.stopped = error
    return landing.landed


@dataclass
class _Landing:
    name: str
    source: Source
    lake: Lake
    check: Check | None
    progress: Progress
    within: OpenRun | None
    loaded_at: datetime
    is_left: Callable[[], bool]
    landed: Landed = field(default_factory=Landed)
    known: dict[str, Known] = field(default_factory=dict)

    def all(self) -> None:
        if isinstance(self.source, Linked):
            self.source.link(lambda name, columns: self.lake.delivered(self._table(name), columns))
        if isinstance(self.source, Sifting) and self.check is not None:
            self.source.sift(self.check)
        if isinstance(self.source, Metered):
            known = self.lake.objects(self.name)
            self.source.budget.recall([self.lake.landed(self._table(each))[1] for each in known])
        objects = self.source.objects()
        self.landed.notes += self.source.notes() if isinstance(self.source, Noted) else []
        described = {each.name: each.fields for each in objects if each.fields is not None}
        self.landed.notes += record_fields(self.lake, self.name, described, self.loaded_at, within=self.within)
        for each in objects:
            try:
                self._object(each)
            except SourceError as error:
                self.landed.refused.append(_source_error(error, each.name))
        told = self.source.unknown()
        self.landed.notes += [f"{found} belongs to no object that the mapping of {self.name} knows." for found in told]

    def _table(self, name: str) -> str:
        return f"landing/{self.name}/{name}"

    def _object(self, each: Object) -> None:
        counter, cursor = self.lake.landed(self._table(each.name))
        done = refused = rows = 0
        for batch in self.source.read(each, cursor):
            if isinstance(batch, SourceFailure):
                self.landed.refused.append(_source_error(batch.error, batch.part))
                refused += 1
                continue
            try:
                rows += self._batch(each.name, batch, counter + 1, cursor | batch.cursor)
            except SourceError as error:
                self.landed.refused.append(_source_error(error, batch.part))
                refused += 1
                continue
            counter, cursor = counter + 1, cursor | batch.cursor
            done += 1
            self.landed.files.setdefault(each.name, []).append(batch.part)
            self.landed.notes += batch.notes
            share = (done + refused) / len(each.parts) if each.parts else batch.share
            self.progress(self.name, each.name, rows=rows, share=share)
        self.landed.unchanged += max(len(each.parts) - done - refused, 0)

    def _batch(self, name: str, batch: Batch, counter: int, cursor: Cursor) -> int:
        table, reader = self._table(name), batch.open()
        names = [name for name in reader.schema.names if name not in {"_file", "_line", "_problem", "_raw"}]
        _refuse_columns(names)
        if self.check is not None and names:
            self.check(name, names)
        known = self.known.pop(name, None) or Known(table, self.lake)
        if batch.overlap is not None:
            reader = known.without(reader, batch.overlap)
        cursor |= self.source.budget.mark() if isinstance(self.source, Metered) else {}
        stamped = _Stamped(reader, counter, self.loaded_at, self.is_left)
        self._write(table, stamped, counter, cursor)
        if batch.overlap is not None:
            known.settle()
            self.known[name] = known  # of rows that land without a look at what is known, it does not know
        self.landed.rows += stamped.rows
        return stamped.rows

    def _write(self, table: str, stamped: "_Stamped", counter: int, cursor: Cursor) -> None:
        try:
            self.lake.land(table, stamped.reader(), counter=counter, cursor=cursor, within=self.within)
        except Exception as error:
            # Delta reports only a text of what broke the stream; what really happened was kept on the way.
            if stamped.failure is not None and stamped.failure is not error:
                raise stamped.failure from error
            raise


def _untold(source: str, object: str, *, rows: int, share: float | None) -> None:  # noqa: A002 - the contract's noun
    """Tell nobody."""


class _Stamped:
    """A stream of rows that gets its stamps on the way, counts, and keeps what broke it."""

    def __init__(
        self, reader: pa.RecordBatchReader, counter: int, loaded_at: datetime, is_left: Callable[[], bool]
    ) -> None:
        self.rows = 0
        self.failure: Exception | None = None
        self._reader = reader
        self._stamps = (counter, loaded_at)
        self._is_left = is_left

    def reader(self) -> pa.RecordBatchReader:
        schema = pa.schema([*self._reader.schema, *_STAMPS])
        return pa.RecordBatchReader.from_batches(schema, self._batches(schema))

    def _batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._reader:
                self._end_if_left()
                self.rows += batch.num_rows
                stamps = [
                    pa.repeat(pa.scalar(stamp, kind.type), batch.num_rows)
                    for stamp, kind in zip(self._stamps, _STAMPS, strict=True)
                ]
                yield pa.RecordBatch.from_arrays([*batch.columns, *stamps], schema=schema)
        except Exception as error:
            self.failure = error
            raise

    def _end_if_left(self) -> None:
        if self._is_left():
            raise CancelledError


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

"""Bulk extracts one after the other, each landed before the next: of windows of time, or of groups of programs.

Two jobs run at once and the queue holds ten for all users of the instance, so that a few are ordered ahead.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cdp_toolkit.connectors.marketo.bulk import Export, Exports, read_export
from cdp_toolkit.connectors.marketo.instance import Instance
from cdp_toolkit.errors import SourceError
from cdp_toolkit.sources.source import Batch, Cursor
from cdp_toolkit.sources.windows import Plan, stamp

_AHEAD = 3
_JOBS = "jobs"


@dataclass(frozen=True)
class Part:
    """What one job extracts.

    Parameters
    ----------
    name
        What it is called in cursors and messages.
    filters
        Which records.
    cursor
        What to remember once it has landed.
    share
        How much has landed then.
    end
        Column and value of rows that belong to the next part, since both ends of a window may be included.
    """

    name: str
    filters: Mapping[str, Any]
    cursor: Cursor
    share: float
    end: tuple[str, str] | None = None


def extract_windows(
    instance: Instance,
    kind: str,
    fields: Sequence[str],
    plan: Plan,
    cursor: Cursor,
    *,
    stamped_by: str,
    filters: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator[Batch]:
    """Extract what was created in the windows of a plan.

    Parameters
    ----------
    instance
        Where from.
    kind
        ``leads`` or ``activities``.
    fields
        Columns of the file.
    plan
        Windows to read.
    cursor
        How far it has come; names jobs that were ordered already.
    stamped_by
        Column of the time by which the windows are filled.
    filters
        What else to filter by.

    Yields
    ------
    Batch
        One for each window.
    """
    parts = [
        Part(
            str(window),
            {**filters, "createdAt": {"startAt": stamp(window.start), "endAt": stamp(window.end)}},
            plan.after(window),
            plan.share(window),
            (stamped_by, stamp(window.end)) if window.end < plan.until else None,
        )
        for window in plan.windows()
    ]
    yield from extract(instance.exports(kind), fields, parts, cursor)


def extract(exports: Exports, fields: Sequence[str], parts: Sequence[Part], cursor: Cursor) -> Iterator[Batch]:
    """Extract parts in order.

    Parameters
    ----------
    exports
        Jobs of a kind.
    fields
        Columns of the file.
    parts
        What to extract.
    cursor
        Names jobs that were ordered already.

    Yields
    ------
    Batch
        Notes of the jobs that were created, before these are enqueued; then the rows of each part.
    """
    jobs: dict[str, str] = dict(cursor.get(_JOBS, {}))
    exports.keep_only(jobs.values())
    for i, part in enumerate(parts):
        for ahead in parts[i : i + _AHEAD]:
            if ahead.name not in jobs:
                jobs[ahead.name] = exports.create(list(fields), ahead.filters)
                yield Batch(ahead.name, {_JOBS: dict(jobs)})
                exports.enqueue(jobs[ahead.name])
        export = exports.finished(jobs[part.name])
        if export is None:  # it failed, or is too old: order it once more
            jobs[part.name] = exports.create(list(fields), part.filters)
            yield Batch(part.name, {_JOBS: dict(jobs)})
            export = exports.finished(jobs[part.name])
        if export is None:
            raise SourceError(f"Marketo could not extract {part.name}.", where=jobs[part.name], hint="Run again later.")
        del jobs[part.name]
        yield from _landed(exports, export, part, {**part.cursor, _JOBS: dict(jobs)})


def _landed(exports: Exports, export: Export, part: Part, cursor: Cursor) -> Iterator[Batch]:
    if export.rows == 0:
        yield Batch(part.name, cursor, share=part.share)
        return
    path = exports.fetch(export)
    yield Batch(part.name, cursor, lambda: _without_end(read_export(path, part.name), part.end), share=part.share)
    path.unlink()


def _without_end(reader: pa.RecordBatchReader, end: tuple[str, str] | None) -> pa.RecordBatchReader:
    if end is None or end[0] not in reader.schema.names:
        return reader
    name, value = end
    kept = (rows.filter(pc.fill_null(pc.not_equal(rows.column(name), value), True)) for rows in reader)
    return pa.RecordBatchReader.from_batches(reader.schema, kept)

"""Rows of a table: all of them once, then what changed.

Where the table's changes are tracked, Dataverse tells them for seven days, deletes too. Where they are not, or after a
longer pause, rows are found by the time of their last change, and deletes by comparison with what has landed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cdp_toolkit.connectors.differences import missing
from cdp_toolkit.connectors.dynamics.answers import EXPIRED
from cdp_toolkit.connectors.dynamics.client import Client
from cdp_toolkit.connectors.http import RefusedError
from cdp_toolkit.sources.rows import Page, gather
from cdp_toolkit.sources.source import Batch, Cursor, Delivered, Overlap
from cdp_toolkit.sources.windows import moment, stamp

_OVERLAP = timedelta(minutes=10)
_EVER = datetime(2000, 1, 1, tzinfo=UTC)
_GONE = "isDeleted"


@dataclass(frozen=True)
class Table:
    """A table to read.

    Parameters
    ----------
    name
        Its logical name.
    entity_set
        Name in the path of its rows.
    key
        Column of the id.
    is_tracked
        Whether its changes are tracked.
    row
        Makes a row to land of one that was told.
    """

    name: str
    entity_set: str
    key: str
    is_tracked: bool
    row: Callable[[Mapping[str, Any]], dict[str, Any]]


def read_table(client: Client, table: Table, cursor: Cursor, delivered: Delivered) -> Iterator[Batch]:
    """Read what is new in a table.

    Parameters
    ----------
    client
        The environment.
    table
        The table.
    cursor
        What was remembered: the page to go on at (``next``), where changes are told (``delta``), up to when rows are
        read by their time (``read_until``), and whether deletes are still to be found by comparison (``compare``).
    delivered
        Gives what has landed.

    Yields
    ------
    Batch
        A row a record, and one with ``isDeleted`` for one that is no more.
    """
    if not table.is_tracked:
        yield from _by_time(client, table, cursor)
        compare = "read_until" in cursor
    else:
        compare = bool(cursor.get("compare"))
        try:
            yield from _changes(client, table, cursor)
        except RefusedError as error:
            if error.code != EXPIRED:
                raise
            # All rows once more: those that had not changed have landed, and are dropped.
            again: Cursor = {"next": None, "delta": None, "compare": True, "is_repeated": True}
            yield Batch(f"{table.name} again", again, notes=(f"{table.name} changed too long ago: it is compared.",))
            yield from _changes(client, table, again)
            compare = True
    if compare:
        yield from _compared(client, table, delivered)


def _changes(client: Client, table: Table, cursor: Cursor) -> Iterator[Batch]:
    start = cursor.get("next") or cursor.get("delta")
    pages = client.rows(start or client.path(table.entity_set), is_tracked=not cursor.get("delta"))
    overlap = Overlap((table.key, "versionnumber"), _EVER) if cursor.get("is_repeated") else None

    def told() -> Iterator[Page]:
        for answer in pages:
            rows = [_deleted(table, row["id"], answer.at) if _is_gone(row) else table.row(row) for row in answer.rows]
            done: Cursor = {"next": None, "delta": answer.delta, "is_repeated": False}
            yield Page(rows, {"next": answer.next} if answer.next else done)

    yield from gather(f"{table.name} {'changes' if cursor.get('delta') else 'rows'}", told(), overlap=overlap)


def _by_time(client: Client, table: Table, cursor: Cursor) -> Iterator[Batch]:
    is_first = "read_until" not in cursor
    since = _EVER if is_first else moment(cursor["read_until"]) - _OVERLAP
    query = "$orderby=modifiedon asc" + ("" if is_first else f"&$filter=modifiedon ge {stamp(since)}")
    start = cursor.get("next") or client.path(table.entity_set, query)
    overlap = None if is_first else Overlap((table.key, "versionnumber"), since - timedelta(hours=1))

    def told() -> Iterator[Page]:
        until = cursor.get("until")
        for answer in client.rows(start):
            until = until or stamp(answer.at)
            done: Cursor = {"next": None, "until": None, "read_until": until}
            after = {"next": answer.next, "until": until} if answer.next else done
            yield Page([table.row(row) for row in answer.rows], after)

    yield from gather(f"{table.name} by time", told(), overlap=overlap)


def _compared(client: Client, table: Table, delivered: Delivered) -> Iterator[Batch]:
    at = _EVER
    there: list[list[str]] = []
    for answer in client.rows(client.path(table.entity_set, f"$select={table.key}")):
        there.append([row[table.key] for row in answer.rows])
        at = answer.at
    gone = missing(delivered(table.name, [table.key, _GONE, "_batch"]), there, key=table.key, gone=_GONE)
    yield from gather(f"{table.name} compared", [Page([_deleted(table, each, at) for each in gone], {"compare": None})])


def _is_gone(row: Mapping[str, Any]) -> bool:
    return str(row.get("@odata.context", "")).endswith("$deletedEntity")


def _deleted(table: Table, record: str, at: datetime) -> dict[str, Any]:
    return {table.key: record, _GONE: True, "deletedAt": stamp(at)}

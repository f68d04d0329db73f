"""Records that are no more, also those that have left the recycle bin.

``queryAll`` shows what is in the recycle bin; Salesforce tells deletes of the last 15 days besides. After a longer pause
what has landed is compared with what is still there. Rule: developer.salesforce.com, "REST API Developer Guide",
sObject Get Deleted.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from cdp_toolkit.connectors.differences import missing
from cdp_toolkit.connectors.http import RefusedError
from cdp_toolkit.connectors.salesforce.bulk import Bulk
from cdp_toolkit.connectors.salesforce.client import Client, select
from cdp_toolkit.sources.rows import as_texts
from cdp_toolkit.sources.source import Batch, Cursor, Delivered, Overlap
from cdp_toolkit.sources.windows import moment, stamp

_TOLD_FOR = timedelta(days=15) - timedelta(hours=1)
_SHORTEST = timedelta(minutes=2)
_TOMBSTONE = ("Id", "IsDeleted", "SystemModstamp")


def deletes(client: Client, bulk: Bulk, name: str, cursor: Cursor, delivered: Delivered) -> Iterator[Batch]:
    """Return what was deleted since the last load.

    Parameters
    ----------
    client
        The organisation.
    bulk
        Queries on the object.
    name
        The object.
    cursor
        What was remembered of the object.
    delivered
        Gives what has landed.

    Yields
    ------
    Batch
        Rows of ``Id``, ``IsDeleted`` and ``SystemModstamp``.
    """
    since, now = moment(cursor["deleted_until"]), datetime.now(UTC)
    if now - since > _TOLD_FOR:
        yield from _missing(bulk, name, delivered, now)
    elif now - since > _SHORTEST:
        yield from _told(client, name, since, now)


def _told(client: Client, name: str, since: datetime, until: datetime) -> Iterator[Batch]:
    try:
        told = client.deleted(name, since, until)
    except RefusedError as error:
        half = since + (until - since) / 2
        if error.code != "EXCEEDED_ID_LIMIT" or until - since < 2 * _SHORTEST:
            raise
        yield from _told(client, name, since, half)
        yield from _told(client, name, half, until)
        return
    rows = [_deleted(each["id"], datetime.fromisoformat(each["deletedDate"])) for each in told["deletedRecords"]]
    covered = datetime.fromisoformat(told["latestDateCovered"])  # not our clock: the log may lag
    part = f"{name} deleted {stamp(since)}"
    overlap = Overlap(_TOMBSTONE, since.replace(second=0) - timedelta(minutes=1))
    yield _batch(part, rows, {"deleted_until": stamp(covered)}, overlap)


def _missing(bulk: Bulk, name: str, delivered: Delivered, now: datetime) -> Iterator[Batch]:
    there = (page["Id"].to_pylist() for page in bulk.rows(select(["Id"], name)))
    gone = missing(delivered(name, ["Id", "IsDeleted", "_batch"]), there, key="Id", gone="IsDeleted")
    note = f"{name} was not read for two weeks: its records were compared one by one, and {len(gone):,} are no more."
    yield _batch(f"{name} compared", [_deleted(each, now) for each in gone], {"deleted_until": stamp(now)}, None, note)


def _deleted(record: str, at: datetime) -> dict[str, Any]:
    return {"Id": record, "IsDeleted": True, "SystemModstamp": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z"}


def _batch(part: str, rows: list[dict[str, Any]], cursor: Cursor, overlap: Overlap | None, *notes: str) -> Batch:
    if not rows:
        return Batch(part, cursor, notes=notes)
    return Batch(part, cursor, lambda: as_texts(rows, part), notes=notes, overlap=overlap)

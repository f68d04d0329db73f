"""Contacts, companies, deals and custom objects: listed once, then searched by the time of their last change.

HubSpot shows what is deleted for 90 days, and in no search: the deleted records are listed at every load.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from cdp_toolkit.connectors.hubspot.client import Client, Record
from cdp_toolkit.sources.rows import Page, gather
from cdp_toolkit.sources.source import Batch, Cursor, Overlap
from cdp_toolkit.sources.windows import moment, stamp

# A search finds a record some seconds to minutes after it was written.
_OVERLAP = timedelta(minutes=15)
# Our clock, which says when a row was landed, may be behind HubSpot's.
_CLOCKS = timedelta(hours=1)
_SHOWN = timedelta(days=91)


def read_records(client: Client, kind: str, properties: Sequence[str], cursor: Cursor) -> Iterator[Batch]:
    """Read what is new in an object.

    Parameters
    ----------
    client
        The account.
    kind
        Such as ``contacts``.
    properties
        Names of those to give.
    cursor
        What was remembered: how far the listing or the search is, and up to when everything is read.

    Yields
    ------
    Batch
        A row a record: ``id``, ``createdAt``, ``updatedAt``, ``archived``, ``archivedAt`` and the properties.
    """
    now = client.now()
    if "read_until" not in cursor:
        state = cursor.get("listing") or {"until": stamp(now), "after": None}
        yield from gather(f"{kind} listed", _listed(client, kind, properties, state))
    else:
        since = moment(cursor["read_until"]) - _OVERLAP
        state = cursor.get("searching") or {"until": stamp(now), "after": "0"}
        overlap = Overlap(("id", "updatedAt"), since - _CLOCKS)
        pages = _searched(client, kind, properties, state, since)
        yield from gather(f"{kind} since {stamp(since)}", pages, overlap=overlap)
    deleted = (Page([_row(each) for each in page], {}) for page, _ in client.records(kind, properties, archived=True))
    yield from gather(f"{kind} deleted", deleted, overlap=Overlap(("id", "archived", "updatedAt"), now - _SHOWN))


def _listed(client: Client, kind: str, properties: Sequence[str], state: dict[str, Any]) -> Iterator[Page]:
    for found, after in client.records(kind, properties, state["after"]):
        done: Cursor = {"listing": None, "read_until": state["until"]}
        yield Page([_row(each) for each in found], {"listing": {**state, "after": after}} if after else done)


def _searched(
    client: Client, kind: str, properties: Sequence[str], state: dict[str, Any], since: Any
) -> Iterator[Page]:
    # Contacts were there before the others, and so was the name of this property.
    modified = "lastmodifieddate" if kind == "contacts" else "hs_lastmodifieddate"
    for found in client.changed(kind, properties, modified, since, state["after"]):
        if found:
            yield Page([_row(each) for each in found], {"searching": {**state, "after": found[-1]["id"]}})
    yield Page([], {"searching": None, "read_until": state["until"]})


def _row(record: Record) -> dict[str, Any]:
    own = {name: record.get(name) for name in ("id", "createdAt", "updatedAt", "archived", "archivedAt")}
    return {**record["properties"], **own}

"""Activities: all that are kept by bulk extract, and then what happened since; deleted leads, which no extract has.

Source: https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-extract/bulk-activity-extract
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cdp_toolkit.connectors.marketo.instance import Instance
from cdp_toolkit.connectors.marketo.stream import Stream
from cdp_toolkit.connectors.marketo.windows import extract_windows
from cdp_toolkit.sources.rows import Page, gather
from cdp_toolkit.sources.source import Batch, Cursor
from cdp_toolkit.sources.windows import Plan, moment, stamp

FIELDS = (
    "marketoGUID", "leadId", "activityDate", "activityTypeId", "campaignId", "primaryAttributeValueId",
    "primaryAttributeValue", "attributes",
)  # fmt: skip
# "Marketo keeps activities for 25 months": older windows would be empty.
_KEPT = timedelta(days=25 * 31)


def read_activities(instance: Instance, cursor: Cursor, *, types: Sequence[int]) -> Iterator[Batch]:
    """Read activities of some types.

    Parameters
    ----------
    instance
        Where from.
    cursor
        How far it has come.
    types
        Ids of the types.

    Yields
    ------
    Batch
        Activities by their time; once those of the backfill have landed, those that happened since it began.
    """
    since = max(instance.since, instance.now - _KEPT)
    plan = Plan.of(cursor, since=since, now=instance.now, step=instance.longest_window)
    if plan.is_backfill:
        filters = {"activityTypeIds": list(types)}
        yield from extract_windows(
            instance, "activities", FIELDS, plan, cursor, stamped_by="activityDate", filters=filters
        )
    began = (plan.until if plan.is_backfill else moment(cursor["until"])) - instance.overlap
    places = dict(cursor.get("places", {}))
    for some in _tens(types):
        yield from _happened(instance, some, places, began)


def _happened(instance: Instance, types: Sequence[int], places: dict[str, Any], since: datetime) -> Iterator[Batch]:
    """Read what happened after the place to which a stream has come; it is moved on as rows land."""
    name = ",".join(map(str, types))
    place, stream = places.get(name), Stream(instance, "activities", {"activityTypeIds": list(types)})
    overlap = stream.overlap(place, since, "marketoGUID")
    yield from gather("activities", _moved(stream.pages(place, since), name, places), overlap=overlap)


def read_deleted(instance: Instance, cursor: Cursor) -> Iterator[Batch]:
    """Read which leads were deleted.

    Parameters
    ----------
    instance
        Where from.
    cursor
        How far it has come.

    Yields
    ------
    Batch
        Activities of the type "Delete Lead", since the first load: no extract holds a lead that was deleted before.
    """
    since = moment(cursor.get("since", stamp(instance.now - instance.overlap)))
    place, stream = cursor.get("place"), Stream(instance, "deletedleads", {})
    pages = (
        Page(list(map(_as_extracted, page.rows)), {"since": stamp(since), "place": page.cursor}, page.share)
        for page in stream.pages(place, since)
    )
    yield from gather("deleted leads", pages, overlap=stream.overlap(place, since, "marketoGUID"))


def _moved(pages: Iterable[Page], name: str, places: dict[str, Any]) -> Iterator[Page]:
    for page in pages:
        places[name] = page.cursor
        yield Page([_as_extracted(row) for row in page.rows], {"places": dict(places)}, page.share)


def _as_extracted(row: Mapping[str, Any]) -> dict[str, Any]:
    """Write an activity as the bulk extract does: its attributes as one object."""
    attributes = {each["name"]: each.get("value") for each in row.get("attributes") or []}
    told = {name: row.get(name) for name in FIELDS if name != "attributes"}
    return {**told, "marketoGUID": told["marketoGUID"] or row.get("id"), "attributes": attributes}


def _tens(types: Iterable[int]) -> list[list[int]]:
    """Put types into streams of at most 10: one that is new to a subscription moves no other into another stream."""
    streams: dict[int, list[int]] = {}
    for each in sorted(types):
        streams.setdefault(each // 10, []).append(each)
    return list(streams.values())

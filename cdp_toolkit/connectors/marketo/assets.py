"""Assets: programs and static lists, and who is in them.

Source: https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/assets/programs,
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/lead-database/list-membership and
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-extract/bulk-program-member-extract
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cdp_toolkit.connectors.marketo.instance import Instance
from cdp_toolkit.connectors.marketo.stream import Stream
from cdp_toolkit.connectors.marketo.windows import Part, extract
from cdp_toolkit.sources.rows import Page, gather
from cdp_toolkit.sources.source import Batch, Cursor, Overlap
from cdp_toolkit.sources.windows import moment, stamp

EVER = datetime(2000, 1, 1, tzinfo=UTC)
ADD_TO_LIST, REMOVE_FROM_LIST, CHANGE_STATUS = 24, 25, 104
_PROGRAMS_A_JOB = 10


def read_assets(instance: Instance, cursor: Cursor, *, path: str) -> Iterator[Batch]:
    """Read programs or static lists.

    Parameters
    ----------
    instance
        Where from.
    cursor
        How far it has come.
    path
        Of the assets.

    Yields
    ------
    Batch
        Assets that are new or were changed.
    """
    seen = {"seen": stamp(instance.now)}
    within: dict[str, str] = {}
    if "seen" in cursor:  # both ends, or none: Marketo refuses one alone
        since = moment(cursor["seen"]) - instance.overlap
        within = {"earliestUpdatedAt": stamp(since), "latestUpdatedAt": stamp(instance.now)}
    pages = [Page(rows, {}) for rows in instance.marketo.assets(path, **within)]
    yield from gather("assets", [*pages, Page([], seen, 1.0)], overlap=Overlap((), EVER))


def read_list_members(instance: Instance, cursor: Cursor) -> Iterator[Batch]:
    """Read who is in which static list.

    Parameters
    ----------
    instance
        Where from.
    cursor
        How far it has come.

    Yields
    ------
    Batch
        Members of each list; once all lists are read, who was added and who was removed since.
    """
    began = moment(cursor.get("began", stamp(instance.now)))
    if "place" not in cursor:
        lists = _ids(instance, "/rest/asset/v1/staticLists.json")
        left = [each for each in lists if each > cursor.get("last", -1)]
        for i, each in enumerate(left, 1):
            members = instance.marketo.pages(f"/rest/v1/lists/{each}/leads.json", fields=["id"])
            rows = (Page([{"listId": each, "leadId": row["id"]} for row in page], {}) for page in members)
            done = Page([], {"began": stamp(began), "last": each}, i / len(left))
            yield from gather(f"list {each}", [*rows, done], overlap=Overlap(("listId", "leadId"), EVER))
    stream = Stream(instance, "activities", {"activityTypeIds": [ADD_TO_LIST, REMOVE_FROM_LIST]})
    pages = stream.pages(cursor.get("place"), began - instance.overlap)
    moved = (Page([_membership(row) for row in page.rows], {"place": page.cursor}, page.share) for page in pages)
    yield from gather("list changes", moved, overlap=Overlap((), began - instance.overlap))


def read_program_members(instance: Instance, cursor: Cursor, *, fields: Sequence[str]) -> Iterator[Batch]:
    """Read who is in which program.

    Parameters
    ----------
    instance
        Where from.
    cursor
        How far it has come.
    fields
        Fields of members.

    Yields
    ------
    Batch
        Members of each program; once all are read, members whose status changed since.
    """
    began = moment(cursor.get("began", stamp(instance.now)))
    if "place" not in cursor:
        left = [each for each in _ids(instance, "/rest/asset/v1/programs.json") if each > cursor.get("last", -1)]
        groups = [left[i : i + _PROGRAMS_A_JOB] for i in range(0, len(left), _PROGRAMS_A_JOB)]
        parts = [
            Part(
                f"programs {some[0]} to {some[-1]}", {"programIds": some},
                {"began": stamp(began), "last": some[-1]}, i / len(groups),
            )
            for i, some in enumerate(groups, 1)
        ]  # fmt: skip
        yield from extract(instance.exports("program/members"), fields, parts, cursor)
    pages = Stream(instance, "activities", {"activityTypeIds": [CHANGE_STATUS]}).pages(
        cursor.get("place"), began - instance.overlap
    )
    moved = (Page(list(_members(instance, fields, page.rows)), {"place": page.cursor}, page.share) for page in pages)
    yield from gather("program changes", moved, overlap=Overlap((), began - instance.overlap))


def _ids(instance: Instance, path: str) -> list[int]:
    return sorted(int(row["id"]) for rows in instance.marketo.assets(path) for row in rows)


def _membership(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "listId": row["primaryAttributeValueId"],
        "leadId": row["leadId"],
        "isDeleted": row["activityTypeId"] == REMOVE_FROM_LIST,
        "updatedAt": row["activityDate"],
    }


def _members(
    instance: Instance, fields: Sequence[str], changes: Iterable[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    changed: dict[int, dict[int, None]] = {}
    for row in changes:
        changed.setdefault(row["primaryAttributeValueId"], {})[row["leadId"]] = None
    for program, leads in changed.items():
        path = f"/rest/v1/programs/{program}/members.json"
        for rows in instance.marketo.matches(path, "leadId", list(leads), fields=fields):
            yield from rows

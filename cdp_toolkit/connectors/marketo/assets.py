"""Assets: programs and static lists, and who is in them.

Source: https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/assets/programs,
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/lead-database/list-membership and
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-extract/bulk-program-member-extract
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import chain
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

Row = Mapping[str, Any]
Rows = Sequence[Row]


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
    pages = (Page(rows, {}) for rows in instance.marketo.assets(path, **within))
    yield from gather("assets", chain(pages, [Page([], seen, 1.0)]), overlap=Overlap((), EVER))


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
            done = Page([], {"began": stamp(began), "last": each}, i / len(left))
            # Only of the list that a load stopped within, some members may have landed.
            overlap = Overlap(("listId", "leadId"), EVER) if i == 1 else None
            yield from gather(f"list {each}", chain(_list_members(instance, each), [done]), overlap=overlap)
    yield from _changes(instance, cursor, (ADD_TO_LIST, REMOVE_FROM_LIST), began, partial(map, _membership))


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
    yield from _changes(instance, cursor, (CHANGE_STATUS,), began, partial(_program_members, instance, fields))


def _ids(instance: Instance, path: str) -> list[int]:
    return sorted(int(row["id"]) for rows in instance.marketo.assets(path) for row in rows)


def _changes(
    instance: Instance, cursor: Cursor, types: Sequence[int], began: datetime, made_of: Callable[[Rows], Iterable[Row]]
) -> Iterator[Batch]:
    """Read activities since a time, and land what is made of them."""
    place, since = cursor.get("place"), began - instance.overlap
    stream = Stream(instance, "activities", {"activityTypeIds": list(types)})
    pages = (
        Page(list(made_of(page.rows)), {"began": stamp(began), "place": page.cursor}, page.share)
        for page in stream.pages(place, since)
    )
    yield from gather("changes", pages, overlap=stream.overlap(place, since))


def _list_members(instance: Instance, number: int) -> Iterator[Page]:
    for rows in instance.marketo.pages(f"/rest/v1/lists/{number}/leads.json", fields=["id"]):
        yield Page([{"listId": number, "leadId": row["id"]} for row in rows], {})


def _membership(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "listId": row["primaryAttributeValueId"],
        "leadId": row["leadId"],
        "isDeleted": row["activityTypeId"] == REMOVE_FROM_LIST,
        "updatedAt": row["activityDate"],
    }


def _program_members(instance: Instance, fields: Sequence[str], changes: Rows) -> Iterator[Row]:
    changed: dict[int, dict[int, None]] = {}
    for row in changes:
        changed.setdefault(row["primaryAttributeValueId"], {})[row["leadId"]] = None
    for program, leads in changed.items():
        path = f"/rest/v1/programs/{program}/members.json"
        for rows in instance.marketo.matches(path, "leadId", list(leads), fields=fields):
            yield from rows

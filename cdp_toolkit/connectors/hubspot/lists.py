"""Lists of contacts and their members, and the stages of deals: small tables that are read whole."""

from collections.abc import Iterator, Sequence
from typing import Any

from cdp_toolkit.connectors.differences import differences, landed_columns
from cdp_toolkit.connectors.hubspot.client import Client
from cdp_toolkit.sources.rows import Page, gather
from cdp_toolkit.sources.source import Batch, Delivered

_LIST = ("name", "processingType", "createdAt", "updatedAt")
_STAGE = ("label", "pipelineId", "pipelineLabel", "isClosed", "probability")


def read_stages(client: Client, delivered: Delivered) -> Iterator[Batch]:
    """Read the stages of deals that are new or renamed.

    Parameters
    ----------
    client
        The account.
    delivered
        Gives what has landed.

    Yields
    ------
    Batch
        A row a stage: ``id``, ``label``, its pipeline, ``isClosed`` and ``probability``.
    """
    told = [
        {
            "id": stage["id"],
            "label": stage["label"],
            "pipelineId": pipeline["id"],
            "pipelineLabel": pipeline["label"],
            **{name: stage.get("metadata", {}).get(name) for name in ("isClosed", "probability")},
        }
        for pipeline in client.pipelines("deals")
        for stage in pipeline["stages"]
    ]
    yield from _landed("deal_stages", told, delivered, key=("id",), columns=_STAGE)


def read_lists(client: Client, delivered: Delivered) -> Iterator[Batch]:
    """Read the lists that are new, renamed or gone.

    Parameters
    ----------
    client
        The account.
    delivered
        Gives what has landed.

    Yields
    ------
    Batch
        A row a list: ``listId``, ``name``, ``processingType`` and times.
    """
    told = [{name: each.get(name) for name in ("listId", *_LIST)} for each in client.lists()]
    yield from _landed("lists", told, delivered, key=("listId",), columns=_LIST)


def read_members(client: Client, wanted: Sequence[str], delivered: Delivered) -> Iterator[Batch]:
    """Read who joined and who left the lists.

    Parameters
    ----------
    client
        The account.
    wanted
        Names or ids of lists; all static ones if there is none.
    delivered
        Gives what has landed.

    Yields
    ------
    Batch
        A row a membership: ``listId``, ``recordId``, ``membershipTimestamp`` and ``isDeleted``; a batch a list.
    """
    for each in client.lists():
        is_static = each["processingType"] != "DYNAMIC"
        if is_static if not wanted else {each["listId"], each["name"]} & set(wanted):
            told = [{"listId": each["listId"], **member} for member in client.members(each["listId"])]
            name, key, scope = "list_memberships", ("listId", "recordId"), [each["listId"]]
            yield from _landed(name, told, delivered, key=key, columns=("membershipTimestamp",), scope=scope)


def _landed(
    name: str,
    told: Sequence[dict[str, Any]],
    delivered: Delivered,
    *,
    key: Sequence[str],
    columns: Sequence[str],
    scope: Sequence[str] | None = None,
) -> Iterator[Batch]:
    landed = list(delivered(name, landed_columns(key, columns)))
    known = {value for batch in landed for value in batch.column(key[0]).to_pylist()}
    where = (key[0], known if scope is None else scope)
    rows = differences(told, landed, key=key, columns=columns, scope=where)
    if rows:
        yield from gather(name, [Page(rows, {})])

"""Who works for which company, and which companies and people a deal is about.

An association has no time of its own: those of every record that has landed anew are read, and what differs is landed.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from cdp_toolkit.connectors.differences import differences, landed_columns
from cdp_toolkit.connectors.hubspot.client import ASSOCIATED, Client
from cdp_toolkit.sources.rows import Page, gather
from cdp_toolkit.sources.source import Batch, Cursor, Delivered

NAMES = {
    "contacts_companies": ("contacts", "companies"),
    "deals_companies": ("deals", "companies"),
    "deals_contacts": ("deals", "contacts"),
}
_KEY = ("fromId", "toId")
_COLUMNS = ("labels", "isPrimary", "primaryOf", "primary")
_CHUNK = 20 * ASSOCIATED
_PRIMARY = "Primary"


def read_associations(client: Client, name: str, delivered: Delivered, cursor: Cursor) -> Iterator[Batch]:
    """Read the associations of records that have landed since the last look.

    Parameters
    ----------
    client
        The account.
    name
        One of ``NAMES``.
    delivered
        Gives what has landed.
    cursor
        What was remembered: the number of the last commit of records that was looked at.

    Yields
    ------
    Batch
        A row an association: ``fromId``, ``toId``, ``labels``, ``isPrimary``; of each record one row besides names it as
        ``primaryOf``, with its main company or contact as ``primary``, or none.
    """
    kind, other = NAMES[name]
    commits: dict[str, int] = {}
    for batch in delivered(kind, ["id", "_batch"]):
        for record, commit in zip(*(batch.column(i).to_pylist() for i in (0, 1)), strict=True):
            commits[record] = max(commits.get(record, 0), commit)
    fresh = iter(sorted(each for each, commit in commits.items() if commit > cursor.get("commit", 0)))
    while ids := list(islice(fresh, _CHUNK)):
        rows = _changes(client, (kind, other), ids, delivered(name, landed_columns(_KEY, _COLUMNS)))
        yield from gather(name, [Page(rows, {})], most_rows=len(rows) + 1)
    if commits and max(commits.values()) > cursor.get("commit", 0):
        yield Batch(name, {"commit": max(commits.values())})


def _changes(client: Client, kinds: tuple[str, str], ids: Sequence[str], landed: Any) -> list[dict[str, Any]]:
    told: list[dict[str, str | None]] = []
    for start in range(0, len(ids), ASSOCIATED):
        for record, others in client.associated(*kinds, ids[start : start + ASSOCIATED]).items():
            told += _rows(record, others)
    rows = differences(told, landed, key=_KEY, columns=_COLUMNS, scope=("fromId", ids))
    return _with_lost_primaries(rows, {row["fromId"] for row in told})


def _rows(record: str, others: Sequence[dict[str, Any]]) -> list[dict[str, str | None]]:
    rows: list[dict[str, str | None]] = []
    for each in others:
        labels = [kind["label"] for kind in each["associationTypes"] if kind.get("label")]
        role = ";".join(label for label in labels if label != _PRIMARY)
        is_primary = str(_PRIMARY in labels).lower()
        own = {"fromId": record, "toId": str(each["toObjectId"]), "labels": role or None, "isPrimary": is_primary}
        rows.append({**own, "primaryOf": None, "primary": None})
    if rows:
        main = next((row for row in rows if row["isPrimary"] == "true"), rows[0])
        main["primaryOf"], main["primary"] = record, main["toId"]
    return rows


def _with_lost_primaries(rows: list[dict[str, Any]], with_others: set[str | None]) -> list[dict[str, Any]]:
    """Let one row of a record that has lost its last association say that it has no main one any more."""
    lost: set[str] = set()
    for row in rows:
        if row["fromId"] not in with_others and row["fromId"] not in lost:
            row["primaryOf"] = row["fromId"]
            lost.add(row["fromId"])
    return rows

"""Leads: all that there are by bulk extract, and then those that changed.

Source: https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-extract/bulk-lead-extract and
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/lead-database/activities
"""

from collections.abc import Iterator
from datetime import datetime

from cdp_toolkit.connectors.marketo.client import MOST_IDS
from cdp_toolkit.connectors.marketo.instance import Instance
from cdp_toolkit.connectors.marketo.stream import Stream
from cdp_toolkit.connectors.marketo.windows import extract_windows
from cdp_toolkit.sources.rows import Page, gather
from cdp_toolkit.sources.source import Batch, Cursor
from cdp_toolkit.sources.windows import Plan, moment


def read_leads(instance: Instance, cursor: Cursor, *, fields: list[str]) -> Iterator[Batch]:
    """Read leads.

    Parameters
    ----------
    instance
        Where from.
    cursor
        How far it has come.
    fields
        Fields of leads.

    Yields
    ------
    Batch
        Leads by the time of their creation; once these have landed, leads that changed since the backfill began.
    """
    plan = Plan.of(cursor, since=instance.since, now=instance.now, step=instance.longest_window)
    if plan.is_backfill:
        yield from extract_windows(instance, "leads", fields, plan, cursor, stamped_by="createdAt")
    since = plan.until if plan.is_backfill else moment(cursor["until"])
    yield from _changed(instance, fields, cursor, since - instance.overlap)


def _changed(instance: Instance, fields: list[str], cursor: Cursor, since: datetime) -> Iterator[Batch]:
    """Ask for leads of which any field changed; the time of their last change follows standard fields only."""
    place, stream = cursor.get("changes"), Stream(instance, "leadchanges", {"fields": fields})
    leads = _leads(instance, fields, stream.pages(place, since))
    yield from gather("changed leads", leads, overlap=stream.overlap(place, since))


def _leads(instance: Instance, fields: list[str], changes: Iterator[Page]) -> Iterator[Page]:
    waiting: dict[str, None] = {}
    for page in changes:
        waiting |= dict.fromkeys(str(row["leadId"]) for row in page.rows)
        ids = list(waiting)
        if len(ids) >= MOST_IDS or page.share == 1.0:
            found = instance.marketo.matches("/rest/v1/leads.json", "id", ids, fields=fields)
            yield Page([row for rows in found for row in rows], {"changes": page.cursor}, page.share)
            waiting = {}

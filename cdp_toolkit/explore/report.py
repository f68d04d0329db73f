"""One page on a workspace: from records to deliveries, in charts, with no network and no personal data."""

import datetime as dt
from pathlib import Path

import polars as pl

from cdp_toolkit.explore import charts, numbers
from cdp_toolkit.explore.cards import Card, Page, Section
from cdp_toolkit.lake import Lake
from cdp_toolkit.workspace import Workspace

_VERBS = ("load", "stitch", "evaluate", "activate")


def report(ws: Workspace, path: str | Path) -> Path:
    """Write the report of a workspace as one page.

    Parameters
    ----------
    ws
        The workspace.
    path
        Where the page goes, such as ``report.html``.

    Returns
    -------
    Path
        The page: one file that holds everything it shows.
    """
    return overview(ws).save(path)


def overview(ws: Workspace) -> Page:
    """Return the page of a workspace.

    Parameters
    ----------
    ws
        The workspace.

    Returns
    -------
    Page
        From records to deliveries.
    """
    lead = f"People, accounts and audiences as of {dt.datetime.now(dt.UTC):%-d %B %Y, %H:%M} UTC"
    return Page(ws.settings.name, lead, tuple(sections(ws.lake)), _tiles(ws.lake), "It holds no personal data.")


def sections(lake: Lake) -> list[Section]:
    """Return the parts of the report, in the order of the line.

    Parameters
    ----------
    lake
        Tables of the workspace.

    Returns
    -------
    list of Section
        From sources to destinations.
    """
    trends = numbers.trends(lake)
    is_followed = trends["changed_at"].n_unique() > 1
    last = pl.concat([numbers.runs(lake, verb, most=1) for verb in _VERBS]).sort("started_at", descending=True)
    return [
        Section("Overview", "What came in, whom it is about, and how far it went.", (
            Card("Funnel", numbers.funnel(lake), charts.funnel),
            Card("Growth", numbers.growth(lake), charts.growth),
        )),
        Section("Audiences", "Who is in each audience, how that changed, and which are the same people.", (
            Card("Audience sizes", numbers.audiences(lake), charts.audiences),
            Card("Audience sizes over time", trends if is_followed else trends.clear(), charts.trends,
                 "Sizes are followed from the second evaluation on."),
            Card("Overlap", numbers.overlaps(lake), charts.overlaps),
        )),
        Section("Sources", "What each source delivered, and what was kept out and why.", (
            Card("Records", numbers.records(lake), charts.records),
            Card("Rejected values", numbers.rejects(lake), charts.rejects, "Nothing was rejected."),
            Card("Where values were rejected", numbers.rejects(lake).head(12)),
        )),
        identity(lake),
        Section("Destinations", "What was sent, who was refused and why.", (
            Card("Deliveries", numbers.deliveries(lake), charts.deliveries, "Nothing was sent."),
            Card("Deliveries by reason", _reasons(numbers.deliveries(lake))),
        )),
        Section("Runs", "What ran last, and how long it took.", (Card("Last run of each verb", last),)),
    ]  # fmt: skip


def identity(lake: Lake) -> Section:
    """Return the part on who is who.

    Parameters
    ----------
    lake
        Tables of the workspace.

    Returns
    -------
    Section
        Records a person, links, and links that were refused.
    """
    return Section("Identity", "How many records make one person, what links them, and what was not allowed to.", (
        Card("Records a person", numbers.records_per_person(lake), charts.records_per_person),
        Card("Links by identity", numbers.links(lake), charts.links),
        Card("Refused links by reason", numbers.refused_links(lake), charts.refused_links, "No link was refused."),
    ))  # fmt: skip


def _reasons(deliveries: pl.DataFrame) -> pl.DataFrame:
    by_reason = deliveries.group_by("destination", "outcome", "reason").agg(pl.col("rows").sum())
    return by_reason.sort("rows", "destination", "reason", descending=[True, False, False]).head(15)


def _tiles(lake: Lake) -> dict[str, int]:
    delivered = numbers.deliveries(lake).filter(pl.col("outcome") == "delivered")["rows"]
    counts = {"records": sum(numbers.records(lake)["records"]), **numbers.profiles(lake)}
    return counts | {"audiences": numbers.audiences(lake).height, "rows delivered": sum(delivered)}

"""The data of a workspace on a page: what sources bring and how fresh, what was kept out, how whole, and what ran."""

import altair as alt
import polars as pl

from cdp_toolkit.explore import charts, numbers
from cdp_toolkit.explore.cards import Card, Page, Section
from cdp_toolkit.explore.report import identity
from cdp_toolkit.workspace import Workspace


def data_page(ws: Workspace) -> Page:
    """Return the page of a workspace's data.

    Parameters
    ----------
    ws
        The workspace.

    Returns
    -------
    Page
        Sources, freshness, rejects, drift, quality, identity and runs.
    """
    lake = ws.lake
    return Page(
        f"Data of {ws.settings.name}",
        "What sources bring and how fresh it is, what was kept out, how whole profiles are, and what ran.",
        (
            Section("Sources", "Records that are not deleted, and when each source was last heard of.", (
                Card("Records by entity and source", numbers.records(lake), charts.records),
                Card("Freshness", numbers.freshness(lake)),
            )),
            Section("Rejects and drift", "What could not be read, and fields that came, went or changed.", (
                Card("Rejected values by reason", numbers.rejects(lake), charts.rejects, "Nothing was rejected."),
                Card("Fields that changed", numbers.drift(lake), empty="No source changed its fields."),
            )),
            Section("Quality", "A segment can only find what is filled in: what is filled least comes first.", (
                Card("Completeness of people", numbers.filled(lake, "person", most=18), _people),
                Card("Completeness of accounts", numbers.filled(lake, "account", most=18), _accounts),
            )),
            identity(lake),
            Section("Runs", "What ran last, how long it took, and what went wrong.", (
                Card("Runs", numbers.runs(lake), empty="Nothing ran yet.", is_wide=True),
            )),
        ),
        numbers.profiles(lake),
        "It holds no personal data.",
    )  # fmt: skip


def _people(shares: pl.DataFrame) -> alt.LayerChart:
    return charts.filled(shares, "Completeness of people")


def _accounts(shares: pl.DataFrame) -> alt.LayerChart:
    return charts.filled(shares, "Completeness of accounts")

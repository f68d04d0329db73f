"""One page on a workspace: from records to deliveries, in charts, with no network and no personal data."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl
import vl_convert
from jinja2 import Environment, FileSystemLoader

from cdp_toolkit.explore import charts, numbers
from cdp_toolkit.explore.theme import INK
from cdp_toolkit.lake import Lake
from cdp_toolkit.workspace import Workspace

PAGES = Path(__file__).parent / "pages"

Draw = Callable[[pl.DataFrame], alt.LayerChart]


@dataclass(frozen=True)
class Card:
    """One picture or one table of the report, or a sentence where there is nothing to show.

    Parameters
    ----------
    title
        Heading of a table.
    frame
        What is shown.
    draw
        Makes the chart; without it, the frame is shown as a table.
    empty
        What is said where the frame has no rows.
    """

    title: str
    frame: pl.DataFrame
    draw: Draw | None = None
    empty: str = "Nothing so far."

    @property
    def picture(self) -> str:
        """The chart as SVG in the colour of the page's text; empty for a table."""
        if self.draw is None or self.frame.is_empty():
            return ""
        svg: str = vl_convert.vegalite_to_svg(self.draw(self.frame).to_json())
        return svg.replace(INK, "currentColor")

    @property
    def columns(self) -> list[str]:
        """The columns of a table, in order."""
        return self.frame.columns

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of a table."""
        return self.frame.to_dicts()

    def is_number(self, column: str) -> bool:
        """Tell whether a column is aligned as numbers are.

        Parameters
        ----------
        column
            Name of a column.

        Returns
        -------
        bool
            Whether it holds numbers.
        """
        return self.frame.schema[column].is_numeric()


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Parameters
    ----------
    title
        Heading, also in the table of contents.
    lead
        What to see, in a sentence.
    cards
        What is shown.
    """

    title: str
    lead: str
    cards: tuple[Card, ...]

    @property
    def anchor(self) -> str:
        """Where the table of contents leads."""
        return self.title.lower().replace(" ", "-")


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
    environment = Environment(loader=FileSystemLoader(PAGES), autoescape=True)
    environment.filters["told"] = _told
    page = environment.get_template("report.html.j2").render(
        name=ws.settings.name, made_at=dt.datetime.now(dt.UTC), tiles=_tiles(ws.lake), sections=sections(ws.lake)
    )
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


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
        Section("Identity", "How many records make one person, what links them, and what was not allowed to.", (
            Card("Records a person", numbers.records_per_person(lake), charts.records_per_person),
            Card("Links", numbers.links(lake), charts.links),
            Card("Refused links", numbers.refused_links(lake), charts.refused_links, "No link was refused."),
        )),
        Section("Destinations", "What was sent, who was refused and why.", (
            Card("Deliveries", numbers.deliveries(lake), charts.deliveries, "Nothing was sent."),
            Card("Deliveries by reason", _reasons(numbers.deliveries(lake))),
        )),
        Section("Runs", "What ran last, and how long it took.", (Card("Last run of each verb", numbers.runs(lake)),)),
    ]  # fmt: skip


def _reasons(deliveries: pl.DataFrame) -> pl.DataFrame:
    by_reason = deliveries.group_by("destination", "outcome", "reason").agg(pl.col("rows").sum())
    return by_reason.sort("rows", "destination", "reason", descending=[True, False, False]).head(15)


def _tiles(lake: Lake) -> dict[str, int]:
    delivered = numbers.deliveries(lake).filter(pl.col("outcome") == "delivered")["rows"]
    counts = {"records": sum(numbers.records(lake)["records"]), **numbers.profiles(lake)}
    return counts | {"audiences": numbers.audiences(lake).height, "rows delivered": sum(delivered)}


def _told(value: Any) -> str:
    match value:
        case None:
            return ""
        case float():
            return f"{value:,.1f}"
        case int():
            return f"{value:,}"
        case dt.datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case _:
            return str(value)

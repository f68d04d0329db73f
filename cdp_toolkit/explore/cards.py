"""Pages of cards: charts and tables under headings, the same in a notebook, in one file to mail around, and as text."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl
import vl_convert
from jinja2 import Environment, FileSystemLoader

from cdp_toolkit.explore.theme import INK

PAGES = Path(__file__).parent / "pages"

Chart = alt.LayerChart | alt.VConcatChart | alt.Chart
Draw = Callable[[pl.DataFrame], Chart]

_LINES = 12


@dataclass(frozen=True)
class Card:
    """One picture or one table, or a sentence where there is nothing to show.

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
    hover
        Column that tells more of a row when the mouse is over it, instead of being shown.
    is_wide
        Whether it takes the whole width.
    """

    title: str
    frame: pl.DataFrame
    draw: Draw | None = None
    empty: str = "Nothing so far."
    hover: str = ""
    is_wide: bool = False

    @property
    def chart(self) -> Chart | None:
        """The chart, to be changed or saved: ``chart.save("sizes.png")``; None for a table."""
        return None if self.draw is None or self.frame.is_empty() else self.draw(self.frame)

    @property
    def picture(self) -> str:
        """The chart as SVG in the colour of the page's text; empty for a table."""
        if self.chart is None:
            return ""
        svg: str = vl_convert.vegalite_to_svg(self.chart.to_json())
        return svg.replace(INK, "currentColor")

    @property
    def columns(self) -> list[str]:
        """The columns of a table, in order."""
        return [name for name in self.frame.columns if name != self.hover]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of a table."""
        return self.frame.to_dicts()

    def class_of(self, column: str) -> str:
        """Tell how a column is set.

        Parameters
        ----------
        column
            Name of a column.

        Returns
        -------
        str
            ``number`` for what is counted or measured, ``time``, or nothing.
        """
        kind = self.frame.schema[column]
        if kind.is_numeric() and not column.endswith("_id"):
            return "number"
        return "time" if kind.is_temporal() else ""

    def __str__(self) -> str:
        """Return the first rows as text, under the names of their columns."""
        told = [" · ".join(_told(row[name]) or "-" for name in self.columns) for row in self.rows[:_LINES]]
        told = told and [" · ".join(name.replace("_", " ") for name in self.columns), *told]
        rest = [f"… {self.frame.height - _LINES:,} more"] if self.frame.height > _LINES else []
        return "\n".join(f"  {line}" for line in [*(told or [self.empty]), *rest])


@dataclass(frozen=True)
class Section:
    """A part of a page.

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


@dataclass(frozen=True)
class Page:
    """Cards under headings.

    Parameters
    ----------
    title, lead
        What it is about.
    sections
        Its parts.
    tiles
        Numbers to begin with, by what they count.
    footer
        What is said at the end of a file.
    """

    title: str
    lead: str
    sections: tuple[Section, ...]
    tiles: Mapping[str, Any] = field(default_factory=dict)
    footer: str = ""

    @property
    def charts(self) -> dict[str, Chart]:
        """The charts by title, to be changed or saved."""
        cards = [card for section in self.sections for card in section.cards]
        return {card.title: card.chart for card in cards if card.chart is not None}

    def save(self, path: str | Path) -> Path:
        """Write the page as one file that needs no network.

        Parameters
        ----------
        path
            Where the page goes, such as ``report.html``.

        Returns
        -------
        Path
            The file.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._rendered("report.html.j2"), encoding="utf-8")
        return path

    def _rendered(self, template: str) -> str:
        environment = Environment(loader=FileSystemLoader(PAGES), autoescape=True)
        environment.filters["told"] = _told
        return environment.get_template(template).render(page=self)

    def _repr_html_(self) -> str:
        return self._rendered("fragment.html.j2")

    def __repr__(self) -> str:
        """Return headings and the first rows of each card."""
        lines = [self.title, self.lead]
        lines += [f"  {_told(number)} {what}" for what, number in self.tiles.items()]
        for section in self.sections:
            lines += ["", section.title]
            for card in section.cards:
                lines += [f" {card.title}", str(card)]
        return "\n".join(lines)


def _told(value: Any) -> str:  # noqa: PLR0911 - one case a type
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:,.1f}".removesuffix(".0")
        case int():
            return f"{value:,}" if abs(value) < 10**15 else str(value)  # an id is no quantity
        case dt.datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case list():
            return ", ".join(map(_told, value))
        case _:
            return str(value)

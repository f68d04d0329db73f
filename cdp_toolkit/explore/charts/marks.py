"""What all charts are made of. Importing it sets how charts look and that they need no network."""

from typing import Any

import altair as alt
import polars as pl

from cdp_toolkit.explore import offline  # noqa: F401 - sets the renderer
from cdp_toolkit.explore.theme import INK, PEOPLE, ROW, WIDTH


def bars(
    frame: pl.DataFrame,
    name: str,
    count: str,
    *,
    title: str,
    unit: str,
    fill: str = PEOPLE,
    colour: alt.Color | None = None,
) -> alt.LayerChart:
    """Draw numbers by name.

    Parameters
    ----------
    frame
        Rows with a ``name`` and a ``count``; several of a name where a colour tells parts apart.
    name, count
        Columns.
    title, unit
        What is counted.
    fill
        Colour of all bars.
    colour
        Tells the parts of a bar apart.

    Returns
    -------
    altair.LayerChart
        One horizontal bar a name, in the order of the rows, with its total as a number.
    """
    order = frame.group_by(name, maintain_order=True).agg(total=pl.col(count).sum())
    names = order[name].to_list()
    y = alt.Y(f"{name}:N", title=None, sort=names)
    room = alt.Scale(domainMax=1.12 * max([1, *order["total"]]))
    x = alt.X(
        f"{count}:Q", title=unit, scale=room, axis=alt.Axis(format=",d", tickCount=5, tickMinStep=1), stack="zero"
    )
    tooltip: list[Any] = [f"{name}:N", alt.Tooltip(f"{count}:Q", title=unit, format=",d")]
    marks = alt.Chart(frame).mark_bar(color=fill).encode(x=x, y=y, tooltip=tooltip)
    totals = alt.Chart(order).mark_text(align="left", dx=6, color=INK)
    numbers = totals.encode(x=alt.X("total:Q"), y=y, text=alt.Text("total:Q", format=",d"))
    return titled((marks.encode(color=colour) if colour else marks) + numbers, title, height=ROW * max(len(names), 1))


def titled(chart: alt.LayerChart, title: str, width: int = WIDTH, height: int = 200) -> alt.LayerChart:
    """Return a chart with its title and size.

    Parameters
    ----------
    chart
        The chart.
    title
        What it shows.
    width, height
        Of the plot, in pixels.

    Returns
    -------
    altair.LayerChart
        The same chart.
    """
    return chart.properties(title=title, width=width, height=height)

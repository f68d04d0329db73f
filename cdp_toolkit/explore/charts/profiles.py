"""People and accounts: how many are known, how completely, with which values."""

import altair as alt
import polars as pl

from cdp_toolkit.explore.charts.marks import bars, titled
from cdp_toolkit.explore.theme import GOOD, PEOPLE


def growth(months: pl.DataFrame) -> alt.LayerChart:
    """Draw how many people were known.

    Parameters
    ----------
    months
        As ``numbers.growth`` returns it.

    Returns
    -------
    altair.LayerChart
        An area over the months.
    """
    base = alt.Chart(months).encode(
        x=alt.X("month:T", title=None, axis=alt.Axis(grid=False, tickCount=5, format="%b %Y")),
        y=alt.Y("people:Q", title="people", axis=alt.Axis(grid=True, format=",d", tickCount=4)),
        tooltip=[alt.Tooltip("month:T", format="%B %Y"), alt.Tooltip("people:Q", format=",d")],
    )
    area = base.mark_area(color=PEOPLE, opacity=0.18)
    return titled(area + base.mark_line(color=PEOPLE), "People known at the end of each month", height=200)


def values(counted: pl.DataFrame, title: str) -> alt.LayerChart:
    """Draw the most frequent values of a column.

    Parameters
    ----------
    counted
        As ``numbers.values`` returns it.
    title
        What the values are.

    Returns
    -------
    altair.LayerChart
        A bar a value.
    """
    return bars(counted, "value", "profiles", title=title, unit="profiles")


def filled(shares: pl.DataFrame, title: str) -> alt.LayerChart:
    """Draw how complete profiles are.

    Parameters
    ----------
    shares
        As ``numbers.filled`` returns it.
    title
        Whose profiles they are.

    Returns
    -------
    altair.LayerChart
        A bar a column.
    """
    return bars(shares, "column", "percent", title=title, unit="% of profiles with a value", fill=GOOD)

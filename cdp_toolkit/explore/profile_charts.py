"""Charts of what one person or account did."""

import altair as alt
import polars as pl

from cdp_toolkit.explore import offline  # noqa: F401 - sets the renderer
from cdp_toolkit.explore.charts import bars, titled
from cdp_toolkit.explore.theme import GOOD, PEOPLE, QUIET, ROW

_WIDE = 760


def timeline(events: pl.DataFrame) -> alt.LayerChart:
    """Draw events at their times.

    Parameters
    ----------
    events
        One row per event: ``timestamp``, ``event_type``, and ``what`` it was about.

    Returns
    -------
    altair.LayerChart
        A point an event, a line a kind of event.
    """
    kinds = (
        events["event_type"]
        .value_counts()
        .sort("count", "event_type", descending=[True, False])["event_type"]
        .to_list()
    )
    base = alt.Chart(events).encode(
        x=alt.X("timestamp:T", title="time (UTC)", axis=alt.Axis(grid=True, tickCount=8)),
        y=alt.Y("event_type:N", title=None, sort=kinds),
        tooltip=["timestamp:T", "event_type:N", "what:N"],
    )
    points = base.mark_point(filled=True, size=60, opacity=0.55, color=PEOPLE)
    return titled(alt.LayerChart(layer=[points]), "Events", _WIDE, ROW * max(len(kinds), 2))


def engagement(weeks: pl.DataFrame) -> alt.LayerChart:
    """Draw how much happened a week.

    Parameters
    ----------
    weeks
        One row per ``week``: ``events``.

    Returns
    -------
    altair.LayerChart
        A bar a week.
    """
    base = alt.Chart(weeks).encode(
        x=alt.X("week:T", title="week", axis=alt.Axis(tickCount=8)),
        y=alt.Y("events:Q", title="events", axis=alt.Axis(grid=True, format=",d", tickCount=4, tickMinStep=1)),
        tooltip=["week:T", alt.Tooltip("events:Q", format=",d")],
    )
    return titled(
        alt.LayerChart(layer=[base.mark_bar(color=PEOPLE, size=10)]), "Events of its people a week", _WIDE, 160
    )


def deals(rows: pl.DataFrame) -> alt.LayerChart:
    """Draw deals by their stage.

    Parameters
    ----------
    rows
        One row per deal: ``stage``, ``amount``, ``is_closed``.

    Returns
    -------
    altair.LayerChart
        A bar a stage: the sum of the amounts, open and closed in two colours.
    """
    state = pl.when("is_closed").then(pl.lit("closed")).otherwise(pl.lit("open"))
    summed = rows.with_columns(state=state).group_by("stage", "state", maintain_order=True).agg(pl.col("amount").sum())
    scale = alt.Scale(domain=["open", "closed"], range=[GOOD, QUIET])
    colour = alt.Color("state:N", title=None, scale=scale)
    return bars(
        summed, "stage", "amount", title="Amounts by stage", unit="amount, in the account's currency", colour=colour
    )

"""Audiences: their sizes, over time too, what they share and what they are made of."""

import altair as alt
import polars as pl

from cdp_toolkit.explore.charts.marks import bars, titled
from cdp_toolkit.explore.theme import ACCOUNTS, INK, PEOPLE, WIDTH

_MOST_LINES = 8


def audiences(sizes: pl.DataFrame) -> alt.LayerChart:
    """Draw the size of each audience.

    Parameters
    ----------
    sizes
        As ``numbers.audiences`` returns it.

    Returns
    -------
    altair.LayerChart
        A bar a segment, people and accounts in two colours.
    """
    named = sizes.with_columns(kind=pl.col("entity").replace({"person": "People", "account": "Accounts"}))
    colour = alt.Color("kind:N", title=None, scale=alt.Scale(domain=["People", "Accounts"], range=[PEOPLE, ACCOUNTS]))
    return bars(named, "segment", "members", title="Audience sizes", unit="members", colour=colour)


def trends(sizes: pl.DataFrame) -> alt.LayerChart:
    """Draw how the largest audiences grew and shrank.

    Parameters
    ----------
    sizes
        As ``numbers.trends`` returns it.

    Returns
    -------
    altair.LayerChart
        A line a segment, with a step at each evaluation; the largest only, as more lines tell less.
    """
    last = sizes.group_by("segment").agg(pl.col("members").last()).sort("members", "segment", descending=[True, False])
    largest = last["segment"].head(_MOST_LINES)
    base = alt.Chart(sizes.filter(pl.col("segment").is_in(largest.implode()))).encode(
        x=alt.X("changed_at:T", title="evaluated at (UTC)"),
        y=alt.Y("members:Q", title="members", axis=alt.Axis(grid=True, format=",d", tickCount=5)),
        color=alt.Color(
            "segment:N",
            title=None,
            sort=largest.to_list(),
            legend=alt.Legend(orient="bottom", columns=2, labelLimit=200),
        ),
        tooltip=["segment:N", "changed_at:T", alt.Tooltip("members:Q", format=",d")],
    )
    lines = base.mark_line(interpolate="step-after")
    return titled(lines + base.mark_point(filled=True, size=45), "Audience sizes over time", height=260)


def overlaps(pairs: pl.DataFrame) -> alt.LayerChart:
    """Draw how much audiences have in common.

    Parameters
    ----------
    pairs
        As ``numbers.overlaps`` returns it.

    Returns
    -------
    altair.LayerChart
        A cell a pair: the share of their members who are in both, in per cent.
    """
    order = pairs["segment"].unique(maintain_order=True).to_list()
    others = pairs.filter(pl.col("segment") != pl.col("other")).with_columns(percent=pl.col("jaccard") * 100)
    cells = alt.Chart(others).encode(
        x=alt.X("other:N", title=None, sort=order, scale=alt.Scale(domain=order), axis=alt.Axis(labelAngle=-40)),
        y=alt.Y("segment:N", title=None, sort=order, scale=alt.Scale(domain=order)),
        tooltip=["segment:N", "other:N", alt.Tooltip("both:Q", format=",d"), alt.Tooltip("percent:Q", format=".0f")],
    )
    # Opacity instead of a colour scale: what is little fades into the page, light or dark.
    shade = alt.Opacity("percent:Q", legend=None, scale=alt.Scale(type="sqrt", domain=[0, 100], range=[0.05, 1]))
    ink = alt.when("datum.percent > 20").then(alt.value("white")).otherwise(alt.value(INK))
    numbers = cells.mark_text(fontSize=11).transform_filter("datum.percent >= 0.5")
    numbers = numbers.encode(text=alt.Text("percent:Q", format=".0f"), color=ink)
    shaded = cells.mark_rect(cornerRadius=3, color=PEOPLE, stroke=None).encode(opacity=shade)
    size = min(WIDTH, 30 * max(len(order), 4))
    return titled(shaded + numbers, "Overlap of audiences, members in both as % of either", size, size)


def backtest(sizes: pl.DataFrame, title: str) -> alt.LayerChart:
    """Draw how large an audience would have been.

    Parameters
    ----------
    sizes
        One row per time: ``at``, ``members``, ``is_known_then``, as ``polars.DataFrame(ws.backtest(...).table)``.
    title
        Whose sizes they are.

    Returns
    -------
    altair.LayerChart
        A line over the times; points are hollow where no profiles of that time are known and the oldest stand in.
    """
    words = pl.when("is_known_then").then(pl.lit("profiles as they were")).otherwise(pl.lit("oldest profiles"))
    base = alt.Chart(sizes.with_columns(profiles=words)).encode(
        x=alt.X("at:T", title="evaluated as of (UTC)", axis=alt.Axis(grid=False, tickCount=5, format="%-d %b %y")),
        y=alt.Y("members:Q", title="members", axis=alt.Axis(grid=True, format=",d", tickCount=5, tickMinStep=1)),
        tooltip=["at:T", alt.Tooltip("members:Q", format=",d"), alt.Tooltip("total:Q", format=",d"), "known_at:T"],
    )
    scale = alt.Scale(domain=["profiles as they were", "oldest profiles"], range=[PEOPLE, "transparent"])
    points = base.mark_point(size=55, stroke=PEOPLE, strokeWidth=1.5, opacity=1).encode(
        fill=alt.Fill("profiles:N", title=None, scale=scale)
    )
    return titled(base.mark_line(color=PEOPLE) + points, title, height=220)


def composition(counted: pl.DataFrame) -> alt.VConcatChart:
    """Draw what an audience is made of.

    Parameters
    ----------
    counted
        As ``Explorer.composition`` returns it.

    Returns
    -------
    altair.VConcatChart
        A chart a facet, a bar a value.
    """
    drawn = [
        bars(rows, "value", "members", title=str(facet[0]), unit="members")
        for facet, rows in counted.group_by("facet", maintain_order=True)
    ]
    pairs = [alt.hconcat(*drawn[place : place + 2], spacing=30) for place in range(0, len(drawn), 2)]
    return alt.vconcat(*pairs, spacing=24)

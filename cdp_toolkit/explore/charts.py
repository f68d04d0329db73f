"""Charts of the frames that ``numbers`` returns. Importing this sets how charts look and that they need no network.

Each function returns an Altair chart, so that the last touch is the caller's.
"""

from typing import Any

import altair as alt
import polars as pl

from cdp_toolkit.explore import offline  # noqa: F401 - sets the renderer
from cdp_toolkit.explore.theme import ACCOUNTS, BAD, GOOD, INK, PEOPLE, QUIET, ROW, WIDTH

_MOST_LINES = 8
_OUTCOMES = {"delivered": GOOD, "refused": QUIET, "failed": BAD}


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
    largest = sizes.group_by("segment").agg(pl.col("members").last()).top_k(_MOST_LINES, by="members")["segment"]
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


def funnel(stages: pl.DataFrame) -> alt.LayerChart:
    """Draw how many are left at each stage.

    Parameters
    ----------
    stages
        As ``numbers.funnel`` returns it.

    Returns
    -------
    altair.LayerChart
        A bar a stage, in the order of the line.
    """
    return bars(stages, "stage", "count", title="From records to deliveries", unit="records, then people")


def rejects(reasons: pl.DataFrame) -> alt.LayerChart:
    """Draw why rows were kept out.

    Parameters
    ----------
    reasons
        As ``numbers.rejects`` returns it.

    Returns
    -------
    altair.LayerChart
        A bar a reason.
    """
    counted = reasons.group_by("reason").agg(pl.col("values").sum()).sort("values", "reason", descending=[True, False])
    return bars(counted.head(12), "reason", "values", title="Rejected values by reason", unit="values", fill=BAD)


def records(counted: pl.DataFrame) -> alt.LayerChart:
    """Draw what each source brought.

    Parameters
    ----------
    counted
        As ``numbers.records`` returns it.

    Returns
    -------
    altair.LayerChart
        A bar an entity, one colour a source.
    """
    return bars(counted, "entity", "records", title="Records by entity and source", unit="records",
                 colour=alt.Color("source:N", title=None))  # fmt: skip


def records_per_person(counted: pl.DataFrame) -> alt.LayerChart:
    """Draw how many records people are stitched from.

    Parameters
    ----------
    counted
        As ``numbers.records_per_person`` returns it.

    Returns
    -------
    altair.LayerChart
        A bar a number of records.
    """
    most = 10
    capped = pl.when(pl.col("records") >= most).then(pl.lit(f"{most}+")).otherwise(pl.col("records").cast(pl.String))
    capped_bars = (
        counted.sort("records").group_by(capped.alias("records"), maintain_order=True).agg(pl.col("people").sum())
    )
    base = alt.Chart(capped_bars).encode(
        x=alt.X("records:N", sort=None, title="records that one person is made of", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("people:Q", title="people", axis=alt.Axis(grid=True, format=",d", tickCount=4)),
        tooltip=["records:N", alt.Tooltip("people:Q", format=",d")],
    )
    labels = base.mark_text(dy=-8).encode(text=alt.Text("people:Q", format=",d"))
    return titled(base.mark_bar() + labels, "Records a person", height=200)


def links(counted: pl.DataFrame) -> alt.LayerChart:
    """Draw which identities link records.

    Parameters
    ----------
    counted
        As ``numbers.links`` returns it.

    Returns
    -------
    altair.LayerChart
        A bar a namespace.
    """
    by_namespace = counted.group_by("namespace").agg(pl.col("links").sum()).sort("links", descending=True)
    return bars(by_namespace, "namespace", "links", title="Links by identity", unit="links", fill=GOOD)


def refused_links(counted: pl.DataFrame) -> alt.LayerChart:
    """Draw why identities were not allowed to link.

    Parameters
    ----------
    counted
        As ``numbers.refused_links`` returns it.

    Returns
    -------
    altair.LayerChart
        A bar a reason.
    """
    by_reason = counted.group_by("reason").agg(pl.col("links").sum()).sort("links", descending=True)
    return bars(by_reason, "reason", "links", title="Refused links by reason", unit="links", fill=BAD)


def deliveries(counted: pl.DataFrame) -> alt.LayerChart:
    """Draw what each destination received and refused.

    Parameters
    ----------
    counted
        As ``numbers.deliveries`` returns it.

    Returns
    -------
    altair.LayerChart
        A bar a destination, one colour an outcome.
    """
    outcomes = counted.group_by("destination", "outcome").agg(pl.col("rows").sum()).sort("rows", descending=True)
    scale = alt.Scale(domain=list(_OUTCOMES), range=list(_OUTCOMES.values()))
    return bars(outcomes, "destination", "rows", title="Deliveries by destination", unit="rows",
                 colour=alt.Color("outcome:N", title=None, scale=scale))  # fmt: skip


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
        x=alt.X("at:T", title="evaluated as of (UTC)", axis=alt.Axis(grid=False, tickCount=5)),
        y=alt.Y("members:Q", title="members", axis=alt.Axis(grid=True, format=",d", tickCount=5, tickMinStep=1)),
        tooltip=["at:T", alt.Tooltip("members:Q", format=",d"), alt.Tooltip("total:Q", format=",d"), "known_at:T"],
    )
    scale = alt.Scale(domain=["profiles as they were", "oldest profiles"], range=[PEOPLE, "transparent"])
    points = base.mark_point(size=55, stroke=PEOPLE, strokeWidth=1.5, opacity=1).encode(
        fill=alt.Fill("profiles:N", title=None, scale=scale)
    )
    return titled(base.mark_line(color=PEOPLE) + points, title, height=220)


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

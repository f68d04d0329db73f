"""Charts of the frames that ``audience_numbers`` returns."""

import altair as alt
import polars as pl

from cdp_toolkit.explore import offline  # noqa: F401 - sets the renderer
from cdp_toolkit.explore.charts import bars, titled
from cdp_toolkit.explore.theme import BAD, GOOD, PEOPLE, QUIET, ROW, WIDTH

_COMBINATIONS = 12


def size(moves: pl.DataFrame) -> alt.LayerChart:
    """Draw how an audience grew and shrank.

    Parameters
    ----------
    moves
        As ``audience_numbers.moves`` returns it.

    Returns
    -------
    altair.LayerChart
        A line with a step at each evaluation.
    """
    base = alt.Chart(moves).encode(
        x=alt.X(
            "changed_at:T",
            title="evaluated at (UTC)",
            axis=alt.Axis(format="%-d %b %H:%M", tickCount=4, labelOverlap=True),
        ),
        y=alt.Y("members:Q", title="members", axis=alt.Axis(grid=True, format=",d", tickCount=5, tickMinStep=1)),
        tooltip=["changed_at:T", alt.Tooltip("members:Q", format=",d")],
    )
    line = base.mark_line(interpolate="step-after", color=PEOPLE)
    return titled(line + base.mark_point(filled=True, size=50, color=PEOPLE), "Size over time")


def moves(moves: pl.DataFrame) -> alt.LayerChart:
    """Draw who entered and who left.

    Parameters
    ----------
    moves
        As ``audience_numbers.moves`` returns it.

    Returns
    -------
    altair.LayerChart
        A bar up for those who entered, one down for those who left, at each evaluation.
    """
    entered = moves.select("changed_at", change=pl.lit("entered"), profiles="entered")
    exited = moves.select("changed_at", change=pl.lit("left"), profiles=-pl.col("exited"))
    at = pl.col("changed_at").dt.strftime("%Y-%m-%d %H:%M")
    both = pl.concat([entered, exited]).with_columns(at=at, told=pl.col("profiles").abs())
    scale = alt.Scale(domain=["entered", "left"], range=[GOOD, BAD])
    base = alt.Chart(both).encode(
        x=alt.X("at:O", title="evaluated at (UTC)", axis=alt.Axis(labelAngle=-40, labelOverlap=True)),
        y=alt.Y("profiles:Q", title="entered, left", axis=alt.Axis(grid=True, format=",d", tickCount=5)),
        color=alt.Color("change:N", title=None, scale=scale),
        tooltip=["at:O", "change:N", alt.Tooltip("told:Q", title="profiles", format=",d")],
    )
    labels = base.transform_filter("datum.told > 0").mark_text(dy=alt.expr("datum.profiles < 0 ? 12 : -8"))
    return titled(base.mark_bar() + labels.encode(text=alt.Text("told:Q", format=",d")), "Entered and left")


def upset(combinations: pl.DataFrame) -> alt.VConcatChart:
    """Draw by exactly which other audiences members are counted.

    Parameters
    ----------
    combinations
        As ``audience_numbers.intersections`` returns it.

    Returns
    -------
    altair.VConcatChart
        A bar a combination; below it a dot for each audience of the combination.
    """
    shown = combinations.head(_COMBINATIONS).with_row_index("place")
    named = shown.with_columns(told=pl.col("others").list.join(", ").replace("", "in no other"))
    x = alt.X("place:O", axis=None)
    tooltip = [alt.Tooltip("told:N", title="also in"), alt.Tooltip("members:Q", format=",d")]
    flat = named.select("place", "told", "members")
    base = alt.Chart(flat).encode(
        x=x, y=alt.Y("members:Q", title="members", axis=alt.Axis(grid=True, format=",d", tickCount=4)), tooltip=tooltip
    )
    columns = base.mark_bar(color=PEOPLE) + base.mark_text(dy=-8).encode(text=alt.Text("members:Q", format=",d"))
    every = shown["others"].explode().drop_nulls().unique().sort().to_list()
    matrix = pl.DataFrame({"segment": every}, schema={"segment": pl.String}).join(shown, how="cross")
    dots = matrix.select("place", "segment", "members", is_in=pl.col("others").list.contains(pl.col("segment")))
    colour = alt.when("datum.is_in").then(alt.value(PEOPLE)).otherwise(alt.value(QUIET))
    opacity = alt.when("datum.is_in").then(alt.value(1)).otherwise(alt.value(0.25))
    grid = alt.Chart(dots).mark_circle(size=110).encode(
        x=x, y=alt.Y("segment:N", title=None), color=colour, opacity=opacity, tooltip=["segment:N"]
    )  # fmt: skip
    width = max(WIDTH - 90, 24 * shown.height)
    upper = columns.properties(width=width, height=130)
    lower = grid.properties(width=width, height=ROW * max(len(every), 1))
    return alt.vconcat(upper, lower, spacing=4, title="Also in exactly these audiences")


def lift(values: pl.DataFrame, what: str) -> alt.LayerChart:
    """Draw what is more, or less, frequent in an audience than among all.

    Parameters
    ----------
    values
        As ``audience_numbers.lift`` returns it.
    what
        What the values are, such as ``country``.

    Returns
    -------
    altair.LayerChart
        A bar a value from 1, on a scale on which twice as frequent and half as frequent are as far from it.
    """
    drawn = values.with_columns(one=pl.lit(1.0), more=pl.col("lift") >= 1)
    colour = alt.when("datum.more").then(alt.value(GOOD)).otherwise(alt.value(BAD))
    most = max([2.0, *values["lift"], *(1 / each for each in values["lift"] if each)])
    scale = alt.Scale(type="log", domain=[1 / most / 1.3, most * 1.6])
    base = alt.Chart(drawn).encode(
        x=alt.X("lift:Q", title="times as frequent as among all", scale=scale, axis=alt.Axis(tickCount=5, format="~g")),
        y=alt.Y("value:N", title=None, sort=values["value"].to_list()),
        tooltip=["value:N", alt.Tooltip("inside:Q", title="% in the audience", format=".1f"),
                 alt.Tooltip("everywhere:Q", title="% among all", format=".1f"), alt.Tooltip("lift:Q", format=".2f")],
    )  # fmt: skip
    marks = base.mark_bar().encode(x2="one:Q", color=colour)
    labels = base.mark_text(align=alt.expr("datum.more ? 'left' : 'right'"), dx=alt.expr("datum.more ? 5 : -5"))
    chart = marks + labels.encode(text=alt.Text("lift:Q", format=".1f"))
    return titled(chart, f"What sets its {what} apart", height=ROW * max(values.height, 1))


def reach(stages: pl.DataFrame) -> alt.LayerChart:
    """Draw how far members reach.

    Parameters
    ----------
    stages
        As ``audience_numbers.reach`` returns it.

    Returns
    -------
    altair.LayerChart
        A bar a stage, each a part of the one before.
    """
    return bars(stages, "stage", "count", title="From members to open deals", unit="members")

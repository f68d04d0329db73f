"""Records and what makes them one person."""

import altair as alt
import polars as pl

from cdp_toolkit.explore.charts.marks import bars, titled
from cdp_toolkit.explore.theme import BAD, GOOD


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
    by_namespace = counted.group_by("namespace").agg(pl.col("links").sum())
    by_namespace = by_namespace.sort("links", "namespace", descending=[True, False])
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
    by_reason = counted.group_by("reason").agg(pl.col("links").sum())
    by_reason = by_reason.sort("links", "reason", descending=[True, False])
    return bars(by_reason, "reason", "links", title="Refused links by reason", unit="links", fill=BAD)

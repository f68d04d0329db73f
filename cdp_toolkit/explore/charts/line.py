"""The line from sources to destinations: what came, what was kept out, what was sent."""

import altair as alt
import polars as pl

from cdp_toolkit.explore.charts.marks import bars
from cdp_toolkit.explore.theme import BAD, GOOD, QUIET

_OUTCOMES = {"delivered": GOOD, "refused": QUIET, "failed": BAD}


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
    outcomes = counted.group_by("destination", "outcome").agg(pl.col("rows").sum())
    outcomes = outcomes.sort("rows", "destination", "outcome", descending=[True, False, False])
    scale = alt.Scale(domain=list(_OUTCOMES), range=list(_OUTCOMES.values()))
    return bars(outcomes, "destination", "rows", title="Deliveries by destination", unit="rows",
                 colour=alt.Color("outcome:N", title=None, scale=scale))  # fmt: skip

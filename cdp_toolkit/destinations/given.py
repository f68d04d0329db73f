"""A plan that somebody holds, judged again at the moment of delivery.

A plan is made, looked at and carried out later, and in a notebook anything can be done to it in between. So its rows are
never sent: what is sent are the rows of a plan made now, as far as the given one names them.
"""

from dataclasses import replace
from typing import Any

import narwhals as nw

from cdp_toolkit.destinations.plan import Plan

_SAME = ["_audience", "_row_key", "_is_removal", "_value"]


def still_so(given: Plan, now: Plan) -> tuple[Plan, int, int]:
    """Return what a given plan and the plan of now have in common.

    Parameters
    ----------
    given
        The plan that is to be carried out.
    now
        Plan of the same destination at the moment of delivery.

    Returns
    -------
    plan, outdated, later
        Rows of ``now`` that ``given`` has too, with the same values; how many changes of ``given`` are none any more,
        and how many changes came after it.
    """
    mine, theirs = _named(now), _named(given)
    common = mine.join(theirs.select(_SAME).unique(), on=_SAME, how="semi").drop("_is_removal", "_value")
    rows = common.to_native().select(now.rows.column_names)
    outdated = theirs.filter("_is_change").join(mine.select(_SAME).unique(), on=_SAME, how="anti")
    later = mine.filter("_is_change").join(theirs.select(_SAME).unique(), on=_SAME, how="anti")
    order = [(name, "ascending") for name in ("_audience", "_row_key")]
    return replace(now, rows=rows.sort_by(order)), len(outdated), len(later)


def _named(plan: Plan) -> nw.DataFrame[Any]:
    rows: nw.DataFrame[Any] = nw.from_native(plan.rows, eager_only=True)
    return rows.with_columns(
        _is_removal=nw.col("_action").is_in(["remove", "clear"]), _value=nw.col("_digest").fill_null(0)
    )

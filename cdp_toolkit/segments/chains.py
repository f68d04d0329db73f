"""Steps in time order: whether the rows of an owner follow each other as a chain says.

A step is reached at an instant if it is met there and the step before was reached strictly earlier, at a time that
its distance allows. The latest such time is the best for ``<= 7 days after``, the earliest for all else, so two
running extremes decide exactly, in one pass over the instants of an owner, however many rows match. Where at least k rows
must lie within a distance, or none of another kind between, the best is the latest such time before the k-th last row.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import reduce
from operator import or_

import narwhals as nw

from cdp_toolkit.engines import Frame
from cdp_toolkit.segments.expressions import COMPARISONS, Expr, expression
from cdp_toolkit.segments.pql.bound import Aggregate, Leaf, Stage
from cdp_toolkit.segments.pql.times import Clock

# Stand for "not yet" in running extremes, since engines treat nulls there in different ways.
_BEFORE_ALL, _AFTER_ALL = (nw.lit(datetime(year, 1, 1, tzinfo=UTC), nw.Datetime("us", "UTC")) for year in (1000, 5000))
_MANY = nw.lit(2**62)


def chained(rows: Frame, chain: Aggregate, name: str, names: Mapping[Leaf, str], clock: Clock, *, owner: str) -> Frame:
    """Find the owners whose rows make a chain.

    Parameters
    ----------
    rows
        One row per owner and row of the array: ``owner`` and a column a leaf.
    chain
        The chain.
    name
        Column for the answer.
    names
        Column of each leaf.
    clock
        Where days begin.
    owner
        Column that tells owners apart.

    Returns
    -------
    Frame
        One row per owner: ``owner``, and ``name``, which is true or false.
    """
    met = _met(rows, chain, names, clock, owner)
    frame = _instants(met, chain, owner)
    unwanted: list[int] = []
    is_first = True
    for index, stage in enumerate(chain.stages):
        if stage.is_negated:
            unwanted.append(index)
            continue
        frame = _reach(frame, met, stage, index, unwanted, owner=owner, is_first=is_first)
        is_first, unwanted = False, []
    for index in unwanted:
        frame = _stay_clear(frame, chain.stages[index], index, owner)
    return frame.group_by(owner).agg(nw.col("_reached").any().alias(name))


def _met(rows: Frame, chain: Aggregate, names: Mapping[Leaf, str], clock: Clock, owner: str) -> Frame:
    """Return the rows that meet a step: their time, and for each step 1 where it is met and 0 where not."""
    assert chain.value is not None  # noqa: S101 - the time of a row
    met = {
        f"_met{index}": expression(stage.condition, names, clock).fill_null(False).cast(nw.Int64)
        for index, stage in enumerate(chain.stages)
    }
    rows = rows.select(owner, _at=expression(chain.value, names, clock), **met)
    return rows.filter(~nw.col("_at").is_null() & reduce(or_, (nw.col(each) > 0 for each in met)))


def _instants(met: Frame, chain: Aggregate, owner: str) -> Frame:
    """Return one row per owner and instant: how many rows meet each step, there and so far."""
    counts = (f"_met{index}" for index in range(len(chain.stages)))
    instants = met.group_by(owner, "_at").agg(*(nw.col(each).sum().cast(nw.Int64) for each in counts))
    counted = (index for index, stage in enumerate(chain.stages) if stage.at_least > 1)
    return instants.with_columns(
        owner, **{f"_so_far{index}": nw.col(f"_met{index}").cum_sum().over(owner, order_by="_at") for index in counted}
    )


def _reach(
    frame: Frame, met: Frame, stage: Stage, index: int, unwanted: Sequence[int], *, owner: str, is_first: bool
) -> Frame:
    """Mark the instants at which the step is reached, by what was reached and spoilt strictly before."""
    at, holds = nw.col("_at"), nw.col(f"_met{index}") > 0
    before: dict[str, Expr] = {}
    if not is_first:
        before["_latest"] = nw.when("_reached").then(at).otherwise(_BEFORE_ALL).cum_max()
        before["_earliest"] = nw.when("_reached").then(at).otherwise(_AFTER_ALL).cum_min()
    if unwanted:
        is_spoilt = reduce(or_, (nw.col(f"_met{each}") > 0 for each in unwanted))
        before["_spoilt"] = nw.when(is_spoilt).then(at).otherwise(_BEFORE_ALL).cum_max()
    is_near = stage.distance is not None and stage.distance[0] in {"<", "<="}
    is_counted_back = stage.at_least > 1 and not is_first and (is_near or bool(unwanted))
    if stage.at_least > 1 and not is_first and not is_counted_back:
        before["_since"] = nw.when("_reached").then(nw.col(f"_so_far{index}")).otherwise(_MANY).cum_min()
    frame = frame.with_columns(owner, **{name: each.over(owner, order_by="_at") for name, each in before.items()})
    frame = frame.with_columns(owner, *(nw.col(each).shift(1).over(owner, order_by="_at") for each in before))
    if is_counted_back:
        frame = _counted_back(frame, met, f"_met{index}", stage.at_least, owner)
    if not is_first:
        holds &= (nw.col("_latest") > _BEFORE_ALL) & _far_enough(stage)
    if unwanted:
        holds &= (nw.col("_spoilt") <= (_BEFORE_ALL if is_first else nw.col("_latest"))).fill_null(True)
    if stage.at_least > 1 and not is_counted_back:
        holds &= nw.col(f"_so_far{index}") - (nw.lit(0) if is_first else nw.col("_since")) >= stage.at_least
    return frame.with_columns(_reached=holds.fill_null(False))


def _counted_back(frame: Frame, met: Frame, step: str, amount: int, owner: str) -> Frame:
    """Let ``_latest`` be what it is at the row that so many rows of a step, with those of the instant, begin with."""
    rows = met.filter(nw.col(step) > 0).select(owner, "_at")
    rows = rows.join(frame.select(owner, "_at", "_latest"), on=[owner, "_at"], how="inner")
    start = nw.col("_latest").shift(amount - 1).over(owner, order_by="_at")
    # Of rows at one instant the last knows of all of them, and has the latest start.
    starts = rows.with_columns(_start=start).group_by(owner, "_at").agg(nw.col("_start").max())
    return frame.join(starts, on=[owner, "_at"], how="left").with_columns(_latest=nw.col("_start")).drop("_start")


def _far_enough(stage: Stage) -> Expr:
    if stage.distance is None:
        return nw.lit(True)
    operator, offset = stage.distance
    best = nw.col("_latest" if operator in {"<", "<="} else "_earliest")
    return COMPARISONS[operator](nw.col("_at"), best.dt.offset_by(offset))


def _stay_clear(frame: Frame, stage: Stage, index: int, owner: str) -> Frame:
    """Keep the instants marked after which the step never comes, or not within its distance."""
    met = nw.when(nw.col(f"_met{index}") > 0).then(nw.col("_at")).otherwise(_AFTER_ALL)
    frame = frame.with_columns(_next=met.cum_min(reverse=True).over(owner, order_by="_at"))
    frame = frame.with_columns(_next=nw.col("_next").shift(-1).over(owner, order_by="_at").fill_null(_AFTER_ALL))
    is_clear = nw.col("_next") >= _AFTER_ALL
    if stage.distance is not None:
        operator, offset = stage.distance
        is_clear |= ~COMPARISONS[operator](nw.col("_next"), nw.col("_at").dt.offset_by(offset))
    return frame.with_columns(_reached=nw.col("_reached") & is_clear)

"""Who entered, who is still in, who left."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import narwhals as nw

from cdp_toolkit.engines import Frame

_COLUMNS = (
    "segment", "entity", "profile_id", "status", "first_qualified_at", "last_qualified_at", "exited_at"
)  # fmt: skip


@dataclass(frozen=True)
class Changes:
    """What an evaluation changes.

    Parameters
    ----------
    membership
        All of ``segments/membership`` as it is now.
    history
        Rows to append to ``segments/history``: who entered and who left.
    """

    membership: Frame
    history: Frame


def update(previous: Frame | None, members: Frame, *, evaluated: Sequence[str], as_of: datetime) -> Changes:
    """Bring the membership up to date.

    Parameters
    ----------
    previous
        ``segments/membership`` before; None if it was never written.
    members
        One row per segment and member: ``segment``, ``entity``, ``profile_id``.
    evaluated
        Segments that ``members`` is complete for; the rows of all others stay as they are.
    as_of
        When the evaluation looked.

    Returns
    -------
    Changes
        ``last_qualified_at`` is the latest entry and does not move while a profile stays in. Without a change the
        membership is equal to the previous one and the history is empty.
    """
    now = nw.lit(as_of, nw.Datetime("us", "UTC"))
    if previous is None:
        compared = members.select("segment", "entity", "profile_id", _was=nw.lit(False), _is=nw.lit(True))
        entered = compared.with_columns(status=nw.lit("realized"), first_qualified_at=now, last_qualified_at=now)
        gone = nw.lit(None, nw.Datetime("us", "UTC"))
        return Changes(entered.with_columns(exited_at=gone).select(*_COLUMNS), _history(compared, now))
    is_evaluated = nw.col("segment").is_in(list(evaluated))
    compared = _side_by_side(previous.filter(is_evaluated), members)
    current = _qualified(compared, now).select(*_COLUMNS)
    kept = previous.filter(~is_evaluated).select(*_COLUMNS)
    return Changes(nw.concat([kept, current]), _history(compared, now))


def _side_by_side(before: Frame, members: Frame) -> Frame:
    """Return one row per segment and profile of either side, with whether it was in and is in."""
    after = members.select(
        _segment=nw.col("segment"), _entity=nw.col("entity"), _profile_id=nw.col("profile_id"), _member=nw.lit(True)
    )
    both = before.join(after, left_on=["segment", "profile_id"], right_on=["_segment", "_profile_id"], how="full")
    return both.with_columns(
        segment=nw.coalesce("segment", "_segment"),
        entity=nw.coalesce("entity", "_entity"),
        profile_id=nw.coalesce("profile_id", "_profile_id"),
        _was=(nw.col("status") == "realized").fill_null(False),
        _is=nw.col("_member").fill_null(False),
    )


def _qualified(compared: Frame, now: nw.Expr) -> Frame:
    was, is_in = nw.col("_was"), nw.col("_is")
    nothing = nw.lit(None, nw.Datetime("us", "UTC"))
    left = nw.when(was).then(now).otherwise(nw.col("exited_at"))
    return compared.with_columns(
        status=nw.when(is_in).then(nw.lit("realized")).otherwise(nw.lit("exited")),
        first_qualified_at=nw.coalesce(nw.col("first_qualified_at"), now),
        last_qualified_at=nw.when(is_in & ~was).then(now).otherwise(nw.col("last_qualified_at")),
        exited_at=nw.when(is_in).then(nothing).otherwise(left),
    )


def _history(compared: Frame, now: nw.Expr) -> Frame:
    was, is_in = nw.col("_was"), nw.col("_is")
    change = nw.when(is_in).then(nw.lit("entered")).otherwise(nw.lit("exited"))
    return compared.filter(was != is_in).select("segment", "entity", "profile_id", change=change, changed_at=now)

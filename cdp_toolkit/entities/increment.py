"""New records laid over those that there are: the same tables as if all that has landed were read again."""

from typing import NamedTuple

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.entities.latest import changed_at, rows_of
from cdp_toolkit.model import Entity


class Increment(NamedTuple):
    """What new records change.

    Parameters
    ----------
    rows
        New records that count, one row per ``source_key``.
    kept
        Records of before that stay; None where all do, so that the new ones only come after them.
    """

    rows: Frame
    kept: Frame | None


def lay_over(records: Frame, new: Frame, entity: Entity, engine: Engine) -> Increment:
    """Find which new records count, and which they take the place of.

    Parameters
    ----------
    records
        One row per ``source_key``, as it was.
    new
        One row per ``source_key`` that was landed since.
    entity
        Their entity.
    engine
        Keeps the new rows.

    Returns
    -------
    Increment
        A new record counts unless the one that is there was changed later. Of two with the same time the new one does,
        since it was landed later.
    """
    new = engine.materialise(new)
    at = changed_at(entity)
    there = engine.materialise(
        records.join(new.select("source_key"), on="source_key", how="semi").select("source_key", _there=at)
    )
    if not rows_of(there, engine):
        return Increment(new, None)
    beaten = new.with_columns(_at=at).join(there, on="source_key", how="inner").filter(nw.col("_at") < nw.col("_there"))
    rows = engine.materialise(new.join(beaten.select("source_key"), on="source_key", how="anti"))
    return Increment(rows, records.join(rows.select("source_key"), on="source_key", how="anti"))

"""One row a source record: the latest that the source said of it."""

from datetime import UTC, datetime

import narwhals as nw

from cdp_toolkit.engines import Frame
from cdp_toolkit.model import Entity

_NEVER = datetime(1, 1, 1, tzinfo=UTC)
_PLACE = ("source_key", "_batch", "_file", "_line")


def latest(records: Frame, entity: Entity) -> Frame:
    """Keep the last row of each record.

    Parameters
    ----------
    records
        Good rows of ``read_records``, of all sources.
    entity
        Their entity.

    Returns
    -------
    Frame
        One row per ``source_key``: the latest ``updated_at`` (for events ``timestamp``), then the latest landed; where
        both are equal, the one that says that the record is deleted. Where no time is told, it is the earliest.
    """
    # Only keys and times are sorted, and only of records told more than once; whole rows stream by. Sorting whole rows
    # took 7.9 GB for 2.2M events, this 2.3 GB.
    narrow = records.select(*_PLACE, "_loaded_at", "is_deleted", _at=changed_at(entity))
    repeated = narrow.group_by("source_key").agg(rows=nw.len()).filter(nw.col("rows") > 1)
    rivals = narrow.join(repeated, on="source_key", how="semi")
    winners = rivals.unique("source_key", keep="last", order_by=["_at", "_loaded_at", "is_deleted", "_batch", "_line"])
    losers = rivals.join(winners, on=list(_PLACE), how="anti")
    return records.join(losers, on=list(_PLACE), how="anti")


def changed_at(entity: Entity) -> nw.Expr:
    """Return when a record of an entity was changed, as far as it says.

    Parameters
    ----------
    entity
        The entity.

    Returns
    -------
    narwhals.Expr
        Never null: a record that does not say was changed before all others.
    """
    changed = next((name for name in ("updated_at", "timestamp") if name in entity.fields), None)
    return nw.col(changed).fill_null(_NEVER) if changed else nw.lit(_NEVER)

"""One row a source record: the latest that the source said of it."""

from datetime import UTC, datetime

import narwhals as nw

from cdp_toolkit.engines import Frame
from cdp_toolkit.model import Entity

_NEVER = datetime(1, 1, 1, tzinfo=UTC)


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
    changed = next((name for name in ("updated_at", "timestamp") if name in entity.fields), None)
    ordered = records.with_columns(_at=nw.col(changed).fill_null(_NEVER) if changed else nw.lit(_NEVER))
    return ordered.unique(
        "source_key", keep="last", order_by=["_at", "_loaded_at", "is_deleted", "_batch", "_line"]
    ).drop("_at")

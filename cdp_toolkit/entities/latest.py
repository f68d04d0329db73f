"""One row a source record: the latest that the source said of it."""

from datetime import UTC, datetime

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.model import Entity

_NEVER = datetime(1, 1, 1, tzinfo=UTC)
TABLE = "_table"
"""Column that tells what was made of one landed object from what was made of others, whose files may have the same names."""
_PLACE = ("source_key", TABLE, "_batch", "_file", "_line")
_COUNTED_AT_ONCE = 2**24


def latest(records: Frame, entity: Entity, engine: Engine) -> Frame:
    """Keep the last row of each record.

    Parameters
    ----------
    records
        Good rows of ``read_records``, of all sources, with a number in ``TABLE`` for each landed object and output.
    entity
        Their entity.
    engine
        Hashes, and keeps what records told more than once say.

    Returns
    -------
    Frame
        One row per ``source_key``: the latest ``updated_at`` (for events ``timestamp``), then the latest landed; where
        both are equal, the one that says that the record is deleted. Where no time is told, it is the earliest.
    """
    # Only keys and times are sorted, and only of records told more than once; whole rows stream by. Sorting whole rows
    # took 7.9 GB for 2.2M events.
    narrow = engine.key64(
        records.select(*_PLACE, "_loaded_at", "is_deleted", _at=changed_at(entity)), {"_key": "source_key"}
    )
    repeated = repeated_in(engine.materialise(narrow.select("_key")), "_key", engine)
    if not rows_of(repeated, engine):
        return records
    # Kept apart, since texts of few rows would hold those of all; hashes may bring some too many.
    with engine.set_aside(engine.among(narrow, "_key", repeated)) as rivals:
        winners = rivals.unique(
            "source_key", keep="last", order_by=["_at", "_loaded_at", "is_deleted", "_batch", "_line", TABLE]
        )
        losers = engine.materialise(rivals.join(winners, on=list(_PLACE), how="anti").select(*_PLACE))
    return engine.without(records, losers, on=_PLACE)


def repeated_in(keys: Frame, column: str, engine: Engine) -> Frame:
    """Return the keys that are there more than once, counted a part at a time, since counting takes more than keys do.

    Parameters
    ----------
    keys
        Computed rows.
    column
        Column of whole numbers, none below zero.
    engine
        Counts.

    Returns
    -------
    Frame
        Each such key once, computed.
    """
    parts = 1 + rows_of(keys, engine) // _COUNTED_AT_ONCE
    found = [
        keys.filter(nw.col(column) % parts == part).group_by(column).agg(rows=nw.len()).filter(nw.col("rows") > 1)
        for part in range(parts)
    ]
    return engine.materialise(nw.concat([engine.materialise(each.select(column)) for each in found]))


def rows_of(frame: Frame, engine: Engine) -> int:
    """Return how many rows a frame has.

    Parameters
    ----------
    frame
        The frame.
    engine
        Counts them.

    Returns
    -------
    int
        Rows.
    """
    return int(engine.collect(frame.select(rows=nw.len()))["rows"][0].as_py())


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

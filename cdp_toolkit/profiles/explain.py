"""Why a profile shows the value that it shows: every record's value, the one that won first."""

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.model import Entity
from cdp_toolkit.profiles.merge import ORDER

_EARLIEST = ""


def origins(records: Frame, ids: Frame, entity: Entity, engine: Engine, *, profile_id: int) -> list[dict[str, object]]:
    """Return where each value of one profile came from.

    Parameters
    ----------
    records
        One row per record of the entity, as in ``entities/<entity>``.
    ids
        One row per record: ``source_key``, ``profile_id``, ``is_deleted``.
    entity
        The entity.
    engine
        Reads the records.
    profile_id
        The profile.

    Returns
    -------
    list of dict
        One per column that has a value: ``column``, ``value``, ``source_key``, ``updated_at`` and ``others`` (different
        values of other records, latest first).
    """
    own = ids.filter((nw.col("profile_id") == profile_id) & ~nw.col("is_deleted")).select("source_key")
    found = engine.collect(records.join(own, on="source_key", how="inner")).to_pylist()
    found.sort(key=lambda record: [str(record[name] or _EARLIEST) for name in ORDER], reverse=True)
    shown = []
    for column in entity.fields:
        holders = [record for record in found if record[column] is not None]
        if holders:
            others = dict.fromkeys(str(record[column]) for record in holders if record[column] != holders[0][column])
            shown.append(
                {"column": column, "value": holders[0][column], "source_key": holders[0]["source_key"],
                 "updated_at": holders[0]["updated_at"], "others": list(others)}
            )  # fmt: skip
    return shown

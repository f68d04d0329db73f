"""Records and ids → one row a profile."""

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.model import Entity

# Later is decided by the source's own time, then by when the record came here, then by its key: never by chance.
ORDER = ("updated_at", "loaded_at", "source_key")


def merge_records(records: Frame, ids: Frame, entity: Entity, engine: Engine) -> Frame:
    """Return one row per profile with the latest value of each column that is not null.

    Parameters
    ----------
    records
        One row per record of the entity, as in ``entities/<entity>``.
    ids
        One row per record: ``source_key``, ``profile_id``, ``is_deleted``.
    entity
        The entity; its fields are the columns.
    engine
        Finds the latest values.

    Returns
    -------
    Frame
        ``profile_id``, the entity's columns, ``source_keys`` (live records, in order) and ``records`` (how many).
    """
    live = ids.filter(~nw.col("is_deleted")).select("source_key", "profile_id")
    owned = records.join(live, on="source_key", how="inner")
    golden = engine.latest(owned, by="profile_id", order=ORDER, columns=list(entity.fields))
    keys = engine.distinct(live, by="profile_id", column="source_key").rename({"source_key": "source_keys"})
    merged = golden.join(keys, on="profile_id", how="left").with_columns(
        records=nw.col("source_keys").list.len().cast(nw.Int64)
    )
    return merged.select("profile_id", *entity.fields, "source_keys", "records")


def add_identities(people: Frame, identities: Frame, ids: Frame, engine: Engine) -> Frame:
    """Give people all their addresses and browsers, not the latest only.

    Parameters
    ----------
    people
        One row per person.
    identities
        One row per record and identity, of people.
    ids
        One row per record: ``source_key``, ``profile_id``.
    engine
        Lists the values.

    Returns
    -------
    Frame
        With ``emails`` and ``ecids``: every value that a live record carries, in order; null where there is none.
    """
    owned = identities.join(ids.select("source_key", "profile_id"), on="source_key", how="inner")
    for namespace, column in (("email", "emails"), ("ecid", "ecids")):
        values = owned.filter(nw.col("namespace") == namespace).select("profile_id", **{column: "value"})
        listed = engine.distinct(values, by="profile_id", column=column)
        kept = [name for name in people.collect_schema().names() if name != column]
        people = people.select(kept).join(listed, on="profile_id", how="left")
    return people

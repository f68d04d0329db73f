"""Which identities a record carries: what stitching links by."""

from collections.abc import Iterator, Mapping

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.entities.latest import repeated_in
from cdp_toolkit.model import Entity, Field, Model

_TOLD = ("entity", "source_key", "namespace", "value")


def record_identities(entities: Mapping[str, Frame], merges: Frame, model: Model, engine: Engine) -> Frame:
    """Return the identities of all records that can be stitched.

    Parameters
    ----------
    entities
        Records by entity, one row per ``source_key``.
    merges
        One row per merged record: ``entity``, ``source_key`` of the winner, ``value`` (key of the loser), ``seen_at``.
    model
        The model; a field with a namespace identifies.
    engine
        Hashes.

    Returns
    -------
    Frame
        One row per record, ``namespace`` and ``value``, with the columns of ``entities/identities``. A deleted record
        gives only record keys: nobody is found by the address of a person who is gone.
    """
    told = [row for entity in _stitched(model) for row in _of_entity(entities[entity.name], entity)]
    won = [_won(entities[entity.name], merges, entity) for entity in _stitched(model)]
    rows = nw.concat([*told, *won]).filter(~nw.col("value").is_null())
    hashed = rows.with_columns(
        _spoken=nw.concat_str(["namespace", "value"], separator=":"), _told=nw.concat_str(_TOLD, separator=":")
    )
    keyed = engine.key64(hashed, {"record_key": "source_key", "value_key": "_spoken", "_told_key": "_told"})
    told_rows = keyed.select(*_TOLD, "record_key", "value_key", "seen_at", "_told_key")
    # Of a thousand rows one says what another says too: only those are grouped, the others stream by.
    twice = repeated_in(engine.materialise(told_rows.select("_told_key")), "_told_key", engine)
    rivals = engine.among(told_rows, "_told_key", twice)
    few = engine.materialise(rivals.group_by(*_TOLD, "record_key", "value_key").agg(nw.col("seen_at").max()))
    rest = engine.without(told_rows, twice, on=["_told_key"])
    columns = ("entity", "source_key", "record_key", "namespace", "value", "value_key", "seen_at")
    return nw.concat([rest.select(*columns), few.select(*columns)])


def _stitched(model: Model) -> list[Entity]:
    return [
        entity
        for entity in model.recorded.values()
        if any(_is_record_key(field, entity) for field in entity.fields.values())
    ]


def _is_record_key(field: Field, entity: Entity) -> bool:
    return field.namespace == f"{entity.name}_key"


def _of_entity(records: Frame, entity: Entity) -> Iterator[Frame]:
    yield _rows(records, entity, f"{entity.name}_key", nw.col("source_key"))
    for field in entity.recorded.values():
        if field.namespace is None:
            continue
        rows = records if _is_record_key(field, entity) else records.filter(~nw.col("is_deleted"))
        rows = rows.filter(~nw.col(field.name).is_null())
        rows = rows.explode(field.name) if field.type == "strings" else rows
        yield _rows(rows, entity, field.namespace, nw.col(field.name))


def _rows(records: Frame, entity: Entity, namespace: str, value: nw.Expr) -> Frame:
    return records.select(
        entity=nw.lit(entity.name), source_key=nw.col("source_key"), namespace=nw.lit(namespace), value=value,
        seen_at=nw.coalesce(nw.col("updated_at"), nw.col("loaded_at")),
    )  # fmt: skip


def _won(records: Frame, merges: Frame, entity: Entity) -> Frame:
    won = merges.filter(nw.col("entity") == entity.name)
    known = won.join(records.select("source_key"), on="source_key", how="semi")
    return known.select(
        "entity", "source_key", "value", "seen_at", namespace=nw.lit(f"{entity.name}_key")
    ).select("entity", "source_key", "namespace", "value", "seen_at")  # fmt: skip

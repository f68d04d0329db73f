"""The whole room: all landed objects of all sources become records, rejected values and identities."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count

import narwhals as nw
import pyarrow as pa

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.engines.ahead import Ahead
from cdp_toolkit.entities.columns import Columns
from cdp_toolkit.entities.landed import ORIGIN, Landed, LandedSource
from cdp_toolkit.entities.latest import TABLE, latest
from cdp_toolkit.entities.mapping import Lookup, ObjectMapping, Output
from cdp_toolkit.entities.records import read_records, rejected, unreadable, whole
from cdp_toolkit.lake.tables import RECORD_COLUMNS, TABLES
from cdp_toolkit.model import Entity, Model
from cdp_toolkit.model.types import arrow_type


@dataclass(frozen=True)
class Built:
    """What was made of all that has landed.

    Parameters
    ----------
    entities
        Records by entity, one row per ``source_key``; every entity of the model is there.
    told
        Names of the entities that any of the rows read speak of.
    rejected
        One row per value that kept its row out of the entities, or that its row was kept without.
    merges
        One row per merged record: ``entity``, ``source_key`` of the winner, ``value`` (key of the loser), ``seen_at``.
    unknown_columns
        Delivered columns that the mapping does not use, by ``source/object``; they stay in landing.
    unknown_objects
        Landed objects that the mapping does not know, as ``source/object``.
    """

    entities: dict[str, Frame]
    rejected: Frame
    merges: Frame
    unknown_columns: dict[str, list[str]] = field(default_factory=dict)
    unknown_objects: list[str] = field(default_factory=list)
    told: tuple[str, ...] = ()


def build_entities(
    sources: Sequence[LandedSource],
    scan: Callable[[str], Frame],
    model: Model,
    engine: Engine,
    *,
    new: Callable[[str], Frame | None] | None = None,
    keep: Callable[[Frame], Frame] | None = None,
) -> Built:
    """Make records of everything that has landed, or of what is new.

    Parameters
    ----------
    sources
        Sources with their mappings and landed objects.
    scan
        Returns a table of ``landing/``.
    model
        The model, with the workspace's own columns.
    engine
        Parses and hashes.
    new
        Returns the rows of a table that are to be read, None if there are none; all are by default.
    keep
        Runs a frame that several others are made of: each landed row is then parsed once.

    Returns
    -------
    Built
        Lazy frames.
    """
    parts: dict[str, list[Frame]] = {name: [] for name in model.recorded}
    refused: list[Frame] = []
    merged: list[Frame] = []
    every = [landed for source in sources for landed in _landed(source, scan)]
    numbers = count()
    with Ahead(engine) as ahead:  # rows of two objects are read at a time, while the mapping of the next becomes a plan
        told: list[tuple[Landed, Output, Callable[[], Frame]]] = []
        for landed in _to_read(every, new):
            mapping = _mapping(landed)
            refused += _unreadable(landed, mapping)
            lookups = _lookups(landed, every, engine)
            for output in mapping.outputs:
                read = read_records(_readable(landed), output, model.entity(output.entity), lookups, engine)
                # Here, since Polars holds all rows of a join by a column that it makes up as it reads.
                read = read.with_columns(nw.lit(next(numbers)).alias(TABLE))
                told.append((landed, output, ahead.begin(partial(keep or _as_it_is, read))))
        for landed, output, kept in told:
            entity, read = model.entity(output.entity), kept()
            read = whole(read, entity)  # here, since it takes time to write nulls and to read them again
            refused.append(rejected(read, landed, entity))
            good = read.filter(nw.col("_problems").is_null()).drop("_problems", "_remarks")
            parts[entity.name].append(good)
            if output.into is not None:
                merged.append(_merges(good, entity))
    entities = {name: _entity(parts[name], model.entities[name], engine) for name in parts}
    merges = _all(merged, TABLES["entities/merges"].columns, engine)
    return Built(
        entities=entities,
        rejected=_all(refused, TABLES["entities/_rejected"].columns, engine),
        merges=merges,
        told=tuple(name for name, read in parts.items() if read),
        unknown_columns={f"{each.source.name}/{each.name}": left for each in every if (left := _unused(each, model))},
        unknown_objects=[
            f"{source.name}/{name}"
            for source in sources
            for name in source.objects
            if source.mapping.find(name) is None
        ],
    )


def _as_it_is(frame: Frame) -> Frame:
    return frame


def _landed(source: LandedSource, scan: Callable[[str], Frame]) -> Iterator[Landed]:
    for name in source.objects:
        if source.mapping.find(name) is not None:
            frame = scan(f"landing/{source.name}/{name}")
            names = [column for column in frame.collect_schema().names() if column not in ORIGIN]
            yield Landed(source, name, frame, Columns(names, loose=source.mapping.columns == "loose"))


def _to_read(every: Sequence[Landed], new: Callable[[str], Frame | None] | None) -> Iterator[Landed]:
    for each in every:
        rows = each.frame if new is None else new(f"landing/{each.source.name}/{each.name}")
        if rows is not None:
            yield replace(each, frame=rows)


def _mapping(landed: Landed) -> ObjectMapping:
    return landed.source.mapping.objects[str(landed.source.mapping.find(landed.name))]


def _unreadable(landed: Landed, mapping: ObjectMapping) -> list[Frame]:
    entity = mapping.outputs[0].entity if mapping.outputs else ""
    if mapping.refuse is not None:
        return [unreadable(landed, entity, mapping.refuse)]
    return [unreadable(landed, entity)] if "_problem" in landed.columns.names else []


def _readable(landed: Landed) -> Landed:
    if "_problem" not in landed.columns.names:
        return landed
    return Landed(landed.source, landed.name, landed.frame.filter(nw.col("_problem").is_null()), landed.columns)


def _lookups(landed: Landed, every: Sequence[Landed], engine: Engine) -> dict[str, Frame]:
    source = landed.source
    return {
        name: _lookup(name, lookup, [each for each in every if each.source is source], engine)
        for name, lookup in source.mapping.lookups.items()
    }


def _lookup(name: str, lookup: Lookup, objects: Sequence[Landed], engine: Engine) -> Frame:
    columns = {"key": [*lookup.default], name: [*lookup.default.values()], "_rank": [0] * len(lookup.default)}
    schema = pa.schema({"key": pa.string(), name: pa.string(), "_rank": pa.int64()})
    known = engine.load(pa.table(columns, schema=schema))
    told = next((each for each in objects if each.source.mapping.find(each.name) == lookup.object), None)
    if told is not None:
        rows, at = told.with_values([lookup.key, lookup.value], {}, engine)
        if {lookup.key, lookup.value} <= at.keys():
            named = rows.select(
                nw.col(at[lookup.key]).alias("key"),
                nw.col(at[lookup.value]).alias(name),
                nw.col("_batch").alias("_rank"),
            )
            known = nw.concat([known, named.filter(~nw.col("key").is_null())])
    return known.unique("key", keep="last", order_by=["_rank"]).select("key", name)


def _entity(parts: list[Frame], entity: Entity, engine: Engine) -> Frame:
    columns = RECORD_COLUMNS | {each.name: each.type for each in entity.recorded.values()}
    if not parts:
        return _all([], columns, engine)
    rows = latest(nw.concat(parts), entity, engine).with_columns(loaded_at=nw.col("_loaded_at"))
    return rows.select(*columns)


def _merges(records: Frame, entity: Entity) -> Frame:
    return records.filter(~nw.col("_into").is_null()).select(
        entity=nw.lit(entity.name), source_key=nw.col("_into"), value=nw.col("source_key"),
        seen_at=nw.coalesce(nw.col("updated_at"), nw.col("_loaded_at")),
    )  # fmt: skip


def _all(frames: list[Frame], columns: Mapping[str, str], engine: Engine) -> Frame:
    if frames:
        return nw.concat([frame.select(*columns) for frame in frames])
    return engine.load(pa.schema([(name, arrow_type(kind)) for name, kind in columns.items()]).empty_table())


def _unused(landed: Landed, model: Model) -> list[str]:
    """Return the delivered columns that nothing in the mapping reads."""
    mapping = _mapping(landed)
    if mapping.refuse is not None:
        return []
    words = [word for output in mapping.outputs for word in output.words(model.entity(output.entity))]
    lookups = landed.source.mapping.lookups.values()
    words += [word for lookup in lookups for word in (lookup.of, lookup.key, lookup.value)]
    used = {place[0] for word in words if (place := landed.columns.find(word))}
    return [name for name in landed.columns.names if name not in used and not name.startswith("_")]

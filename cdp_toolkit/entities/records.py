"""Landing and mapping become records: typed rows of an entity, each with what is wrong with it.

A row with a bad value is no record: it is kept whole in ``_rejected``, one row for each bad value. An e-mail address that
is none does not cost the row: the record is kept without it, and ``_rejected`` says so. Nothing that was delivered
becomes null without being told.
"""

from collections.abc import Iterable, Iterator, Mapping

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.entities.landed import ORIGIN, Landed, holds, mapped_value, raw_value
from cdp_toolkit.entities.mapping import Output, Value
from cdp_toolkit.model import Entity, Field
from cdp_toolkit.model.types import REASONS, clean, frame_type

_BETWEEN_PROBLEMS, _BETWEEN_PARTS = "\x1e", "\x1f"
# People write anything into this field, and what else they say is worth keeping.
_DISPENSABLE = "email"
_KEPT_WITHOUT = "; the row was kept without it"


def read_records(landed: Landed, output: Output, entity: Entity, lookups: dict[str, Frame], engine: Engine) -> Frame:
    """Return the records of an entity that a landed object holds, with the problems of each.

    Parameters
    ----------
    landed
        The object.
    output
        What the mapping makes of it.
    entity
        The output's entity.
    lookups
        Looked-up columns: ``key`` and the column itself.
    engine
        Parses text.

    Returns
    -------
    Frame
        One row per delivered row that the output is about: where it stood, ``source_key`` and its parts,
        ``is_deleted``, the entity's columns as far as they are mapped, ``_into`` (key of the record that this one was merged into),
        ``_problems`` (null for a good row) and ``_remarks`` (on values that a good row is kept without).
    """
    values = {name: value for name, value in output.values(entity).items() if _has_instance(landed, value)}
    frame, known = landed.with_values(output.words(entity), lookups, engine)
    if output.each in known:
        listed = frame.with_columns(clean(nw.col(known[output.each]), "strings").alias(known[output.each]))
        frame = engine.parse(listed, {known[output.each]: "strings"}).explode(known[output.each])
        frame = frame.filter(~nw.col(known[output.each]).is_null())  # a list without an element is one of no rows
    frame = frame.filter(holds(output.when, known)) if output.when else frame
    # In steps, since an engine that writes SQL would otherwise repeat each step within the next.
    raw = frame.select(*ORIGIN, *_deleted(output, known), *_raw(output, values, known))
    mapped = raw.with_columns(
        mapped_value(value, nw.col(f"raw:{name}")).alias(f"mapped:{name}")
        for name, value in _told(output, values).items()
    )
    keyed = mapped.with_columns(*_keys(landed, output), *_texts(landed, entity, values))
    typed = engine.parse(keyed, {name: entity.fields[name].type for name in values})
    dispensable = {name for name in values if _is_dispensable(entity.fields[name])}
    needed = {name: value for name, value in values.items() if name not in dispensable}
    problems = [*_key_problems(landed, output), *_value_problems(landed, entity, needed)]
    remarks = _value_problems(landed, entity, {name: values[name] for name in dispensable})
    told = typed.select(
        *ORIGIN,
        "source_key", "source_type", "source_instance", "source_id", "is_deleted", "_into",
        *(name for name in entity.recorded if name in values and name != "is_deleted"),
        _problems=_told_of(problems), _remarks=_told_of(remarks),
    )  # fmt: skip
    # Null, since a file of empty texts takes ten times as long to write: 0.28 s of processor time for 932,000 rows.
    return told.with_columns(_filled(nw.col(name)).alias(name) for name in ("_problems", "_remarks"))


def whole(records: Frame, entity: Entity) -> Frame:
    """Return records with the columns that their mapping says nothing of.

    Parameters
    ----------
    records
        Rows of ``read_records``.
    entity
        Their entity.

    Returns
    -------
    Frame
        The same rows; all columns of the entity, in its order, come before the others.
    """
    told = records.collect_schema().names()
    columns = {
        name: nw.col(name) if name in told else nw.lit(None, dtype=frame_type(field.type))
        for name, field in entity.recorded.items()
    }
    return records.select(**columns, **{name: nw.col(name) for name in told if name not in columns})


def rejected(records: Frame, landed: Landed, entity: Entity) -> Frame:
    """Return what kept rows from becoming records, and values from staying in them.

    Parameters
    ----------
    records
        Rows of ``read_records``.
    landed
        The object that they come from.
    entity
        Their entity.

    Returns
    -------
    Frame
        One row per bad value, with the columns of ``entities/_rejected``.
    """
    bad = records.with_columns(
        _told=nw.concat_str("_problems", "_remarks", separator=_BETWEEN_PROBLEMS, ignore_nulls=True),
        _fate=nw.when(nw.col("_problems").is_null()).then(nw.lit(_KEPT_WITHOUT)).otherwise(nw.lit("")),
    ).filter(nw.col("_told") != "")
    each = bad.select(*ORIGIN, "_fate", problem=nw.col("_told").str.split(_BETWEEN_PROBLEMS)).explode("problem")
    part = nw.col("problem").str.split(_BETWEEN_PARTS).list
    reason = nw.concat_str(part.get(2), nw.col("_fate"))
    return _rejected_rows(each, landed, entity.name, column=part.get(0), value=part.get(1), reason=reason)


def unreadable(landed: Landed, entity: str, reason: str | None = None) -> Frame:
    """Return the rows of an object that cannot be records at all.

    Parameters
    ----------
    landed
        The object.
    entity
        What they would have been.
    reason
        Why none of its rows is a record; by default only rows that could not be read are returned, with what the
        reader said of each.

    Returns
    -------
    Frame
        One row per delivered row, with the columns of ``entities/_rejected``.
    """
    told = nw.lit(reason) if reason else nw.col("_problem")
    rows = landed.frame if reason else landed.frame.filter(~nw.col("_problem").is_null())
    raw = nw.col("_raw") if "_raw" in landed.columns.names else nw.lit("")
    return _rejected_rows(rows, landed, entity, column=nw.lit(""), value=raw, reason=told)


def _rejected_rows(
    rows: Frame, landed: Landed, entity: str, *, column: nw.Expr, value: nw.Expr, reason: nw.Expr
) -> Frame:
    return rows.select(
        source=nw.lit(landed.source.name), object=nw.lit(landed.name), file=nw.col("_file"), line=nw.col("_line"),
        entity=nw.lit(entity), column=_filled(column), value=_filled(value), reason=reason,
        rejected_at=nw.col("_loaded_at"),
    )  # fmt: skip


def _is_dispensable(field: Field) -> bool:
    return field.type == _DISPENSABLE and not field.required


def _told_of(problems: Iterable[nw.Expr]) -> nw.Expr:
    return nw.concat_str([nw.lit(None, nw.String), *problems], separator=_BETWEEN_PROBLEMS, ignore_nulls=True)


def _filled(text: nw.Expr) -> nw.Expr:
    return nw.when(text != "").then(text)


def _has_instance(landed: Landed, value: Value) -> bool:
    return value.system == "whole" or landed.source.suffix(value) is not None


def _deleted(output: Output, known: Mapping[str, str]) -> Iterator[nw.Expr]:
    conditions = output.deleted if isinstance(output.deleted, dict) else {}
    is_deleted = holds(conditions, known) if conditions else nw.lit(output.deleted is True)
    yield is_deleted.alias("is_deleted")
    doubtful = [
        nw.col(known[name]) for name, wanted in conditions.items() if isinstance(wanted, bool) and name in known
    ]
    yield (doubtful[0] if doubtful else nw.lit(None, dtype=nw.String)).alias("deleted:")


def _told(output: Output, values: dict[str, Value]) -> dict[str, Value]:
    """Return the key, the winner of a merge and the values, by the names of their columns while they are read."""
    return {"_key": output.key, **({"_into": output.into} if output.into else {}), **values}


def _raw(output: Output, values: dict[str, Value], known: Mapping[str, str]) -> Iterator[nw.Expr]:
    for name, value in _told(output, values).items():
        yield raw_value(value, known).alias(f"raw:{name}")


def _keys(landed: Landed, output: Output) -> Iterator[nw.Expr]:
    key, source = nw.col("mapped:_key"), landed.source
    yield _key(landed, output.key, key).alias("source_key")
    if output.key.system == "whole":
        after = key.str.replace_all(r"^.*@", "")
        yield key.str.replace_all(r"@[^@]*$", "").alias("source_id")
        yield after.str.replace_all(r"\.[^.]*$", "").alias("source_instance")
        yield after.str.replace_all(r"^.*\.", "").alias("source_type")
    else:
        yield key.alias("source_id")
        yield nw.lit(source.instance).alias("source_instance")
        yield nw.lit(source.system).alias("source_type")
    into = _key(landed, output.into, nw.col("mapped:_into")) if output.into else nw.lit(None, dtype=nw.String)
    yield into.alias("_into")


def _texts(landed: Landed, entity: Entity, values: dict[str, Value]) -> Iterator[nw.Expr]:
    for name, value in values.items():
        yield _canonical(landed, entity.fields[name], value, nw.col(f"mapped:{name}")).alias(name)


def _canonical(landed: Landed, field: Field, value: Value, mapped: nw.Expr) -> nw.Expr:
    if field.type == "key":
        return _key(landed, value, mapped)
    if field.type in {"strings", "keys"}:
        listed = mapped.str.replace_all(value.split, ";", literal=True) if value.split else mapped
        return _key_list(landed, field, value, clean(listed, field.type))
    return clean(mapped, field.type, value.format)


def _key(landed: Landed, value: Value, mapped: nw.Expr) -> nw.Expr:
    if value.system == "whole":
        return clean(mapped, "key")
    return nw.concat_str([mapped, nw.lit(landed.source.suffix(value))])


def _key_list(landed: Landed, field: Field, value: Value, listed: nw.Expr) -> nw.Expr:
    if field.type == "strings" or value.system == "whole":
        return listed
    closed = listed.str.replace_all('","', f'{landed.source.suffix(value)}","', literal=True)
    return closed.str.replace_all('"]', f'{landed.source.suffix(value)}"]', literal=True)


def _key_problems(landed: Landed, output: Output) -> Iterator[nw.Expr]:
    label = landed.label(output.key)
    raw = nw.col("raw:_key")
    yield _problem(raw.is_null(), label, nw.lit(""), "no key")
    yield _problem(~raw.is_null() & nw.col("source_key").is_null(), label, raw, REASONS["key"])
    if isinstance(output.deleted, dict):
        told = nw.col("deleted:")
        doubtful = ~told.is_null() & clean(told, "boolean").is_null()
        yield _problem(doubtful, next(iter(output.deleted)), told, REASONS["boolean"])


def _value_problems(landed: Landed, entity: Entity, values: dict[str, Value]) -> Iterator[nw.Expr]:
    for field in entity.fields.values():
        value, raw = values.get(field.name), nw.col(f"raw:{field.name}")
        if value is None:
            continue
        if field.type in REASONS:
            is_bad = ~nw.col(f"mapped:{field.name}").is_null() & nw.col(field.name).is_null()
            yield _problem(is_bad, landed.label(value), raw, REASONS[field.type])
        if value.kind in REASONS:
            is_bad = ~raw.is_null() & clean(raw, value.kind).is_null()
            yield _problem(is_bad, landed.label(value), raw, REASONS[value.kind])
        if field.required:
            yield _problem(
                raw.is_null() & ~nw.col("is_deleted"), landed.label(value), nw.lit(""), "empty, but required"
            )


def _problem(is_bad: nw.Expr, column: str, value: nw.Expr, reason: str) -> nw.Expr:
    parts = [nw.lit(column + _BETWEEN_PARTS), value, nw.lit(_BETWEEN_PARTS + reason)]
    told = nw.concat_str(parts, ignore_nulls=True)
    return nw.when(is_bad).then(told)

"""Computed attributes: columns of people and accounts that a rule works out, refreshed with the stitch.

An attribute may read others. They are worked out level by level: those of the first level read columns that records and
roll-ups give, those of the next may also read the first, and so on.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from functools import reduce
from itertools import groupby
from operator import or_
from typing import Any, Literal

import narwhals as nw
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.errors import CdpError, ConfigError
from cdp_toolkit.model import Model
from cdp_toolkit.model.types import frame_type
from cdp_toolkit.segments.bindings import facts
from cdp_toolkit.segments.buckets import buckets
from cdp_toolkit.segments.compile import Plan
from cdp_toolkit.segments.evaluate import Tables
from cdp_toolkit.segments.listed import Scan
from cdp_toolkit.segments.pql.bind import bind_value
from cdp_toolkit.segments.pql.binder import Segments
from cdp_toolkit.segments.pql.bound import Aggregate, Bound
from cdp_toolkit.segments.pql.nodes import Member, Name, Node
from cdp_toolkit.segments.pql.parse import parse
from cdp_toolkit.segments.pql.times import Clock

_TYPES = {"text": "string", "number": "number", "boolean": "boolean", "time": "timestamp", "date": "date",
          "texts": "strings"}  # fmt: skip
# Columns of profile tables that the model does not list.
_TAKEN = {"profile_id", "records", "source_keys", "source_key", "account_id", "opportunity_id", "campaign_id", "list_id",
          "parent_id"}  # fmt: skip
_FIRST, _SECOND = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC), datetime(2042, 9, 8, 17, 16, 15, tzinfo=UTC)


class ComputedAttribute(BaseModel):
    """A column that a rule works out, under ``computed_attributes`` in ``cdp.yaml``.

    Parameters
    ----------
    entity
        Whose column it is.
    pql
        The value, in the Profile Query Language; ``now`` is the time of the stitch.
    description
        One sentence.
    labels
        Data usage labels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    entity: Literal["person", "account"] = "person"
    pql: str
    description: str = ""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Computed:
    """Computed attributes that make sense, in the order in which they need each other.

    Parameters
    ----------
    attributes
        Definitions by name.
    model
        The model with a column for each of them.
    levels
        Names that can be worked out together; each level may read those before it.
    timezone
        Where days begin.
    is_timed
        Whether any of them changes as time goes by.
    """

    attributes: Mapping[str, ComputedAttribute]
    model: Model
    levels: tuple[tuple[str, ...], ...] = ()
    timezone: str = "UTC"
    is_timed: bool = False


def define(
    attributes: Mapping[str, ComputedAttribute], model: Model, *, timezone: str = "UTC", where: str = "cdp.yaml"
) -> Computed:
    """Check computed attributes and find their types and their order, before any data is read.

    Parameters
    ----------
    attributes
        Definitions by name.
    model
        Entities, fields and relations without them.
    timezone
        Where days begin.
    where
        File that they come from, for the error.

    Returns
    -------
    Computed
        With the model that has them as fields.

    Raises
    ------
    ConfigError
        If a rule is wrong or has no single value, if a name is taken, or if attributes need each other in a circle.
    """
    place = f"{where}, computed_attributes"
    nodes = {name: _parsed(name, each, place) for name, each in attributes.items()}
    left, levels, is_timed = dict(attributes), [], False
    while left:
        found, wrong = _bound_now(left, nodes, model, timezone)
        if not found:
            raise _reason(left, nodes, wrong, place)
        columns: dict[str, dict[str, Any]] = {}
        for name, bound in found.items():
            columns.setdefault(left[name].entity, {})[name] = _field(name, left[name], bound, model, place)
            later = _bind(left[name], nodes[name], model, Clock(_SECOND, timezone))
            is_timed = is_timed or later != bound
        model = model.extended(columns, where=place)
        levels.append(tuple(found))
        left = {name: each for name, each in left.items() if name not in found}
    return Computed(attributes, model, tuple(levels), timezone, is_timed)


def _parsed(name: str, attribute: ComputedAttribute, where: str) -> Node:
    try:
        return parse(attribute.pql)
    except CdpError as error:
        raise _wrong(name, error, where) from error


def _wrong(name: str, error: CdpError, where: str) -> ConfigError:
    told = f"The computed attribute {name!r} is wrong: {error.message}"
    return ConfigError(told, where=f"{where}.{name}, {error.where}", hint=error.hint)


def _bound_now(
    left: Mapping[str, ComputedAttribute], nodes: Mapping[str, Node], model: Model, timezone: str
) -> tuple[dict[str, Bound], dict[str, CdpError]]:
    """Return the attributes whose names are all known by now, and the errors of the others."""
    found: dict[str, Bound] = {}
    wrong: dict[str, CdpError] = {}
    for name, attribute in left.items():
        try:
            found[name] = _bind(attribute, nodes[name], model, Clock(_FIRST, timezone))
        except CdpError as error:
            wrong[name] = error
    return found, wrong


def _bind(attribute: ComputedAttribute, node: Node, model: Model, clock: Clock) -> Bound:
    return bind_value(node, model, entity=attribute.entity, clock=clock, segments=_NoSegments())


class _NoSegments(Segments):
    """Refuses to name a segment, with the reason."""

    def entity(self, name: str, node: Node) -> str:
        raise node.at.error(
            f"A computed attribute cannot ask for the segment {name!r}: segments are evaluated after it.",
            hint="Write the segment's rule in its place.",
        )


def _field(name: str, attribute: ComputedAttribute, bound: Bound, model: Model, where: str) -> dict[str, Any]:
    if bound.kind not in _TYPES:
        raise ConfigError(
            f"The computed attribute {name!r} has no type: {attribute.pql.strip()} is the same for everyone.",
            where=f"{where}.{name}",
            hint="Let it read a column or a relation.",
        )
    if name in _TAKEN or name in model.entity(attribute.entity).relations:
        raise ConfigError(
            f"The profiles of {attribute.entity} have a column or relation {name!r} already.",
            where=f"{where}.{name}",
            hint="Choose another name.",
        )
    is_count = isinstance(bound, Aggregate) and bound.function in {"count", "distinct"}
    return {
        "path": f"_cdp.computed.{name}",
        "type": "integer" if is_count else _TYPES[bound.kind],
        "description": attribute.description or f"Computed: {attribute.pql.strip()}",
        "labels": attribute.labels,
        "derived": f"computed: {' '.join(attribute.pql.split())}",
    }


def _reason(
    left: Mapping[str, ComputedAttribute], nodes: Mapping[str, Node], wrong: Mapping[str, CdpError], where: str
) -> ConfigError:
    """Return why none of the attributes that are left can be bound."""
    needs = {name: [each for each in left if each in set(_names(nodes[name]))] for name in left}
    walked: list[str] = []
    name = next(iter(left))
    while name not in walked:
        walked.append(name)
        if not needs[name]:
            return _wrong(name, wrong[name], where)
        name = needs[name][0]
    circle = [*walked[walked.index(name) :], name]
    return ConfigError(
        f"Computed attributes need each other in a circle: {' → '.join(circle)}.",
        where=where,
        hint=f"Let {name!r} read other columns.",
    )


def _names(part: object) -> Iterator[str]:
    """Return the last words of all names in an expression."""
    match part:
        case Name():
            yield part.name.rpartition(".")[2]
        case Member():
            yield part.name
            yield from _names(part.of)
        case tuple():
            for each in part:
                yield from _names(each)
        case Node() if is_dataclass(part):
            for each in fields(part):
                yield from _names(getattr(part, each.name))


def compute(
    computed: Computed, names: Iterable[str], scan: Scan, engine: Engine, *, as_of: datetime
) -> Iterator[tuple[str, pa.Table]]:
    """Work out attributes of one level.

    Parameters
    ----------
    computed
        All attributes.
    names
        Those of the level.
    scan
        Gives ``profiles/<name>``.
    engine
        Runs the plan, bucket by bucket.
    as_of
        The moment that ``now`` means.

    Yields
    ------
    str, pyarrow.Table
        An entity, and one row per profile of it: ``profile_id`` and a column an attribute.

    Raises
    ------
    DataError
        If a table or column that an attribute reads is not there.
    """
    clock, tables = Clock(as_of, computed.timezone), Tables(scan)
    by_entity = sorted(names, key=lambda name: computed.attributes[name].entity)
    for entity, group in groupby(by_entity, key=lambda name: computed.attributes[name].entity):
        bound = {name: _bind(each, parse(each.pql), computed.model, clock) for name, each in _of(computed, group)}
        for each in bound.values():
            tables.check(facts(each, entity, computed.model), each, clock)
        plan = Plan(tables, computed.model, clock)
        ids = tables(entity).select("profile_id")
        kinds = {name: frame_type(computed.model.entity(entity).fields[name].type) for name in bound}
        parts = (plan.flags(entity, bound, bucket=bucket) for bucket in buckets(ids))
        cast = [nw.col(name).cast(kind) if kind.is_numeric() else nw.col(name) for name, kind in kinds.items()]
        yield entity, pa.concat_tables([engine.collect(part.select("profile_id", *cast)) for part in parts])


def _of(computed: Computed, names: Iterable[str]) -> Iterator[tuple[str, ComputedAttribute]]:
    return ((name, computed.attributes[name]) for name in names)


def with_values(profiles: Frame, values: Frame, engine: Engine) -> Frame:
    """Return profiles with the values of computed attributes, in place of those that they had.

    Parameters
    ----------
    profiles
        One row per profile.
    values
        One row per profile: ``profile_id`` and a column an attribute.
    engine
        Looks them up.

    Returns
    -------
    Frame
        The same profiles.
    """
    new = set(values.collect_schema().names()) - {"profile_id"}
    kept = [name for name in profiles.collect_schema().names() if name not in new]
    return engine.look_up(profiles.select(kept), values, on="profile_id", by="profile_id")


def changes(profiles: Frame, values: Frame, engine: Engine) -> int:
    """Count the profiles whose computed attributes are not what they were.

    Parameters
    ----------
    profiles
        One row per profile, as it is kept.
    values
        One row per profile: ``profile_id`` and a column an attribute.
    engine
        Counts.

    Returns
    -------
    int
        All profiles where an attribute has no column yet.
    """
    names = [name for name in values.collect_schema().names() if name != "profile_id"]
    if not set(names) <= set(profiles.collect_schema().names()):
        return int(engine.collect(values.select(count=nw.len()))["count"][0].as_py())
    new = values.select("profile_id", **{f"_new_{name}": nw.col(name) for name in names})
    both = profiles.select("profile_id", *names).join(new, on="profile_id", how="inner")
    pairs = [(nw.col(name), nw.col(f"_new_{name}")) for name in names]
    differs = ((old != now).fill_null(False) | (old.is_null() != now.is_null()) for old, now in pairs)
    return int(engine.collect(both.filter(reduce(or_, differs)).select(count=nw.len()))["count"][0].as_py())

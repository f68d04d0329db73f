"""Whose membership may have changed since the last evaluation: all others need no second look.

A segment that reads no column that changed needs none, but for profiles that came or went. Of all others, a profile has
to be looked at again if a row that they read is new, gone or other than it was, or lies where a window of time has moved;
wherever that row is, the way to the profile is walked backwards. Only the columns that are read are compared.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.engines.differing import Difference
from cdp_toolkit.errors import CdpError
from cdp_toolkit.model import Model
from cdp_toolkit.segments.bindings import Bindings
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.expressions import expression
from cdp_toolkit.segments.listed import Scan, row_id_of
from cdp_toolkit.segments.pql.bound import Column, Leaf, leaves
from cdp_toolkit.segments.pql.times import Clock
from cdp_toolkit.segments.reading import Reading, UnclearError, Window, reading_of

Ids = npt.NDArray[np.int64]

_NOBODY = np.empty(0, np.int64)
_MOST = 0.3
"""Beyond this share of the profiles, looking at all of them is as fast."""
_MOST_COMPARED = 10_000_000
"""Beyond so many rows of a table that may differ, comparing them takes more memory than looking at everybody."""


@dataclass(frozen=True)
class Versions:
    """The profile tables as the last evaluation read them and as they are.

    Parameters
    ----------
    now
        Gives ``profiles/<name>``.
    differing
        Gives for a name the rows of the last evaluation's version and of this one, but for rows that are surely in both;
        None where the two versions are one.
    changed
        Gives for a name how they differ; None where the profiles that own a row that is other, gone or new are many, or are
        not known without comparing rows.
    before
        The conditions at the moment of the last evaluation.
    after
        The conditions at the moment of this one.
    """

    now: Scan
    differing: Callable[[str], tuple[Frame, Frame] | None]
    changed: Callable[[str], Difference | None]
    before: Bindings
    after: Bindings


@dataclass(frozen=True)
class Again:
    """What has to be evaluated.

    Parameters
    ----------
    whole
        Segments that have to be evaluated for all profiles, and why.
    profiles
        By entity the ids of the profiles to look at for all other segments, with those that are no more.
    same
        Segments that read nothing that changed, but for profiles that came or went.
    lone
        By entity the ids of those.
    """

    whole: Mapping[str, str] = field(default_factory=dict)
    profiles: Mapping[str, Ids] = field(default_factory=dict)
    same: Collection[str] = ()
    lone: Mapping[str, Ids] = field(default_factory=dict)


def again(segments: Sequence[Segment], names: Sequence[str], versions: Versions, model: Model, engine: Engine) -> Again:
    """Return which profiles have to be evaluated for which segments.

    Parameters
    ----------
    segments
        All segments of the workspace, with the definitions of the last evaluation.
    names
        Those to evaluate, all of which the last evaluation evaluated.
    versions
        Profile tables and moments of both evaluations.
    model
        Entities and relations.
    engine
        Runs the comparison.

    Returns
    -------
    Again
        A segment that is wrong, or whose change by time is unclear, is evaluated whole.
    """
    trace = _Trace(versions, model, engine)
    readings: dict[str, tuple[str, Reading]] = {}
    whole: dict[str, str] = {}
    chosen = {*names}
    for segment in (each for each in segments if each.name in chosen):
        try:
            before, after = versions.before.condition(segment), versions.after.condition(segment)
            readings[segment.name] = segment.entity, reading_of(segment.entity, before, after, model)
        except CdpError as error:
            whole[segment.name] = error.message
    same = {name for name, (_, reading) in readings.items() if not trace.is_touched(reading, is_root=True)}
    profiles: dict[str, Ids] = {}
    lone: dict[str, Ids] = {}
    for entity in dict.fromkeys(entity for entity, _ in readings.values()):
        followed = [name for name, (of, _) in readings.items() if of == entity and name not in same]
        root = Reading(entity)
        for name in followed:
            root.join(readings[name][1])
        try:
            changed = versions.changed(entity)
            lone[entity] = _NOBODY if changed is None else changed.lone
            found = trace.of(root, "profile_id", is_own=True) if followed else None
            profiles[entity] = _few(found, versions.now(entity), engine)
        except UnclearError as error:
            whole |= dict.fromkeys(followed, error.message)
    return Again(whole, profiles, same, lone)


def _few(found: Frame | None, rows: Frame, engine: Engine) -> Ids:
    if found is None:
        return _NOBODY
    try:
        ids: Ids = engine.collect(found)["profile_id"].drop_null().to_numpy()
    except engine.errors as error:  # files of a version that was cleaned up
        raise UnclearError("The tables of the last evaluation cannot be read any more.") from error
    count = _count(rows, engine)
    if len(ids) > _MOST * count:
        raise UnclearError(f"{len(ids):,} of {count:,} profiles may have changed.")
    return ids


@dataclass(frozen=True)
class _Trace:
    versions: Versions
    model: Model
    engine: Engine

    def of(self, reading: Reading, key: str, *, is_own: bool = False) -> Frame | None:
        """Return one column ``key`` of the rows that may answer otherwise than before, each value once.

        Of the profiles that are evaluated, and of rows that they own (``is_own``), all columns count, not only those
        that are read: to look at a profile for nothing costs less than to compare its rows.
        """
        found = [rows.select(key) for rows in self._touched(reading, key, is_own=is_own)]
        return nw.concat(found).unique(key) if found else None

    def is_touched(self, reading: Reading, *, is_root: bool = False) -> bool:
        """Tell whether anything that is read is other than it was, or may be; of the root, of profiles that did not come or go."""
        try:
            return self._is_touched(reading, is_root=is_root)
        except UnclearError:  # said of all that read it where the way back is walked
            return True

    def _is_touched(self, reading: Reading, *, is_root: bool = False) -> bool:
        entity = self.model.entity(reading.entity)
        ways = [(entity.relations[name], behind) for name, behind in reading.behind.items()]
        read = reading.columns | {relation.near for relation, _ in ways if not relation.many}
        if reading.windows or self._is_other(reading.entity, read, is_root=is_root):
            return True
        for relation, behind in ways:
            if relation.many:
                keys = {relation.near, relation.far} if relation.through else {relation.far}
                if self._is_other(relation.through or relation.to, keys):
                    return True
            if self._is_touched(behind):
                return True
        return False

    def _is_other(self, name: str, columns: Collection[str], *, is_root: bool = False) -> bool:
        found = self.versions.changed(name)
        return found is None or not found.columns.isdisjoint(columns) or (len(found.lone) > 0 and not is_root)

    def _touched(self, reading: Reading, key: str, *, is_own: bool) -> Iterator[Frame]:
        entity = self.model.entity(reading.entity)
        row_id = row_id_of(reading.entity)
        near = {entity.relations[name].near for name in reading.behind if not entity.relations[name].many}
        own = {row_id} if any(entity.relations[name].many for name in reading.behind) else set()
        changed = self.versions.changed(reading.entity) if is_own and key == "profile_id" else None
        if changed is None:
            yield from self._other(reading.entity, [key, *sorted((reading.columns | near | own) - {key})])
        elif len(changed.keys):
            yield self.engine.load(pa.table({key: changed.keys}))
        rows = self.versions.now(reading.entity)
        if reading.windows:  # all in one pass: the table may be large
            yield rows.filter(reduce(or_, (_inside(each, self.versions.after.clock) for each in reading.windows)))
        for name, behind in reading.behind.items():
            relation = entity.relations[name]
            if not relation.many:
                ids = self.of(behind, "profile_id")
                if ids is not None:
                    yield _among(rows, relation.near, ids, "profile_id")
            elif relation.through is None:
                owners = self.of(behind, relation.far, is_own=is_own)
                if owners is not None:
                    yield _owned(rows, row_id, owners, relation.far, key)
            else:
                for pairs in self._tied(behind, relation.through, relation.near, relation.far):
                    yield _owned(rows, row_id, pairs, relation.near, key)

    def _tied(self, behind: Reading, through: str, near: str, far: str) -> Iterator[Frame]:
        """Return the owners of ties that changed, or that lead to rows that changed."""
        yield from (rows.select(near) for rows in self._other(through, [near, far]))
        ids = self.of(behind, "profile_id")
        if ids is not None:
            yield _among(self.versions.now(through), far, ids, "profile_id").select(near)

    def _other(self, name: str, columns: Sequence[str]) -> Iterator[Frame]:
        """Return the rows that only one of the two versions has, by these columns."""
        differing = self.versions.differing(name)
        if differing is None:
            return
        for rows in differing:
            missing = sorted({*columns} - {*rows.collect_schema().names()})
            if missing:
                raise UnclearError(f"profiles/{name} had no column {missing[0]}.")
        many = sum(_count(rows, self.engine) for rows in differing)
        if many > _MOST_COMPARED:
            raise UnclearError(f"{many:,} rows of profiles/{name} may have changed.")
        signed = [rows.select(*columns, _one=nw.lit(sign)) for rows, sign in zip(differing, (-1, 1), strict=True)]
        counted = nw.concat(signed).group_by(*columns).agg(nw.col("_one").sum())
        yield counted.filter(nw.col("_one") != 0)


def _count(rows: Frame, engine: Engine) -> int:
    return int(engine.collect(rows.select(count=nw.len()))["count"][0].as_py())


def _inside(window: Window, clock: Clock) -> nw.Expr:
    columns: dict[Leaf, str] = {leaf: leaf.name for leaf in leaves(window.value) if isinstance(leaf, Column)}
    value, low, high = (expression(each, columns, clock) for each in (window.value, window.low, window.high))
    return value.is_between(low, high)


def _among(rows: Frame, column: str, ids: Frame, other: str) -> Frame:
    keys = ids.select(_among=nw.col(other))
    return rows.join(keys, left_on=column, right_on="_among", how="semi")


def _owned(rows: Frame, row_id: str, owners: Frame, other: str, key: str) -> Frame:
    """Return the key of rows by their ids; where the key is the id, without looking them up: an id too many does no harm."""
    return owners.select(nw.col(other).alias(key)) if key == row_id else _among(rows, row_id, owners, other)

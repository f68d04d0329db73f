"""What a change does to the tables of the room: rows of the records that it can reach, in the place of the old."""

import datetime as dt
from dataclasses import dataclass
from typing import NamedTuple

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.identity.definition import IdentityRules
from cdp_toolkit.identity.history import Stitched, compare
from cdp_toolkit.identity.ids import check_keys, map_identities, number_profiles
from cdp_toolkit.identity.incremental import Came, Reached, find_affected
from cdp_toolkit.identity.links import silent
from cdp_toolkit.identity.past import ChangingShelf, Past
from cdp_toolkit.identity.resolve import Resolved, resolve

_RECORD, _VALUE = "record_key", "value_key"


class _Sides(NamedTuple):
    """Rows of the affected records, as they were and as they are."""

    before: Stitched
    now: Stitched


class _Stated(NamedTuple):
    """By what the affected records are found now, and by what the changed ones were."""

    now: Frame
    gone: Frame


@dataclass(frozen=True)
class Update:
    """A change of one entity.

    Parameters
    ----------
    entity
        The entity.
    came
        What changed.
    past
        What the last run found, under the same rules.
    rules
        Which identities link records.
    engine
        Hashes, and finds components.
    as_of
        Time of the run, in UTC.
    """

    entity: str
    came: Came
    past: Past
    rules: IdentityRules
    engine: Engine
    as_of: dt.datetime

    def run(self, namespaces: tuple[str, ...], shelf: ChangingShelf) -> int:
        """Link anew what the change can reach, and write what is other than it was.

        Parameters
        ----------
        namespaces
            By whose identities somebody is found.
        shelf
            Writes the rows.

        Returns
        -------
        int
            How many records were looked at.
        """
        assert self.past.said is not None  # noqa: S101 - who updates has looked
        engine, gone = self.engine, self.past.said.find(self.came.keys)
        told = nw.concat([frame.select("source_key", _RECORD) for frame in (self.came.records, gone)])
        check_keys(told.unique(), engine)
        reached = find_affected(self.came, gone, self.past, self.rules, engine)
        unchanged = engine.materialise(reached.records.join(self.came.keys, on=_RECORD, how="anti"))
        own = engine.materialise(_alike(self.past.said.find(unchanged), self.came.said))
        ids = self.past.tables["ids"].find(reached.records)
        records = engine.materialise(self._records(own, ids))
        carriers = self._carriers(own, reached, namespaces)
        found = resolve(own, records, self.rules, engine, carriers=carriers)
        found = found._replace(refused=engine.materialise(found.refused))
        numbered = engine.materialise(self._number(records, ids, found, reached))
        refused = self.past.tables["refused_links"].find(reached.records)
        sides = _Sides(
            Stitched(ids, self._links_of_moved(ids, numbered), refused), Stitched(numbered, found.kept, found.refused)
        )
        self._write(shelf, reached, found, sides)
        is_stated = nw.col("namespace").is_in(namespaces)
        stated = _Stated(*(frame.filter(is_stated) for frame in (own, gone)))
        self._map(shelf, sides, stated, carriers)
        self._keep_history(shelf, sides)
        return int(engine.collect(reached.records.select(rows=nw.len()))["rows"][0].as_py())

    def _records(self, own: Frame, ids: Frame) -> Frame:
        """Return the affected records; who is deleted with all of their profile has no id."""
        columns = ("source_key", _RECORD, "is_deleted")
        known = own.select("source_key", _RECORD).unique().join(self.came.keys, on=_RECORD, how="anti")
        placed = known.join(ids.select(_RECORD, "is_deleted"), on=_RECORD, how="left")
        others = placed.with_columns(is_deleted=nw.col("is_deleted").fill_null(value=True))
        return _alike(others.select(*columns), self.came.records.select(*columns))

    def _carriers(self, own: Frame, reached: Reached, namespaces: tuple[str, ...]) -> Frame:
        """Return all who carry a value of the affected records; changed values have been looked up."""
        asked = nw.col("namespace").is_in(namespaces) | ~nw.col("namespace").is_in(silent(self.rules))
        values = own.filter(asked).select(_VALUE).unique().join(reached.values, on=_VALUE, how="anti")
        others = self.past.tables["carriers"].find(self.engine.materialise(values))
        return self.engine.materialise(_alike(reached.carriers, others))

    def _number(self, records: Frame, ids: Frame, found: Resolved, reached: Reached) -> Frame:
        everyone = self.past.tables["ids"].rows.select(_RECORD, "profile_id")
        names = self.engine.materialise(records.select(profile_id=_RECORD))
        in_use = self.engine.materialise(self.engine.among(everyone, "profile_id", names))
        return number_profiles(
            records,
            found.components,
            ids,
            self.engine,
            as_of=self.as_of,
            in_use=in_use.join(reached.records, on=_RECORD, how="anti"),
        )

    def _links_of_moved(self, before: Frame, now: Frame) -> Frame:
        """Return the links that held the profiles together whose records went elsewhere."""
        goes = before.join(now.select(_RECORD, now_id="profile_id"), on=_RECORD)
        left = goes.filter(nw.col("profile_id") != nw.col("now_id")).select("profile_id").unique()
        return self.past.tables["links"].find(
            self.engine.materialise(before.join(left, on="profile_id", how="semi").select(_RECORD))
        )

    def _write(self, shelf: ChangingShelf, reached: Reached, found: Resolved, sides: _Sides) -> None:
        engine = self.engine
        shelf.change("links", found.kept, reached.records)
        shelf.change("refused_links", found.refused, reached.records)
        pairs = nw.concat([frame.select(_VALUE, _RECORD) for frame in (reached.came, reached.left)])
        shelf.change("carriers", reached.came, engine.materialise(pairs.unique()))
        clusters = engine.materialise(found.clusters.select(_RECORD, "cluster"))
        moved = self._differing(reached.members.select(_RECORD, "cluster"), clusters)
        shelf.change("clusters", _of(clusters, moved, _RECORD), moved.select(_RECORD).unique())
        numbers = engine.materialise(moved.select("cluster").unique())
        shelf.change("members", _of(clusters, numbers, "cluster"), numbers)
        columns = ("source_key", _RECORD, "profile_id", "is_deleted", "since")
        others = self._differing(sides.before.ids.select(*columns), sides.now.ids.select(*columns))
        shelf.change("ids", _of(sides.now.ids, others, _RECORD), others.select(_RECORD).unique())

    def _map(self, shelf: ChangingShelf, sides: _Sides, stated: _Stated, carriers: Frame) -> None:
        """Say of the values that may mean another profile now which one they mean.

        Those are what changed records say or said, what records say that are of another profile now, and what was refused
        then or is now: of all others the first carrier and their profile are as they were.
        """
        columns = (_RECORD, "profile_id")
        moved = self._differing(sides.before.ids.select(*columns), sides.now.ids.select(*columns))
        others = nw.concat([moved.select(_RECORD), self.came.keys.select(_RECORD)]).unique()
        said = [stated.now.join(others, on=_RECORD, how="semi"), stated.gone]
        told = [*said, sides.before.refused, sides.now.refused]
        asked = nw.concat([frame.select(_VALUE) for frame in told]).unique()
        texts = nw.concat([frame.select(_VALUE, "namespace", "value") for frame in stated])
        values = self.engine.materialise(texts.join(asked, on=_VALUE, how="semi").unique(_VALUE))
        carried = carriers.select(_VALUE, _RECORD).join(values, on=_VALUE).with_columns(entity=nw.lit(self.entity))
        carried = self.engine.materialise(carried)
        beyond = self.engine.materialise(
            carried.select(_RECORD).unique().join(stated.now.select(_RECORD).unique(), on=_RECORD, how="anti")
        )
        ids, links, refused = (
            _alike(new, self.past.tables[name].find(beyond))
            for name, new in (("ids", sides.now.ids), ("links", sides.now.links), ("refused_links", sides.now.refused))
        )
        mapped = self.engine.materialise(map_identities(carried, ids, links, refused, self.rules))
        shelf.change("identities", mapped, values.select(_VALUE))

    def _keep_history(self, shelf: ChangingShelf, sides: _Sides) -> None:
        aliases = self.past.tables["aliases"].rows
        found = compare(*sides, aliases, entity=self.entity, rules=self.rules, as_of=self.as_of, engine=self.engine)
        now = self.engine.materialise(found.aliases)
        others = self._differing(aliases.select(*now.collect_schema().names()), now)
        shelf.change("aliases", _of(now, others, "alias_id"), others.select("alias_id").unique())
        shelf.keep("history", found.changes)

    def _differing(self, before: Frame, now: Frame) -> Frame:
        """Return the rows that only one of two frames has."""
        columns = now.collect_schema().names()
        sides = [one.join(other, on=columns, how="anti") for one, other in ((before, now), (now, before))]
        return self.engine.materialise(nw.concat(sides))


def _of(rows: Frame, keys: Frame, key: str) -> Frame:
    return rows.join(keys.select(key).unique(), on=key, how="semi")


def _alike(one: Frame, other: Frame) -> Frame:
    """Put two frames together, with the columns of the first that both have."""
    known = {*other.collect_schema().names()}
    columns = [name for name in one.collect_schema().names() if name in known]
    return nw.concat([one.select(columns), other.select(columns)])

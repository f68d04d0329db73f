"""The whole room, an entity at a time: identities become links, clusters, ids, a map of identities, and history."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.identity.definition import IdentityRules
from cdp_toolkit.identity.history import History, Stitched, compare, empty
from cdp_toolkit.identity.ids import check_keys, map_identities, number_profiles
from cdp_toolkit.identity.incremental import find_affected, splice
from cdp_toolkit.identity.resolve import resolve

Keep = Callable[[str, Frame], Frame]
"""Writes the rows of this entity into a table of ``identity/`` and returns them as they are read from there."""


class Evidence(NamedTuple):
    """What the records of one entity say: their ``identities``, and who is deleted of the ``records``.

    Who has an identity of the ``namespaces`` is found by it; the others, worked out of fields, only link.
    """

    identities: Frame
    records: Frame
    namespaces: tuple[str, ...]

    @property
    def stated(self) -> Frame:
        """The identities by which somebody is found."""
        return self.identities.filter(nw.col("namespace").is_in(self.namespaces))


@dataclass(frozen=True)
class Past:
    """The last run.

    Parameters
    ----------
    tables
        What it wrote of this entity: ``ids``, ``links``, ``refused_links``, ``clusters``, ``identities``, ``aliases``.
    evidence
        What it read; None where that was under other rules, so that everything is to be looked at again.
    """

    tables: Mapping[str, Frame]
    evidence: Evidence | None = None


@dataclass(frozen=True)
class Stitcher:
    """Stitches one entity after the other under the same rules.

    Parameters
    ----------
    rules
        Which identities link records.
    engine
        Hashes, and finds components.
    as_of
        Time of the run, in UTC.
    most_affected
        Above this share of the records, looking at all of them is as quick as looking for what changed.
    """

    rules: IdentityRules
    engine: Engine
    as_of: dt.datetime
    most_affected: float = 0.3

    def stitch(self, entity: str, now: Evidence, past: Past | None, keep: Keep) -> int | None:
        """Find out which records of an entity are one.

        Parameters
        ----------
        entity
            The entity.
        now
            What its records say.
        past
            What the last run found; None the first time.
        keep
            Writes a table.

        Returns
        -------
        int or None
            How many records were looked at again; None if all were.
        """
        records = self.engine.key64(now.records.select("source_key", "is_deleted"), {"record_key": "source_key"})
        check_keys(records, self.engine)
        now = now._replace(records=records)
        affected = self._affected(now, past)
        look = _Look(now, past, affected)
        found = resolve(now.identities, now.records, self.rules, self.engine, only=affected)
        if affected is not None:  # few rows, and used more than once
            found = found._replace(
                kept=self.engine.materialise(found.kept), refused=self.engine.materialise(found.refused)
            )
        links, refused, _ = (
            keep(name, self._whole(name, rows, look))
            for name, rows in (
                ("links", found.kept),
                ("refused_links", found.refused.with_columns(kind=nw.lit("link"))),
                ("clusters", found.clusters),
            )
        )
        fresh = self._number(look, found.components)
        fresh = fresh if affected is None else self.engine.materialise(fresh)
        ids = keep("ids", self._whole("ids", fresh, look))
        keep("identities", self._map(look, ids, links, refused))
        self._keep_history(
            entity, look, Stitched(ids, links, refused) if affected is None else Stitched(fresh, *found[:2]), keep
        )
        return None if affected is None else self._rows(affected)

    def _affected(self, now: Evidence, past: Past | None) -> Frame | None:
        if past is None or past.evidence is None:
            return None
        affected = find_affected(
            now.identities,
            past.evidence.identities,
            past.tables["clusters"],
            past.tables["ids"],
            now.records,
            rules=self.rules,
            engine=self.engine,
        )
        return affected if self._rows(affected) <= self.most_affected * self._rows(now.records) else None

    def _number(self, look: "_Look", components: Frame) -> Frame:
        now, past, affected = look
        records = now.records
        if past is None:
            return number_profiles(records, components, None, self.engine, as_of=self.as_of)
        previous, in_use = past.tables["ids"], None
        if affected is not None:
            records, previous, in_use = (
                self.engine.among(records, "record_key", affected),
                self.engine.among(previous, "record_key", affected),
                previous.join(affected, on="record_key", how="anti"),
            )
        return number_profiles(records, components, previous, self.engine, as_of=self.as_of, in_use=in_use)

    def _map(self, look: "_Look", ids: Frame, links: Frame, refused: Frame) -> Frame:
        now, past, affected = look
        if past is None or past.evidence is None or affected is None:
            return map_identities(now.stated, ids, links, refused, self.rules)
        said = [self.engine.among(frame, "record_key", affected) for frame in (now.stated, past.evidence.stated)]
        values = self.engine.materialise(nw.concat([rows.select("value_key") for rows in said]).unique())
        carried = self.engine.materialise(self.engine.among(now.stated, "value_key", values))
        mapped = map_identities(carried, ids, links, refused, self.rules)
        return splice(past.tables["identities"], mapped, values, on="value_key")

    def _keep_history(self, entity: str, look: "_Look", now: Stitched, keep: Keep) -> None:
        if look.past is None:
            found = History(empty("identity/aliases", self.engine), empty("identity/history", self.engine))
        else:
            found = compare(
                _only(look.past.tables, look.affected),
                now,
                look.past.tables["aliases"],
                entity=entity,
                rules=self.rules,
                as_of=self.as_of,
                engine=self.engine,
            )
        keep("aliases", found.aliases)
        keep("history", found.changes)

    def _whole(self, name: str, rows: Frame, look: "_Look") -> Frame:
        if look.past is None or look.affected is None:
            return rows
        return splice(look.past.tables[name], rows, look.affected)

    def _rows(self, frame: Frame) -> int:
        return int(self.engine.collect(frame.select(rows=nw.len()))["rows"][0].as_py())


class _Look(NamedTuple):
    """What one run looks at: ``affected`` records only, or all."""

    now: Evidence
    past: Past | None
    affected: Frame | None


def _only(tables: Mapping[str, Frame], affected: Frame | None) -> Stitched:
    ids, links, refused = (tables[name] for name in ("ids", "links", "refused_links"))
    if affected is not None:
        ids, links = (frame.join(affected, on="record_key", how="semi") for frame in (ids, links))
        refused = refused.join(affected, on="record_key", how="semi")
    return Stitched(ids, links, refused)

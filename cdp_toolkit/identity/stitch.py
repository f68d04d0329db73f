"""The whole room, an entity at a time: identities become links, clusters, ids, a map of identities, and history."""

import datetime as dt
from dataclasses import dataclass
from typing import NamedTuple

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.identity.definition import IdentityRules
from cdp_toolkit.identity.history import History, Stitched, compare, empty
from cdp_toolkit.identity.ids import check_keys, map_identities, number_profiles
from cdp_toolkit.identity.incremental import Came
from cdp_toolkit.identity.links import carriers_of
from cdp_toolkit.identity.past import ChangingShelf, Past, Shelf
from cdp_toolkit.identity.resolve import resolve
from cdp_toolkit.identity.update import Update


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
    """

    rules: IdentityRules
    engine: Engine
    as_of: dt.datetime

    def stitch(self, entity: str, now: Evidence, past: Past | None, shelf: Shelf) -> None:
        """Find out which records of an entity are one, looking at all of them.

        Parameters
        ----------
        entity
            The entity.
        now
            What its records say.
        past
            What the last run found; None the first time.
        shelf
            Writes the tables.
        """
        engine = self.engine
        records = engine.key64(now.records.select("source_key", "is_deleted"), {"record_key": "source_key"})
        check_keys(records, engine)
        found = resolve(now.identities, records, self.rules, engine)
        links = shelf.keep("links", found.kept)
        refused = shelf.keep("refused_links", found.refused)
        clusters = shelf.keep("clusters", found.clusters)
        shelf.keep("members", clusters.select("cluster", "record_key"))
        shelf.keep("carriers", carriers_of(now.identities, engine))
        previous = None if past is None else past.tables["ids"].rows
        ids = shelf.keep("ids", number_profiles(records, found.components, previous, engine, as_of=self.as_of))
        shelf.keep("identities", map_identities(now.stated, ids, links, refused, self.rules))
        if past is None:
            history = History(empty("identity/aliases", engine), empty("identity/history", engine))
        else:
            before = Stitched(*(past.tables[name].rows for name in ("ids", "links", "refused_links")))
            history = compare(
                before,
                Stitched(ids, links, refused),
                past.tables["aliases"].rows,
                entity=entity,
                rules=self.rules,
                as_of=self.as_of,
                engine=engine,
            )
        shelf.keep("aliases", history.aliases)
        shelf.keep("history", history.changes)

    def update(self, entity: str, came: Came, past: Past, namespaces: tuple[str, ...], shelf: ChangingShelf) -> int:
        """Find out which records of an entity are one, looking at those that a change can reach.

        Parameters
        ----------
        entity
            The entity.
        came
            What changed since the last run.
        past
            What that found, under the same rules.
        namespaces
            As in ``Evidence``.
        shelf
            Writes the rows that are others now.

        Returns
        -------
        int
            How many records were looked at.
        """
        return Update(entity, came, past, self.rules, self.engine, self.as_of).run(namespaces, shelf)

"""Where the step that says which records are one finds what the last run left, and writes: tables of the lake."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import and_
from typing import NamedTuple

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.identity.past import KEYS, Kept, Past
from cdp_toolkit.lake import Lake, OpenRun
from cdp_toolkit.lake.tables import TABLES
from cdp_toolkit.profiles.build import PROFILES

EVIDENCE = "identity/evidence"
"""What the records said."""


class Told(NamedTuple):
    """The ``record_key`` of changed records, and the ``rows`` that they have in ``identity/evidence`` now."""

    keys: Frame
    rows: Frame


def past_of(lake: Lake, entity: str) -> Past | None:
    """Return what the last run read and wrote, as the lake still shows it while this one writes.

    Parameters
    ----------
    lake
        Shows the tables as they were.
    entity
        The entity.

    Returns
    -------
    Past or None
        None if there was no run. Tables of an earlier release lack the index: then everything is to be looked at.
    """
    if not lake.exists("identity/clusters"):
        return None
    addresses = {name: _address(name, entity) for name in KEYS}
    tables = {name: _kept(lake, table, entity) for name, table in addresses.items() if lake.exists(table)}
    links = nw.col("kind") == "link"
    refused = tables["refused_links"]
    tables["refused_links"] = Kept(refused.rows.filter(links), lambda keys: refused.find(keys).filter(links))
    is_whole = tables.keys() == KEYS.keys()  # one of an earlier release has fewer tables
    return Past(tables, _kept(lake, EVIDENCE, entity, nw.col("reason").is_null()) if is_whole else None)


def _kept(lake: Lake, name: str, entity: str, *where: nw.Expr) -> Kept:
    own = [nw.col("entity") == entity] if "entity" in TABLES[name].columns else []
    is_asked = reduce(and_, [*own, *where]) if own or where else None

    def only(rows: Frame) -> Frame:
        return rows if is_asked is None else rows.filter(is_asked)

    return Kept(only(lake.scan(name)), lambda keys: lake.engine.materialise(only(lake.find(name, keys))))


def _address(name: str, entity: str) -> str:
    return f"identity/{entity}_ids" if name == "ids" else f"identity/{name}"


@dataclass(frozen=True)
class LakeShelf:
    """Where the tables of an entity are written, most of them beside those of others.

    Parameters
    ----------
    run
        The stitch that is on.
    entity
        The entity.
    told
        What changed records say, where rows are to be changed.
    """

    run: OpenRun
    entity: str
    told: Told | None = None

    def keep(self, name: str, rows: Frame) -> Frame:
        """Write a table anew; see ``Shelf.keep``."""
        table = _address(name, self.entity)
        if name == "ids":
            return self.run.replace(table, rows)
        is_first = self.entity == PROFILES[0] and name != "history"
        write = self.run.replace if is_first else self.run.append
        return write(table, _formed(name, self.entity, rows)).filter(nw.col("entity") == self.entity)

    def change(self, name: str, rows: Frame, keys: Frame) -> None:
        """Write rows in the place of others; see ``Shelf.change``."""
        if name == "refused_links":
            rows = self._with_values(rows, keys)
        if name == "ids":
            self.run.change(_address(name, self.entity), rows, keys)
        else:
            self.run.change(_address(name, self.entity), self._named(rows), self._named(keys))

    def _with_values(self, refused: Frame, keys: Frame) -> Frame:
        """Add the values that identify nobody, whoever carries them: those of changed records, and the others' as before."""
        assert self.told is not None  # noqa: S101 - who changes rows has them
        table, is_own = "identity/refused_links", nw.col("entity") == self.entity
        before = self.run.find(table, keys).filter(is_own, nw.col("kind") == "value")
        others = before.join(self.told.keys, on="record_key", how="anti")
        values = self.told.rows.filter(~nw.col("reason").is_null()).with_columns(kind=nw.lit("value"))
        columns = [each for each in TABLES[table].columns if each != "entity"]
        told = (refused.with_columns(kind=nw.lit("link")), values, others)
        return nw.concat([frame.select(*columns) for frame in told])

    def _named(self, rows: Frame) -> Frame:
        return rows.with_columns(entity=nw.lit(self.entity))


@dataclass(frozen=True)
class HeldShelf:
    """Where the tables of an entity that is not the first are held, until those of several are written at once.

    Parameters
    ----------
    engine
        Runs the rows, which must be few.
    entity
        The entity.
    held
        The tables so far, by name.
    """

    engine: Engine
    entity: str
    held: dict[str, Frame] = field(default_factory=dict)

    def keep(self, name: str, rows: Frame) -> Frame:
        """Hold a table; see ``Shelf.keep``."""
        self.held[name] = self.engine.materialise(rows)
        return self.held[name]


def write_held(run: OpenRun, shelves: Sequence[HeldShelf]) -> None:
    """Write what was held, after the rows of the first entity.

    Parameters
    ----------
    run
        The stitch that is on.
    shelves
        One an entity.
    """
    for name in shelves[0].held:
        if name == "ids":
            for shelf in shelves:
                run.replace(_address(name, shelf.entity), shelf.held[name])
        else:
            rows = (_formed(name, shelf.entity, shelf.held[name]) for shelf in shelves)
            run.append(f"identity/{name}", nw.concat([*rows]))


def _formed(name: str, entity: str, rows: Frame) -> Frame:
    rows = rows.with_columns(kind=nw.lit("link")) if name == "refused_links" else rows
    return rows.with_columns(entity=nw.lit(entity)).select(*TABLES[f"identity/{name}"].columns)

"""What is tied to some profiles: the rows that relations lead to from them, each way read once and kept.

A way is the names of relations from a profile, such as ``("accounts", "opportunities")``. At its end are the rows that the
profiles reach and, where a table lies between, the ties to them. A rule that walks such ways alone is answered by these
rows, however large the tables are. A way that spreads too far is kept for the first of the profiles only.
"""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.lake.tables import table
from cdp_toolkit.model import Model, Relation
from cdp_toolkit.segments.listed import HISTORY, Scan, row_id_of, scan_listed, with_lists

Way = tuple[str, ...]

MOST_ROWS = 500_000
"""Rows that the profiles may reach by one way."""
_PLACE, _ROW, _NEXT, _FIRST = "_place", "_row", "_next", b"first"


@dataclass(frozen=True)
class End:
    """What is at the end of a way.

    Parameters
    ----------
    entity
        What its rows are.
    first
        The rows are those of so many profiles, counted from the first.
    tables
        Rows by table: those of the entity, and the ties to them.
    """

    entity: str
    first: int
    tables: Mapping[str, Frame]


class Neighbourhood:
    """The rows around some profiles.

    Parameters
    ----------
    ids
        ``profile_id`` of each profile.
    entity
        What they are.
    scan
        Gives the whole ``profiles/<name>``.
    model
        Entities and relations.
    engine
        Runs it.
    folder
        Where rows are kept from one process to the next.
    most
        Rows that the profiles may reach by one way.
    """

    def __init__(
        self,
        ids: pa.Table,
        entity: str,
        scan: Scan,
        model: Model,
        engine: Engine,
        *,
        folder: Path,
        most: int = MOST_ROWS,
    ) -> None:
        self._entity, self._engine, self._folder, self._most = entity, engine, folder, most
        self._scan, self.model = partial(scan_listed, scan), with_lists(model)
        places = pa.table({_PLACE: np.arange(len(ids)), _ROW: ids["profile_id"]})
        self._ties: dict[Way, Frame] = {(): engine.load(places)}
        self._size = len(ids)
        self._ends: dict[Way, End] = {}
        self._joined: dict[tuple[str, frozenset[Way]], Frame] = {}

    def end(self, way: Way) -> End:
        """Return what is at the end of a way.

        Parameters
        ----------
        way
            Names of relations; none for the profiles themselves.

        Returns
        -------
        End
            Read from the whole tables only where nobody ever asked for it.
        """
        if way not in self._ends:
            self._ends[way] = self._kept(way) or self._read(way)
        return self._ends[way]

    def rows(self, name: str, ways: Collection[Way]) -> Frame:
        """Return the rows of a table that lie at the ends of some ways.

        Parameters
        ----------
        name
            Of ``profiles/``.
        ways
            At least one, all of which lead to rows of the table or over it.

        Returns
        -------
        Frame
            Each row once.
        """
        key = (name, frozenset(ways))
        if key not in self._joined:
            found = [self.end(way).tables[name] for way in sorted(key[1])]
            one = nw.concat(found).unique(list(_key(name, self.model))) if len(found) > 1 else found[0]
            self._joined[key] = self._engine.materialise(one) if len(found) > 1 else one
        return self._joined[key]

    def known(self, entity: str) -> Frame | None:
        """Return rows of an entity that have been read.

        Parameters
        ----------
        entity
            Its name.

        Returns
        -------
        Frame or None
            Those at the end of the first such way; None where there is none.
        """
        return next((end.tables[entity] for end in list(self._ends.values()) if end.entity == entity), None)

    def _kept(self, way: Way) -> End | None:
        entity, files = self._files(way)
        if not all(file is not None and file.exists() for file in files.values()):
            return None
        schemas = {name: pq.read_schema(file) for name, file in files.items()}
        tables = {name: self._engine.scan([str(file)], schemas[name]) for name, file in files.items()}
        first = int(schemas[entity].metadata[_FIRST])
        return End(entity, first, {name: self._engine.materialise(rows) for name, rows in tables.items()})

    def _read(self, way: Way) -> End:
        entity, files = self._files(way)
        first, asked = self._asked(way)
        tables = {}
        for name, rows in asked.items():
            found = self._engine.collect(rows)
            _keep(found.replace_schema_metadata({_FIRST: str(first)}), files[name])
            tables[name] = self._engine.load(found)
        return End(entity, first, tables)

    def _files(self, way: Way) -> tuple[str, dict[str, Path | None]]:
        """Return the entity at the end of a way, and where its tables are kept; history goes on between two stitches."""
        entity, names = self._entity, [self._entity]
        for step in way:
            relation = self.model.entity(entity).relations[step]
            entity, names = relation.to, [name for name in (relation.to, relation.through) if name is not None]
        start = ".".join((self._entity, *way))
        return entity, {name: None if name == HISTORY else self._folder / f"{start}-{name}.parquet" for name in names}

    def _asked(self, way: Way) -> tuple[int, dict[str, Frame]]:
        """Return for how many profiles a way is read, and what is read of each table."""
        if not way:
            return self._size, {self._entity: _tied(self._scan(self._entity), "profile_id", self._ties[()], _ROW)}
        before = self.end(way[:-1])
        relation = self.model.entity(before.entity).relations[way[-1]]
        name, near, far = _pair(before.entity, relation)
        ties, first = self._ties_of(way[:-1]), before.first
        if not relation.many:
            return first, {relation.to: _tied(self._scan(relation.to), "profile_id", before.tables[name], far)}
        first = self._spread(ties, name, near, first)
        rows = _tied(self._scan(name), near, ties.filter(nw.col(_PLACE) < first), _ROW)
        if relation.through is None:
            return first, {relation.to: rows}
        rows = self._engine.materialise(rows)
        return first, {name: rows, relation.to: _tied(self._scan(relation.to), "profile_id", rows, far)}

    def _spread(self, ties: Frame, name: str, near: str, first: int) -> int:
        """Return how many of the first profiles reach no more rows together than may be kept."""
        counts = _tied(self._scan(name).select(**{_ROW: nw.col(near)}), _ROW, ties, _ROW)
        counts = counts.group_by(_ROW).agg(_rows=nw.len())
        reached = ties.join(counts, on=_ROW, how="inner").group_by(_PLACE).agg(_rows=nw.col("_rows").sum())
        found = self._engine.collect(reached.sort(_PLACE))
        before = np.cumsum(found["_rows"].to_numpy())
        fits = int(np.searchsorted(before, self._most, side="right"))
        return first if fits == len(before) else int(found[_PLACE][fits].as_py())

    def _ties_of(self, way: Way) -> Frame:
        """Return which profile reaches which row: ``_place`` and ``_row``, the key of the row."""
        if way not in self._ties:
            before, end = self.end(way[:-1]), self.end(way)
            relation = self.model.entity(before.entity).relations[way[-1]]
            name, near, far = _pair(before.entity, relation)
            held = (end if relation.many else before).tables[name]
            pairs = held.select(**{_ROW: nw.col(near), _NEXT: nw.col(far)}).filter(~nw.col(_NEXT).is_null())
            mine = self._ties_of(way[:-1]).filter(nw.col(_PLACE) < end.first)
            ties = mine.join(pairs, on=_ROW, how="inner").select(_PLACE, **{_ROW: nw.col(_NEXT)})
            self._ties[way] = self._engine.materialise(ties)
        return self._ties[way]


def _pair(entity: str, relation: Relation) -> tuple[str, str, str]:
    """Return the table that ties rows to those that a relation leads to, and its columns with the key of either."""
    if relation.through is not None:
        return relation.through, relation.near, relation.far
    if relation.many:
        return relation.to, relation.far, row_id_of(relation.to)
    return entity, row_id_of(entity), relation.near


def _tied(rows: Frame, column: str, to: Frame, key: str) -> Frame:
    return rows.join(to.select(key).unique(), left_on=column, right_on=key, how="semi")


def _key(name: str, model: Model) -> tuple[str, ...]:
    return table(name if "/" in name else f"profiles/{name}", model).key


def _keep(rows: pa.Table, file: Path | None) -> None:
    """Write a file whole or not at all."""
    if file is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}")
    pq.write_table(rows, part)
    part.replace(file)

"""A fixed sample of profiles with all rows that belong to them, small enough for an answer while one types.

The profiles are those with the smallest hash of their id, so the same ones are looked at until the profiles change. A
table of the sample stands for the whole table where a rule reaches it from the sampled profiles alone: the events of
sampled people are all there, those of the colleagues of sampled people are not.
"""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.model import Model
from cdp_toolkit.segments.listed import Scan
from cdp_toolkit.segments.reading import Reading

SIZE = 20_000
"""Profiles in a sample: a segment of 1 % is known to 0.14 points then."""

_Z = 1.959964  # of the normal distribution, for 95 %
_IDS = "_sampled"
_Ways = dict[str, tuple[tuple[str, ...], str]]


@dataclass(frozen=True)
class Sample:
    """Some of the profiles of an entity, and what belongs to them.

    Parameters
    ----------
    ids
        One row per sampled profile: ``profile_id``.
    size
        How many they are.
    total
        How many profiles there are.
    tables
        Rows that belong to them, by table of ``profiles/``, with the relations that lead there.
    """

    ids: Frame
    size: int
    total: int
    tables: Mapping[str, tuple[tuple[str, ...], Frame]]

    def scan(self, scan: Scan, reading: Reading | None, model: Model) -> Scan:
        """Return how to read tables for a rule: from the sample where that is enough.

        Parameters
        ----------
        scan
            Gives the whole ``profiles/<name>``.
        reading
            What the rule reads; None where that is not known.
        model
            Entities and relations.

        Returns
        -------
        Callable
            Gives ``profiles/<name>``.
        """
        ways: dict[str, set[tuple[str, ...]]] = {}
        for name, way in () if reading is None else _walked(reading, (), model):
            ways.setdefault(name, set()).add(way)
        enough = {name: rows for name, (way, rows) in self.tables.items() if ways.get(name) == {way}}
        return lambda name: enough[name] if name in enough else scan(name)

    def interval(self, found: int) -> tuple[int, int]:
        """Return between which two numbers of all profiles lie, 19 times out of 20.

        Parameters
        ----------
        found
            How many of the sample.

        Returns
        -------
        low, high
            Wilson's interval, scaled to all profiles.
        """
        if self.size >= self.total:
            return found, found
        share, squared = found / self.size, _Z**2 / self.size
        middle = (share + squared / 2) / (1 + squared)
        half = _Z * sqrt(share * (1 - share) / self.size + squared / (4 * self.size)) / (1 + squared)
        low, high = max(middle - half, 0.0), min(middle + half, 1.0)
        return max(int(low * self.total), found), round(high * self.total)


def draw(entity: str, scan: Scan, model: Model, engine: Engine, *, size: int = SIZE) -> Iterator[tuple[str, pa.Table]]:
    """Draw a sample.

    Parameters
    ----------
    entity
        ``person`` or ``account``.
    scan
        Gives ``profiles/<name>``.
    model
        Entities and relations.
    engine
        Runs it.
    size
        How many profiles.

    Yields
    ------
    name, rows
        The ids first, then each table of ``profiles/``.
    """
    spelt = scan(entity).select("profile_id", _text=nw.col("profile_id").cast(nw.String))
    hashed = engine.key64(spelt, {"_hash": "_text"}).sort("_hash", "profile_id").head(size)
    ids = engine.collect(hashed.select("profile_id"))
    yield _IDS, ids
    chosen = engine.load(ids)
    people = chosen
    if entity == "account":
        pairs = scan("person_account").join(chosen, left_on="account_id", right_on="profile_id", how="semi")
        people = engine.load(engine.collect(pairs.select("profile_id").unique("profile_id")))
    for name, (way, owner) in _ways(entity, model).items():
        of = chosen if (len(way) == 1 and name != "person") or not way else people
        yield name, engine.collect(scan(name).join(of, left_on=owner, right_on="profile_id", how="semi"))


def kept(
    folder: Path, entity: str, scan: Scan, model: Model, engine: Engine, *, total: int, size: int = SIZE
) -> Sample:
    """Return the sample in a folder, drawn if it is not there.

    Parameters
    ----------
    folder
        Where it is kept: named by the version of the profiles, in a folder with nothing else in it.
    entity
        ``person`` or ``account``.
    scan
        Gives ``profiles/<name>``.
    model
        Entities and relations.
    engine
        Runs it.
    total
        How many profiles there are.
    size
        How many to draw.

    Returns
    -------
    Sample
        Read from files.
    """
    done = folder / "done"
    if not done.exists():
        shutil.rmtree(folder.parent, ignore_errors=True)  # with the samples of versions before
        folder.mkdir(parents=True)
        for name, rows in draw(entity, scan, model, engine, size=size):
            pq.write_table(rows, folder / f"{name}.parquet")
        done.write_text(str(total), "utf-8")
    ids = pq.read_table(folder / f"{_IDS}.parquet")
    tables = {}
    for name, (way, _) in _ways(entity, model).items():
        file = folder / f"{name}.parquet"
        tables[name] = (way, engine.scan([str(file)], pq.read_schema(file)))
    return Sample(engine.load(ids), len(ids), int(done.read_text("utf-8")), tables)


def _ways(entity: str, model: Model) -> _Ways:
    """Return the tables of a sample: the relations that lead to each, and its column with the owner's id."""
    if entity == "person":
        return {"person": ((), "profile_id"), **_owned("person", (), model)}
    tied = {name: way for name, way in _owned(entity, (), model).items() if name not in model.entities}
    return tied | {"person": (("people",), "profile_id"), **_owned("person", ("people",), model, but=tied)}


def _owned(entity: str, before: tuple[str, ...], model: Model, but: Mapping[str, object] | None = None) -> _Ways:
    found: _Ways = {}
    for relation in model.entity(entity).relations.values():
        name = relation.through or relation.to
        if relation.many and name not in {"account", "person", "opportunity", *(but or {})}:
            found[name] = ((*before, relation.name), relation.near if relation.through else relation.far)
    return found


def _walked(reading: Reading, way: tuple[str, ...], model: Model) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield reading.entity, way
    for name, behind in reading.behind.items():
        through = model.entity(reading.entity).relations[name].through
        if through is not None:
            yield through, (*way, name)
        yield from _walked(behind, (*way, name), model)

"""A fixed sample of profiles with all rows that belong to them, small enough for an answer while one types.

The profiles are those with the smallest hash of their id, so the same ones are looked at until the profiles change. What a
rule reads of them is in their neighbourhood; a rule that walks further than can be kept is asked of the first of them.
"""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.model import Model
from cdp_toolkit.segments.listed import Scan
from cdp_toolkit.segments.neighbourhood import Neighbourhood, Way
from cdp_toolkit.segments.reading import Reading

SIZE = 20_000
"""Profiles in a sample: a segment of 1 % is known to 0.14 points then."""
FEWEST = 200
"""Profiles that an estimate needs; where a way spreads too far even for them, its tables are read whole."""

_Z = 1.959964  # of the normal distribution, for 95 %


@dataclass(frozen=True)
class Few:
    """Some of the profiles of an entity, and where to read what belongs to them.

    Parameters
    ----------
    ids
        One row per profile: ``profile_id``.
    size
        How many they are.
    total
        How many profiles there are.
    scan
        Gives ``profiles/<name>``: at least the rows that belong to them.
    """

    ids: Frame
    size: int
    total: int
    scan: Scan

    @property
    def scale(self) -> float:
        """How many profiles each of them stands for."""
        return self.total / max(self.size, 1)

    def interval(self, found: int) -> tuple[int, int]:
        """Return between which two numbers of all profiles lie, 19 times out of 20.

        Parameters
        ----------
        found
            How many of these profiles.

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


class Sample:
    """A sample of the profiles of an entity.

    Parameters
    ----------
    ids
        ``profile_id`` of each.
    total
        How many profiles there are.
    near
        What is around them.
    scan
        Gives the whole ``profiles/<name>``, as it was when the sample was drawn.
    engine
        Runs it.
    """

    def __init__(self, ids: pa.Table, total: int, near: Neighbourhood, scan: Scan, engine: Engine) -> None:
        self.total, self.near, self.scan = total, near, scan
        self._ids, self._engine = ids, engine
        self._first: dict[int, Frame] = {}

    @property
    def size(self) -> int:
        """How many profiles it has."""
        return len(self._ids)

    @property
    def ids(self) -> Frame:
        """One row per profile: ``profile_id``."""
        return self._head(self.size)

    def along(self, ways: Iterable[Way]) -> Few:
        """Return as many of the profiles as some ways are known for.

        Parameters
        ----------
        ways
            Ways that a rule walks, each with all ways that it begins with.

        Returns
        -------
        Few
            All of the sample, unless a way spreads too far.
        """
        ends = {way: self.near.end(way) for way in ways}
        is_short = {way: end.first < min(FEWEST, self.size) for way, end in ends.items()}
        whole = {name for way, end in ends.items() if is_short[way] for name in end.tables}
        first = min((end.first for way, end in ends.items() if not is_short[way]), default=self.size)
        known: dict[str, set[Way]] = {}
        for way, end in ends.items():
            for name in set(end.tables) - whole:
                known.setdefault(name, set()).add(way)
        return Few(
            self._head(first),
            first,
            self.total,
            lambda name: self.near.rows(name, known[name]) if name in known else self.scan(name),
        )

    def _head(self, first: int) -> Frame:
        if first not in self._first:
            self._first[first] = self._engine.load(self._ids.slice(0, first))
        return self._first[first]


def ways_of(reading: Reading) -> set[Way]:
    """Return the ways that a rule walks.

    Parameters
    ----------
    reading
        What it reads.

    Returns
    -------
    set of tuple
        Names of relations, from none on.
    """
    return set(_walked(reading, ()))


def _walked(reading: Reading, way: Way) -> Iterator[Way]:
    yield way
    for name, behind in reading.behind.items():
        yield from _walked(behind, (*way, name))


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
        Gives the whole ``profiles/<name>``, of the version that names the folder.
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
        What is around its profiles is read when it is first asked for, and kept too.
    """
    file = folder / "ids.parquet"
    if not file.exists():
        shutil.rmtree(folder.parent, ignore_errors=True)  # with the samples of versions before
        folder.mkdir(parents=True)
        spelt = scan(entity).select("profile_id", _text=nw.col("profile_id").cast(nw.String))
        hashed = engine.key64(spelt, {"_hash": "_text"}).sort("_hash", "profile_id").head(size)
        part = file.with_suffix(".part")
        pq.write_table(
            engine.collect(hashed.select("_hash", "profile_id")).sort_by("_hash").select(["profile_id"]), part
        )
        part.replace(file)
    ids = pq.read_table(file)
    return Sample(ids, total, Neighbourhood(ids, entity, scan, model, engine, folder=folder), scan, engine)

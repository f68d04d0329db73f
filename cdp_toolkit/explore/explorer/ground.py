"""What an explorer looks at: tables as they were when it opened, and a sample of them held in memory."""

import datetime as dt
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import narwhals as nw
import polars as pl

from cdp_toolkit.engines import Frame
from cdp_toolkit.explore import numbers
from cdp_toolkit.explore.explorer import facets as f
from cdp_toolkit.explore.masked import masked
from cdp_toolkit.explore.numbers.reading import read
from cdp_toolkit.model.personal import is_personal
from cdp_toolkit.segments.count import BUCKET_SIZE, Counted, count
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.estimate import Preview, preview
from cdp_toolkit.segments.sample import Sample
from cdp_toolkit.workspace import Workspace

_SHOWN = {
    "person": ("first_name", "last_name", "job_title", "company_name", "country", "person_score"),
    "account": ("account_name", "industry", "billing_country", "employees", "open_opportunities"),
}
_PEOPLE = 8
_OVERLAPS = 8
_SUGGESTED = 40


@dataclass(frozen=True)
class Seen:
    """What an audience would be.

    Parameters
    ----------
    count, total
        Members, and all profiles.
    interval
        Between which numbers the count lies; None where it is exact.
    chosen
        Members that the filters leave.
    method
        ``streaming`` or ``batch``, and why.
    clauses
        Condition, how many meet it, how many it removes.
    facets
        For each facet its label and kind, and of each value the number of members and whether it is chosen.
    overlaps
        For each of the other audiences how many are in both, and its own size.
    columns, people
        Some members, masked.
    seconds
        How long it took to find out.
    """

    count: int
    total: int
    interval: tuple[int, int] | None
    chosen: int
    method: tuple[str, str]
    clauses: list[dict[str, Any]]
    facets: list[dict[str, Any]]
    overlaps: list[dict[str, Any]]
    columns: list[str]
    people: list[list[Any]]
    seconds: float


class Ground:
    """Profiles of one entity, pinned.

    Parameters
    ----------
    ws
        The workspace.
    entity
        ``person`` or ``account``.
    as_of
        What ``now`` means.
    """

    def __init__(self, ws: Workspace, entity: str, as_of: dt.datetime) -> None:
        self.ws, self.entity, self.as_of = ws, entity, as_of
        self.bucket_size = BUCKET_SIZE
        self.segments: Mapping[str, Segment] = ws.segments
        self._frames: dict[str, Frame] = {}
        self._counted: dict[tuple[str, str], pl.DataFrame] = {}

    def scan(self, name: str) -> Frame:
        """Return a table as it was when the explorer opened.

        Parameters
        ----------
        name
            Of ``profiles/``, or the history of segments.

        Returns
        -------
        Frame
            Lazy.
        """
        if name not in self._frames:
            self._frames[name] = self.sample.scan(name)
        return self._frames[name]

    @cached_property
    def sample(self) -> Sample:
        """Some profiles, and all that belongs to them."""
        drawn: Sample = self.ws.sample(self.entity)
        return drawn

    @cached_property
    def facets(self) -> list[tuple[f.Facet, pl.DataFrame, float]]:
        """The facets, the values of each sampled profile, and how many profiles each of these stands for."""
        return [self._valued(facet) for facet in f.FACETS[self.entity]]

    def _valued(self, facet: f.Facet) -> tuple[f.Facet, pl.DataFrame, float]:
        few = self.sample.along(facet.ways)
        return facet, f.values(facet, self.entity, few.ids, few.scan, self.ws.model), few.scale

    @cached_property
    def memberships(self) -> pl.DataFrame:
        """Which sampled profiles are in which audience: ``segment``, ``profile_id``."""
        if not self.ws.lake.exists("segments/membership"):
            return pl.DataFrame(schema={"segment": pl.String, "profile_id": pl.Int64})
        is_in: dict[str, list[str | int]] = {"status": ["realized"], "entity": [self.entity]}
        lake, name = self.ws.lake, "segments/membership"
        ids = lake.engine.collect(self.sample.ids)["profile_id"].to_numpy()
        rows = lake.unpacked(name, lake.packed(name, only=is_in), among=ids)
        return read(lake, rows.select("segment", "profile_id"))

    @cached_property
    def sizes(self) -> dict[str, int]:
        """The size of each audience."""
        sizes = numbers.audiences(self.ws.lake)
        return dict(sizes.filter(pl.col("entity") == self.entity).select("segment", "members").iter_rows())

    @cached_property
    def people(self) -> pl.DataFrame:
        """The sampled profiles, masked, with the columns that are shown."""
        rows = self.sample.along([()]).scan(self.entity)
        columns = [name for name in _SHOWN[self.entity] if name in rows.collect_schema().names()]
        frame = read(self.ws.lake, rows.select("profile_id", *columns))
        return masked(frame, entity=self.entity, model=self.ws.model).sort("profile_id")

    def look(self, segment: Segment, chosen: Mapping[str, Sequence[str]] | None = None) -> Seen:
        """Estimate an audience, and what it is made of.

        Parameters
        ----------
        segment
            The audience.
        chosen
            Values of facets, by their paths, that members must have to be shown.

        Returns
        -------
        Seen
            From the sample.
        """
        began = time.perf_counter()
        found = self._preview(segment)
        members: pl.DataFrame = found.members.collect("polars").to_native()
        kept = {path: self._having(path, some) for path, some in (chosen or {}).items() if some}
        left = _all_of(members, [*kept.values()])
        # a facet that spreads far is known of fewer profiles, so each of them stands for more
        scale = max([found.scale, *(scale for facet, _, scale in self.facets if facet.path in kept)])
        return Seen(
            count=found.count,
            total=found.total,
            interval=found.interval,
            chosen=round(left.height * scale),
            method=found.method,
            clauses=[vars(each) for each in found.clauses],
            facets=[
                self._facet(facet, rows, _all_of(members, [ids for path, ids in kept.items() if path != facet.path]),
                            (chosen or {}).get(facet.path, ()), max(scale, own))
                for facet, rows, own in self.facets
            ],
            overlaps=self._overlaps(left, segment.name, scale),
            columns=self.people.columns[1:],
            people=[list(row[1:]) for row in self.people.join(left, on="profile_id", how="semi").head(_PEOPLE).iter_rows()],
            seconds=time.perf_counter() - began,
        )  # fmt: skip

    def counting(self, segment: Segment, is_wanted: Callable[[], bool] = lambda: True) -> Generator[Counted]:
        """Count an audience exactly.

        Parameters
        ----------
        segment
            The audience.
        is_wanted
            Whether anybody waits for the answer; the count ends where it says no.

        Yields
        ------
        Counted
            After each bucket of profiles; the last one is the answer.
        """
        lake, zone = self.ws.lake, self.ws.settings.timezone
        others = list(self.segments.values())
        yield from count(
            segment, self.scan, self.ws.model, lake.engine, as_of=self.as_of, timezone=zone, segments=others,
            bucket_size=self.bucket_size, is_wanted=is_wanted,
        )  # fmt: skip

    def open(self, says: Callable[[str], None]) -> None:
        """Read what an estimate needs, where that was not read since the last stitch.

        Parameters
        ----------
        says
            Is told what is read.
        """
        says("Drawing a sample")
        ways = {way: facet.label for facet in f.FACETS[self.entity] for way in facet.ways}
        for way, label in ways.items():
            says(f"Reading what belongs to the sample: {label.lower()}")
            self.sample.near.end(way)
        says("Counting the sample")
        self.facets, self.memberships, self.sizes, self.people  # noqa: B018 - each is computed when it is first read

    def suggest(self, entity: str, column: str, typed: str = "") -> list[str]:
        """Return values that a column has.

        Parameters
        ----------
        entity
            Whose column.
        column
            Its name.
        typed
            A part of the value, in any case.

        Returns
        -------
        list of str
            The most frequent first; none where they would say who somebody is.
        """
        if is_personal(self.ws.model.entity(entity).field(column)):
            return []
        if (entity, column) not in self._counted:
            self._counted[entity, column] = self._values(entity, column)
        found = self._counted[entity, column]["value"]
        near = found.filter(found.str.to_lowercase().str.contains(typed.lower(), literal=True)) if typed else found
        return near.head(_SUGGESTED).to_list()

    def _values(self, entity: str, column: str) -> pl.DataFrame:
        near = self.sample.near.known(entity)
        rows = (self.scan(entity) if near is None else near).select(value=nw.col(column))
        is_list = isinstance(rows.collect_schema()["value"], nw.List)
        rows = (rows.explode("value") if is_list else rows).with_columns(nw.col("value").cast(nw.String)).drop_nulls()
        counted = rows.group_by("value").agg(count=nw.len())
        frame = read(self.ws.lake, counted)
        return frame.sort("count", "value", descending=[True, False]).head(5_000)

    def _preview(self, segment: Segment) -> Preview:
        return preview(
            segment,
            self.scan,
            self.ws.model,
            as_of=self.as_of,
            timezone=self.ws.settings.timezone,
            segments=[each for each in self.segments.values() if each.name != segment.name],
            among=lambda _: self.sample,
        )

    def _having(self, path: str, some: Sequence[str]) -> pl.DataFrame:
        rows = next(rows for facet, rows, _ in self.facets if facet.path == path)
        return rows.filter(pl.col("value").is_in(list(some))).select("profile_id").unique()

    @staticmethod
    def _facet(facet: f.Facet, rows: pl.DataFrame, members: pl.DataFrame, chosen: Sequence[str], scale: float) -> Any:
        counted = f.shown(facet, rows.join(members, on="profile_id", how="semi"))
        told = [
            {"value": value, "count": round(count * scale), "is_chosen": value in chosen}
            for value, count in counted.select("value", "count").iter_rows()
        ]
        return {"label": facet.label, "path": facet.path, "kind": facet.kind, "rows": told}

    def _overlaps(self, members: pl.DataFrame, own: str, scale: float) -> list[dict[str, Any]]:
        shared = self.memberships.filter(pl.col("segment") != own).join(members, on="profile_id", how="semi")
        counted = shared.group_by("segment").agg(both=pl.len()).sort("both", "segment", descending=[True, False])
        return [
            {"segment": name, "both": round(both * scale), "size": self.sizes.get(name, 0)}
            for name, both in counted.head(_OVERLAPS).iter_rows()
        ]


def _all_of(members: pl.DataFrame, each: Sequence[pl.DataFrame]) -> pl.DataFrame:
    for ids in each:
        members = members.join(ids, on="profile_id", how="semi")
    return members

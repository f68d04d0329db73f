"""The step of the line that evaluates: whom to look at, who moved, and what to write of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import pyarrow as pa

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.lake import OpenRun
from cdp_toolkit.lake.packed import Numbering
from cdp_toolkit.model import Model
from cdp_toolkit.segments.bindings import Bindings
from cdp_toolkit.segments.changes import Again, Ids, Versions, again
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.evaluate import Evaluation, evaluate
from cdp_toolkit.segments.membership import HISTORY, Moves
from cdp_toolkit.segments.pql.times import Clock
from cdp_toolkit.segments.reading import UnclearError
from cdp_toolkit.segments.standings import MEMBERSHIP, membership


@dataclass(frozen=True)
class Found:
    """What an evaluation found.

    Parameters
    ----------
    methods
        For each evaluated segment ``streaming`` or ``batch``, and why.
    failed
        The message of each segment that could not be evaluated.
    moved
        Rows of ``segments/history`` as they are on disk.
    looked_at
        How many profiles were looked at, by entity; or by segment, or number of segments, why all of them were.
    """

    methods: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    moved: tuple[pa.Table, ...] = ()
    looked_at: Mapping[str, str] = field(default_factory=dict)

    def __add__(self, other: "Found") -> "Found":
        """Return both together."""
        return Found(
            {**self.methods, **other.methods},
            {**self.failed, **other.failed},
            self.moved + other.moved,
            {**self.looked_at, **other.looked_at},
        )


@dataclass(frozen=True)
class Step:
    """One evaluation of segments.

    Parameters
    ----------
    run
        Reads ``profiles/``, writes ``segments/``.
    segments
        All segments of the workspace.
    model
        Entities, fields and relations.
    engine
        Runs it.
    numbering
        Numbers of profiles.
    as_of
        What ``now`` means.
    timezone
        Where days begin.
    last
        Row of ``runs`` of the last evaluation under the same definitions; None if there is none.
    """

    run: OpenRun
    segments: Sequence[Segment]
    model: Model
    engine: Engine
    numbering: Numbering
    as_of: datetime
    timezone: str
    last: Mapping[str, Any] | None = None

    @cached_property
    def moves(self) -> Moves:
        """Who moves, compared with the membership so far."""
        is_there = self.run.exists("segments/membership")
        previous = self.run.packed("segments/membership") if is_there else None
        return Moves(previous, self.numbering, self.engine, self.as_of, self.run.started_at)

    @cached_property
    def _bindings(self) -> Bindings:
        return Bindings(self.segments, self.model, Clock(self.as_of, self.timezone))

    def evaluate(self, names: Sequence[str], table: Callable[[str], str]) -> Found:
        """Evaluate segments: for the profiles that may have changed where that can be told, else for all.

        Parameters
        ----------
        names
            Segments of one merge policy.
        table
            Gives the name in the lake of a profile table under that policy.

        Returns
        -------
        Found
            Who moved, and how it was found out.
        """
        to_do = self._again(names, table)
        whole = [name for name in names if name in to_do.whole]
        few = [name for name in names if name not in to_do.whole]
        found = Found(looked_at=self._told(to_do, table))
        if whole:
            found += self._moved(whole, table, None)
        return found + self._moved(few, table, to_do.profiles) if few else found

    def keep(self, moved: Sequence[pa.Table]) -> dict[str, int]:
        """Write who moved, and where all stand now.

        Parameters
        ----------
        moved
            Rows of ``segments/history`` as they are on disk.

        Returns
        -------
        dict
            How many ``entered`` and ``exited``; empty if nobody did.
        """
        moves, previous = pa.concat_tables([HISTORY.empty_table(), *moved]), self.moves.previous
        if not len(moves) and previous is not None:
            return {}
        self.run.write("segments/numbering", self.numbering.added(), mode="append")
        self.run.write("segments/history", moves, mode="append")
        batches = membership(previous, moves, self.numbering, self.engine)
        rows = pa.RecordBatchReader.from_batches(MEMBERSHIP, batches)
        self.run.write("segments/membership", rows, mode="overwrite")
        counted = moves.group_by("change").aggregate([("profiles", "sum")]).to_pylist()
        return {row["change"]: row["profiles_sum"] for row in counted}

    def _again(self, names: Sequence[str], table: Callable[[str], str]) -> Again:
        if self.last is None or "evaluation" not in self.last["details"]:
            return Again(dict.fromkeys(names, "first evaluated with these definitions"))
        known = self.last["details"].get("methods", {})
        fresh = {name: "not evaluated last time" for name in names if name not in known}
        then = Clock(datetime.fromisoformat(self.last["details"]["evaluation"]["as_of"]), self.timezone)
        after = self._bindings
        before = after if then == after.clock else Bindings(self.segments, self.model, then)
        scans = (lambda name: self.run.scan(table(name)), lambda name: self._differing(table(name)))
        versions = Versions(*scans, before, after)
        found = again(self.segments, [name for name in names if name in known], versions, self.model, self.engine)
        return replace(found, whole={**fresh, **found.whole})

    def _differing(self, name: str) -> tuple[Frame, Frame] | None:
        version = (self.last or {})["read"].get(name)
        if version is None:
            raise UnclearError(f"{name} was not read last time.")
        return self.run.differing(name, version)

    def _told(self, to_do: Again, table: Callable[[str], str]) -> dict[str, str]:
        of = {entity: self.run.rows(table(entity)) for entity in to_do.profiles}
        few = {entity: f"{len(ids):,} of {of[entity]:,} profiles" for entity, ids in to_do.profiles.items()}
        alike: dict[str, list[str]] = {}
        for name, reason in to_do.whole.items():
            alike.setdefault(f"all profiles: {reason}", []).append(name)
        told = {(names[0] if len(names) == 1 else f"{len(names)} segments"): why for why, names in alike.items()}
        return few | told

    def _moved(self, names: Sequence[str], table: Callable[[str], str], profiles: Mapping[str, Ids] | None) -> Found:
        """Return who moved, bucket by bucket; where the engine fails, in halves, until it is known on which one."""
        try:
            found = self._evaluation(names, table, profiles or {})
            if profiles is not None:
                asked = {entity: conditions for entity, conditions in found.conditions.items() if len(profiles[entity])}
                found = replace(found, conditions=asked)
            moved = tuple(self.moves.of_parts(found.parts(), profiles))
            return Found(found.methods, {name: error.message for name, error in found.failed.items()}, moved)
        except self.engine.errors as error:
            if len(names) == 1:
                return Found(failed={names[0]: _first_line(error)})
        middle = len(names) // 2
        return self._moved(names[:middle], table, profiles) + self._moved(names[middle:], table, profiles)

    def _evaluation(self, names: Sequence[str], table: Callable[[str], str], profiles: Mapping[str, Ids]) -> Evaluation:
        return evaluate(
            self.segments,
            lambda name: self.run.scan(table(name)),
            self.model,
            as_of=self.as_of,
            timezone=self.timezone,
            only=names,
            profiles={entity: self.engine.load(pa.table({"profile_id": ids})) for entity, ids in profiles.items()},
            engine=self.engine,
            take=lambda name, ids, columns: self.run.take(table(name), ids, columns),
            bindings=self._bindings,
        )


def _first_line(error: Exception) -> str:
    return f"The engine could not evaluate it: {str(error).strip().splitlines()[0]}"

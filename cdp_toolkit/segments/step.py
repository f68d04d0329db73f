"""The step of the line that evaluates: whom to look at, who moved, and what to write of it."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cdp_toolkit.engines import Engine
from cdp_toolkit.lake import OpenRun
from cdp_toolkit.lake.packed import Numbering
from cdp_toolkit.lake.spool import Spool
from cdp_toolkit.model import Model
from cdp_toolkit.segments.bindings import Bindings
from cdp_toolkit.segments.changes import Again, Ids, Versions, again
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.evaluate import Evaluation, evaluate
from cdp_toolkit.segments.membership import HISTORY, Moved, Moves
from cdp_toolkit.segments.pql.times import Clock
from cdp_toolkit.segments.reading import UnclearError
from cdp_toolkit.segments.standings import MEMBERSHIP, anew

_MOST_BEHIND = 0.5
"""Beyond this share of what stands for all, what came since makes reading slower than writing all of it anew is dear."""


@dataclass(frozen=True)
class Found:
    """What an evaluation found.

    Parameters
    ----------
    methods
        For each evaluated segment ``streaming`` or ``batch``, and why.
    failed
        The message of each segment that could not be evaluated.
    looked_at
        How many profiles were looked at, by entity; or by segment, or number of segments, why all of them were.
    """

    methods: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    looked_at: Mapping[str, str] = field(default_factory=dict)

    def __add__(self, other: "Found") -> "Found":
        """Return both together."""
        return Found(
            {**self.methods, **other.methods},
            {**self.failed, **other.failed},
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
        Gives the numbers of profiles.
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
    numbering: Callable[[], Numbering]
    as_of: datetime
    timezone: str
    last: Mapping[str, Any] | None = None
    counts: Counter[str] = field(default_factory=Counter, init=False)

    @cached_property
    def moves(self) -> Moves:
        """Who moves, compared with the membership so far."""
        previous = self.run.groups("segments/membership", MEMBERSHIP)
        return Moves(previous, self.numbering(), self.engine, self.as_of, self.run.started_at)

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
        few = [name for name in names if name not in to_do.whole and name not in to_do.same]
        found = Found(looked_at=self._told(to_do, table))
        if whole:
            found += self._moved(whole, table, None)
        if few:
            found += self._moved(few, table, to_do.profiles)
        if to_do.same and any(len(ids) for ids in to_do.lone.values()):
            return found + self._moved([*to_do.same], table, to_do.lone)
        return found + Found(methods={name: self._method_before(name) for name in to_do.same})

    @cached_property
    def _spools(self) -> tuple[Spool, Spool]:
        is_base = self.moves.previous is None
        return self.run.spool("segments/history", HISTORY), self._spool_membership(is_base=is_base)

    def _spool_membership(self, *, is_base: bool) -> Spool:
        # Each evaluation reads the base: 216M memberships take 0.1 s of processor time mapped as they are (324 MB), 0.4 s by lz4 (240 MB).
        compression = "none" if is_base else "lz4"
        return self.run.spool("segments/membership", MEMBERSHIP, compression=compression)

    def keep(self, ended: Collection[str]) -> dict[str, int]:
        """Write who moved, and where all stand now.

        Parameters
        ----------
        ended
            Segments that are no more: their members leave.

        Returns
        -------
        dict
            How many ``entered`` and ``exited``; empty if nobody did.
        """
        self._write(self.moves.of_ended(ended))
        history, membership = self._spools
        if not history.files and self.moves.previous is not None:
            return {}
        if len(numbered := self.moves.numbering.added()) or not self.run.exists("segments/numbering"):
            self.run.write("segments/numbering", numbered, mode="append")
        self.run.adopt("segments/history", history)
        self.run.adopt("segments/membership", membership)
        if self.run.share_behind("segments/membership") > _MOST_BEHIND:
            self._write_anew()
        return {**self.counts}

    def _write(self, moved: Iterable[Moved]) -> None:
        """Write who moved, or nothing where that cannot be told to the end."""
        counts: Counter[str] = Counter()
        try:
            for each in moved:
                for spool, rows in zip(self._spools, (each.history, each.membership), strict=True):
                    spool.write(rows)
                for change in ("entered", "exited"):
                    moved_so = each.history["profiles"].filter(pc.equal(each.history["change"], change))
                    counts[change] += pc.sum(moved_so).as_py() or 0
        except BaseException:
            for spool in self._spools:
                spool.drop()
            raise
        for spool in self._spools:
            spool.keep()
        self.counts.update(counts)

    def _write_anew(self) -> None:
        rows = self.run.groups("segments/membership", MEMBERSHIP)
        assert rows is not None  # noqa: S101 - this run has written it
        spool = self._spool_membership(is_base=True)
        for bucket in anew(rows, self.moves.numbering):
            spool.write(bucket)
        spool.keep()
        self.run.adopt("segments/membership", spool, mode="overwrite")

    def _again(self, names: Sequence[str], table: Callable[[str], str]) -> Again:
        if self.last is None or "evaluation" not in self.last["details"]:
            return Again(dict.fromkeys(names, "first evaluated with these definitions"))
        known = self.last["details"].get("methods", {})
        fresh = {name: "not evaluated last time" for name in names if name not in known}
        then = Clock(datetime.fromisoformat(self.last["details"]["evaluation"]["as_of"]), self.timezone)
        after = self._bindings
        before = after if then == after.clock else Bindings(self.segments, self.model, then)
        versions = Versions(
            lambda name: self.run.scan(table(name)),
            lambda name: self.run.differing(table(name), self._version(table(name))),
            cache(lambda name: self.run.changed(table(name), self._version(table(name)))),
            before,
            after,
        )
        found = again(self.segments, [name for name in names if name in known], versions, self.model, self.engine)
        return replace(found, whole={**fresh, **found.whole})

    def _version(self, name: str) -> int:
        """Return the version of a table that the last evaluation read."""
        version: int | None = (self.last or {})["read"].get(name)
        if version is None:
            raise UnclearError(f"{name} was not read last time.")
        return version

    def _method_before(self, name: str) -> tuple[str, str]:
        method, _, reason = (self.last or {})["details"]["methods"][name].partition(": ")
        return method, reason

    def _told(self, to_do: Again, table: Callable[[str], str]) -> dict[str, str]:
        of = {entity: self.run.rows(table(entity)) for entity in to_do.profiles}
        few = {entity: f"{len(ids):,} of {of[entity]:,} profiles" for entity, ids in to_do.profiles.items()}
        alike: dict[str, list[str]] = {}
        for name, reason in to_do.whole.items():
            alike.setdefault(f"all profiles: {reason}", []).append(name)
        if to_do.same:
            lone = sum(len(ids) for ids in to_do.lone.values())
            alike[f"profiles that came or went ({lone:,}): nothing else that is read changed"] = sorted(to_do.same)
        told = {(names[0] if len(names) == 1 else f"{len(names)} segments"): why for why, names in alike.items()}
        return few | told

    def _moved(self, names: Sequence[str], table: Callable[[str], str], profiles: Mapping[str, Ids] | None) -> Found:
        """Return who moved, bucket by bucket; where the engine fails, in halves, until it is known on which one."""
        try:
            with self._asking():
                found = self._evaluation(names, table, profiles or {})
            if profiles is not None:
                asked = {entity: conditions for entity, conditions in found.conditions.items() if len(profiles[entity])}
                found = replace(found, conditions=asked)
            self._write(self._tried(self.moves.of_parts(found.parts(), profiles)))
            return Found(found.methods, {name: error.message for name, error in found.failed.items()})
        except _EngineError as error:
            if len(names) == 1:
                return Found(failed={names[0]: f"The engine could not evaluate it: {error}"})
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

    def _tried(self, moved: Iterable[Moved]) -> Iterator[Moved]:
        with self._asking():
            yield from moved

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except self.engine.errors as error:
            raise _EngineError(str(error).strip().splitlines()[0]) from error


class _EngineError(Exception):
    """What the engine could not do; what else fails, such as the disk, is no segment's fault."""

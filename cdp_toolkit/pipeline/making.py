"""The step of a stitch that makes the tables of ``profiles/``: those that are due, and of a small lake two at a time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from cdp_toolkit.engines import Frame
from cdp_toolkit.engines.ahead import Ahead
from cdp_toolkit.lake import Lake, OpenRun
from cdp_toolkit.pipeline.events import grow_events
from cdp_toolkit.pipeline.people import People
from cdp_toolkit.profiles.build import Step, address

MATCHES = "identity/account_matches"
_EVENTS = "profiles/event"
_FEW = 15_000_000
"""Of so many events, tables are made two at a time; of more they would take too much memory."""

_READ: dict[tuple[str, tuple[str, ...]], set[str]] = {}
"""Tables that a step reads, by definitions and step: looking takes 0.2 s a stitch, and they stay the same."""


@dataclass
class Making:
    """Makes the tables of ``profiles/`` that are due.

    Parameters
    ----------
    run
        The stitch that is on.
    lake
        Its model and engine.
    people
        Makes rows of those who changed.
    definitions
        Digest of what decides the outcome besides the tables.
    is_brief
        Whether what is added up from events alone is left to a later run.
    is_in_order
        Whether most events must lie in the order of people.
    late
        Names of tables that the last run left to this one.
    """

    run: OpenRun
    lake: Lake
    people: People
    definitions: str
    is_brief: bool
    is_in_order: bool
    late: set[str]
    under_way: dict[str, Callable[[], None]] = field(default_factory=dict)
    """By table what waits until it is made: who reads it asks."""

    def make(self, step: Step) -> None:
        """Write the tables of a step anew, or what differs in them, or nothing.

        Parameters
        ----------
        step
            The step.
        """
        if not self.run.is_changed() and (
            not self._is_due(step) or self.people.make(step, _READ[self.definitions, step.names])
        ):
            return
        if step.names == ("event",) and grow_events(self.run, self.lake, self.people, is_in_order=self.is_in_order):
            return
        for name, frame in zip(step.names, step.make(self._scan), strict=True):
            self.people.write(f"profiles/{name}", frame, is_dear=True)

    def _scan(self, name: str) -> Frame:
        self._wait(name)
        return self.run.scan(name)

    def _wait(self, *names: str) -> None:
        for name in self.under_way.keys() & names:
            self.under_way[name]()

    def _is_due(self, step: Step) -> bool:
        """Return whether the tables of a step are to be written, under the same definitions: not if all that it reads is as it was."""
        known = (self.definitions, step.names)
        if known not in _READ:
            _READ[known] = self._read_by(step)
        reads, run = _READ[known], self.run
        self._wait(*reads)
        if run.is_changed(*reads - {_EVENTS}):
            return True
        is_late = step.names[0] in self.late or (_EVENTS in reads and run.is_changed(_EVENTS))
        if is_late and self.is_brief:
            run.leave({step.names[0]})
        return is_late and not self.is_brief

    def _read_by(self, step: Step) -> set[str]:
        """Return the tables that a step reads, seen by letting it read them without rows."""
        read: set[str] = set()

        def scan(name: str) -> Frame:
            read.add(name)
            return self._scan(name).head(0)

        step.make(scan)
        return read


def make_profiles(making: Making, steps: Iterable[Step], *, match: Callable[[], None]) -> None:
    """Write all tables of ``profiles/`` that are due.

    Parameters
    ----------
    making
        Makes them.
    steps
        As ``build_profiles`` gives them, that of events first: a third of all work, and next to nothing else needs them.
    match
        Matches people with accounts, before the first table of which that is a part.
    """
    run = making.run
    works: list[tuple[tuple[str, ...], Callable[[], None]]]
    works = [(step.names, partial(making.make, step)) for step in steps]
    works.insert(1, ((MATCHES,), match))
    if run.rows("entities/event") > _FEW:
        for _, work in works:
            work()
        return
    with Ahead(making.lake.engine) as ahead:
        for number, (names, work) in enumerate(works):
            if number and not run.is_changed():  # who changed is found once, for all tables
                work()
            else:
                making.under_way |= dict.fromkeys(map(address, names), ahead.begin(work))
        for done in making.under_way.values():
            done()

"""Stitch: which records are one, and the profiles that they make."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Literal

from cdp_toolkit.engines import Frame
from cdp_toolkit.engines.ahead import Ahead
from cdp_toolkit.identity import IdentityRules
from cdp_toolkit.identity.judgements import Judgement
from cdp_toolkit.identity.matching import MATCHED_FROM, match_accounts
from cdp_toolkit.lake import Lake, OpenRun, Run
from cdp_toolkit.pipeline.changed import CHANGES
from cdp_toolkit.pipeline.digests import digest
from cdp_toolkit.pipeline.events import grow_events
from cdp_toolkit.pipeline.identities import IDENTIFIED_BY, stitch_identities
from cdp_toolkit.pipeline.people import People, among_people, renew
from cdp_toolkit.profiles.build import Scan, Step, address, build_profiles, table_of
from cdp_toolkit.profiles.policies import Policy
from cdp_toolkit.segments.computed import Computed, changes, compute, with_values

Pace = Literal["whole", "round", "brief"]
"""How much of a stitch is done now."""

_EVENTS, _COMPUTED = "profiles/event", "computed"
_FEW = 3_000_000
"""Events that are given to people while other tables are made; more at once with those would take too much memory."""


def stitch(
    lake: Lake,
    rules: IdentityRules,
    *,
    as_of: datetime,
    policies: Sequence[Policy] = (Policy(),),
    judgements: Sequence[Judgement] = (),
    computed: Computed | None = None,
    pace: Pace = "whole",
) -> Run:
    """Find out which records are one, and make their profiles.

    Parameters
    ----------
    lake
        Reads ``entities/``, writes ``identity/`` and ``profiles/``.
    rules
        Which identities link records.
    as_of
        Time of the run, in UTC.
    policies
        Merge policies, the default one first: each gives profiles of its own.
    judgements
        What people decided about records.
    computed
        Computed attributes, which are columns of ``lake.model``; they are worked out anew even where no record changed,
        if they look at the time.
    pace
        ``whole`` does all there is to do. A ``round`` leaves new events behind those that lie in order. A ``brief`` one
        also leaves what is added up from events alone, such as the last engagement of an account and computed
        attributes, to the next that is not.

    Returns
    -------
    Run
        Counts of people, accounts, opportunities, events and refused links.
    """
    read = [CHANGES, "entities/identities", *(f"entities/{entity}" for entity in lake.model.recorded)]
    definitions = digest(
        rules.model_dump(),
        lake.model.model_dump(),
        [asdict(policy) for policy in policies],
        [judgement.model_dump() for judgement in judgements],
    )
    with lake.run("stitch", definitions=definitions) as run:
        run.next_step = "Evaluate the audiences: `evaluate`."
        late, is_brief = run.left_over(), pace == "brief"
        if run.is_repeat(*read) and (is_brief or not late):
            run.leave(late)
            if is_brief or not (
                computed and computed.is_timed and _compute(run, lake, computed, policies, as_of, held={})
            ):
                run.nothing_to_do()
        else:
            if run.is_changed(*IDENTIFIED_BY):
                stitch_identities(run, lake, rules, judgements, as_of)
            people = People(run, lake, is_held=_has_computed(computed, "person"))
            profiles = _Profiles(run, lake, people, definitions, pace, late)
            with profiles.beside_events(build_profiles(lake.model, policies, lake.engine)) as steps:
                if run.is_changed(*MATCHED_FROM):
                    _match_accounts(run, lake, rules, as_of, people)
                for step in steps:
                    profiles.make(step)
            _note_accounts(run)
            if computed and (people.held or not is_brief or run.has_written(*_computed_tables(policies))):
                _compute(run, lake, computed, policies, as_of, held=people.held)
            elif computed:
                run.leave({_COMPUTED})
        _count_profiles(run)
    return run.result


_READ: dict[tuple[str, tuple[str, ...]], set[str]] = {}
"""Tables that a step reads, by definitions and step: looking takes 0.2 s a stitch, and they stay the same."""


@dataclass
class _Profiles:
    """Makes the tables of ``profiles/`` that are due."""

    run: OpenRun
    lake: Lake
    people: People
    definitions: str
    pace: Pace
    late: set[str]
    _events_made: Callable[[], None] = lambda: None

    @contextmanager
    def beside_events(self, steps: Iterable[Step]) -> Iterator[Sequence[Step]]:
        """Begin to make events, which is a third of all work and next to nothing else needs, and give all other steps."""
        events, *others = steps
        with Ahead(self.lake.engine, threads=1) as ahead:
            self._events_made = ahead.begin(partial(self.make, events))
            if self.run.rows("entities/event") > _FEW:
                self._events_made()
            yield others
            self._events_made()

    def make(self, step: Step) -> None:
        """Write the tables of a step anew, or what differs in them, or nothing."""
        if not self.run.is_changed() and (
            not self._is_due(step) or self.people.make(step, _READ[self.definitions, step.names])
        ):
            return
        if step.names == ("event",) and grow_events(
            self.run, self.lake, self.people, is_in_order=self.pace == "whole"
        ):  # fmt: skip
            return
        for name, frame in zip(step.names, step.make(self._scan), strict=True):
            self.people.write(f"profiles/{name}", frame, is_dear=True)

    def _scan(self, name: str) -> Frame:
        if name == _EVENTS:
            self._events_made()
        return self.run.scan(name)

    def _is_due(self, step: Step) -> bool:
        """Return whether the tables of a step are to be written, under the same definitions: not if all that it reads is as it was."""
        known = (self.definitions, step.names)
        if known not in _READ:
            _READ[known] = self._read_by(step)
        reads, run, is_brief = _READ[known], self.run, self.pace == "brief"
        if _EVENTS in reads:
            self._events_made()
        if run.is_changed(*reads - {_EVENTS}):
            return True
        is_late = step.names[0] in self.late or (_EVENTS in reads and run.is_changed(_EVENTS))
        if is_late and is_brief:
            run.leave({step.names[0]})
        return is_late and not is_brief

    def _read_by(self, step: Step) -> set[str]:
        """Return the tables that a step reads, seen by letting it read them without rows."""
        read: set[str] = set()

        def scan(name: str) -> Frame:
            read.add(name)
            return self._scan(name).head(0)

        step.make(scan)
        return read


def _match_accounts(run: OpenRun, lake: Lake, rules: IdentityRules, as_of: datetime, people: People) -> None:
    name, engine = "identity/account_matches", lake.engine
    previous = run.scan(name) if run.exists(name) else None
    few = None if previous is None else people.without_accounts()
    scan = run.scan if few is None else among_people(run.scan, few, engine)
    found = match_accounts({table: scan(table) for table in MATCHED_FROM}, previous, rules, engine, as_of=as_of)
    if few is None or previous is None:
        run.replace(name, found)
    elif (laid := renew(previous, found, few, engine)) is not None:
        run.replace(name, laid)


def _note_accounts(run: OpenRun) -> None:
    if cycles := run.rows("profiles/account_cycle"):
        run.notes.append(
            f"{cycles} accounts are their own ancestors by the parents that sources name. They, and all below them, have "
            "no ultimate parent: see profiles/account_cycle."
        )
    if groups := run.rows("profiles/large_account_group"):
        run.notes.append(
            f"{groups} domains, names or parents are shared by too many accounts to relate them all: see "
            "profiles/large_account_group."
        )


def _compute(
    run: OpenRun, lake: Lake, computed: Computed, policies: Sequence[Policy], as_of: datetime, *, held: dict[str, Frame]
) -> bool:
    """Work out the computed attributes and return whether any of them changed.

    Rows that are ``held`` are written with those of them that are worked out first.
    """
    is_changed = False

    def scan(table: str) -> Frame:
        return held[table] if table in held else run.scan(table)

    for policy in (policy.name for policy in policies):
        for names in computed.levels:
            asked = partial(_scan, scan, policy)
            for entity, found in compute(computed, names, asked, lake.engine, as_of=as_of):
                table, values = f"profiles/{table_of(entity, policy)}", lake.engine.load(found)
                if table in held or changes(scan(table), values, lake.engine):
                    run.replace(table, with_values(scan(table), values, lake.engine))
                    held.pop(table, None)
                    is_changed = True
    return is_changed


def _has_computed(computed: Computed | None, entity: str) -> bool:
    return computed is not None and any(each.entity == entity for each in computed.attributes.values())


def _computed_tables(policies: Sequence[Policy]) -> list[str]:
    return [f"profiles/{table_of(entity, policy.name)}" for entity in ("person", "account") for policy in policies]


def _count_profiles(run: OpenRun) -> None:
    counted = {
        "people": "profiles/person",
        "accounts": "profiles/account",
        "opportunities": "profiles/opportunity",
        "events": "profiles/event",
        "links": "identity/links",
        "links refused": "identity/refused_links",
    }
    run.counts |= {what: run.rows(table) for what, table in counted.items()}


def _scan(scan: Scan, policy: str, name: str) -> Frame:
    return scan(address(name, policy))

"""Activate: destinations are told what changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.deliver import Delivered, deliver
from cdp_toolkit.destinations.destination import Connection
from cdp_toolkit.destinations.doubts import clear_up
from cdp_toolkit.destinations.given import still_so
from cdp_toolkit.destinations.ledger import (
    ATTEMPTS,
    ATTEMPTS_TABLE,
    LEDGER,
    LEDGER_TABLE,
    next_entry,
    of_destination,
    unclear,
)
from cdp_toolkit.destinations.peace import holds, listed_profiles
from cdp_toolkit.destinations.plan import Plan
from cdp_toolkit.destinations.planning import Guard, make_plan
from cdp_toolkit.destinations.policies import Policies
from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.errors import CdpError
from cdp_toolkit.lake import Lake, OpenRun, Run
from cdp_toolkit.model import Entity


@dataclass(frozen=True)
class Target:
    """A destination that is ready to be planned for.

    Parameters
    ----------
    destination, connection
        Its definition, and the way to it.
    entity
        What its audiences are of.
    policies
        What ``cdp.yaml`` says.
    listed
        Values of the suppression lists that are files, by file: one column, named by a column of the profile.
    channels
        Channel of consent of each destination of the workspace, by name.
    """

    destination: Destination
    connection: Connection
    entity: Entity
    policies: Policies = field(default_factory=Policies)
    listed: Mapping[str, pa.Table] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the destination."""
        return self.destination.name


def plan(tables: Lake | OpenRun, target: Target, engine: Engine, *, as_of: datetime) -> Plan:
    """Find what a destination must be told.

    Parameters
    ----------
    tables
        Where ``segments/``, ``profiles/`` and ``activation/`` are read.
    target
        The destination.
    engine
        Runs it.
    as_of
        Time of the plan, in UTC; names files.

    Returns
    -------
    Plan
        What would be sent, and who is refused and why.
    """
    is_in = {"segment": target.destination.audiences, "status": ["realized"]}
    return make_plan(
        target.destination,
        target.connection,
        tables.scan("segments/membership", only=is_in),
        tables.scan(f"profiles/{target.entity.name}"),
        of_destination(*_told(tables, engine), target.name),
        engine=engine,
        as_of=as_of,
        entity=target.entity,
        records=tables.scan(f"entities/{target.entity.name}") if target.connection.requires_source else None,
        guard=_guard(tables, target, engine),
    )


def _guard(tables: Lake | OpenRun, target: Target, engine: Engine) -> Guard:
    lists = {}
    for suppression in target.policies.suppress:
        if not holds(suppression.destinations, target.destination):
            continue
        if suppression.segment:
            is_in = {"segment": [suppression.segment], "status": ["realized"]}
            lists[suppression.name] = tables.scan("segments/membership", only=is_in)
        else:
            values = target.listed[suppression.name]
            column = values.column_names[0]
            profiles = tables.scan(f"profiles/{target.entity.name}")
            if column in profiles.collect_schema().names():  # a list of domains suppresses no person
                lists[suppression.name] = listed_profiles(
                    engine.load(values.rename_columns(["value"])), column, profiles
                )
    channel = target.destination.consent
    counted = [name for name, each in target.channels.items() if each == channel]
    caps = [(cap, counted) for cap in target.policies.frequency if cap.channel == channel]
    return Guard(target.policies, lists, caps, _told(tables, engine)[1])


def activate(lake: Lake, targets: Sequence[Target], *, at: datetime, given: Plan | None = None) -> Run:
    """Tell destinations what changed.

    Parameters
    ----------
    lake
        Reads ``segments/`` and ``profiles/``, writes ``activation/``.
    targets
        The destinations.
    at
        Time of the delivery, in UTC.
    given
        A plan to carry out as far as it still holds; plans are made now by default.

    Returns
    -------
    Run
        Counts over all destinations; ``details`` has those of each.
    """
    with lake.run("activate") as run:
        for target in targets:
            try:
                done = _activate(run, target, lake.engine, at=at, given=given)
            except CdpError as error:
                if len(targets) == 1:
                    raise
                done = Delivered(failed=[error])  # the others go on
            run.problems += [f"{target.name}: {error.message}" for error in done.failed]
            run.details[target.name] = done.counts
        for counts in run.details.values():
            for what, number in counts.items():
                run.counts[what] = run.counts.get(what, 0) + number
        if not any(run.counts.values()):
            run.nothing_to_do()
    return run.result


def _activate(run: OpenRun, target: Target, engine: Engine, *, at: datetime, given: Plan | None) -> Delivered:
    _clear_up(run, target, engine, at=at)
    planned = plan(run, target, engine, as_of=at)
    if given is not None:
        planned, outdated, later = still_so(given, planned)
        if outdated:
            run.notes.append(f"{outdated:,} changes of the plan were left out, since they no longer hold.")
        if later:
            run.notes.append(f"{later:,} changes came after the plan and are left for the next one.")
    if planned.is_empty:
        return Delivered()
    return deliver(planned, target.connection, run.record, entry=_entry(run, engine), at=at)


def _clear_up(run: OpenRun, target: Target, engine: Engine, *, at: datetime) -> None:
    doubts = engine.collect(unclear(of_destination(*_told(run, engine), target.name)))
    if len(doubts):
        found = clear_up(
            doubts, target.destination, target.connection, run.record, entry=_entry(run, engine), at=at
        )  # fmt: skip
        run.problems += [f"{target.name}: {problem}" for problem in found]


def _told(tables: Lake | OpenRun, engine: Engine) -> tuple[Frame, Frame]:
    attempts, ledger = (
        tables.scan(name) if tables.exists(name) else engine.load(schema.empty_table())
        for name, schema in ((ATTEMPTS_TABLE, ATTEMPTS), (LEDGER_TABLE, LEDGER))
    )
    return attempts, ledger


def _entry(run: OpenRun, engine: Engine) -> int:
    return int(engine.collect(next_entry(*_told(run, engine)))["entry"][0].as_py())

"""Destinations, ready to be planned for, and their plans."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.destination import Connection
from cdp_toolkit.destinations.ledger import ATTEMPTS, ATTEMPTS_TABLE, LEDGER, LEDGER_TABLE, of_destination
from cdp_toolkit.destinations.older import from_states, is_older
from cdp_toolkit.destinations.peace import holds, listed_profiles
from cdp_toolkit.destinations.plan import Plan
from cdp_toolkit.destinations.planning import Guard, make_plan
from cdp_toolkit.destinations.policies import Frequency, Policies
from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.lake import Lake, OpenRun
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

    @property
    def caps(self) -> list[Frequency]:
        """Caps on how often somebody is added that hold for it."""
        return [cap for cap in self.policies.frequency if cap.channel == self.destination.consent]


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
        tables.scan("segments/membership", only=is_in, columns=("segment", "profile_id", "status")),
        tables.scan(f"profiles/{target.entity.name}"),
        of_destination(*told(tables, engine), target.name),
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
    counted = [name for name, each in target.channels.items() if each == target.destination.consent]
    caps = [(cap, counted) for cap in target.caps]
    return Guard(target.policies, lists, caps, told(tables, engine)[1])


def told(tables: Lake | OpenRun, engine: Engine) -> tuple[Frame, Frame]:
    """Return what all destinations were told.

    Parameters
    ----------
    tables
        Where ``activation/`` is read.
    engine
        Makes the tables that are not there yet.

    Returns
    -------
    tuple of Frame
        ``activation/attempts`` and ``activation/ledger``.
    """
    attempts, ledger = (
        tables.scan(name) if tables.exists(name) else engine.load(schema.empty_table())
        for name, schema in ((ATTEMPTS_TABLE, ATTEMPTS), (LEDGER_TABLE, LEDGER))
    )
    return attempts, from_states(ledger) if is_older(ledger) else ledger


def renew_ledger(lake: Lake) -> None:
    """Write a ledger of an older version as it is written now, in one commit; any other stays as it is.

    Parameters
    ----------
    lake
        Reads and writes ``activation/ledger``.
    """
    if _is_to_be_renewed(lake):
        with lake.only_one("renewing the ledger"):
            if _is_to_be_renewed(lake):  # still: another run may just have done it, and told more since
                lake.replace(LEDGER_TABLE, told(lake, lake.engine)[1])


def _is_to_be_renewed(lake: Lake) -> bool:
    return lake.exists(LEDGER_TABLE) and is_older(lake.scan(LEDGER_TABLE))

"""Activate: destinations are told what changed."""

from collections.abc import Callable, Mapping
from datetime import datetime

from cdp_toolkit.destinations.deliver import deliver
from cdp_toolkit.destinations.destination import Connection
from cdp_toolkit.destinations.plan import Plan
from cdp_toolkit.lake import Lake, OpenRun, Run


def activate(
    lake: Lake, connections: Mapping[str, Connection], plan: Callable[[str, OpenRun], Plan], *, at: datetime
) -> Run:
    """Tell destinations what changed.

    Parameters
    ----------
    lake
        Reads ``segments/`` and ``profiles/``, writes ``activation/``.
    connections
        The way to each destination, by name.
    plan
        Makes or takes the plan of a destination, from the tables of this run.
    at
        Time of the delivery, in UTC.

    Returns
    -------
    Run
        Counts over all destinations; ``details`` has those of each.
    """
    with lake.run("activate") as run:
        for name, connection in connections.items():
            _deliver(run, lake, name, connection, plan(name, run), at=at)
        for counts in run.details.values():
            for what, number in counts.items():
                run.counts[what] = run.counts.get(what, 0) + number
        if not any(run.counts.values()):
            run.nothing_to_do()
    return run.result


def _deliver(run: OpenRun, lake: Lake, name: str, connection: Connection, plan: Plan, *, at: datetime) -> None:
    if plan.is_empty:
        run.details[name] = dict.fromkeys(("added", "updated", "removed", "refused", "failed"), 0)
        return
    ledger = run.scan("activation/ledger") if run.exists("activation/ledger") else None
    done = deliver(plan, connection, ledger, engine=lake.engine, sent_at=at)
    run.problems += [f"{name}: {error.message}" for error in done.failed]
    run.details[name] = done.counts
    run.replace("activation/ledger", done.ledger)
    run.append("activation/deliveries", lake.engine.load(done.deliveries))

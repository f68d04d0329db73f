"""A plan, carried out: audience by audience, batch by batch, with one outcome per row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from cdp_toolkit.destinations.destination import Batch, Connection, Outcome
from cdp_toolkit.destinations.ledger import LEDGER, deliveries, entries, next_ledger
from cdp_toolkit.destinations.plan import Plan
from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.errors import ActivationError, CdpError, ConnectorStopped

_TRIED = ["_audience", "_profile_id", "_row_key", "_action", "_digest", "_reason"]
_SENT = ["add", "update", "remove"]


@dataclass(frozen=True)
class Delivered:
    """What became of a plan.

    Parameters
    ----------
    ledger
        ``activation/ledger`` as it is to be, of all destinations.
    entries
        The entries that differ, ``state`` ``cleared`` for those to delete: for a merge instead of a rewrite.
    deliveries
        Rows to append to ``activation/deliveries``.
    counts
        Rows by what became of them: ``added``, ``updated``, ``removed``, ``refused`` (newly), ``failed``.
    failed
        One error per batch that failed; after a ``ConnectorStopped`` nothing else was tried.
    """

    ledger: Frame
    entries: pa.Table
    deliveries: pa.Table
    counts: dict[str, int]
    failed: tuple[CdpError, ...] = ()


def deliver(
    plan: Plan, connection: Connection, ledger: Frame | None, *, engine: Engine, sent_at: datetime
) -> Delivered:
    """Carry out a plan.

    Parameters
    ----------
    plan
        What to do; an empty one does nothing.
    connection
        The way to the destination.
    ledger
        ``activation/ledger`` that the plan was made with; ``None`` before the first activation.
    engine
        Runs it.
    sent_at
        Time of the delivery.

    Returns
    -------
    Delivered
        To be written into the lake at once. What was not delivered is part of the next plan.
    """
    results = [_settled(plan)]
    failed: list[CdpError] = []
    for batch in batches(plan, connection):
        outcomes = _attempt(batch, connection, failed)
        results.append(_with_outcomes(batch.rows, outcomes).filter(pc.field("_is_change")))
    attempted = _plain(pa.concat_tables(results))
    changed = entries(attempted, destination=plan.destination, plan_id=plan.id, at=sent_at)
    before = engine.load(LEDGER.empty_table()) if ledger is None else ledger
    return Delivered(
        ledger=next_ledger(before, engine.load(changed)),
        entries=changed,
        deliveries=deliveries(attempted, destination=plan.destination, plan_id=plan.id, at=sent_at),
        counts=_counted(attempted),
        failed=tuple(failed),
    )


def batches(plan: Plan, connection: Connection) -> Iterator[Batch]:
    """Cut a plan into what a destination takes at once.

    Parameters
    ----------
    plan
        What to do.
    connection
        Knows the limits.

    Yields
    ------
    Batch
        Rows of one audience. An audience without a change has none; one whose only change is a new refusal has an
        empty one in full mode, where the connection lists the refused.
    """
    changed = plan.rows.filter(pc.field("_is_change"))
    for audience in sorted(pc.unique(changed["_audience"]).to_pylist()):
        rows = plan.rows.filter(pc.field("_audience") == audience)
        sent = rows.filter(pc.field("_action").isin([*_SENT, "keep"]))
        refused = rows.filter(pc.field("_action") == "refuse").select(["_profile_id", "_reason"])
        if len(sent) == 0 and plan.mode != "full":
            continue
        size = connection.limits.batch_rows or max(len(sent), 1)
        sent = sent.append_column("_known_as", pa.nulls(len(sent), pa.string()))
        for start in range(0, max(len(sent), 1), size):
            key, part = f"{plan.id}-{audience}-{start}", sent.slice(start, size)
            yield Batch(key, plan.id, plan.destination, audience, plan.mode, plan.as_of, part, refused)


def _attempt(batch: Batch, connection: Connection, failed: list[CdpError]) -> Sequence[Outcome]:
    if failed and isinstance(failed[-1], ConnectorStopped):
        return [Outcome("retry", "not tried after the connector stopped")] * len(batch.rows)
    try:
        return connection.deliver(batch)
    except (ActivationError, ConnectorStopped) as error:
        failed.append(error)
        return [Outcome("retry", error.message)] * len(batch.rows)


def _with_outcomes(rows: pa.Table, outcomes: Sequence[Outcome]) -> pa.Table:
    status = pa.array([outcome.status for outcome in outcomes], pa.string())
    reason = pa.array([outcome.reason for outcome in outcomes], pa.string())
    tried = rows.select([*_TRIED, "_is_change"]).append_column("_status", status)
    return tried.set_column(tried.column_names.index("_reason"), "_reason", pc.coalesce(reason, tried["_reason"]))


def _settled(plan: Plan) -> pa.Table:
    # Decided without the destination: who is newly refused, and whose refusal no longer matters.
    is_settled = pc.field("_is_change") & pc.field("_action").isin(["refuse", "clear"])
    rows = plan.rows.filter(is_settled)
    statuses = pc.if_else(pc.equal(rows["_action"], "refuse"), "refused", "delivered")
    return rows.select([*_TRIED, "_is_change"]).append_column("_status", statuses.cast(pa.string()))


def _plain(attempted: pa.Table) -> pa.Table:
    return attempted.rename_columns([name.removeprefix("_") for name in attempted.column_names])


def _counted(attempted: pa.Table) -> dict[str, int]:
    names = {"add": "added", "update": "updated", "remove": "removed"}
    counts = dict.fromkeys((*names.values(), "refused", "failed"), 0)
    for row in attempted.group_by(["action", "status"]).aggregate([([], "count_all")]).to_pylist():
        match row["status"]:
            case "retry":
                counts["failed"] += row["count_all"]
            case "refused":
                counts["refused"] += row["count_all"]
            case _ if row["action"] in names:
                counts[names[row["action"]]] += row["count_all"]
    return counts

"""Attempts and answers as rows of the ledger."""

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from cdp_toolkit.destinations.batches import where
from cdp_toolkit.destinations.destination import DELIVERED, Batch, Outcome
from cdp_toolkit.destinations.ledger import ATTEMPTS, LEDGER
from cdp_toolkit.destinations.plan import Plan

COUNTS = ("added", "updated", "removed", "refused", "failed")
_COUNTED = {"add": "added", "update": "updated", "remove": "removed"}
_OUTCOMES = {"delivered": "delivered", "refused": "refused", "retry": "failed"}
_ANSWER = pa.schema([each for each in LEDGER if each.name not in {"destination", "plan_id", "at", "entry"}])
_ROW = ("_audience", "_row_key", "_profile_id", "_action", "_digest")


class Answers:
    """Answers that are not written yet, and the number that the next entry has.

    Parameters
    ----------
    destination, plan_id
        What is carried out.
    entry
        Number of the next entry.
    at
        Time of the delivery.
    """

    def __init__(self, destination: str, plan_id: str, entry: int, at: datetime) -> None:
        self._same = {"destination": destination, "plan_id": plan_id, "at": at}
        self._entry = entry
        self._waiting: list[pa.Table] = []

    def attempts(self, wave: Sequence[Batch]) -> pa.Table:
        """Return the rows to write before batches are handed over.

        Parameters
        ----------
        wave
            The batches.

        Returns
        -------
        pyarrow.Table
            Columns of ``activation/attempts``.
        """
        return self._numbered(pa.concat_tables([self._rows(batch) for batch in wave]), ATTEMPTS)

    def add(self, batch: Batch, outcomes: Sequence[Outcome]) -> None:
        """Take what a connection said of a batch.

        Parameters
        ----------
        batch
            The batch.
        outcomes
            One per row.
        """
        said = batch.rows
        for name, values in _told(outcomes).items():
            said = said.append_column(name, values)
        # The id that the destination gave a row stays until it gives another.
        known_as = pc.coalesce(said["known_as"], said["_known_as"])
        said = said.set_column(said.column_names.index("known_as"), "known_as", known_as)
        self._wait(self._rows(batch, said))

    def add_unclear(self, batch: Batch, reason: str) -> None:
        """Take that nobody knows what became of a batch.

        Parameters
        ----------
        batch
            The batch.
        reason
            Why.
        """
        said = batch.rows
        for name, value in {"outcome": "unclear", "reason": reason}.items():
            said = said.append_column(name, pa.repeat(pa.scalar(value), len(said)))
        self._wait(self._rows(batch, said.append_column("known_as", said["_known_as"])))

    def add_settled(self, plan: Plan) -> None:
        """Take what is decided without the destination: who is newly refused, and whose refusal no longer matters.

        Parameters
        ----------
        plan
            The plan.
        """
        is_settled = pc.is_in(plan.rows["_action"], pa.array(["refuse", "clear"]))
        rows = plan.rows.filter(pc.and_(plan.rows["_is_change"], is_settled))
        outcome = pc.if_else(pc.equal(rows["_action"], "refuse"), "refused", "delivered").cast(pa.string())
        nothing = pa.nulls(len(rows), pa.string())
        said = rows.select([*_ROW, "_reason"]).append_column("outcome", outcome)
        self._wait(_plain(said.append_column("known_as", nothing).append_column("batch", nothing)))

    def add_redriven(self, dead: pa.Table) -> None:
        """Take that a refusal of the destination no longer counts, so that its row is sent again.

        Parameters
        ----------
        dead
            See ``ledger.dead_letters``.
        """
        cleared = {"action": "clear", "outcome": "delivered", "reason": "to be sent again"}
        rows = dead.select(["audience", "row_key", "profile_id", "digest", "known_as", "batch"])
        for name, value in cleared.items():
            rows = rows.append_column(name, pa.repeat(pa.scalar(value), len(rows)))
        self._wait(rows)

    def take(self) -> pa.Table:
        """Return the answers that are not written yet.

        Returns
        -------
        pyarrow.Table
            Columns of ``activation/ledger``; their entry has a number of its own.
        """
        rows, self._waiting = self._waiting, []
        return self._numbered(pa.concat_tables(rows), LEDGER) if rows else LEDGER.empty_table()

    def _wait(self, rows: pa.Table) -> None:
        self._waiting.append(rows.select(_ANSWER.names).cast(_ANSWER))

    def _rows(self, batch: Batch, said: pa.Table | None = None) -> pa.Table:
        every = batch.rows if said is None else said
        changed = where(every, every["_is_change"])
        own = [name for name in ("outcome", "reason", "known_as") if name in changed.column_names]
        rows = _plain(changed.select([*_ROW, *own]))
        return rows.append_column("batch", pa.repeat(pa.scalar(batch.key), len(rows)))

    def _numbered(self, rows: pa.Table, schema: pa.Schema) -> pa.Table:
        for name, value in (self._same | {"entry": self._entry}).items():
            rows = rows.append_column(name, pa.repeat(pa.scalar(value), len(rows)))
        self._entry += 1
        return rows.select(schema.names).cast(schema)


def changes(batch: Batch) -> int:
    """Return how many rows of a batch tell the destination something new.

    Parameters
    ----------
    batch
        The batch.

    Returns
    -------
    int
        All but those that are only kept.
    """
    return int(pc.sum(batch.rows["_is_change"]).as_py() or 0)


def counted(rows: pa.Table) -> dict[str, int]:
    """Count rows of the ledger by what became of them.

    Parameters
    ----------
    rows
        Columns of ``activation/ledger``.

    Returns
    -------
    dict
        ``added``, ``updated``, ``removed``, ``refused`` and ``failed``, with the unclear among the failed.
    """
    counts = dict.fromkeys(COUNTS, 0)
    for row in rows.group_by(["action", "outcome"]).aggregate([([], "count_all")]).to_pylist():
        match row["outcome"]:
            case "failed" | "unclear":
                counts["failed"] += row["count_all"]
            case "refused":
                counts["refused"] += row["count_all"]
            case _ if row["action"] in _COUNTED:
                counts[_COUNTED[row["action"]]] += row["count_all"]
    return counts


def _told(outcomes: Sequence[Outcome]) -> dict[str, pa.Array]:
    first = outcomes[0] if outcomes else DELIVERED
    if outcomes.count(first) == len(outcomes):  # a file of a million rows has one answer
        same = {"outcome": _OUTCOMES[first.status], "reason": first.reason, "known_as": first.known_as}
        return {name: pa.repeat(pa.scalar(value, pa.string()), len(outcomes)) for name, value in same.items()}
    columns = {
        "outcome": [_OUTCOMES[each.status] for each in outcomes],
        "reason": [each.reason for each in outcomes],
        "known_as": [each.known_as for each in outcomes],
    }
    return {name: pa.array(values, pa.string()) for name, values in columns.items()}


def _plain(rows: pa.Table) -> pa.Table:
    return rows.rename_columns([name.removeprefix("_") for name in rows.column_names])

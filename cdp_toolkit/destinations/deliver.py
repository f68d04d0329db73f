"""A plan, carried out: batch by batch, each attempt written before it and each answer after."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from cdp_toolkit.destinations.answers import COUNTS, Answers, changes, counted
from cdp_toolkit.destinations.batches import batches, waves
from cdp_toolkit.destinations.destination import Batch, Connection, Outcome
from cdp_toolkit.destinations.ledger import ATTEMPTS_TABLE, LEDGER_TABLE
from cdp_toolkit.destinations.plan import Plan
from cdp_toolkit.errors import CdpError, ConnectorStopped

Record = Callable[[str, pa.Table], None]
"""Writes rows of a table of ``activation/``; they count at once."""

# A write to the lake takes about 30 ms: answers wait for each other this long, so that it is a small part of the time.
_ANSWERS_WAIT_S = 1.0
_NOT_TRIED = Outcome("retry", "not tried after the connector stopped")


@dataclass
class Delivered:
    """What became of a plan.

    Parameters
    ----------
    counts
        Rows by what became of them: ``added``, ``updated``, ``removed``, ``refused`` (newly), ``failed``.
    failed
        One error per batch that failed; after a ``ConnectorStopped`` nothing else was tried.
    """

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    failed: list[CdpError] = field(default_factory=list)

    @property
    def is_stopped(self) -> bool:
        """Whether the connection said that nothing more can be delivered."""
        return any(isinstance(error, ConnectorStopped) for error in self.failed)


def deliver(plan: Plan, connection: Connection, record: Record, *, entry: int, at: datetime) -> Delivered:
    """Carry out a plan.

    Parameters
    ----------
    plan
        What to do; an empty one does nothing.
    connection
        The way to the destination.
    record
        Writes attempts and answers.
    entry
        Number of the next entry, see ``ledger.next_entry``.
    at
        Time of the delivery.

    Returns
    -------
    Delivered
        Counts and errors. What was not delivered is part of the next plan.
    """
    delivery = _Delivery(connection, record, Answers(plan.destination, plan.id, entry, at))
    delivery.carry_out(plan)
    return delivery.done


class _Delivery:
    def __init__(self, connection: Connection, record: Record, answers: Answers) -> None:
        self.done = Delivered()
        self._connection = connection
        self._record = record
        self._answers = answers
        self._workers = ThreadPoolExecutor(connection.limits.concurrency)
        self._written_at = time.monotonic()

    def carry_out(self, plan: Plan) -> None:
        limits = self._connection.limits
        with self._workers:
            for wave in waves(batches(plan, limits), limits):
                if self.done.is_stopped:
                    self.done.counts["failed"] += sum(changes(batch) for batch in wave)
                else:
                    self._record(ATTEMPTS_TABLE, self._answers.attempts(wave))
                    self._deliver(list(wave))
        self._answers.add_settled(plan)
        self._write()

    def _deliver(self, waiting: list[Batch]) -> None:
        running: dict[Future[Sequence[Outcome]], Batch] = {}
        while waiting or running:
            while waiting and len(running) < self._connection.limits.concurrency:
                batch = waiting.pop(0)
                if self.done.is_stopped:
                    self._answers.add(batch, [_NOT_TRIED] * len(batch.rows))
                else:
                    running[self._workers.submit(self._connection.deliver, batch)] = batch
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                self._take(running.pop(future), future)
            if time.monotonic() - self._written_at > _ANSWERS_WAIT_S:
                self._write()
        self._write()

    def _take(self, batch: Batch, answer: Future[Sequence[Outcome]]) -> None:
        try:
            self._answers.add(batch, answer.result())
        except CdpError as error:
            self.done.failed.append(error)
            self._answers.add_unclear(batch, error.message)

    def _write(self) -> None:
        rows = self._answers.take()
        if len(rows):
            self._record(LEDGER_TABLE, rows)
            for what, number in counted(rows).items():
                self.done.counts[what] += number
        self._written_at = time.monotonic()

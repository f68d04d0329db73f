"""A plan, carried out: batch by batch, each attempt written before it and each answer after."""

import threading
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
_LEFT = Outcome("retry", "audiences changed before it was sent")


@dataclass
class Delivered:
    """What became of a plan.

    Parameters
    ----------
    counts
        Rows by what became of them: ``added``, ``updated``, ``removed``, ``refused`` (newly), ``failed``.
    failed
        One error per batch that failed; after a ``ConnectorStopped`` nothing else was tried.
    is_outdated
        Whether the plan was left before its end, since what it was made from has changed.
    """

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    failed: list[CdpError] = field(default_factory=list)
    is_outdated: bool = False


def deliver(
    plan: Plan,
    connection: Connection,
    record: Record,
    *,
    entry: int,
    at: datetime,
    is_outdated: Callable[[], bool] = lambda: False,
) -> Delivered:
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
    is_outdated
        Tells whether what the plan was made from has changed; asked, by several threads, before each batch but the
        first. What was not handed over by then is left.

    Returns
    -------
    Delivered
        Counts and errors. What was not delivered is part of the next plan.
    """
    delivery = _Delivery(connection, record, Answers(plan.destination, plan.id, entry, at), is_outdated)
    delivery.carry_out(plan)
    return delivery.done


class _Delivery:
    """Batches wait in the workers' queue, so that none of them waits while attempts and answers are written."""

    def __init__(
        self, connection: Connection, record: Record, answers: Answers, is_outdated: Callable[[], bool]
    ) -> None:
        self.done = Delivered()
        self._connection = connection
        self._record = record
        self._answers = answers
        self._workers = ThreadPoolExecutor(connection.limits.concurrency)
        self._running: dict[Future[Sequence[Outcome]], Batch] = {}
        self._stopped = threading.Event()
        self._is_outdated = is_outdated
        self._written_at = time.monotonic()

    def carry_out(self, plan: Plan) -> None:
        limits = self._connection.limits
        is_first = True
        try:
            for wave in waves(batches(plan, limits), limits):
                if self.done.is_outdated:
                    break
                if self._stopped.is_set():
                    self.done.counts["failed"] += sum(changes(batch) for batch in wave)
                    continue
                self._record(ATTEMPTS_TABLE, self._answers.attempts(wave))
                for batch in wave:
                    self._running[self._workers.submit(self._try, batch, is_first=is_first)] = batch
                    is_first = False
                self._collect(leave=2 * limits.concurrency)
            self._collect(leave=0)
        finally:
            self._workers.shutdown(cancel_futures=True)
        if not self.done.is_outdated:
            self._answers.add_settled(plan)
        self._write()

    def _try(self, batch: Batch, *, is_first: bool) -> Sequence[Outcome]:
        if self._stopped.is_set():
            return [_NOT_TRIED] * len(batch.rows)
        # The first goes out in any case, so that each plan gets something done however often audiences change.
        if not is_first and (self.done.is_outdated or self._is_outdated()):
            self.done.is_outdated = True
            return [_LEFT] * len(batch.rows)
        try:
            return self._connection.deliver(batch)
        except ConnectorStopped:
            self._stopped.set()
            raise

    def _collect(self, *, leave: int) -> None:
        while len(self._running) > leave:
            for future in wait(self._running, return_when=FIRST_COMPLETED).done:
                self._take(self._running.pop(future), future)
            if time.monotonic() - self._written_at > _ANSWERS_WAIT_S:
                self._write()

    def _take(self, batch: Batch, answer: Future[Sequence[Outcome]]) -> None:
        try:
            outcomes = answer.result()
            self._answers.add(batch, outcomes)
            if _LEFT in outcomes[:1]:  # it did not fail: it is planned again
                self.done.counts["failed"] -= changes(batch)
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

"""Many requests, one flush: messages that come while the disk is busy are written together.

Invariant: who waits in ``append`` is let go after the flush that holds their messages, or told that it failed.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from cdp_toolkit.errors import SourceError
from cdp_toolkit.sources.log import Message, MessageLog

_MOST_AT_ONCE = 20_000
_PATIENCE_S = 5.0
_LAST = "last"


Landed = Mapping[tuple[str, str], int]
"""The number of the last message that was landed, by inlet and object."""


@dataclass(frozen=True)
class _Landed:
    until: Landed
    done: threading.Event


@dataclass(frozen=True)
class _Waiting:
    messages: Sequence[Message]
    done: "asyncio.Future[None]"
    loop: asyncio.AbstractEventLoop


class Appender:
    """The one writer of a log.

    Parameters
    ----------
    log
        The log.
    most_waiting
        With so many messages in the log, no more are taken.
    """

    def __init__(self, log: MessageLog, *, most_waiting: int) -> None:
        self._log = log
        self._most_waiting = most_waiting
        self._queue: SimpleQueue[_Waiting | _Landed | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="appender", daemon=True)
        self.waiting = log.backlog().messages
        self.written = 0
        self.repeated = 0

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is still to be written, and end."""
        self._queue.put(None)
        self._thread.join()

    @property
    def is_full(self) -> bool:
        """Whether senders are to wait until a load has made room."""
        return self.waiting >= self._most_waiting

    def recount(self) -> None:
        """Look how much waits now, after a load; as much as before where the log cannot be read."""
        with suppress(sqlite3.Error):
            self.waiting = self._log.backlog().messages

    def forget(self, landed: Landed) -> None:
        """Delete what was landed, between two flushes: a second writer would wait for a gap between them.

        Parameters
        ----------
        landed
            How far each object has come.
        """
        job = _Landed(landed, threading.Event())
        if not self._thread.is_alive():
            self._forget(job)
            return
        self._queue.put(job)
        job.done.wait(_PATIENCE_S)

    async def append(self, messages: Sequence[Message]) -> None:
        """Write messages and wait until they are on disk.

        Parameters
        ----------
        messages
            In the order of their coming.

        Raises
        ------
        SourceError
            If the disk takes no more.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._queue.put(_Waiting(messages, done, loop))
        await done

    def _write(self) -> None:
        with self._log.kept_open():
            self._write_all()

    def _write_all(self) -> None:
        while (first := self._queue.get()) is not None:
            if isinstance(first, _Landed):
                self._forget(first)
                continue
            together, rest = self._gather(first)
            error = self._flush([message for each in together for message in each.messages])
            for each in together:
                each.loop.call_soon_threadsafe(_settle, each.done, error)
            if isinstance(rest, _Landed):
                self._forget(rest)
            elif rest == _LAST:
                return

    def _gather(self, first: _Waiting) -> tuple[list[_Waiting], _Landed | str]:
        """Return what is written together, and what comes after it, if that is something else."""
        together, size = [first], len(first.messages)
        while size < _MOST_AT_ONCE:
            try:
                each = self._queue.get_nowait()
            except Empty:
                break
            if not isinstance(each, _Waiting):
                return together, each or _LAST
            together.append(each)
            size += len(each.messages)
        return together, ""

    def _forget(self, landed: _Landed) -> None:
        with suppress(sqlite3.Error):  # the next load does it
            for (inlet, name), until in landed.until.items():
                self._log.forget(inlet, name, until=until)
            self.waiting = self._log.backlog().messages
        landed.done.set()

    def _flush(self, messages: list[Message]) -> SourceError | None:
        try:
            new = self._log.append(messages)
        except SourceError as error:
            return error
        self.waiting += new
        self.written += new
        self.repeated += len(messages) - new
        return None


def _settle(done: "asyncio.Future[None]", error: SourceError | None) -> None:
    if done.cancelled():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)

"""The right to write, for a lake that lies where no file can be locked.

A Delta table without rows keeps it: each commit says who has the right and until when. The store takes a commit only if
nobody has made that version before, so of two who ask at a time one gets it, and no service is needed besides the store.
Who dies leaves a right that ends by itself; who sleeps past its end finds out before the next write.
"""

import json
import math
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import DeltaError
from deltalake.transaction import create_table_with_add_actions

from cdp_toolkit.errors import LakeBusyError

_LASTS_S = 60
_RENEWED_S = 15
_ASKED_S = 2
_TOLD = "cdp.lease"
_SCHEMA = Schema.from_arrow(pa.schema({"nothing": pa.string()}))


class Lease:
    """The right of one thread of one process at a time to write to a lake.

    Parameters
    ----------
    uri
        Address of the table that keeps it.
    options
        Storage options.
    lasts_s
        How long it lasts after the process that has it was last heard of. Clocks that differ by a third of it do no harm.
    """

    def __init__(self, uri: str, options: Mapping[str, str], *, lasts_s: float = _LASTS_S) -> None:
        self._uri = uri
        self._options = dict(options)
        self._lasts_s = lasts_s
        self._owner = uuid.uuid4().hex
        self._until = 0.0
        self._depth = 0
        self._turn = threading.RLock()
        self._guard = threading.RLock()
        self._left = threading.Event()

    @contextmanager
    def held(self, said: str, *, wait_s: float = 0) -> Iterator[None]:
        """Hold the right.

        Parameters
        ----------
        said
            What is told to the one who does not get it.
        wait_s
            How long to wait for it; for ever if negative.

        Yields
        ------
        None
            Once it is held; may be held again inside, by the same thread.

        Raises
        ------
        LakeBusyError
            If another thread or process has it, or had to take it since this one was not heard of.
        """
        gives_up = time.monotonic() + wait_s if wait_s >= 0 else math.inf
        if not self._turn.acquire(timeout=max(wait_s, -1)):
            raise LakeBusyError(said, where=self._uri, hint="Wait until it ends, then run again.")
        try:
            with self._guard:
                if self._depth:
                    self.check()
                else:
                    self._take(said, gives_up)
                self._depth += 1
            try:
                yield
            finally:
                with self._guard:
                    self._depth -= 1
                    if not self._depth:
                        self._left.set()
                        with suppress(DeltaError, OSError):  # it ends by itself
                            self._write("", 0.0)
        finally:
            self._turn.release()

    def check(self) -> None:
        """Make sure that the right is still held.

        Raises
        ------
        LakeBusyError
            If it has ended, so that another process may have taken it.
        """
        if time.time() >= self._until:
            raise LakeBusyError(
                "This run was not heard of for too long, and another may write to the lake by now.",
                where=self._uri,
                hint="Run it again: nothing that it wrote counts.",
            )

    def _take(self, said: str, gives_up: float) -> None:
        while not self._write(self._owner, time.time() + self._lasts_s):
            if time.monotonic() >= gives_up:
                raise LakeBusyError(
                    said,
                    where=self._uri,
                    hint=f"Wait until it ends, then run again; one that was killed stands in the way for {self._lasts_s:.0f} s.",
                )
            time.sleep(min(_ASKED_S, self._lasts_s / 4))
        self._left = threading.Event()
        threading.Thread(target=self._renew, args=(self._left,), daemon=True).start()

    def _renew(self, left: threading.Event) -> None:
        while not left.wait(min(_RENEWED_S, self._lasts_s / 4)):
            with self._guard:
                if left.is_set():
                    return
                with suppress(DeltaError, OSError):  # the store does not answer: the next try may come in time
                    if not self._write(self._owner, time.time() + self._lasts_s):
                        self._until = 0.0
                        return

    def _write(self, owner: str, until: float) -> bool:
        """Commit that somebody has the right, or nobody; return whether that was still to be said."""
        told = CommitProperties(
            custom_metadata={_TOLD: json.dumps({"owner": owner, "until": until})}, max_commit_retries=0
        )
        if not DeltaTable.is_deltatable(self._uri, storage_options=self._options):
            with suppress(DeltaError):  # another has made it just now
                create_table_with_add_actions(self._uri, _SCHEMA, [], storage_options=self._options)
        table = DeltaTable(self._uri, storage_options=self._options)
        last = json.loads(table.history(1)[0].get(_TOLD, '{"owner": "", "until": 0}'))
        if last["owner"] not in ("", self._owner) and last["until"] > time.time():
            return False
        try:
            table.create_write_transaction([], "append", _SCHEMA, commit_properties=told)
        except DeltaError:
            return False
        self._until = until
        return True

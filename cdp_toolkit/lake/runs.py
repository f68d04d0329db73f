"""A run under way. The row that it adds to ``runs`` last is its commit."""

import datetime as dt
import time
import uuid
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from typing import Any

import pyarrow as pa

from cdp_toolkit.engines import Frame
from cdp_toolkit.engines.engine import Mode
from cdp_toolkit.errors import CdpError, LakeError
from cdp_toolkit.lake.result import Outcome, Run
from cdp_toolkit.lake.since import Since
from cdp_toolkit.lake.spool import Spool
from cdp_toolkit.lake.store import Store
from cdp_toolkit.secrets import redact


class OpenRun(Since):
    """A run under way: reads fixed versions, writes new ones that count only when it ends well.

    Parameters
    ----------
    store
        Tables of the lake.
    verb
        What runs.
    definitions
        Digest of the definitions that decide the outcome besides the tables read.
    """

    def __init__(self, store: Store, verb: str, definitions: str) -> None:
        super().__init__(store, verb, definitions)
        self.ended: Run | None = None
        self.counts: dict[str, int] = {}
        self.details: dict[str, dict[str, Any]] = {}
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.next_step = ""
        self.aside = ExitStack()
        self.run_id = uuid.uuid4().hex
        self._started_at = dt.datetime.now(dt.UTC)
        self._clock = time.perf_counter()
        self._is_unchanged = False

    @property
    def result(self) -> Run:
        """What the run did, once it has ended."""
        if self.ended is None:
            raise LakeError(f"The run {self.verb!r} has not ended.", where=self.run_id)
        return self.ended

    @property
    def started_at(self) -> dt.datetime:
        """When the run began."""
        return self._started_at

    def replace(self, name: str, frame: Frame) -> Frame:
        """Write a table anew.

        Parameters
        ----------
        name
            Folder and name of the table.
        frame
            All its rows.

        Returns
        -------
        Frame
            What was written, scanned: later steps read it instead of computing it again.
        """
        self._written[name] = self._store.replace(name, frame)
        return self.scan(name)

    def append(self, name: str, frame: Frame) -> Frame:
        """Write rows after those of a table.

        Parameters
        ----------
        name
            Folder and name of the table.
        frame
            The new rows.

        Returns
        -------
        Frame
            The whole table, scanned.
        """
        base = self._written.get(name, self._version(name))
        if base is None:
            return self.replace(name, frame)
        self._written[name] = self._store.append(name, frame, base=base)
        return self.scan(name)

    def change(self, name: str, rows: Frame, keys: Frame) -> None:
        """Write rows of a table in the place of those that have the same keys.

        Parameters
        ----------
        name
            Folder and name of a table that lies in the order of a key.
        rows
            All rows that the keys have from now on.
        keys
            Whose rows are replaced: the columns of ``Table.replaced_by``.
        """
        base = self._pinned(name)
        assert base is not None  # noqa: S101 - who changes rows has read them
        self._written[name] = self._store.change(name, rows, keys, base=base)

    def remove(self, name: str, column: str, values: Sequence[str]) -> None:
        """Take a few rows out of a table; only the files that hold them are written anew.

        Parameters
        ----------
        name
            Folder and name of the table.
        column
            A text column.
        values
            Rows with one of these there are taken out.
        """
        base = self._pinned(name)
        assert base is not None  # noqa: S101 - who takes rows out has read them
        self._written[name] = self._store.remove(name, column, values, base=base)

    def record(self, name: str, rows: pa.Table) -> None:
        """Write rows that count at once, whatever becomes of the run.

        Parameters
        ----------
        name
            A table of ``activation/``.
        rows
            Comes after what the table has.
        """
        self._written[name] = self._store.record(name, rows)
        self._read.pop(name, None)

    def write(self, name: str, rows: pa.Table | pa.RecordBatchReader, *, mode: Mode) -> None:
        """Write Arrow rows, such as those of a packed table.

        Parameters
        ----------
        name
            Folder and name of the table.
        rows
            The rows; a reader is read as it is written.
        mode
            Whether they replace those of the table or come after them.
        """
        base = self._written.get(name, self._version(name))
        self._written[name] = self._store.write(name, rows, mode=mode if base is not None else "overwrite", base=base)

    def set_aside(self, frame: Frame) -> Frame:
        """Run a frame whose rows are used several times, and may be too many for memory.

        Parameters
        ----------
        frame
            A frame of the lake's engine.

        Returns
        -------
        Frame
            The same rows, computed; there until the run ends.
        """
        return self.aside.enter_context(self._store.engine.set_aside(frame))

    def spool(self, name: str, schema: pa.Schema, *, compression: str = "zstd") -> Spool:
        """Return where rows are written as they come, before it is known whether they will count.

        Parameters
        ----------
        name
            Folder and name of the table.
        schema
            Its columns.
        compression
            How the files are packed; ``none`` for what is read often: it is mapped instead of unpacked.

        Returns
        -------
        Spool
            To be given to ``adopt``.
        """
        return Spool(f"{self._store.uri}/{name}", schema, self._store.options, compression)

    def adopt(self, name: str, spool: Spool, *, mode: Mode = "append") -> None:
        """Make the rows of a spool those of a table.

        Parameters
        ----------
        name
            Folder and name of the table.
        spool
            The rows.
        mode
            Whether they replace those of the table or come after them.
        """
        base = self._written.get(name, self._version(name))
        mode = mode if base is not None else "overwrite"
        if spool.files or mode == "overwrite":
            self._written[name] = self._store.adopt(name, spool, mode=mode, base=base)

    def leave(self, what: Collection[str]) -> None:
        """Leave something to a later run of this verb.

        Parameters
        ----------
        what
            Names of it, for ``left_over``.
        """
        if what:
            self.details["left"] = self.details.get("left", {}) | dict.fromkeys(sorted(what), 1)

    def nothing_to_do(self) -> None:
        """Say that this run changes nothing."""
        self._is_unchanged = True

    def finished(self) -> Run:
        """Return what the run did.

        Returns
        -------
        Run
            With outcome ``done``, ``unchanged`` or ``partial``.
        """
        return self._result("partial" if self.problems else "unchanged" if self._is_unchanged else "done")

    def failed(self, error: Exception) -> Run:
        """Return what the run would have done.

        Parameters
        ----------
        error
            What ended it.

        Returns
        -------
        Run
            With outcome ``failed``; nothing that it wrote counts.
        """
        self._written = {}
        self.problems.append(error.message if isinstance(error, CdpError) else f"{type(error).__name__}: {error}")
        return self._result("failed")

    def _result(self, outcome: Outcome) -> Run:
        return Run(
            verb=self.verb,
            outcome=outcome,
            counts=self.counts,
            problems=tuple(map(redact, self.problems)),
            notes=tuple(map(redact, self.notes)),
            seconds=time.perf_counter() - self._clock,
            next_step=self.next_step,
            details=self.details,
            run_id=self.run_id,
            started_at=self._started_at,
            read=self._read,
            written=self._written,
        )

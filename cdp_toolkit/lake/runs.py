"""A run under way. The row that it adds to ``runs`` last is its commit."""

import datetime as dt
import threading
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

import narwhals as nw
import pyarrow as pa

from cdp_toolkit.engines import Frame
from cdp_toolkit.engines.engine import Mode
from cdp_toolkit.errors import CdpError, LakeError
from cdp_toolkit.lake.packed import Ids
from cdp_toolkit.lake.result import Outcome, Run
from cdp_toolkit.lake.store import COUNTS_AT_ONCE, Store
from cdp_toolkit.secrets import redact


class OpenRun:
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
        self.ended: Run | None = None
        self.verb = verb
        self.counts: dict[str, int] = {}
        self.details: dict[str, dict[str, Any]] = {}
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.next_step = ""
        self.run_id = uuid.uuid4().hex
        self._store = store
        self._definitions = definitions
        self._started_at = dt.datetime.now(dt.UTC)
        self._clock = time.perf_counter()
        self._committed = store.log.versions()
        self._read: dict[str, int] = {}
        self._written: dict[str, int] = {}
        self._is_unchanged = False
        self._asking = threading.Lock()
        self._is_more: Callable[[], bool] = lambda: True

    @property
    def result(self) -> Run:
        """What the run did, once it has ended."""
        if self.ended is None:
            raise LakeError(f"The run {self.verb!r} has not ended.", where=self.run_id)
        return self.ended

    def scan(
        self,
        name: str,
        *,
        only: Mapping[str, Sequence[str | int]] | None = None,
        columns: Sequence[str] | None = None,
    ) -> Frame:
        """Return a table at the version that this run has pinned, or has just written.

        Parameters
        ----------
        name
            Folder and name of the table.
        only
            By column the values to look for: of a packed table nothing else is unpacked.
        columns
            Names of the columns; all by default.

        Returns
        -------
        Frame
            Its rows; those of a packed table one a profile.

        Raises
        ------
        NotYetError
            If no run has written the table.
        """
        return self._store.scan(name, self._pinned(name), only=only, columns=columns)

    def packed(self, name: str, *, only: Mapping[str, Sequence[str | int]] | None = None) -> Frame:
        """Return a table as it is on disk, at the version that ``scan`` would read.

        Parameters
        ----------
        name
            Folder and name of the table.
        only
            By column the values to look for.

        Returns
        -------
        Frame
            Its rows; those of a packed table one a group of profiles.
        """
        return self._store.packed(name, self._pinned(name), only=only)

    def take(self, name: str, ids: Ids, columns: Sequence[str]) -> pa.Table | None:
        """Look up the rows of some profiles in a table, at the version that ``scan`` would read.

        Parameters
        ----------
        name
            Folder and name of the table.
        ids
            Ids of profiles, in order, each once.
        columns
            Columns to return.

        Returns
        -------
        pyarrow.Table or None
            See ``Store.take``.
        """
        return self._store.take(name, ids, columns, self._pinned(name))

    @property
    def started_at(self) -> dt.datetime:
        """When the run began."""
        return self._started_at

    def differing(self, name: str, before: int) -> tuple[Frame, Frame] | None:
        """Return the rows by which a table may differ from an earlier version.

        Parameters
        ----------
        name
            Folder and name of the table.
        before
            The earlier version.

        Returns
        -------
        tuple of Frame or None
            See ``Store.differing``; None where this run reads that very version.
        """
        now = self._pinned(name)
        return None if now is None or now == before else self._store.differing(name, before, now)

    def exists(self, name: str) -> bool:
        """Tell whether there is a version to scan.

        Parameters
        ----------
        name
            Folder and name of the table.

        Returns
        -------
        bool
            Whether ``scan`` would find it.
        """
        return name in self._written or self._version(name) is not None

    def look_again(self) -> None:
        """Read from now on what counts now, all tables of the same moment."""
        self._is_more = self._store.log.watch()
        self._committed = self._store.log.versions()
        self._read = {}

    def is_outdated(self) -> bool:
        """Tell whether a table that this run has read is another by now; any thread may ask.

        Returns
        -------
        bool
            Whether ``look_again`` would find one; what is recorded, by this run or another, does not count.
        """
        with self._asking:
            if not self._is_more():
                return False
            self._is_more = self._store.log.watch()
            now = self._store.log.versions()
        read = dict(self._read)  # the thread that records takes names out
        return any(not name.startswith(COUNTS_AT_ONCE) and now.get(name) != read[name] for name in read)

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

    def rows(self, name: str) -> int:
        """Return how many rows a table has that this run reads or has written.

        Parameters
        ----------
        name
            Folder and name of the table.

        Returns
        -------
        int
            Rows; 0 if there is no version.
        """
        version = self._written.get(name, self._read.get(name, self._version(name)))
        return 0 if version is None else self._store.rows_at(name, version)

    def rows_behind(self, name: str) -> int:
        """Return how many rows came after those that a table was last written anew with.

        Parameters
        ----------
        name
            Folder and name of the table.

        Returns
        -------
        int
            Rows; all of them if it is not known any more when it was written anew.
        """
        version = self._store.deltas.written_anew(name)
        return self.rows(name) - (0 if version is None else self._store.rows_at(name, version))

    def is_repeat(self, *tables: str) -> bool:
        """Tell whether the last run of this verb read the same versions under the same definitions.

        Parameters
        ----------
        *tables
            All tables that decide the outcome.

        Returns
        -------
        bool
            Whether this run would write the same again.
        """
        for name in tables:
            version = self._version(name)
            if version is not None:
                self._read[name] = version
        last = self._store.log.last(self.verb)
        return (
            last is not None
            and last["definitions"] == self._definitions
            and {name: version for name, version in last["read"].items() if name in tables}
            == {name: version for name, version in self._read.items() if name in tables}
        )

    def before(self) -> Callable[[str], Frame] | None:
        """Return the tables that the last run of this verb read, as they were then.

        Returns
        -------
        callable or None
            Scans a table by its name; None if there was no such run, or it ran under other definitions.
        """
        read = self.read_before()
        return None if read is None else lambda name: self._store.scan(name, read.get(name))

    def read_before(self) -> dict[str, int] | None:
        """Return the versions that the last run of this verb read.

        Returns
        -------
        dict or None
            Version by table; None if there was no such run, or it ran under other definitions.
        """
        return None if self._last is None else dict(self._last["read"])

    def version_before(self, name: str) -> int | None:
        """Return the version of a table that the last run of this verb read or left.

        Parameters
        ----------
        name
            Folder and name of the table; one that this verb alone writes, or that it reads.

        Returns
        -------
        int or None
            The version; None if there was none, or no such run, or it ran under other definitions.
        """
        if self._last is None:
            return None
        then: dict[str, int] = self._last["read"] | self._last["written"]
        return then.get(name, self._committed.get(name))

    @cached_property
    def _last(self) -> dict[str, Any] | None:
        last = self._store.log.last(self.verb)
        return None if last is None or last["definitions"] != self._definitions else last

    def leave(self, what: Collection[str]) -> None:
        """Leave something to a later run of this verb.

        Parameters
        ----------
        what
            Names of it, for ``left_over``.
        """
        if what:
            self.details["left"] = self.details.get("left", {}) | dict.fromkeys(sorted(what), 1)

    def left_over(self) -> set[str]:
        """Return what the last run of this verb left to a later one.

        Returns
        -------
        set of str
            Names that it gave to ``leave``; none if it ran under other definitions, after which all is done anyway.
        """
        return set() if self._last is None else {*self._last["details"].get("left", {})}

    def has_written(self, *tables: str) -> bool:
        """Tell whether this run has written any of some tables.

        Parameters
        ----------
        *tables
            Their folders and names.

        Returns
        -------
        bool
            Whether it has.
        """
        return not self._written.keys().isdisjoint(tables)

    def is_changed(self, *tables: str) -> bool:
        """Tell whether any of some tables is another than when this verb last ran.

        Parameters
        ----------
        *tables
            Tables that this run reads, and those that it writes itself.

        Returns
        -------
        bool
            True also where the last run had other definitions, whichever tables are named, if any. A table that this verb writes is as the last run left it,
            as long as this run has not written it.
        """
        if self._last is None:
            return True
        then = self._last["read"] | self._last["written"]
        return any(
            name in self._written or then.get(name, now) != now for name in tables for now in [self._pinned(name)]
        )

    def grown(self, name: str, before: int | None) -> tuple[Frame, int] | None:
        """Return the rows that a table has more than an earlier version.

        Parameters
        ----------
        name
            Folder and name of the table.
        before
            The earlier version; None if there was none.

        Returns
        -------
        rows, count or None
            None if rows of the earlier version are not there any more.
        """
        now = self._pinned(name)
        if before is None:
            return self.scan(name), self.rows(name)
        if now is None or now == before:
            return self.scan(name).head(0), 0
        _, rows = self._store.differing(name, before, now)
        more = self._store.rows_at(name, now) - self._store.rows_at(name, before)
        counted = self._store.engine.collect(rows.select(rows=nw.len()))["rows"][0].as_py()
        return (rows, more) if counted == more else None

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

    def _pinned(self, name: str) -> int | None:
        own = {} if name.startswith(COUNTS_AT_ONCE) else self._written  # others may have recorded since
        version = own.get(name, self._read.get(name))
        if version is None:
            version = self._version(name)
            if version is not None:
                self._read[name] = version
        return version

    def _version(self, name: str) -> int | None:
        """Return the version that counts: what others commit meanwhile is for the next run, but for what always counts."""
        return self._store.version(name) if name.startswith(COUNTS_AT_ONCE) else self._committed.get(name)

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

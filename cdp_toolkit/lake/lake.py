"""The lake: land what a source delivered, and open runs.

Delta commits one table at a time. A step of the line writes several, so a version counts only once a row of ``runs``
names it: that row, written last, is the commit of the whole step. Two are exceptions, whose newest version always
counts: in ``landing/`` one Delta commit holds the delivered rows and the cursor behind them, and ``activation/`` says what
was done in the outside world, which no failure of a run undoes.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError
from deltalake.fs import DeltaStorageHandler
from filelock import FileLock, Timeout
from pyarrow.fs import FileSelector, FileType, LocalFileSystem, PyFileSystem

from cdp_toolkit.errors import LakeBusyError
from cdp_toolkit.lake.lease import Lease
from cdp_toolkit.lake.runs import OpenRun
from cdp_toolkit.lake.store import Store

_CURSOR = "cdp.cursor"


class Lake(Store):
    """Tables on disk, as Delta tables below one address; see ``Store`` for how it is opened."""

    @contextmanager
    def run(self, verb: str, *, definitions: str = "", is_alone: bool = True) -> Iterator[OpenRun]:
        """Open a run: the only way to write tables other than those of ``landing/``.

        Parameters
        ----------
        verb
            What runs.
        definitions
            Digest of the definitions that decide the outcome besides the tables read.
        is_alone
            Whether no other run may write meanwhile. One that only records (``OpenRun.record``) may go beside them: it
            reads what counted when it began.

        Yields
        ------
        OpenRun
            Reads fixed versions and collects writes; they count together at the end, or not at all.

        Raises
        ------
        LakeBusyError
            If another run is writing.
        """
        with self._locked() if is_alone else nullcontext():
            run = OpenRun(self, verb, definitions)
            if not is_alone:
                run.look_again()
            try:
                with run.aside:
                    yield run
            except Exception as error:
                self.log.append(run.failed(error), definitions)
                raise
            run.ended = run.finished()
            if is_alone:
                self._check_right()
            self.log.append(run.ended, definitions)

    def only_one(self, what: str) -> AbstractContextManager[None]:
        """Do something that no other process may do at the same time, beside runs that do something else.

        Parameters
        ----------
        what
            What is done, such as ``telling NAME``: part of the name of a file, and of the error.

        Returns
        -------
        context manager
            Held by this process until it leaves or dies.

        Raises
        ------
        LakeBusyError
            If another process does it.
        """
        return self._locked(what, said=f"Another run is {what}.")

    def record(self, name: str, rows: pa.Table) -> int:
        """Write rows that count as soon as they are written; see ``Store.record``.

        Parameters
        ----------
        name
            A table of ``activation/``.
        rows
            Comes after what the table has.

        Returns
        -------
        int
            The version written.
        """
        with self._recording():
            return super().record(name, rows)

    def tidy(self, name: str) -> None:
        """Join the small files of a table, once there are many; see ``Store.tidy``.

        Parameters
        ----------
        name
            A table of ``activation/``; its rows stay as they are.
        """
        with self._recording(), suppress(CommitFailedError):  # another run joined them at the same time
            super().tidy(name)

    def objects(self, source: str) -> list[str]:
        """Return the objects that a source has delivered.

        Parameters
        ----------
        source
            Name of the source.

        Returns
        -------
        list of str
            Names below ``landing/<source>/``, in order.
        """
        is_folder = "://" not in self.uri
        system = LocalFileSystem() if is_folder else PyFileSystem(DeltaStorageHandler(self.uri, self.options))
        folder = f"{self.uri}/landing/{source}" if is_folder else f"landing/{source}"
        found = system.get_file_info(FileSelector(folder, allow_not_found=True))
        names = sorted(info.base_name for info in found if info.type == FileType.Directory)
        return [name for name in names if self.exists(f"landing/{source}/{name}")]  # not those that broke off at once

    def landed(self, name: str) -> tuple[int, dict[str, Any]]:
        """Return how far a table of ``landing/`` has come.

        Parameters
        ----------
        name
            ``landing/<source>/<object>``.

        Returns
        -------
        counter, cursor
            Number of the last commit and what it said of the source; 0 and empty if there is none.
        """
        delta = self.deltas.newest(name)
        if delta is None:
            return 0, {}
        counter = delta.transaction_version(_transaction(name)) or 0
        # Nearly always the last commit: reading it took 3 ms, all of 1,500 took 64 ms.
        commits = (commit for limit in (1, None) for commit in delta.history(limit))
        newest = next((commit for commit in commits if _CURSOR in commit), None)
        return counter, json.loads(newest[_CURSOR]) if newest else {}

    def delivered(
        self, name: str, columns: Sequence[str], *, where: pc.Expression | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Read columns of a table of ``landing/``, a part at a time.

        Parameters
        ----------
        name
            ``landing/<source>/<object>``.
        columns
            Names of the columns.
        where
            Which rows; all by default.

        Yields
        ------
        pyarrow.RecordBatch
            Rows in no order; none if the table is not there or has not all of the columns.
        """
        delta = self.deltas.newest(name)
        if delta is None:
            return
        rows = delta.to_pyarrow_dataset()
        if set(columns) <= set(rows.schema.names):
            yield from rows.scanner(columns=list(columns), filter=where).to_batches()

    def land(
        self,
        name: str,
        rows: pa.Table | pa.RecordBatchReader,
        *,
        counter: int,
        cursor: dict[str, Any],
        within: OpenRun | None = None,
    ) -> None:
        """Append delivered rows to a table of ``landing/``, with the cursor behind them, in one commit.

        Parameters
        ----------
        name
            ``landing/<source>/<object>``.
        rows
            What was delivered; a column that is new to the table is added to it.
        counter
            Number of this commit: one more than ``landed`` says.
        cursor
            What the source needs to go on from here.
        within
            An open run that waits for this, whose right to write is used whichever thread asks; by default this takes the
            right for itself. Two threads must not land in one table.

        Raises
        ------
        LakeBusyError
            If another run is writing.
        """
        with self._locked() if within is None else nullcontext():
            if within is not None:
                self._check_right()
            told = {_CURSOR: json.dumps(cursor)}
            write_deltalake(
                f"{self.uri}/{name}",
                rows,
                mode="append",
                schema_mode="merge",
                storage_options=self.options or None,
                commit_properties=CommitProperties(
                    app_transactions=[Transaction(_transaction(name), counter)], custom_metadata=told
                ),
            )
            self.deltas.join_small(name, told)

    @contextmanager
    def _locked(
        self, what: str = "", *, said: str = "Another run is writing to the lake.", wait_s: float = 0
    ) -> Iterator[None]:
        # A lock of the operating system: it goes with the process that held it, however that ended.
        if "://" in self.uri:
            with self._lease(what).held(said, wait_s=wait_s):
                yield
            return
        Path(self.uri).mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{self.uri}/.{what.replace(' ', '_')}{'.' if what else ''}lock", is_singleton=True)
        try:
            lock.acquire(timeout=wait_s)
        except Timeout as error:
            raise LakeBusyError(said, where=self.uri, hint="Wait until it ends, then run again.") from error
        try:
            yield
        finally:
            lock.release()

    def _check_right(self) -> None:
        if "://" in self.uri:
            self._lease("").check()

    def _recording(self) -> AbstractContextManager[None]:
        # Appends never conflict, but two of them may make the table. A lease would cost more than what is recorded.
        return nullcontext() if "://" in self.uri else self._locked("recording", wait_s=-1)

    def _lease(self, what: str) -> Lease:
        name = "_".join(["_lease", *what.split()])
        return self._leases.setdefault(what, Lease(f"{self.uri}/{name}", self.options))

    @cached_property
    def _leases(self) -> dict[str, Lease]:
        return {}


def _transaction(name: str) -> str:
    return f"cdp/{name}"

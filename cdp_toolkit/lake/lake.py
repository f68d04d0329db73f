"""The lake: land what a source delivered, and open runs.

Delta commits one table at a time. A step of the line writes several, so a version counts only once a row of ``runs``
names it: that row, written last, is the commit of the whole step. Two are exceptions, whose newest version always
counts: in ``landing/`` one Delta commit holds the delivered rows and the cursor behind them, and ``activation/`` says what
was done in the outside world, which no failure of a run undoes.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, Transaction, write_deltalake
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

    @cached_property
    def _lease(self) -> Lease | None:
        return Lease(f"{self.uri}/_lease", self.options) if "://" in self.uri else None

    @contextmanager
    def run(self, verb: str, *, definitions: str = "") -> Iterator[OpenRun]:
        """Open a run: the only way to write tables other than those of ``landing/``.

        Parameters
        ----------
        verb
            What runs.
        definitions
            Digest of the definitions that decide the outcome besides the tables read.

        Yields
        ------
        OpenRun
            Reads fixed versions and collects writes; they count together at the end, or not at all.

        Raises
        ------
        LakeBusyError
            If another run is writing.
        """
        with self._locked():
            run = OpenRun(self, verb, definitions)
            try:
                yield run
            except Exception as error:
                self.log.append(run.failed(error), definitions)
                raise
            run.ended = run.finished()
            if self._lease:
                self._lease.check()
            self.log.append(run.ended, definitions)

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

    def land(self, name: str, rows: pa.Table | pa.RecordBatchReader, *, counter: int, cursor: dict[str, Any]) -> None:
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
        """
        with self._locked():
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
    def _locked(self) -> Iterator[None]:
        # A lock of the operating system: it goes with the process that held it, however that ended.
        if self._lease:
            with self._lease.held("Another run is writing to the lake."):
                yield
            return
        Path(self.uri).mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{self.uri}/.lock", is_singleton=True)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise LakeBusyError(
                "Another run is writing to the lake.", where=self.uri, hint="Wait until it ends, then run again."
            ) from error
        try:
            yield
        finally:
            lock.release()


def _transaction(name: str) -> str:
    return f"cdp/{name}"

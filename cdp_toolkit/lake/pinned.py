"""The tables that a run reads, at versions that stay the same until it ends."""

import threading
from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa

from cdp_toolkit.engines import Frame
from cdp_toolkit.lake.groups import Groups
from cdp_toolkit.lake.packed import Ids
from cdp_toolkit.lake.reading import COUNTS_AT_ONCE
from cdp_toolkit.lake.store import Store


class Pinned:
    """Tables at the versions that a run reads, and those that it has written.

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
        self.verb = verb
        self._store = store
        self._definitions = definitions
        self._committed = store.log.versions()
        self._read: dict[str, int] = {}
        self._written: dict[str, int] = {}
        self._asking = threading.Lock()
        self._is_more: Callable[[], bool] = lambda: True

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

    def groups(self, name: str, schema: pa.Schema) -> Groups | None:
        """Return the rows of a packed table by their bucket, at the version that ``scan`` would read.

        Parameters
        ----------
        name
            Folder and name of the table.
        schema
            Columns to read.

        Returns
        -------
        Groups or None
            None if no run has written the table.
        """
        version = self._pinned(name)
        return None if version is None else Groups(self._store.opened(name, version), schema)

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

    def find(self, name: str, keys: Frame) -> Frame:
        """Return the rows of some keys, at the version that ``scan`` would read.

        Parameters
        ----------
        name
            Folder and name of a table that lies in the order of a key.
        keys
            The keys, in a column of the name of the key; already run, and few beside the rows.

        Returns
        -------
        Frame
            The rows, run.
        """
        return self._store.find(name, keys, self._pinned(name))

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

    def share_behind(self, name: str) -> float:
        """Return how much came after what a table was last written anew with.

        Parameters
        ----------
        name
            Folder and name of the table.

        Returns
        -------
        float
            See ``Deltas.share_behind``.
        """
        version = self._pinned(name)
        return 0 if version is None else self._store.deltas.share_behind(name, version)

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

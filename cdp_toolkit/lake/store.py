"""Tables of the lake at their versions: which one counts, read it, write the next."""

from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.errors import NotYetError
from cdp_toolkit.lake.log import RunLog
from cdp_toolkit.lake.tables import table
from cdp_toolkit.model import Model


class Store:
    """Tables on disk, as Delta tables below one address.

    Parameters
    ----------
    uri
        Folder, or an address such as ``s3://bucket/lake``.
    engine
        Engine that scans and writes.
    model
        Model that the entity tables follow.
    options
        Storage options of an address that is no folder.
    """

    def __init__(
        self, uri: str | Path, *, engine: Engine, model: Model | None = None, options: dict[str, str] | None = None
    ) -> None:
        self.uri = str(uri).rstrip("/")
        self.engine = engine
        self.model = model or Model.standard()
        self.options = options or {}
        self.log = RunLog(f"{self.uri}/runs", self.options)

    def exists(self, name: str) -> bool:
        """Tell whether a table has been written.

        Parameters
        ----------
        name
            Folder and name of the table.

        Returns
        -------
        bool
            Whether a committed version exists.
        """
        return self.version(name) is not None

    def version(self, name: str) -> int | None:
        """Return the version that readers see.

        Parameters
        ----------
        name
            Folder and name of the table.

        Returns
        -------
        int or None
            The committed version; None if no run has written the table.
        """
        if name.startswith("landing/"):
            delta = self._open(name)
            return None if delta is None else delta.version()
        return self.log.versions().get(name)

    def scan(self, name: str, version: int | None = None) -> Frame:
        """Return a table as a lazy frame.

        Parameters
        ----------
        name
            Folder and name of the table.
        version
            Version to read; the committed one by default.

        Returns
        -------
        Frame
            All rows of that version.

        Raises
        ------
        NotYetError
            If no run has written the table.
        UnknownNameError
            If the lake has no such table.
        """
        known = table(name, self.model)
        version = self.version(name) if version is None else version
        if version is None:
            raise NotYetError(f"No run has written {name} yet.", hint=f"Run `{known.written_by}` first.")
        delta = DeltaTable(f"{self.uri}/{name}", version=version, storage_options=self.options)
        return self.engine.scan(delta.file_uris(), pa.schema(delta.schema().to_arrow()))

    def head(self, name: str) -> int:
        """Return the newest version on disk, whether a run names it or not.

        Parameters
        ----------
        name
            Folder and name of the table.

        Returns
        -------
        int
            Version; -1 if the table is not there.
        """
        delta = self._open(name)
        return -1 if delta is None else delta.version()

    def rows(self, name: str) -> int:
        """Return how many rows a table has, without reading them.

        Parameters
        ----------
        name
            Folder and name of the table.

        Returns
        -------
        int
            Rows of the committed version; 0 if there is none.
        """
        version = self.version(name)
        return 0 if version is None else self.rows_at(name, version)

    def rows_at(self, name: str, version: int) -> int:
        """Return how many rows a version of a table has.

        Parameters
        ----------
        name
            Folder and name of the table.
        version
            The version.

        Returns
        -------
        int
            Rows, from the statistics of its files.
        """
        delta = DeltaTable(f"{self.uri}/{name}", version=version, storage_options=self.options)
        return sum(pa.table(delta.get_add_actions(flatten=True))["num_records"].to_pylist())

    def replace(self, name: str, frame: Frame) -> int:
        """Write a table anew; the version counts once a run names it.

        Parameters
        ----------
        name
            Folder and name of the table.
        frame
            All its rows.

        Returns
        -------
        int
            The version written.
        """
        self.engine.sink(frame, f"{self.uri}/{name}", mode="overwrite", options=self.options)
        return self.head(name)

    def append(self, name: str, frame: Frame, *, base: int) -> int:
        """Write rows after those of a version; the new version counts once a run names it.

        Parameters
        ----------
        name
            Folder and name of the table.
        frame
            The new rows.
        base
            The version that they come after.

        Returns
        -------
        int
            The version written.
        """
        uri = f"{self.uri}/{name}"
        if self.head(name) != base:
            # A run was killed after it had written here: its rows are not part of the table.
            DeltaTable(uri, storage_options=self.options).restore(base)
        self.engine.sink(frame, uri, mode="append", options=self.options)
        return self.head(name)

    def _open(self, name: str) -> DeltaTable | None:
        uri = f"{self.uri}/{name}"
        if not DeltaTable.is_deltatable(uri, storage_options=self.options):
            return None
        return DeltaTable(uri, storage_options=self.options)

"""Tables of the lake: read them at a version, and write the next."""

from collections.abc import Sequence

import pyarrow as pa
from deltalake import DeltaTable, WriterProperties, write_deltalake

from cdp_toolkit.engines import Frame
from cdp_toolkit.engines.delta import commit_files
from cdp_toolkit.engines.engine import Mode
from cdp_toolkit.lake.comparing import Comparing
from cdp_toolkit.lake.spool import Spool
from cdp_toolkit.lake.tables import table

_ROWS_A_GROUP = 1024


class Store(Comparing):
    """Tables on disk, as they are read and written; see ``Reading`` for how it is opened."""

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
        by = table(name, self.model).clustered_by
        self.engine.sink(frame, f"{self.uri}/{name}", mode="overwrite", options=self.options, cluster_by=by)
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
        self._drop_uncommitted(name, base)
        self.engine.sink(frame, f"{self.uri}/{name}", mode="append", options=self.options)
        self.deltas.join_small(name)
        return self.head(name)

    def remove(self, name: str, column: str, values: Sequence[str], *, base: int) -> int:
        """Take rows out of a version; the new version counts once a run names it.

        Parameters
        ----------
        name
            Folder and name of the table.
        column
            A text column.
        values
            Rows with one of these there are taken out.
        base
            The version that they are taken out of.

        Returns
        -------
        int
            The version written.
        """
        self._drop_uncommitted(name, base)
        spelt = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
        delta = self.deltas.at(name, self.head(name))
        delta.delete(f"{column} IN ({spelt})")
        return self.head(name)

    def record(self, name: str, rows: pa.Table) -> int:
        """Write rows that count as soon as they are written.

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
        delta = self.deltas.newest(name)
        target = f"{self.uri}/{name}" if delta is None else delta
        write_deltalake(target, rows, mode="append", schema_mode="merge", storage_options=self.options or None)
        return self.head(name)

    def tidy(self, name: str) -> None:
        """Join the small files of a table that is written often, once there are many.

        Parameters
        ----------
        name
            A table of ``activation/``; its rows stay as they are.
        """
        self.deltas.join_small(name)

    def write(self, name: str, rows: pa.Table | pa.RecordBatchReader, *, mode: Mode, base: int | None) -> int:
        """Write Arrow rows; the version counts once a run names it.

        Parameters
        ----------
        name
            Folder and name of the table.
        rows
            The rows; a reader is read as it is written.
        mode
            Whether they replace those of the table or come after them.
        base
            The version that they come after.

        Returns
        -------
        int
            The version written.
        """
        if mode == "append" and base is not None:
            self._drop_uncommitted(name, base)
        write_deltalake(
            f"{self.uri}/{name}",
            rows,
            mode=mode,
            storage_options=self.options or None,
            # A group of rows holds about one bucket, so that readers of a bucket skip the others.
            writer_properties=WriterProperties(compression="ZSTD", max_row_group_size=_ROWS_A_GROUP),
        )
        return self.head(name)

    def adopt(self, name: str, spool: Spool, *, mode: Mode, base: int | None) -> int:
        """Make the rows of a spool those of a table; the version counts once a run names it.

        Parameters
        ----------
        name
            Folder and name of the table.
        spool
            The rows.
        mode
            Whether they replace those of the table or come after them.
        base
            The version that they come after.

        Returns
        -------
        int
            The version written.
        """
        if mode == "append" and base is not None:
            self._drop_uncommitted(name, base)
        commit_files(spool.uri, spool.folder, spool.schema, mode=mode, options=self.options)
        return self.head(name)

    def _drop_uncommitted(self, name: str, base: int) -> None:
        if self.head(name) != base:
            # A run was killed after it had written here: its rows are not part of the table.
            DeltaTable(f"{self.uri}/{name}", storage_options=self.options).restore(base)

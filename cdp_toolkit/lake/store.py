"""Tables of the lake: read them at a version, and write the next."""

from collections.abc import Sequence

import narwhals as nw
import pyarrow as pa
from deltalake import DeltaTable, WriterProperties, write_deltalake

from cdp_toolkit.engines import Frame
from cdp_toolkit.engines.delta import add_rows, commit_files, new_folder
from cdp_toolkit.engines.engine import Mode
from cdp_toolkit.lake.comparing import Comparing
from cdp_toolkit.lake.layers import GONE, layers_of, name_of, with_gone
from cdp_toolkit.lake.spool import Spool
from cdp_toolkit.lake.tables import table

_ROWS_A_GROUP = 1024
_MOST_CHANGES = 8  # files laid over a table; each is read by whoever looks something up


class Store(Comparing):
    """Tables on disk, as they are read and written; see ``Reading`` for how it is opened."""

    most_laid = 0.2
    """Above this share of the rows of a table, changes are no longer laid over it: it is written anew."""

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
        on = table(name, self.model).replaced_by
        if layers_of(self.deltas.snapshot(name, base).files).changes:
            rows = self.engine.materialise(frame)
            keys = self.engine.materialise(rows.select(*on).unique())
            there = self.find(name, keys, base).join(keys, on=list(on), how="semi")
            return self.change(name, nw.concat([there, rows.select(*there.collect_schema().names())]), keys, base=base)
        self._drop_uncommitted(name, base)
        self.engine.sink(frame, f"{self.uri}/{name}", mode="append", options=self.options)
        self.deltas.join_small(name)
        return self.head(name)

    def change(self, name: str, rows: Frame, keys: Frame, *, base: int) -> int:
        """Write rows in the place of those that have the same keys; the new version counts once a run names it.

        A file of them is laid over the table (see ``layers``), until such files have so many rows that it is time to
        write the table anew. In an object store it is written anew each time.

        Parameters
        ----------
        name
            Folder and name of a table that lies in the order of a key.
        rows
            All rows that the keys have from now on.
        keys
            Whose rows are replaced: the columns of ``Table.replaced_by``.
        base
            The version that is changed.

        Returns
        -------
        int
            The version written.
        """
        known, found = table(name, self.model), self.deltas.snapshot(name, base)
        on, layers = list(known.replaced_by), layers_of(found.files)
        columns = found.schema.names
        rows = self.engine.materialise(rows.select(*columns))
        keys = self.engine.materialise(keys.select(*on).unique())
        most = self.most_laid * (found.rows - layers.rows)
        if "://" in self.uri or self._count(rows) + sum(each.rows for each in layers.changes) > most:
            left = self.scan(name, base).select(*columns).join(keys, on=on, how="anti")
            return self.replace(name, nw.concat([left, rows]))
        self._drop_uncommitted(name, base)
        gone = keys.join(rows.select(*on).unique(), on=on, how="anti")
        told = [rows.with_columns(nw.lit(False).alias(GONE)), gone.with_columns(nw.lit(True).alias(GONE))]
        place, first = len(layers.changes) + len(layers.taken_in) + 1, None
        if len(layers.changes) >= _MOST_CHANGES:
            first = layers.changes[0].first
            told.append(self._laid(layers, found.schema, on).join(keys, on=on, how="anti"))
        written = pa.concat_tables(map(self.engine.collect, told), promote_options="permissive")
        written = written.select([*columns, GONE]).cast(with_gone(found.schema))
        folder = name_of(place, first or place, len(written), new_folder())
        add_rows(f"{self.uri}/{name}", folder, written, GONE)
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
        if layers_of(self.deltas.snapshot(name, base).files).changes:
            return self.replace(name, self.scan(name, base).filter(~nw.col(column).is_in(list(values))))
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
            # A group of rows holds about one bucket, so that readers of a bucket skip the others; ids are hashes: nothing packs them.
            writer_properties=WriterProperties(compression="UNCOMPRESSED", max_row_group_size=_ROWS_A_GROUP),
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

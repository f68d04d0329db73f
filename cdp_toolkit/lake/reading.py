"""Tables of the lake at their versions: which one counts, and what it holds."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import narwhals as nw
import pyarrow as pa
from deltalake import DeltaTable

from cdp_toolkit.engines import Engine, Frame, stretches
from cdp_toolkit.errors import NotYetError
from cdp_toolkit.lake.deltas import Deltas
from cdp_toolkit.lake.log import RunLog
from cdp_toolkit.lake.packed import Ids, Numbering, unpacked
from cdp_toolkit.lake.tables import table
from cdp_toolkit.model import Model
from cdp_toolkit.model.types import arrow_type

COUNTS_AT_ONCE = ("landing/", "activation/")
"""Tables whose newest version counts, whatever becomes of the run that wrote it."""


class Reading:
    """Tables on disk, Delta tables below one address, as they are read.

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
        self.deltas = Deltas(self.uri, self.options)
        self.log = RunLog(self.uri, self.deltas, self.options)

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
        if name.startswith(COUNTS_AT_ONCE):
            delta = self.deltas.newest(name)
            return None if delta is None else _with_rows(delta)
        return self.log.versions().get(name)

    def scan(
        self,
        name: str,
        version: int | None = None,
        *,
        only: Mapping[str, Sequence[str | int]] | None = None,
        columns: Sequence[str] | None = None,
    ) -> Frame:
        """Return a table as a lazy frame.

        Parameters
        ----------
        name
            Folder and name of the table.
        version
            Version to read; the committed one by default.
        only
            By column the values to look for: of a packed table nothing else is unpacked.
        columns
            Names of the columns; all by default. Of a packed table nothing else is unpacked.

        Returns
        -------
        Frame
            The rows of that version; those of a packed table one a profile.

        Raises
        ------
        NotYetError
            If no run has written the table.
        UnknownNameError
            If the lake has no such table.
        """
        rows = self.packed(name, version, only=only)
        if table(name, self.model).is_packed:
            return self.unpacked(name, rows, columns=columns)
        return rows if columns is None else rows.select(*columns)

    def packed(
        self, name: str, version: int | None = None, *, only: Mapping[str, Sequence[str | int]] | None = None
    ) -> Frame:
        """Return a table as it is on disk: a packed one as one row per group of profiles.

        Parameters
        ----------
        name
            Folder and name of the table.
        version
            Version to read; the committed one by default.
        only
            By column the values to look for.

        Returns
        -------
        Frame
            The rows of that version.

        Raises
        ------
        NotYetError
            If no run has written the table.
        """
        version = self.version(name) if version is None else version
        if version is None:
            verb = table(name, self.model).written_by
            raise NotYetError(f"No run has written {name} yet.", hint=f"Run `{verb}` first.")
        found = self.deltas.snapshot(name, version)
        rows = self.engine.scan(found.files, self._schema(name, found.schema), self.options)
        for column, values in (only or {}).items():
            rows = rows.filter(nw.col(column).is_in(list(values)))
        return rows

    def take(self, name: str, ids: Ids, columns: Sequence[str], version: int | None = None) -> pa.Table | None:
        """Look up the rows of some profiles.

        Parameters
        ----------
        name
            Folder and name of a table that lies in the order of its profiles.
        ids
            Ids of profiles, in order, each once.
        columns
            Columns to return.
        version
            Version to read; the committed one by default.

        Returns
        -------
        pyarrow.Table or None
            The rows, in the order of the ids; None where that version has to be scanned for them, since it lies
            elsewhere than in a folder, or has no copy to look into.
        """
        version = self.version(name) if version is None else version
        if version is None or "://" in self.uri:
            return None
        found, folder = self.deltas.snapshot(name, version), f"{self.uri}/{name}"
        files = {file.rpartition("/")[2]: file for file in found.files}
        copied = stretches.newest(folder, files)
        if copied is None:
            return None
        rows = stretches.take(stretches.Copy(folder, copied[0], sorted(copied[1]), found.schema), ids, columns)
        later = sorted(file for short, file in files.items() if short not in copied[1])
        if rows is None or not later:
            return rows
        by = table(name, self.model).clustered_by
        asked = self.engine.load(pa.table({by: ids}))
        added = self.engine.scan(later, found.schema, self.options).join(asked, on=by, how="semi").select(*columns)
        told = self.engine.collect(added)
        plain = pa.schema([found.schema.field(column) for column in columns])
        return pa.concat_tables([rows.cast(plain), told.cast(plain)]).sort_by(by) if len(told) else rows

    def numbering(self, *, is_committed: bool = False) -> Numbering:
        """Return which profiles the bits of packed tables mean.

        Parameters
        ----------
        is_committed
            Leave out numbers of a run that was killed: who gives numbers gives those anew, as nothing that counts has them.

        Returns
        -------
        Numbering
            The newest, since a number once given stays.
        """
        name = "segments/numbering"
        version = self.version(name) if is_committed else self.head(name)
        known = version is not None and version >= 0
        return Numbering(self.engine.collect(self.packed(name, version)) if known else None)

    def unpacked(
        self,
        name: str,
        rows: Frame | pa.Table,
        *,
        among: Ids | None = None,
        columns: Sequence[str] | None = None,
    ) -> Frame:
        """Return rows of a packed table as they are read.

        Parameters
        ----------
        name
            Folder and name of the table.
        rows
            Rows of it as they are on disk.
        among
            Ids of the profiles to look for; all by default.
        columns
            Names of the columns; all by default.

        Returns
        -------
        Frame
            One row a profile, made when the frame runs.
        """
        every = table(name, self.model).columns
        kinds = {each: every[each] for each in columns or every}
        schema = pa.schema([(each, arrow_type(kind)) for each, kind in kinds.items()])
        return self.engine.stream(schema, partial(self._batches, rows, kinds, among))

    def _batches(
        self, rows: Frame | pa.Table, columns: Mapping[str, str], among: Ids | None
    ) -> Iterator[pa.RecordBatch]:
        packed = rows if isinstance(rows, pa.Table) else self.engine.collect(rows)
        return unpacked(packed, self.numbering(), columns, among=among)

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
        delta = self.deltas.newest(name)
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
            Rows, from the statistics of its files; of a packed table the profiles in its rows.
        """
        if table(name, self.model).is_packed:
            counted = self.engine.collect(self.packed(name, version).select(nw.col("profiles").sum()))
            return int(counted["profiles"][0].as_py() or 0)
        return self.deltas.snapshot(name, version).rows

    def _schema(self, name: str, on_disk: pa.Schema) -> pa.Schema:
        """Return the columns of a table on disk, and those that it gained after it was written."""
        known = table(name, self.model)
        columns = {} if known.is_packed else known.columns
        gained = {each: kind for each, kind in columns.items() if each not in on_disk.names}
        return pa.schema([*on_disk, *((each, arrow_type(kind)) for each, kind in gained.items())])


def _with_rows(delta: DeltaTable) -> int | None:
    """Return the newest version that added rows; those behind it only say how far a source has come."""
    for limit in (1, 100, None):
        for commit in delta.history(limit):
            if commit.get("operationMetrics", {}).get("num_added_files") != 0:
                return int(commit["version"])
    return None

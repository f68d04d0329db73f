"""Tables of the lake at their versions: which one counts, and what it holds."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from cdp_toolkit.engines import Engine, Frame, stretches
from cdp_toolkit.engines.delta import opened
from cdp_toolkit.errors import NotYetError
from cdp_toolkit.lake.deltas import Deltas
from cdp_toolkit.lake.layers import Layers, laid, layers_of, overlay, with_gone
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
        layers, schema = layers_of(found.files), self._schema(name, found.schema)
        rows = self.engine.scan(layers.base, schema, self.options)
        if layers.changes:
            on = table(name, self.model).replaced_by
            rows = overlay(rows, self._laid(layers, schema, on), on)
        for column, values in (only or {}).items():
            rows = rows.filter(nw.col(column).is_in(list(values)))
        return rows

    def opened(self, name: str, version: int) -> list[pq.ParquetFile]:
        """Return the files of a packed table.

        Parameters
        ----------
        name
            Folder and name of the table.
        version
            The version.

        Returns
        -------
        list of pyarrow.parquet.ParquetFile
            Those that it has at that version, open.
        """
        return [opened(file, self.options) for file in self.deltas.snapshot(name, version).files]

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
        layers, known = layers_of(found.files), table(name, self.model)
        files = {file.rpartition("/")[2]: file for file in layers.base}
        copied = stretches.newest(folder, files)
        if copied is None:
            return None
        own = [*columns, *(each for each in known.replaced_by if layers.changes and each not in columns)]
        rows = stretches.take(stretches.Copy(folder, copied[0], sorted(copied[1]), found.schema), ids, own)
        later = sorted(file for short, file in files.items() if short not in copied[1])
        if rows is None or not (later or layers.changes):
            return rows
        by = str(known.clustered_by)
        asked = self.engine.load(pa.table({by: ids}))
        plain = pa.schema([found.schema.field(column) for column in own])
        added = self.engine.scan(later, found.schema, self.options)
        told = self.engine.collect(self.engine.among(added, by, asked).select(*own))
        whole = pa.concat_tables([rows.cast(plain), told.cast(plain)])
        if layers.changes:
            changed = [
                self.engine.among(self._scan_changes(found.schema, [each.file]), by, asked) for each in layers.changes
            ]
            changes = laid(layers.changes, changed, known.replaced_by)
            current = overlay(self.engine.load(whole), changes, known.replaced_by)
            whole = self.engine.collect(current.select(*columns)).cast(
                pa.schema([plain.field(each) for each in columns])
            )
        return whole.sort_by(by) if len(told) or layers.changes else rows

    def find(self, name: str, keys: Frame, version: int | None = None) -> Frame:
        """Return the rows of some keys, looked up where the table has a copy to look into.

        Parameters
        ----------
        name
            Folder and name of a table that lies in the order of a key, or is at least changed by one.
        keys
            The keys, in a column of the name of the key; already run, and few beside the rows.
        version
            Version to read; the committed one by default.

        Returns
        -------
        Frame
            The rows, run.
        """
        known = table(name, self.model)
        by = known.clustered_by or known.replaced_by[-1]
        version = self.version(name) if version is None else version
        if version is not None and known.clustered_by:
            ids = _distinct(self.engine.collect(keys.select(by))[by].to_numpy())
            rows = self.take(name, ids, self.deltas.snapshot(name, version).schema.names, version)
            if rows is not None:
                return self._plain(rows)
        return self.engine.materialise(self.engine.among(self.scan(name, version), by, keys))

    def _laid(self, layers: Layers, schema: pa.Schema, on: Sequence[str]) -> Frame:
        return laid(layers.changes, [self._scan_changes(schema, [each.file]) for each in layers.changes], on)

    def _scan_changes(self, schema: pa.Schema, files: Sequence[str]) -> Frame:
        return self.engine.scan(files, with_gone(schema), self.options)

    def _plain(self, rows: pa.Table) -> Frame:
        texts = [nw.col(field.name).cast(nw.String()) for field in rows.schema if pa.types.is_dictionary(field.type)]
        frame = self.engine.load(rows)
        return frame.with_columns(*texts) if texts else frame

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
        if version is None or version < 0:
            return Numbering()
        return Numbering(pa.concat_tables(file.read().cast(Numbering.SCHEMA) for file in self.opened(name, version)))

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
        found = self.deltas.snapshot(name, version)
        if layers_of(found.files).changes:
            return self._count(self.packed(name, version))
        return found.rows

    def _count(self, frame: Frame) -> int:
        return int(self.engine.collect(frame.select(rows=nw.len()))["rows"][0].as_py())

    def _schema(self, name: str, on_disk: pa.Schema) -> pa.Schema:
        """Return the columns of a table on disk, and those that it gained after it was written."""
        known = table(name, self.model)
        columns = {} if known.is_packed else known.columns
        gained = {each: kind for each, kind in columns.items() if each not in on_disk.names}
        return pa.schema([*on_disk, *((each, arrow_type(kind)) for each, kind in gained.items())])


def _distinct(ids: Ids) -> Ids:
    """Return ids in order, each once; ``numpy.unique`` hashes them, which takes twice as long."""
    found = np.sort(ids)
    distinct: Ids = found[np.append(True, found[1:] != found[:-1])[: len(found)]]
    return distinct


def _with_rows(delta: DeltaTable) -> int | None:
    """Return the newest version that added rows; those behind it only say how far a source has come."""
    for limit in (1, 100, None):
        for commit in delta.history(limit):
            if commit.get("operationMetrics", {}).get("num_added_files") != 0:
                return int(commit["version"])
    return None

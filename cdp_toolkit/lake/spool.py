"""Rows that are written as they come, before it is known whether they will count."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import PyFileSystem

from cdp_toolkit.engines.delta import new_folder

_TEXTS = ("segment", "entity", "status", "change")


class Spool:
    """Files of rows below a table that the table does not know of yet.

    Parameters
    ----------
    uri
        Address of the table.
    schema
        Its columns.
    options
        Storage options of the lake.
    compression
        How the files are packed.
    """

    def __init__(self, uri: str, schema: pa.Schema, options: Mapping[str, str], compression: str) -> None:
        self.uri = uri
        self.schema = schema
        self.compression = compression
        self.folder = new_folder()
        self.files = 0
        self._options = options
        self._writer: pq.ParquetWriter | None = None

    def write(self, rows: pa.Table) -> None:
        """Write rows.

        Parameters
        ----------
        rows
            Some rows; together they are a group of their own in the file, so that those of a bucket are found again.
        """
        if len(rows):
            if self._writer is None:
                self._writer = self._opened()
            self._writer.write_table(rows)

    def keep(self) -> None:
        """End what was written since; it will belong to the table."""
        if self._writer is not None:
            self._writer.close()
            self._writer, self.files = None, self.files + 1

    def drop(self) -> None:
        """Forget what was written since."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            self._lake.delete_file(self._path)

    def _opened(self) -> pq.ParquetWriter:
        if "://" not in self.uri:
            (Path(self.uri) / self.folder).mkdir(parents=True, exist_ok=True)
        texts = [name for name in _TEXTS if name in self.schema.names]
        return pq.ParquetWriter(
            self._path, self.schema, filesystem=self._lake, compression=self.compression, use_dictionary=texts
        )

    @property
    def _path(self) -> str:
        return f"{self.folder}/part-{self.files:05}.parquet"

    @property
    def _lake(self) -> PyFileSystem:
        return PyFileSystem(DeltaStorageHandler(self.uri, dict(self._options) or None))

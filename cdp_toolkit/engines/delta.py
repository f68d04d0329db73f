"""The Delta log of files that others have written: a cluster writes Parquet, and the log is told of it here."""

import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from deltalake import DeltaTable, Schema, WriterProperties
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction, create_table_with_add_actions
from pyarrow.fs import FileSelector, FileType, PyFileSystem

from cdp_toolkit.engines.engine import Mode

WRITER_ROWS = 100_000
WRITER = WriterProperties(compression="SNAPPY", max_row_group_size=WRITER_ROWS)
"""Readers hold some groups of rows at a time: of a million each, 48 columns wide, that was 2.5 GB."""


def new_folder() -> str:
    """Return the name of a folder that no other write uses.

    Returns
    -------
    str
        Name below the table.
    """
    return uuid.uuid4().hex


def table_schema(uri: str, options: Mapping[str, str]) -> pa.Schema | None:
    """Return the columns of a table as they are.

    Parameters
    ----------
    uri
        Address of the table.
    options
        Storage options of the lake.

    Returns
    -------
    pyarrow.Schema or None
        Columns of the newest version; None if there is no table.
    """
    if not DeltaTable.is_deltatable(uri, storage_options=dict(options)):
        return None
    return pa.schema(DeltaTable(uri, storage_options=dict(options)).schema().to_arrow())


def stored(files: Sequence[str], schema: pa.Schema, options: Mapping[str, str]) -> ds.Dataset:
    """Return Parquet files of an object store as rows that are read when they are asked for.

    Parameters
    ----------
    files
        Addresses such as ``s3://bucket/lake/table/part.parquet``, all of one bucket.
    schema
        Columns of the table; a file that lacks one has nulls there.
    options
        Storage options of the lake.

    Returns
    -------
    pyarrow.dataset.Dataset
        All rows.
    """
    root, bucket = _bucket(files[0], options)
    paths = [file.removeprefix(f"{root}/") for file in files]
    return ds.dataset(paths, schema=schema, format="parquet", filesystem=bucket)


def opened(file: str, options: Mapping[str, str]) -> pq.ParquetFile:
    """Open a Parquet file of a lake, wherever it lies.

    Parameters
    ----------
    file
        Its address: a path, or such as ``s3://bucket/lake/table/part.parquet``.
    options
        Storage options of the lake.

    Returns
    -------
    pyarrow.parquet.ParquetFile
        The file; one in a folder is mapped.
    """
    if "://" not in file:
        return pq.ParquetFile(file, memory_map=True)
    root, bucket = _bucket(file, options)
    return pq.ParquetFile(file.removeprefix(f"{root}/"), filesystem=bucket)


def _bucket(file: str, options: Mapping[str, str]) -> tuple[str, PyFileSystem]:
    """Return the address of the bucket of a file, and its files."""
    root = "/".join(file.split("/", 3)[:3])
    return root, PyFileSystem(DeltaStorageHandler(root, dict(options) or None))


def commit_files(uri: str, folder: str, schema: pa.Schema, *, mode: Mode, options: Mapping[str, str]) -> None:
    """Make the files of a folder one version of a table.

    Parameters
    ----------
    uri
        Address of the table.
    folder
        Folder below it that holds the Parquet files; it may be missing if there are no rows, and files may have none.
    schema
        Columns of the files.
    mode
        Whether the rows replace those of the table or come after them.
    options
        Storage options of the lake.
    """
    if "://" not in uri:
        Path(uri).mkdir(parents=True, exist_ok=True)
    files = _files(uri, folder, options)
    if not DeltaTable.is_deltatable(uri, storage_options=dict(options)):
        create_table_with_add_actions(uri, Schema.from_arrow(schema), files, storage_options=dict(options) or None)
        return
    table = DeltaTable(uri, storage_options=dict(options) or None)
    if mode == "append":
        known = pa.schema(table.schema().to_arrow()).names
        new = pa.schema([field for field in schema if field.name not in known])
        if new.names:
            table.alter.add_columns(Schema.from_arrow(new).fields)
            table = DeltaTable(uri, storage_options=dict(options) or None)
        schema = pa.schema(table.schema().to_arrow())
    table.create_write_transaction([*files], mode, Schema.from_arrow(schema))


def add_rows(uri: str, folder: str, rows: pa.Table, hidden: str) -> None:
    """Write rows as one more file of a table in a folder.

    Parameters
    ----------
    uri
        Folder of the table.
    folder
        Name below it, which no other write uses.
    rows
        The rows.
    hidden
        A column of them that is in the file alone: the table has no such column.
    """
    place = Path(uri, folder)
    place.mkdir(parents=True)
    frame = pl.DataFrame(rows)
    frame.write_parquet(place / "rows.parquet", compression="lz4", row_group_size=WRITER_ROWS)
    schema = pa.schema([field for field in rows.schema if field.name != hidden])
    commit_files(uri, folder, schema, mode="append", options={})


def _files(uri: str, folder: str, options: Mapping[str, str]) -> list[AddAction]:
    lake = PyFileSystem(DeltaStorageHandler(uri, dict(options) or None))
    found = lake.get_file_info(FileSelector(folder, allow_not_found=True, recursive=True))
    files = [info for info in found if info.type == FileType.File and info.extension == "parquet"]
    rows = [pq.read_metadata(info.path, filesystem=lake).num_rows for info in files]
    return [
        AddAction(
            path=info.path,
            size=info.size,
            partition_values={},
            modification_time=info.mtime_ns // 10**6,
            data_change=True,
            stats=json.dumps({"numRecords": size}),
        )
        for info, size in zip(files, rows, strict=True)
        if size
    ]

"""JSON, Parquet and Excel as flat texts: objects become dotted columns, arrays JSON."""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
from polars.datatypes import DataType, DataTypeClass

from cdp_toolkit.connectors.probe import Text, open_bytes
from cdp_toolkit.errors import SourceError

PolarsDataType = DataType | DataTypeClass
_ROWS = 100_000


def read_ndjson(path: Path, name: str, text: Text) -> pa.RecordBatchReader:
    """Read a file with a JSON object a line.

    Parameters
    ----------
    path
        The file, packed or not.
    name
        How the rows name it.
    text
        What is known of it.

    Returns
    -------
    pyarrow.RecordBatchReader
        Texts, numbers as they were written, with ``_file`` and ``_line``.

    Raises
    ------
    SourceError
        If a line is no JSON, such as the last one of a file that is cut off.
    """
    if path.stat().st_size == 0:  # no line is no row
        return pa.RecordBatchReader.from_batches(pa.schema({"_file": pa.string(), "_line": pa.int64()}), [])
    source = path if text.encoding == "utf-8" else io.BytesIO(_decoded(path, text))
    try:
        # Once to learn which columns there are, once to read each value as the text it is.
        shape = pl.scan_ndjson(source, infer_schema_length=None).collect_schema()
        frame = pl.scan_ndjson(source, schema=pl.Schema({column: _texts(kind) for column, kind in shape.items()}))
        return _stream(frame, name, first_line=1, where=path)
    except pl.exceptions.PolarsError as error:
        raise _not_json(path, error) from error


def read_json(path: Path, name: str, text: Text) -> pa.RecordBatchReader:
    """Read a file with an array of JSON objects.

    Parameters
    ----------
    path
        The file, packed or not.
    name
        How the rows name it.
    text
        What is known of it.

    Returns
    -------
    pyarrow.RecordBatchReader
        As ``read_ndjson``; the line is the place in the array, from 1.

    Raises
    ------
    SourceError
        If the file is no JSON, or is cut off.
    """
    data = _decoded(path, text)
    try:
        frame = pl.read_json(io.BytesIO(data), infer_schema_length=None).lazy()
        return _stream(frame, name, first_line=1, where=path)
    except pl.exceptions.PolarsError as error:
        raise _not_json(path, error) from error


def read_parquet(path: Path, name: str) -> pa.RecordBatchReader:
    """Read a Parquet file.

    Parameters
    ----------
    path
        The file.
    name
        How the rows name it.

    Returns
    -------
    pyarrow.RecordBatchReader
        Texts, times in ISO 8601, with ``_file`` and ``_line`` (the number of the row, as if after a header).

    Raises
    ------
    SourceError
        If the file is no Parquet file, or is cut off.
    """
    import pyarrow.parquet as pq

    try:
        pq.read_metadata(path)
        return _stream(pl.scan_parquet(path, glob=False), name, first_line=2, where=path)
    except (pa.ArrowInvalid, OSError, pl.exceptions.PolarsError) as error:
        raise SourceError(
            f"The file is cut off or no Parquet file: {_first_line(error)}", where=str(path), hint="Export it again."
        ) from error


def read_excel(path: Path, name: str) -> pa.RecordBatchReader:
    """Read the first sheet of an Excel workbook.

    Parameters
    ----------
    path
        The file.
    name
        How the rows name it.

    Returns
    -------
    pyarrow.RecordBatchReader
        Texts, with ``_file`` and ``_line`` (the row of the sheet).

    Raises
    ------
    SourceError
        If the file is no workbook, or is cut off.
    """
    import fastexcel

    try:
        sheet = fastexcel.read_excel(path).load_sheet(0, dtypes="string")
        return _stream(pl.DataFrame(sheet.to_arrow()).lazy(), name, first_line=2, where=path)
    except fastexcel.FastExcelError as error:
        raise SourceError(
            f"The file is cut off or no workbook: {_first_line(error)}", where=str(path), hint="Save it again."
        ) from error


def _stream(frame: pl.LazyFrame, name: str, *, first_line: int, where: Path) -> pa.RecordBatchReader:
    columns = [text for column, kind in frame.collect_schema().items() for text in _flat(pl.col(column), column, kind)]
    flat = frame.select(*columns, _file=pl.lit(name)).with_row_index("_line", first_line)
    flat = flat.with_columns(pl.col("_line").cast(pl.Int64)).select(pl.all().exclude("_line"), "_line")
    schema = pa.schema([(column, pa.int64() if column == "_line" else pa.string()) for column in flat.collect_schema()])
    return pa.RecordBatchReader.from_batches(schema, _batches(flat, schema, where))


def _batches(flat: pl.LazyFrame, schema: pa.Schema, where: Path) -> Iterator[pa.RecordBatch]:
    try:
        for rows in flat.collect_batches(chunk_size=_ROWS, maintain_order=True):
            yield from rows.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema).to_batches()
    except pl.exceptions.PolarsError as error:
        raise _not_json(where, error) from error


def _flat(value: pl.Expr, name: str, kind: PolarsDataType) -> Iterable[pl.Expr]:
    """Turn a column into texts: an object into one for each of its members, an array into JSON."""
    match kind:
        case pl.Struct():
            for member in kind.fields:
                yield from _flat(value.struct.field(member.name), f"{name}.{member.name}", member.dtype)
        case pl.List() | pl.Array():
            wrapped = pl.struct(value.alias("x")).struct.json_encode()
            yield pl.when(value.is_not_null()).then(wrapped.str.slice(5).str.strip_suffix("}")).alias(name)
        case pl.Datetime():
            form = "%Y-%m-%dT%H:%M:%S%.6f" + ("Z" if kind.time_zone else "")
            utc = value.dt.convert_time_zone("UTC") if kind.time_zone else value
            yield utc.dt.strftime(form).alias(name)
        case _:
            text = value.cast(pl.String)
            yield pl.when(text != "").then(text).alias(name)


def _texts(kind: PolarsDataType) -> PolarsDataType:
    if isinstance(kind, pl.Struct) and kind.fields:
        return pl.Struct({member.name: _texts(member.dtype) for member in kind.fields})
    return pl.String()


def _decoded(path: Path, text: Text) -> bytes:
    with open_bytes(path) as file:
        data = file.read()
    return (
        data.decode(text.encoding).removeprefix("\ufeff").encode()
        if text.encoding != "utf-8"
        else data.removeprefix(b"\xef\xbb\xbf")
    )


def _not_json(path: Path, error: Exception) -> SourceError:
    return SourceError(
        f"The file is cut off, or not of one shape: {_first_line(error)}",
        where=str(path),
        hint="Export it again; each row must be a JSON object.",
    )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]

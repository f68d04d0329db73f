"""DuckDB: SQL on this machine, within the memory that it is given."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import duckdb
import narwhals as nw
import polars as pl
import polars_hash as plh
import pyarrow as pa
from deltalake import write_deltalake

from cdp_toolkit.engines.clustered import write_clustered
from cdp_toolkit.engines.components import components
from cdp_toolkit.engines.delta import WRITER, stored
from cdp_toolkit.engines.engine import NO_OPTIONS, Frame, JsonPath, Mode
from cdp_toolkit.model.model import FieldType


class DuckdbEngine:
    """DuckDB in this process; its frames belong to one connection."""

    name = "duckdb"
    is_concurrent = False
    errors: tuple[type[Exception], ...] = (duckdb.Error, OSError)

    def __init__(self) -> None:
        self._connection = duckdb.connect()
        self._connection.execute("SET TimeZone = 'UTC'")
        # DuckDB 2.0.1 takes two joins of one table with itself for the same and answers with the columns of the other.
        self._connection.execute("SET disabled_optimizers = 'common_subplan'")
        # The stubs want an enumeration for `type` that DuckDB moves between its versions; the text is the same to it.
        self._connection.create_function(  # type: ignore[call-overload]
            "key64", _key64, [duckdb.sqltype("VARCHAR")], duckdb.sqltype("BIGINT"), type="arrow"
        )
        self._tables = 0

    def scan(self, files: Sequence[str], schema: pa.Schema, options: Mapping[str, str] = NO_OPTIONS) -> Frame:
        """Return the rows of Parquet files; see ``Engine.scan``."""
        if not files:
            return self.load(schema.empty_table())
        if "://" in files[0]:  # its own way there is an extension, which it would have to download
            return nw.from_native(self._seen(stored(files, schema, options)))
        rows = self._connection.read_parquet(list(files), union_by_name=True)
        gained = set(schema.names) - set(rows.columns)
        kinds = self._connection.from_arrow(schema.empty_table()).types if gained else ()
        nulls = {name: f"NULL::{kind} AS {_quoted(name)}" for name, kind in zip(schema.names, kinds, strict=False)}
        named = (nulls[name] if name in gained else _quoted(name) for name in schema.names)
        return nw.from_native(rows.project(", ".join(named)))

    def load(self, table: pa.Table) -> Frame:
        """Return a small Arrow table as a frame; see ``Engine.load``."""
        # A relation over a local Arrow table dies with the variable; a temporary table of the connection does not.
        return nw.from_native(self._kept(self._connection.from_arrow(table)))

    def stream(self, schema: pa.Schema, batches: Callable[[], Iterator[pa.RecordBatch]]) -> Frame:
        """Return rows that Python makes as a frame; see ``Engine.stream``. They go into a table of the connection."""
        reader = pa.RecordBatchReader.from_batches(schema, batches())
        return nw.from_native(self._kept(self._connection.from_arrow(reader)))

    def collect(self, frame: Frame) -> pa.Table:
        """Run a frame and return its rows; see ``Engine.collect``."""
        return _relation(frame).to_arrow_table()

    def materialise(self, frame: Frame) -> Frame:
        """Run a frame where its rows lie; see ``Engine.materialise``."""
        return nw.from_native(self._kept(_relation(frame)))

    def set_aside(self, frame: Frame) -> AbstractContextManager[Frame]:
        """Run a frame whose rows are used several times; see ``Engine.set_aside``."""
        return nullcontext(self.materialise(frame))

    def sink(
        self, frame: Frame, uri: str, *, mode: Mode, options: Mapping[str, str], cluster_by: str | None = None
    ) -> None:
        """Run a frame and write it as one version of a Delta table; see ``Engine.sink``."""
        if cluster_by is not None:
            rows = _relation(frame).order(_quoted(cluster_by)).to_arrow_reader()
            write_clustered(rows, uri, mode, options, cluster_by)
            return
        write_deltalake(
            uri,
            _relation(frame).to_arrow_reader(),
            mode=mode,
            schema_mode="overwrite" if mode == "overwrite" else "merge",
            storage_options=dict(options) or None,
            writer_properties=WRITER,
        )

    def key64(self, frame: Frame, columns: Mapping[str, str]) -> Frame:
        """Add 64-bit hashes of text columns; see ``Engine.key64``."""
        added = ", ".join(f"key64({_quoted(text)}) AS {_quoted(new)}" for new, text in columns.items())
        return nw.from_native(_relation(frame).project(f"*, {added}"))

    def latest(self, frame: Frame, *, by: str, order: Sequence[str], columns: Sequence[str]) -> Frame:
        """Return the latest value of each column; see ``Engine.latest``."""
        place = ", ".join(f"{_quoted(name)} NULLS FIRST" for name in order)
        values = [
            f"last({_quoted(name)} ORDER BY {place}) FILTER ({_quoted(name)} IS NOT NULL) AS {_quoted(name)}"
            for name in dict.fromkeys(columns)
            if name != by
        ]
        return nw.from_native(_relation(frame).aggregate(", ".join([_quoted(by), *values]), _quoted(by)))

    def distinct(self, frame: Frame, *, by: str, column: str) -> Frame:
        """Return the distinct values of a column as lists; see ``Engine.distinct``."""
        value = _quoted(column)
        kept = _relation(frame).filter(f"{value} IS NOT NULL AND {_quoted(by)} IS NOT NULL")
        listed = kept.aggregate(f"{_quoted(by)}, list(DISTINCT {value} ORDER BY {value}) AS {value}", _quoted(by))
        return nw.from_native(listed)

    def piecewise(self, frames: Sequence[Frame], make: Callable[..., Frame], *, by: str) -> Frame:  # noqa: ARG002 - spills
        """Make rows of those that share a key; see ``Engine.piecewise``."""
        return make(*frames)

    def look_up(self, frame: Frame, known: Frame, *, on: str, by: str) -> Frame:
        """Add to rows what is known by a key; see ``Engine.look_up``."""
        return frame.join(known, left_on=on, right_on=by, how="left")

    def among(self, frame: Frame, column: str, keys: Frame) -> Frame:
        """Return the rows that have one of a few keys; see ``Engine.among``."""
        return frame.join(keys.select(column), on=column, how="semi")

    def without(self, frame: Frame, keys: Frame, *, on: Sequence[str]) -> Frame:
        """Return the rows that have none of a few keys; see ``Engine.without``."""
        return frame.join(keys, on=list(on), how="anti")

    def connected_components(self, links: Frame) -> Frame:
        """Find what hangs together; see ``Engine.connected_components``."""
        pairs = _relation(links).project("a, b").fetchnumpy()
        nodes, roots = components(pairs["a"], pairs["b"])
        return self.load(pa.table({"node": nodes, "component": roots}))

    def parse(self, frame: Frame, columns: Mapping[str, FieldType]) -> Frame:
        """Turn clean text into values; see ``Engine.parse``."""
        changes = ", ".join(f"{_parsed(_quoted(name), kind)} AS {_quoted(name)}" for name, kind in columns.items())
        return nw.from_native(_relation(frame).project(f"* REPLACE ({changes})"))

    def json(self, frame: Frame, columns: Mapping[str, tuple[str, JsonPath]]) -> Frame:
        """Take values out of columns that hold JSON; see ``Engine.json``."""
        added = ", ".join(f"{_json_value(text, path)} AS {_quoted(new)}" for new, (text, path) in columns.items())
        return nw.from_native(_relation(frame).project(f"*, {added}"))

    def _seen(self, rows: Any) -> duckdb.DuckDBPyRelation:
        self._tables += 1
        name = f"seen_{self._tables}"
        self._connection.register(name, rows)
        return self._connection.table(name)

    def _kept(self, rows: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
        self._tables += 1
        name = f"kept_{self._tables}"
        rows.create(name)
        return self._connection.table(name)


def _key64(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    hashes = pl.DataFrame({"text": pl.from_arrow(texts)}).select(
        plh.col("text").nchash.xxhash64(seed=42).reinterpret(signed=True) & (2**63 - 1)
    )
    return hashes.to_series().to_arrow()


def _relation(frame: Frame) -> duckdb.DuckDBPyRelation:
    relation: duckdb.DuckDBPyRelation = frame.to_native()
    return relation


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _json_value(text: str, path: JsonPath) -> str:
    steps = "".join("[*]" if step is None else f"[{step}]" if isinstance(step, int) else f'."{step}"' for step in path)
    value = f"json_extract_string({_quoted(text)}, '${steps.replace(chr(39), chr(39) * 2)}')"
    if None in path:
        value = f"CASE WHEN len({value}) > 0 THEN CAST(to_json({value}) AS VARCHAR) END"
    return f"CASE WHEN json_valid({_quoted(text)}) THEN {value} END"


def _parsed(text: str, kind: FieldType) -> str:  # noqa: PLR0911 - a case a kind
    match kind:
        case "integer":
            decimal = f"TRY_CAST({text} AS DOUBLE)"
            whole = f"CASE WHEN {decimal} = floor({decimal}) THEN TRY_CAST({decimal} AS BIGINT) END"
            return (
                f"CASE WHEN regexp_full_match({text}, '[+-]?[0-9]+') THEN TRY_CAST({text} AS BIGINT) ELSE {whole} END"
            )
        case "number" | "money":
            decimal = f"TRY_CAST({text} AS DOUBLE)"
            return f"CASE WHEN isfinite({decimal}) THEN {decimal} END"
        case "boolean":
            return f"CASE {text} WHEN 'true' THEN true WHEN 'false' THEN false END"
        case "timestamp":
            return f"TRY_CAST({text} AS TIMESTAMPTZ)"
        case "date":
            return f"TRY_CAST({text} AS DATE)"
        case "strings" | "keys":
            return f"CASE WHEN {text} LIKE '[%' THEN TRY_CAST(TRY_CAST({text} AS JSON) AS VARCHAR[]) END"
        case _:
            return text

"""Polars: the default engine, lazy and streaming, on one machine."""

import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import narwhals as nw
import polars as pl
import polars_hash as plh
import pyarrow as pa
from polars.io.plugins import register_io_source

from cdp_toolkit.engines.clustered import clustered, write_clustered
from cdp_toolkit.engines.components import find_roots
from cdp_toolkit.engines.delta import WRITER, WRITER_ROWS, commit_files, new_folder
from cdp_toolkit.engines.engine import NO_OPTIONS, Frame, JsonPath, Mode
from cdp_toolkit.engines.numbers import Known
from cdp_toolkit.engines.ranges import in_ranges, written_out
from cdp_toolkit.model.model import FieldType

# A group of 100,000 rows, 48 columns wide, is 80 MB in memory: by default 12 of them are read ahead, and as many wait
# between any two steps. 5.4M events given to people: 2.7 GB, so 0.9 GB, in the same time. Set by hand, it stays. Loaded,
# since Polars looks at its environment only when it is imported.
_LEAN = {"POLARS_ROW_GROUP_PREFETCH_SIZE": "1", "POLARS_IDEAL_MORSEL_SIZE": "20000"}
pl.Config.load(json.dumps({"environment": {name: os.environ.get(name, value) for name, value in _LEAN.items()}}))
_PIECE_BYTES = 2**27  # what is made of a piece takes several times its memory
_POSITIVE = 2**63 - 1
_TAKEN = "taken out of JSON"
_JSON_TEXT = r'"(?:[^"\\]|\\.)*"'
_JSON_TEXTS = r'^\[\s*("([^"\\]|\\.)*"\s*(,\s*"([^"\\]|\\.)*"\s*)*)?\]$'


class PolarsEngine:
    """Polars on this machine."""

    name = "polars"
    is_concurrent = True
    errors: tuple[type[Exception], ...] = (pl.exceptions.PolarsError, OSError)

    def scan(self, files: Sequence[str], schema: pa.Schema, options: Mapping[str, str] = NO_OPTIONS) -> Frame:
        """Return the rows of Parquet files; see ``Engine.scan``."""
        if not files:
            return self.load(schema.empty_table())
        expected = pl.DataFrame(schema.empty_table())
        frame = pl.scan_parquet(
            list(files),
            schema=expected.schema,
            missing_columns="insert",
            extra_columns="ignore",
            glob=False,
            storage_options=dict(options) or None,
        )
        return nw.from_native(frame)

    def load(self, table: pa.Table) -> Frame:
        """Return a small Arrow table as a frame; see ``Engine.load``."""
        return nw.from_native(pl.DataFrame(table).lazy())

    def stream(self, schema: pa.Schema, batches: Callable[[], Iterator[pa.RecordBatch]]) -> Frame:
        """Return rows that Python makes as a frame; see ``Engine.stream``."""
        return _made(
            pl.DataFrame(schema.empty_table()).schema, lambda: (pl.DataFrame(each).lazy() for each in batches())
        )

    def collect(self, frame: Frame) -> pa.Table:
        """Run a frame and return its rows; see ``Engine.collect``."""
        return _lazy(frame).collect().to_arrow(compat_level=pl.CompatLevel.oldest())

    def materialise(self, frame: Frame) -> Frame:
        """Run a frame where its rows lie; see ``Engine.materialise``."""
        return nw.from_native(_lazy(frame).collect().lazy())

    @contextmanager
    def set_aside(self, frame: Frame) -> Iterator[Frame]:
        """Run a frame whose rows are used several times; see ``Engine.set_aside``."""
        with tempfile.TemporaryDirectory() as scratch:
            _lazy(frame).sink_parquet(f"{scratch}/rows.parquet", compression="lz4", statistics=False)
            yield nw.from_native(pl.scan_parquet(f"{scratch}/rows.parquet"))

    def sink(
        self, frame: Frame, uri: str, *, mode: Mode, options: Mapping[str, str], cluster_by: str | None = None
    ) -> None:
        """Run a frame and write it as one version of a Delta table; see ``Engine.sink``."""
        if cluster_by is not None:
            with clustered(_lazy(frame), cluster_by) as rows:
                write_clustered(rows, uri, mode, options, cluster_by)
            return
        if "://" in uri:
            _lazy(frame).sink_delta(
                uri,
                mode=mode,
                storage_options=dict(options) or None,
                delta_write_options={
                    "schema_mode": "overwrite" if mode == "overwrite" else "merge",
                    "writer_properties": WRITER,
                },
            )
        else:
            _write_folder(_lazy(frame), uri, mode)

    def key64(self, frame: Frame, columns: Mapping[str, str]) -> Frame:
        """Add 64-bit hashes of text columns; see ``Engine.key64``."""
        hashes = {
            new: plh.col(text).nchash.xxhash64(seed=42).reinterpret(signed=True) & _POSITIVE
            for new, text in columns.items()
        }
        return nw.from_native(_lazy(frame).with_columns(**hashes))

    def latest(self, frame: Frame, *, by: str, order: Sequence[str], columns: Sequence[str]) -> Frame:
        """Return the latest value of each column; see ``Engine.latest``.

        In memory, since there a sort and a group_by that keeps its order take 0.6 s for 2.5M rows of 10 columns;
        streaming takes 1.3 s, sort_by in the aggregation 3.8 s.
        """
        values = [column for column in columns if column != by]
        rows = _lazy(frame).select(list(dict.fromkeys([by, *order, *values]))).collect()
        last = rows.sort(by, *order).group_by(by, maintain_order=True).agg(pl.col(values).last(ignore_nulls=True))
        return nw.from_native(last.lazy())

    def distinct(self, frame: Frame, *, by: str, column: str) -> Frame:
        """Return the distinct values of a column as lists; see ``Engine.distinct``."""
        values = _lazy(frame).select(by, column).drop_nulls().unique()
        return nw.from_native(values.group_by(by).agg(pl.col(column).sort()))

    def piecewise(self, frames: Sequence[Frame], make: Callable[..., Frame], *, by: str) -> Frame:
        """Make rows of those that share a key; see ``Engine.piecewise``."""
        rows = [_lazy(frame) for frame in frames]
        none = [nw.from_native(pl.LazyFrame(schema=each.collect_schema())) for each in rows]

        def _pieces() -> Iterator[pl.LazyFrame]:
            with in_ranges(rows, by, most_bytes=_PIECE_BYTES) as ranges:
                for piece in ranges:
                    # In order, so that a table that lies in the order of the key takes the rows as they come.
                    yield _lazy(make(*map(_loaded, piece))).sort(by)

        return _made(_lazy(make(*none)).collect_schema(), _pieces)

    def look_up(self, frame: Frame, known: Frame, *, on: str, by: str) -> Frame:
        """Add to rows what is known by a key; see ``Engine.look_up``.

        A join keeps the rows as they come, with all their columns: six numbers for 1.1M events of 47 columns took 1.4 s of
        processor time, so 0.3 s. Left to choose, Polars may keep the rows instead of what is known.
        """
        schema = known.collect_schema()
        if len(schema) == 2 and all(kind == nw.Int64 for kind in schema.values()):
            (into,) = (name for name in schema if name != by)
            numbers = Known(_lazy(known).select(by, into).collect())
            found = pl.col(on).map_batches(numbers.find, return_dtype=pl.Int64, is_elementwise=True)
            return nw.from_native(_lazy(frame).with_columns(found.alias(into)))
        joined = _lazy(frame).join(_lazy(known), left_on=on, right_on=by, how="left", build_side="force_right")
        return nw.from_native(joined)

    def among(self, frame: Frame, column: str, keys: Frame) -> Frame:
        """Return the rows that have one of a few keys; see ``Engine.among``.

        Scans push a test of their rows down, and a semi join not: of 48M rows with texts in Parquet 1M by 0.6M keys take
        3.4 s of processor time and 0.3 GB, by a join 4.8 s and 2.6 GB.
        """
        few = _lazy(keys).select(column).unique().collect()[column]
        return nw.from_native(_lazy(frame).filter(pl.col(column).is_in(few.implode())))

    def without(self, frame: Frame, keys: Frame, *, on: Sequence[str]) -> Frame:
        """Return the rows that have none of a few keys; see ``Engine.without``.

        Left to choose, Polars keeps the rows: 17M records without 1.7M of them held 13 GB, this way 2.5 GB.
        """
        joined = _lazy(frame).join(_lazy(keys), on=list(on), how="anti", build_side="force_right")
        return nw.from_native(joined)

    def connected_components(self, links: Frame) -> Frame:
        """Find what hangs together; see ``Engine.connected_components``.

        Nodes are numbered by joins: of 8M links 2.9 s of processor time, by a sort in NumPy 4.9 s.
        """
        pairs = _lazy(links).select("a", "b").collect()
        nodes = pl.concat([pairs["a"], pairs["b"]]).unique().alias("node")
        numbers = nodes.to_frame().lazy().with_row_index("number").with_columns(pl.col("number").cast(pl.Int32))
        ends = (numbers.rename({"node": end, "number": name}) for end, name in (("a", "left"), ("b", "right")))
        numbered = pairs.lazy().join(next(ends), on="a").join(next(ends), on="b").select("left", "right").collect()
        roots = find_roots(nodes.to_numpy(), numbered["left"].to_numpy(), numbered["right"].to_numpy())
        return nw.from_native(pl.LazyFrame({"node": nodes, "component": roots}))

    def parse(self, frame: Frame, columns: Mapping[str, FieldType]) -> Frame:
        """Turn clean text into values; see ``Engine.parse``."""
        return nw.from_native(_lazy(frame).with_columns(_parsed(name, kind) for name, kind in columns.items()))

    def json(self, frame: Frame, columns: Mapping[str, tuple[str, JsonPath]]) -> Frame:
        """Take values out of columns that hold JSON; see ``Engine.json``."""
        asked: dict[str, dict[str, JsonPath]] = {}
        for new, (text, path) in columns.items():
            asked.setdefault(text, {})[new] = path
        lazy = _lazy(frame)
        for text, paths in asked.items():
            taken = pl.Struct(dict.fromkeys(paths, pl.String()))
            inside = pl.col(text).map_batches(partial(_json_values, paths), return_dtype=taken, is_elementwise=True)
            lazy = lazy.with_columns(inside.alias(_TAKEN)).unnest(_TAKEN)
        return nw.from_native(lazy)


def _write_folder(rows: pl.LazyFrame, uri: str, mode: Mode) -> None:
    """Write rows as one version of a Delta table: ``sink_delta`` does not wait for its writer, 6 GB instead of 2.5 GB."""
    folder = new_folder()
    rows.sink_parquet(
        f"{uri}/{folder}/{folder}.parquet",  # what was copied is told by the names of files
        compression="snappy",
        row_group_size=WRITER_ROWS,
        maintain_order=False,
        mkdir=True,
    )
    level = pl.CompatLevel.oldest()
    schema = pl.DataFrame(schema=rows.collect_schema()).to_arrow(compat_level=level).schema
    commit_files(uri, folder, schema, mode=mode, options={})


def _loaded(rows: pa.Table) -> Frame:
    return nw.from_native(pl.DataFrame(written_out(rows)).lazy())


def _json_values(paths: Mapping[str, JsonPath], texts: pl.Series) -> pl.Series:
    """Take values out of each text that occurs, once: 46 paths into 932,000 texts of 3,082 kinds 0.13 s instead of 1.88 s."""
    rows = texts.alias(_TAKEN).to_frame()
    known = rows.unique().with_columns(_json_value(_TAKEN, path).alias(new) for new, path in paths.items())
    told = rows.join(known, on=_TAKEN, how="left", nulls_equal=True, maintain_order="left")
    return told.drop(_TAKEN).to_struct(texts.name)


def _made(schema: pl.Schema, pieces: Callable[[], Iterator[pl.LazyFrame]]) -> Frame:
    """Return frames that Python makes one after the other, each time anew, as one."""

    def parts(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _: int | None
    ) -> Iterator[pl.DataFrame]:
        left = rows
        for piece in pieces():
            found = piece if predicate is None else piece.filter(predicate)
            found = found if left is None else found.head(left)
            part = (found if columns is None else found.select(columns)).collect()
            yield part
            left = left and left - len(part)
            if left == 0:
                return

    return nw.from_native(register_io_source(parts, schema=schema))


def _json_value(text: str, path: JsonPath) -> pl.Expr:
    # json_decode reads all keys at once, but raises on the first text that is no JSON or of another shape
    if None in path:
        name = rf'"{re.escape(str(path[-1]))}"\s*:\s*'
        found = pl.col(text).str.extract_all(name + _JSON_TEXT)
        bare = found.list.eval(pl.element().str.replace(f"^{name}", "")).list.join(",")
        return pl.when(found.list.len() > 0).then(pl.format("[{}]", bare))
    steps = "".join(f"[{step}]" if isinstance(step, int) else f'["{step}"]' for step in path)
    holds = pl.all_horizontal(
        pl.col(text).str.contains(f'"{step}"', literal=True) for step in path if isinstance(step, str)
    )
    return pl.when(holds).then(text).str.json_path_match(f"${steps}")


def _lazy(frame: Frame) -> pl.LazyFrame:
    native: pl.LazyFrame = frame.to_native()
    return native


def _parsed_time(text: pl.Expr) -> pl.Expr:
    # Polars reads times of one length by itself, others by chrono: 0.05 s for 932,000 instead of 0.21 s.
    thousandths = text.str.slice(20, 3).cast(pl.Int64, strict=False).fill_null(0)
    usual = _read_time(text.str.head(19), "%Y-%m-%dT%H:%M:%S") + pl.duration(milliseconds=thousandths)
    in_utc = _read_time(pl.when(text.str.ends_with("+0000")).then(text.str.head(26)), "%Y-%m-%d %H:%M:%S.%6f")
    quick = pl.coalesce(usual, in_utc).dt.replace_time_zone("UTC")
    other = pl.when(quick.is_null()).then(text)
    return quick.fill_null(_read_time(other, "%Y-%m-%d %H:%M:%S%.f%z"))


def _read_time(text: pl.Expr, form: str) -> pl.Expr:
    return text.str.to_datetime(form, strict=False, time_unit="us", cache=False)  # times seldom come twice


def _parsed(name: str, kind: FieldType) -> pl.Expr:  # noqa: PLR0911 - a case a kind
    text = pl.col(name)
    match kind:
        case "integer":
            decimal = text.cast(pl.Float64, strict=False)
            whole = pl.when(decimal == decimal.floor()).then(decimal).cast(pl.Int64, strict=False)
            return text.cast(pl.Int64, strict=False).fill_null(whole)
        case "number" | "money":
            decimal = text.cast(pl.Float64, strict=False)
            return pl.when(decimal.is_finite()).then(decimal).alias(name)
        case "boolean":
            # Not by replace_strict, which waits for the whole column: 9 GB for 10M events, held until then.
            return pl.when(text.is_in(["true", "false"])).then(text == "true").alias(name)
        case "timestamp":
            return _parsed_time(text)
        case "date":
            return text.str.to_date("%Y-%m-%d", strict=False)
        case "strings" | "keys":
            # json_decode raises on text that is no JSON, so only what looks like a list of texts reaches it
            return pl.when(text.str.contains(_JSON_TEXTS)).then(text).str.json_decode(pl.List(pl.String)).alias(name)
        case _:
            return text

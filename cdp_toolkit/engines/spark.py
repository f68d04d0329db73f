"""Spark: a cluster that speaks Spark Connect, such as Spark itself or Sail; nothing here needs Java.

Rows stay on the cluster: it writes Parquet files into the folder of a table, and only their names go through here into
the Delta log. So no server needs to know Delta, and all commit in the same way.
"""

import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any
from urllib.parse import urlsplit

import narwhals as nw
import pyarrow as pa
import pyspark.sql.connect.functions as F  # noqa: N812 - as all the world writes it
from pyspark.errors import PySparkException
from pyspark.sql.connect.session import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from cdp_toolkit.engines.components import portable_components
from cdp_toolkit.engines.delta import commit_files, new_folder, table_schema
from cdp_toolkit.engines.engine import NO_OPTIONS, Frame, JsonPath, Mode
from cdp_toolkit.engines.spark_end import end_with_process
from cdp_toolkit.engines.spark_gaps import close_gaps, column, short
from cdp_toolkit.errors import ConfigError
from cdp_toolkit.model.model import FieldType

_PORT = 15002
_ANSWER_S = 10
_MESSAGE_BYTES = 2**25  # a quarter of what a message may hold
_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "false",  # what does not parse is null and stops nothing
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}
_POSITIVE = 2**63 - 1


class SparkEngine:
    """A Spark Connect server.

    Parameters
    ----------
    url
        Address such as ``sc://host:15002``.
    """

    name = "spark"
    is_concurrent = False
    errors: tuple[type[Exception], ...] = (PySparkException, OSError)

    def __init__(self, url: str) -> None:
        _reach(url)
        close_gaps()
        self._session = SparkSession.builder.remote(url).create()
        end_with_process(self._session.client)
        for key, value in _SETTINGS.items():
            self._session.conf.set(key, value)

    def scan(self, files: Sequence[str], schema: pa.Schema, options: Mapping[str, str] = NO_OPTIONS) -> Frame:
        """Return the rows of Parquet files; see ``Engine.scan``. The server has options of its own."""
        del options
        if not files:
            return self.load(schema.empty_table())
        return _frame(self._session.read.schema(from_arrow_schema(schema)).parquet(*files))

    def load(self, table: pa.Table) -> Frame:
        """Return a small Arrow table as a frame; see ``Engine.load``."""
        rows = len(table) * _MESSAGE_BYTES // max(table.nbytes, 1) or 1
        return self.stream(table.schema, lambda: iter(table.to_batches(max_chunksize=rows)))

    def stream(self, schema: pa.Schema, batches: Callable[[], Iterator[pa.RecordBatch]]) -> Frame:
        """Return rows that Python makes as a frame; see ``Engine.stream``. They go to the server message by message."""
        return nw.concat([self._sent(message) for message in _messages(schema, batches())])

    def collect(self, frame: Frame) -> pa.Table:
        """Run a frame and return its rows; see ``Engine.collect``."""
        return frame.to_native().toArrow()

    def materialise(self, frame: Frame) -> Frame:
        """Run a frame where its rows lie; see ``Engine.materialise``."""
        kept = self._checkpoint(frame)
        return self.load(self.collect(frame)) if kept is None else kept

    def set_aside(self, frame: Frame) -> AbstractContextManager[Frame]:
        """Run a frame whose rows are used several times; see ``Engine.set_aside``."""
        return nullcontext(self.materialise(frame))

    def sink(
        self, frame: Frame, uri: str, *, mode: Mode, options: Mapping[str, str], cluster_by: str | None = None
    ) -> None:
        """Run a frame and write it as one version of a Delta table; see ``Engine.sink``."""
        typed = _typed(frame, table_schema(uri, options) if mode == "append" else None)
        folder = new_folder()
        rows = typed.to_native() if cluster_by is None else typed.to_native().orderBy(cluster_by)
        rows.write.parquet(f"{uri}/{folder}")
        commit_files(uri, folder, pa.schema(typed.collect_schema().to_arrow()), mode=mode, options=options)

    def key64(self, frame: Frame, columns: Mapping[str, str]) -> Frame:
        """Add 64-bit hashes of text columns; see ``Engine.key64``."""
        hashes = {
            new: F.when(column(text).isNotNull(), F.xxhash64(column(text)).bitwiseAND(F.lit(_POSITIVE)))
            for new, text in columns.items()
        }
        return _frame(frame.to_native().withColumns(hashes))

    def latest(self, frame: Frame, *, by: str, order: Sequence[str], columns: Sequence[str]) -> Frame:
        """Return the latest value of each column; see ``Engine.latest``."""
        place = F.struct(*(column(name) for name in order))
        values = [
            F.max_by(column(name), F.when(column(name).isNotNull(), place)).alias(name)
            for name in dict.fromkeys(columns)
            if name != by
        ]
        return _frame(frame.to_native().groupBy(by).agg(*values))

    def distinct(self, frame: Frame, *, by: str, column: str) -> Frame:
        """Return the distinct values of a column as lists; see ``Engine.distinct``."""
        kept = frame.to_native().dropna(subset=[by, column])
        return _frame(kept.groupBy(by).agg(F.sort_array(F.collect_set(F.col(column))).alias(column)))

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
        return portable_components(links, self.materialise)

    def parse(self, frame: Frame, columns: Mapping[str, FieldType]) -> Frame:
        """Turn clean text into values; see ``Engine.parse``."""
        values = {name: _parsed(column(name), kind) for name, kind in columns.items()}
        # Kept, since records are read several times, and a plan of a megabyte takes a minute to make (300 accounts).
        return self.materialise(_frame(frame.to_native().withColumns(values)))

    def json(self, frame: Frame, columns: Mapping[str, tuple[str, JsonPath]]) -> Frame:
        """Take values out of columns that hold JSON; see ``Engine.json``."""
        values = {new: _json_value(column(text), path) for new, (text, path) in columns.items()}
        return _frame(frame.to_native().withColumns(values))

    def _sent(self, table: pa.Table) -> Frame:
        sent = _frame(self._session.createDataFrame(table, schema=from_arrow_schema(table.schema)))
        kept = self._checkpoint(sent)  # or it would be sent again with every plan that reads it
        return sent if kept is None else kept

    def _checkpoint(self, frame: Frame) -> Frame | None:
        native = frame.to_native()
        with _active(self._session):
            for keep in (native.checkpoint, native.localCheckpoint):
                with suppress(PySparkException):  # a server without a place for checkpoints says so at once
                    return _frame(keep())
        return None


def _messages(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        if size > _MESSAGE_BYTES:
            yield pa.Table.from_batches(waiting, schema)
            waiting, size = [], 0
        waiting.append(batch)
        size += batch.nbytes
    yield pa.Table.from_batches(waiting, schema)


def _reach(url: str) -> None:
    """Ask first whether anybody is there, since the client would go on trying for minutes."""
    address = urlsplit(url)
    if address.scheme != "sc" or not address.hostname:
        raise ConfigError(
            f"{url!r} is no address of Spark Connect.", hint='Write `engine: {spark: "sc://host:15002"}`.'
        )
    try:
        socket.create_connection((address.hostname, address.port or _PORT), timeout=_ANSWER_S).close()
    except OSError as error:
        raise ConfigError(
            f"No Spark Connect server answers at {address.hostname}:{address.port or _PORT}.",
            where="cdp.yaml, engine",
            hint="Start the server, or correct the address.",
        ) from error


@contextmanager
def _active(session: SparkSession) -> Iterator[None]:
    """Make a session the active one, since the client gives a checkpoint to that, whichever session has made it."""
    sessions = SparkSession._active_session  # noqa: SLF001 - it has no other door
    before = getattr(sessions, "session", None)
    sessions.session = session
    try:
        yield
    finally:
        sessions.session = before


def _frame(native: Any) -> Frame:
    frame: Frame = nw.from_native(short(native))
    return frame


def _typed(frame: Frame, known: pa.Schema | None) -> Frame:
    """Return a frame whose columns all have a type, with those of the table that it lacks."""
    columns = frame.collect_schema()
    untyped = [nw.col(name).cast(nw.String()) for name, kind in columns.items() if kind == nw.Unknown()]
    frame = frame.with_columns(*untyped) if untyped else frame
    missing = {} if known is None else {k: v for k, v in nw.Schema.from_arrow(known).items() if k not in columns}
    return frame.with_columns(**{name: nw.lit(None, kind) for name, kind in missing.items()}) if missing else frame


def _parsed(text: Any, kind: FieldType) -> Any:  # noqa: PLR0911 - a case a kind
    match kind:
        case "integer":
            decimal = text.try_cast("double")
            whole = F.when(decimal == F.floor(decimal), decimal.try_cast("bigint"))
            return F.when(text.rlike("^[+-]?[0-9]+$"), text.try_cast("bigint")).otherwise(whole)
        case "number" | "money":
            decimal = text.try_cast("double")
            return F.when(~F.isnan(decimal) & (F.abs(decimal) < float("inf")), decimal)
        case "boolean":
            return F.when(text == "true", F.lit(True)).when(text == "false", F.lit(False))
        case "timestamp":
            return F.regexp_replace(text, r"([+-]\d\d)(\d\d)$", "$1:$2").try_cast("timestamp")
        case "date":
            return F.when(text.rlike(r"^\d{4}-\d{2}-\d{2}$"), text.try_cast("date"))
        case "strings" | "keys":
            return F.when(text.startswith("["), F.from_json(text, "array<string>"))
        case _:
            return text


def _json_value(text: Any, path: JsonPath) -> Any:
    if None not in path:
        return F.get_json_object(text, _json_path(path))
    # By pattern, since Sail 0.7 loses the columns of functions within functions that a join pushes around.
    before, name = path[: path.index(None)], re.escape(str(path[-1]))
    listed = F.get_json_object(text, _json_path(before)) if before else text
    texts = F.regexp_extract_all(listed, F.lit(rf'"{name}"\s*:\s*"((?:[^"\\]|\\.)*)"'), F.lit(1))
    return F.when(F.size(texts) > 0, F.concat(F.lit('["'), F.array_join(texts, '","'), F.lit('"]')))


def _json_path(path: JsonPath) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f"['{step}']" for step in path)

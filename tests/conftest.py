"""Fixtures that every room uses: each frame test runs on each engine."""

import atexit
import os
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from cdp_toolkit.engines import Engine, Frame, open_engine
from tests.stand_ins import postgresql


@pytest.fixture(params=["polars", "duckdb", pytest.param("spark", marks=pytest.mark.spark)])
def engine(request) -> Engine:
    return open_engine({"spark": request.getfixturevalue("sail")} if request.param == "spark" else request.param)


@pytest.fixture(scope="session")
def sail(tmp_path_factory) -> str:
    """Start a Spark Connect server without Java, in this process."""
    server = pytest.importorskip("pysail.spark", reason="run `make test-spark`").SparkConnectServer("127.0.0.1", 0)
    os.environ["SAIL_EXECUTION__CHECKPOINT__PATH"] = tmp_path_factory.mktemp("checkpoints").as_uri()
    server.start(background=True)
    atexit.register(server.stop)  # after the sessions, which say goodbye at exit and would wait for an answer
    host, port = server.listening_address
    return f"sc://{host}:{port}"


@pytest.fixture
def frame(engine) -> Callable[..., Frame]:
    def build(columns: dict[str, list[Any]], schema: dict[str, pa.DataType] | None = None) -> Frame:
        fields = schema and pa.schema([(name, schema[name]) for name in columns])
        return engine.load(pa.table(columns, schema=fields or None))

    return build


@pytest.fixture
def rows(engine) -> Callable[..., list[Any]]:
    def read(frame: Frame, *columns: str) -> list[Any]:
        table = engine.collect(frame.select(*columns))
        found = list(zip(*(table[column].to_pylist() for column in columns), strict=True))
        return sorted((row[0] if len(columns) == 1 else row for row in found), key=repr)

    return read


@pytest.fixture(scope="session")
def postgresql_server():
    with postgresql.running() as server:
        yield server


@pytest.fixture
def database(postgresql_server) -> postgresql.Database:
    return postgresql_server.database()

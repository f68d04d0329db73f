"""Fixtures that every room uses: each frame test runs on each engine."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from cdp_toolkit.engines import Engine, Frame, open_engine


@pytest.fixture(params=["polars", "duckdb"])
def engine(request) -> Engine:
    return open_engine(request.param)


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

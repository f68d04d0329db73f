"""Worlds of a few rows, in the shape of the profile tables."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from cdp_toolkit.lake.tables import table
from cdp_toolkit.model import Model

HERE = Path(__file__).parent
AS_OF = datetime(2026, 3, 15, 12, tzinfo=UTC)

_TYPES = {
    "integer": pa.int64(), "number": pa.float64(), "money": pa.float64(), "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", "UTC"), "date": pa.date32(), "strings": pa.list_(pa.string()),
    "keys": pa.list_(pa.string()), "text": pa.string(),
}  # fmt: skip
_IDS = ("profile_id", "account_id", "opportunity_id", "campaign_id", "list_id", "parent_id")


@pytest.fixture
def model() -> Model:
    return Model.standard()


@pytest.fixture
def world(frame, model):
    """Build the scan of a world from rows by table; a column that a row does not name is null."""

    def build(tables):
        def scan(name):
            columns = table(name if "/" in name else f"profiles/{name}", model).columns
            schema = {column: _TYPES.get(kind, pa.string()) for column, kind in columns.items()}
            if name in model.entities:
                schema |= dict.fromkeys(_IDS, pa.int64()) | {"source_key": pa.string()}
            rows = [{"source_key": f"{name}-{number}"} | row for number, row in enumerate(tables.get(name, []))]
            return frame({column: [row.get(column) for row in rows] for column in schema}, schema)

        return scan

    return build


@pytest.fixture
def tiny():
    """Return the rows of the hand-made world."""
    return yaml.safe_load((HERE / "world.yaml").read_text("utf-8"))

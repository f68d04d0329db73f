"""Records and ids of a few profiles, in the shape of the entity tables."""

import datetime as dt

import pyarrow as pa
import pytest

from cdp_toolkit.lake.tables import table
from cdp_toolkit.model import Model
from cdp_toolkit.model.types import arrow_type

SOURCES = {"marketo": ("Marketo", "123-ABC"), "crm": ("Salesforce", "00D1"), "old_crm": ("Salesforce", "00D2")}


def day(number):
    return dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=number)


@pytest.fixture
def model():
    return Model.standard()


@pytest.fixture
def rows_of(engine):
    """Build a table of the lake from rows; a column that a row does not name is null."""

    def build(name, rows, extra=()):
        kinds = dict(table(name).columns) | dict(extra)
        schema = pa.schema([(column, arrow_type(kind)) for column, kind in kinds.items()])
        return engine.load(pa.Table.from_pylist([dict.fromkeys(schema.names) | row for row in rows], schema=schema))

    return build


@pytest.fixture
def records(rows_of):
    """Build records of an entity, all of profile 1 unless they say otherwise, and their ids."""

    def build(*given, entity="person"):
        rows, ids = [], []
        for number, values in enumerate(given):
            own = {key: value for key, value in values.items() if key not in {"source", "profile_id", "at"}}
            system, instance = SOURCES[values.get("source", "marketo")]
            key = own.setdefault("source_key", f"{number}@{instance}.{system}")
            own |= {"source_type": system, "source_instance": instance, "updated_at": values.get("at")}
            rows.append({"is_deleted": False} | own)
            gone = own.get("is_deleted", False)
            ids.append({"source_key": key, "profile_id": values.get("profile_id", 1), "is_deleted": gone})
        return rows_of(f"entities/{entity}", rows), rows_of(f"identity/{entity}_ids", ids)

    return build

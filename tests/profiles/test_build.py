"""All tables of profiles, on a world where one person does everything and one account employs everyone."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from cdp_toolkit.lake.tables import table
from cdp_toolkit.model.types import arrow_type
from cdp_toolkit.profiles.build import BY_POLICY, build_profiles
from cdp_toolkit.profiles.policies import Policy

PEOPLE, EVENTS = 20_000, 50_000
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def crowd(engine, model):
    """Return a scan of a world: 20,000 people of one account, the first of whom has 50,000 events."""

    def fill(name, rows, columns):
        kinds = table(name, model).columns
        values = {each: columns.get(each, pa.nulls(rows, arrow_type(kind))) for each, kind in kinds.items()}
        schema = pa.schema([(each, arrow_type(kind)) for each, kind in kinds.items()])
        return engine.load(pa.table(values).cast(schema))

    def ids(keys):
        return {"source_key": keys, "profile_id": np.arange(len(keys)), "is_deleted": np.zeros(len(keys), bool)}

    people = [f"{number}@crm.System" for number in range(PEOPLE)]
    person = {"source_key": people, "is_deleted": np.zeros(PEOPLE, bool), "account_key": ["a@crm.System"] * PEOPLE}
    times = np.datetime64(START.replace(tzinfo=None), "us") + np.arange(EVENTS).astype("timedelta64[s]")
    event = {
        "source_key": [f"e{number}" for number in range(EVENTS)],
        "is_deleted": np.zeros(EVENTS, bool),
        "person_key": ["0@crm.System"] * EVENTS,
        "event_type": ["web.webpagedetails.pageViews"] * EVENTS,
        "timestamp": pa.array(times, pa.timestamp("us", "UTC")),
    }
    account = {"source_key": ["a@crm.System"], "is_deleted": [False], "account_name": ["Acme"]}
    tables = {
        "entities/person": fill("entities/person", PEOPLE, person),
        "entities/event": fill("entities/event", EVENTS, event),
        "entities/account": fill("entities/account", 1, account),
        "identity/person_ids": fill("identity/person_ids", PEOPLE, ids(people)),
        "identity/account_ids": fill("identity/account_ids", 1, ids(["a@crm.System"])),
    }
    values = [*(("person", key) for key in people), ("account", "a@crm.System")]
    known = {
        "entity": [entity for entity, _ in values],
        "namespace": [f"{entity}_key" for entity, _ in values],
        "value": [f"{entity}_key:{value}" for entity, value in values],
        "profile_id": [*range(PEOPLE), 0],
    }
    spelt = fill("identity/identities", len(values), known).drop("value_key")
    tables["identity/identities"] = engine.key64(spelt, {"value_key": "value"})
    return lambda name: tables[name] if name in tables else tables.setdefault(name, fill(name, 0, {})), tables


def test_a_person_with_50_000_events_and_an_account_of_20_000_people_are_rows_like_any_other(crowd, engine, model):
    scan, tables = crowd

    made = {}
    for step in build_profiles(model, [Policy(), Policy("other")], engine):
        for name, frame in zip(step.names, step.make(scan), strict=True):
            made[name] = engine.collect(frame)
            tables[f"profiles/{name}"] = engine.load(made[name])

    assert {f"{name}@other" for name in BY_POLICY} <= set(made)
    assert made["account"].select(["people_count", "last_engagement_at"]).to_pylist() == [
        {"people_count": PEOPLE, "last_engagement_at": START + dt.timedelta(seconds=EVENTS - 1)}
    ]
    assert made["person_account"].num_rows == made["person_component"].num_rows == PEOPLE
    assert made["event"].num_rows == EVENTS
    lists = [
        rows[field.name]
        for rows in made.values()
        for field in rows.schema
        if pa.types.is_list(field.type) or pa.types.is_large_list(field.type)
    ]
    assert lists
    assert max(pc.max(pc.list_value_length(each)).as_py() or 0 for each in lists) == 1

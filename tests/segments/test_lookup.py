"""What is looked up of few profiles gives the same members as a scan of all."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_toolkit.engines import open_engine
from cdp_toolkit.lake import Lake
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.evaluate import evaluate
from tests.segments.conftest import AS_OF
from tests.segments.test_changes import IDS, RULES, WORLD


def segments():
    return [Segment(name=name, entity=entity, pql=pql) for name, (entity, pql) in RULES.items()]


@pytest.fixture(params=["polars", "duckdb"])  # the executors of a cluster write their files themselves
def engine(request):
    return open_engine(request.param)


@pytest.fixture
def lake(tmp_path_factory, world, engine):
    def build(tables):
        lake = Lake(tmp_path_factory.mktemp("lake"), engine=engine)
        scan = world(tables)
        with lake.run("stitch") as run:
            for name in WORLD:
                run.replace(f"profiles/{name}", scan(name))
        return lake

    return build


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables=st.fixed_dictionaries(WORLD), chosen=st.sets(IDS, max_size=6))
def test_looked_up_profiles_are_judged_as_in_the_whole(lake, engine, model, tables, chosen):
    lake = lake(tables)
    asked = engine.load(pa.table({"profile_id": pa.array(sorted(chosen), pa.int64())}))
    looked_up = []

    def take(name, ids, columns):
        looked_up.append(lake.take(f"profiles/{name}", ids, columns))
        return looked_up[-1]

    def members(**how):
        found = evaluate(
            segments(), lambda name: lake.scan(f"profiles/{name}"), model, as_of=AS_OF, engine=engine, **how
        )
        assert not found.failed
        rows = engine.collect(found.members).to_pylist()
        return {(row["segment"], row["profile_id"]) for row in rows}

    some = members(profiles={"person": asked, "account": asked}, take=take)

    assert some == {each for each in members() if each[1] in chosen}
    assert looked_up
    assert not any(each is None for each in looked_up)


def test_rows_of_a_table_on_object_storage_are_scanned(lake, monkeypatch):
    of = lake({name: [] for name in WORLD})
    monkeypatch.setattr(of, "uri", "s3://bucket/lake")

    assert of.take("profiles/person", np.array([1]), ["profile_id"]) is None

"""An evaluation after some tables changed leaves the members that a first evaluation of the new tables finds."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings

from cdp_toolkit import pipeline
from cdp_toolkit.engines import open_engine
from cdp_toolkit.lake import Lake
from tests.segments.conftest import AS_OF
from tests.segments.test_changes import SEGMENTS, WORLD, histories


@pytest.fixture(params=["polars", "duckdb"])
def engine(request):
    return open_engine(request.param)


@pytest.fixture
def lake(tmp_path_factory, engine):
    def build():
        return Lake(tmp_path_factory.mktemp("lake"), engine=engine)

    return build


def write(lake, scan, names):
    with lake.run("stitch") as run:
        for name in names:
            run.replace(f"profiles/{name}", scan(name))


def evaluate(lake, days=0):
    run = pipeline.evaluate(lake, SEGMENTS, as_of=AS_OF + timedelta(days=days), timezone="UTC")
    assert not run.problems
    rows = lake.engine.collect(lake.scan("segments/membership", only={"status": ["realized"]})).to_pylist()
    return {(row["segment"], row["profile_id"]) for row in rows}, run


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=histories())
def test_members_are_those_of_a_first_evaluation(lake, world, history):
    before, after, days = history
    kept, fresh = lake(), lake()
    write(kept, world(before), WORLD)
    evaluate(kept)
    write(kept, world(after), [name for name in WORLD if before[name] != after[name]])
    write(fresh, world(after), WORLD)

    assert evaluate(kept, days)[0] == evaluate(fresh, days)[0]
    assert evaluate(kept, days)[1].outcome == "unchanged"

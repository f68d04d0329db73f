"""The line is the same whichever engine runs it."""

import pytest

from tests import parity


@pytest.fixture(scope="module")
def on_polars(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parity")
    world = parity.make_world(folder / "world", persons=300)
    workspace = parity.workspace_on(world, folder / "polars", "polars")
    return world, workspace, [_told(parity.run(workspace, verb)) for verb in (*parity.VERBS, "activate")]


@pytest.mark.parametrize("engine", ["duckdb", pytest.param("spark", marks=pytest.mark.spark)])
def test_every_engine_writes_the_same_tables_and_tells_destinations_the_same(engine, on_polars, request, tmp_path):
    world, polars, expected = on_polars
    address = f'{{spark: "{request.getfixturevalue("sail")}"}}' if engine == "spark" else engine
    workspace = parity.workspace_on(world, tmp_path / engine, address)

    told = [_told(parity.run(workspace, verb)) for verb in (*parity.VERBS, "activate")]

    assert parity.differences(polars.lake.uri, workspace.lake.uri) == {}
    assert told == expected


def test_a_difference_between_two_lakes_is_found(on_polars, tmp_path):
    world, polars, _ = on_polars
    other = parity.workspace_on(world, tmp_path / "other", "polars")
    parity.run(other, "load")
    with other.lake.run("test") as run:
        people = run.scan("entities/person")
        run.replace("entities/person", people.head(run.rows("entities/person") - 1))

    found = parity.differences(polars.lake.uri, other.lake.uri)

    assert found["entities/person"].startswith("1 of ")
    assert found["profiles/person"] == "is in one lake only"
    assert "entities/account" not in found


def _told(run):
    return run.outcome, run.counts, run.details

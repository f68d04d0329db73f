"""A lake in an object store: the same tables as in a folder, and one writer at a time."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from cdp_toolkit.engines import open_engine
from cdp_toolkit.errors import LakeBusyError
from cdp_toolkit.lake import Lake
from cdp_toolkit.lake.lease import Lease
from tests import parity
from tests.stand_ins import places

_WRITER = """
import json, sys
from cdp_toolkit.lake.lease import Lease
uri, options = json.loads(sys.argv[1])
with Lease(uri, options, lasts_s=3).held("busy"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def options():
    with places.s3_apart() as address:
        yield {"endpoint_url": address, "allow_http": "true", "region": "us-east-1", "access_key_id": "AKIA0000",
               "secret_access_key": "secret of the lake"}  # fmt: skip


@pytest.fixture(scope="module")
def in_a_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stored")
    world = parity.make_world(folder / "world", persons=150)
    workspace = parity.workspace_on(world, folder / "polars", "polars")
    for verb in (*parity.VERBS, "activate"):
        parity.run(workspace, verb)
    return world, workspace


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_the_line_writes_the_same_tables_into_an_object_store(engine, in_a_folder, options, tmp_path, monkeypatch):
    world, expected = in_a_folder
    workspace = parity.workspace_on(world, tmp_path / "stored", engine, lake=f"s3://drop/{engine}/lake")
    with (workspace.folder / "cdp.yaml").open("a", encoding="utf-8") as settings:
        settings.write(f"storage: {json.dumps(options | {'secret_access_key': '${env:LAKE_SECRET}'})}\n")
    monkeypatch.setenv("LAKE_SECRET", options["secret_access_key"])
    workspace = type(workspace)(workspace.folder)

    for verb in (*parity.VERBS, "activate"):
        parity.run(workspace, verb)

    assert parity.differences(expected.lake.uri, workspace.lake.uri, options) == {}
    assert workspace.evaluate(as_of=parity.AS_OF).outcome == "unchanged"
    assert sorted(each.name for each in (workspace.folder / "out").rglob("*")) == sorted(
        each.name for each in (expected.folder / "out").rglob("*")
    )


def test_of_two_runs_at_once_one_stops_clearly_and_nothing_is_doubled(options):
    lake, other = (Lake("s3://drop/two/lake", engine=open_engine("polars"), options=options) for _ in range(2))

    with lake.run("stitch") as run:
        with pytest.raises(LakeBusyError, match="Another run is writing"), other.run("stitch"):
            pytest.fail("two runs write at once")
        with pytest.raises(LakeBusyError):
            other.land("landing/crm/leads", pa.table({"id": [1]}), counter=1, cursor={})
        lake.land("landing/crm/leads", pa.table({"id": [1]}), counter=1, cursor={})  # the run itself may
        run.replace("entities/merges", lake.engine.load(pa.table({"entity": ["person"]})))

    assert lake.rows("landing/crm/leads") == 1
    assert [row["outcome"] for row in other.log.rows()] == ["done"]
    with other.run("stitch"):
        pass
    assert len(lake.log.rows()) == 2


def test_of_two_threads_of_a_process_one_stops_clearly_or_waits(options):
    lake = Lake("s3://drop/threads/lake", engine=open_engine("polars"), options=options)
    lease = lake._lease("")

    def write():
        with lake.run("stitch"):
            return "written"

    def wait():
        with lease.held("It is taken.", wait_s=-1):
            return lease._depth

    with ThreadPoolExecutor(2) as others:
        with lake.run("stitch"):
            with pytest.raises(LakeBusyError, match="Another run is writing"):
                others.submit(write).result()
            waiting = others.submit(wait)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)

        assert waiting.result() == 1
        assert others.submit(write).result() == "written"


def test_a_run_that_was_killed_stands_in_the_way_for_a_while_only(options):
    uri = "s3://drop/killed/_lease"
    holder = subprocess.Popen(
        [sys.executable, "-c", _WRITER, json.dumps([uri, options])],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert holder.stdout.readline() == "held\n"
    next_one = Lease(uri, options, lasts_s=3)

    with pytest.raises(LakeBusyError, match="stands in the way for 3 s"), next_one.held("It is taken."):
        pytest.fail("two hold it")
    holder.kill()
    holder.communicate()

    with next_one.held("It is taken.", wait_s=60):
        next_one.check()


def test_a_run_that_was_not_heard_of_for_too_long_may_not_commit(options):
    lake = Lake("s3://drop/asleep/lake", engine=open_engine("polars"), options=options)

    def sleep_in_a_run():
        with lake.run("stitch") as run:
            run.replace("entities/merges", lake.engine.load(pa.table({"entity": ["person"]})))
            lake._lease("")._until = 0.0  # as if this process had slept

    with pytest.raises(LakeBusyError, match="was not heard of for too long"):
        sleep_in_a_run()

    assert lake.log.rows() == []
    assert not lake.exists("entities/merges")


def test_who_holds_the_right_says_so_again_and_again(options):
    uri = "s3://drop/renewed/_lease"

    with Lease(uri, options, lasts_s=8).held("It is taken."):
        table = DeltaTable(uri, storage_options=options)
        while table.version() < 3:  # made, taken, and said again at least twice
            table.update_incremental()
        told = [json.loads(commit["cdp.lease"]) for commit in table.history(3)]

    assert len({each["owner"] for each in told}) == 1
    assert [each["until"] for each in told] == sorted({each["until"] for each in told}, reverse=True)

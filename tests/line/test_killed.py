"""A line that is killed anywhere goes on, and ends as if nothing had happened."""

import contextlib
import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest

import cdp_toolkit as cdp
from cdp_toolkit.demo import make_workspace
from cdp_toolkit.lake import OpenRun
from cdp_toolkit.segments import step

AS_OF = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
LINE = ["run", "--no-notebooks", "--as-of", "2026-11-01"]
TABLES = ("entities/person", "entities/_rejected", "profiles/person", "profiles/event", "segments/membership",
          "segments/history", "activation/ledger")  # fmt: skip


def walk(folder, *, seconds=None):
    with subprocess.Popen(
        [Path(sys.executable).parent / "cdp", "--workspace", folder, *LINE], stdout=subprocess.DEVNULL
    ) as line:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return line.wait(timeout=seconds)
        line.kill()
        return None


def rows(folder):
    lake = cdp.Workspace(folder).lake
    landed = {f"landing/{name}": lake.rows(f"landing/marketo/{name}") for name in lake.objects("marketo")}
    return landed | {table: lake.rows(table) for table in TABLES}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = make_workspace(tmp_path_factory.mktemp("undisturbed") / "demo", persons=300, as_of=AS_OF)
    assert walk(folder) == 0
    return rows(folder)


def test_a_line_killed_again_and_again_ends_as_one_that_was_not(tmp_path, undisturbed):
    folder = make_workspace(tmp_path / "demo", persons=300, as_of=AS_OF)

    for seconds in (1.5, 2.0, 2.5, 3.0, 4.0):
        walk(folder, seconds=seconds)

    assert walk(folder) == 0
    assert rows(folder) == undisturbed


@pytest.mark.parametrize("table", ["segments/history", "segments/membership"])
def test_a_first_evaluation_that_ends_after_it_gave_numbers_loses_none(tmp_path, monkeypatch, undisturbed, table):
    ws = cdp.Workspace(make_workspace(tmp_path / "demo", persons=300, as_of=AS_OF))
    ws.load()
    ws.stitch(as_of=AS_OF)

    end_at(monkeypatch, table, 1)
    with pytest.raises(OSError, match="full"):
        ws.evaluate(as_of=AS_OF)
    monkeypatch.undo()
    ws.evaluate(as_of=AS_OF)

    members = ws.lake.scan("segments/membership").collect()
    assert len(members) == undisturbed["segments/membership"]


@pytest.mark.parametrize("time", [1, 2])  # the moves; the base that they are joined to
def test_an_evaluation_that_ends_while_moves_are_kept_leaves_the_membership_as_it_was(tmp_path, monkeypatch, time):
    ws = cdp.Workspace(make_workspace(tmp_path / "demo", persons=300, as_of=AS_OF))
    ws.load()
    ws.stitch(as_of=AS_OF)
    ws.evaluate(as_of=AS_OF - dt.timedelta(days=90))
    before = members_of(ws)
    monkeypatch.setattr(step, "_MOST_BEHIND", 0)

    with monkeypatch.context() as patch:
        end_at(patch, "segments/membership", time)
        with pytest.raises(OSError, match="full"):
            ws.evaluate(as_of=AS_OF)
    meanwhile = members_of(ws)
    moved = ws.evaluate(as_of=AS_OF).counts

    fresh = cdp.Workspace(make_workspace(tmp_path / "fresh", persons=300, as_of=AS_OF))
    fresh.load()
    fresh.stitch(as_of=AS_OF)
    fresh.evaluate(as_of=AS_OF)
    assert moved["entered"] + moved["exited"] > 0
    assert meanwhile == before
    assert {row[:2] for row in members_of(ws) if row[2] == "realized"} == {row[:2] for row in members_of(fresh)}


def end_at(monkeypatch, table, time):
    """Let the disk be full when a table is written for the given time of a run."""
    adopt, left = OpenRun.adopt, [time]

    def ends(run, name, spool, *, mode="append"):
        left[0] -= name == table
        if name == table and not left[0]:
            raise OSError("the disk is full")
        adopt(run, name, spool, mode=mode)

    monkeypatch.setattr(OpenRun, "adopt", ends)


def members_of(ws):
    return set(ws.lake.scan("segments/membership").collect().select("segment", "profile_id", "status").rows())


def test_an_activation_killed_at_random_leaves_the_destination_with_the_audience_and_nobody_without_consent():
    proof = Path(__file__).parents[2] / "benchmarks/kill_activate.py"

    told = subprocess.run([sys.executable, proof, "--kills", "2", "--persons", "300"], capture_output=True, check=False)

    assert told.returncode == 0, told

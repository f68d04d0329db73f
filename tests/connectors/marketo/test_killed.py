"""A load that is killed at any call leaves nothing out and nothing twice, and orders no extract twice.

``benchmarks/live_load.py kill`` does the same at 50 random moments.
"""

import os
import signal
import subprocess
import sys

import polars as pl
import pytest

import cdp_toolkit as cdp


@pytest.fixture
def killed(marketo, tmp_path):
    """Start a load in a process of its own, which dies at a call."""

    def run(at):
        marketo.calls.clear()
        code = "import sys, cdp_toolkit; cdp_toolkit.Workspace(sys.argv[1]).load()"
        process = subprocess.Popen([sys.executable, "-c", code, tmp_path], env={**os.environ})
        marketo.on_call = lambda call: process.send_signal(signal.SIGKILL) if call == at else None
        assert process.wait() == -signal.SIGKILL
        marketo.on_call = lambda _: None

    return run


def landed(workspace):
    kept = {"leads": "id", "activities": "marketoGUID", "companies": "id"}
    return {name: sorted(_rows(workspace, name)[key]) for name, key in kept.items()}


def _rows(workspace, name):
    return workspace.lake.scan(f"landing/mk/{name}").to_native().collect()


@pytest.mark.parametrize("at", [22, 60])
def test_a_backfill_that_is_killed_goes_on_where_it_was(marketo, workspace_of, settings, killed, tmp_path, at):
    marketo.every = {"cut": 2, "606": 9}
    workspace_of(mk=settings())

    killed(at)
    done = cdp.Workspace(tmp_path).load()

    assert done.problems == ()
    assert landed(cdp.Workspace(tmp_path)) == {
        "leads": sorted(map(str, marketo.world.leads["id"])),
        "activities": sorted(map(str, marketo.world.activities["guid"])),
        "companies": sorted(map(str, range(2, 401))),
    }
    queued = [str(job.filter) for job in marketo.bulk.jobs.values() if job.status != "Created"]
    assert len(queued) == len(set(queued))


def test_an_increment_that_is_killed_goes_on_where_it_was(marketo, workspace_of, settings, killed, tmp_path):
    workspace_of(mk=settings()).load()
    for lead in range(1, 30):
        marketo.world.change(lead, "firstName", f"Changed {lead}")

    killed(17)
    cdp.Workspace(tmp_path).load()

    leads = _rows(cdp.Workspace(tmp_path), "leads").filter(pl.col("firstName").str.starts_with("Changed"))
    assert sorted(map(int, leads["id"])) == list(range(1, 30))
    assert landed(cdp.Workspace(tmp_path))["activities"] == sorted(map(str, marketo.world.activities["guid"]))

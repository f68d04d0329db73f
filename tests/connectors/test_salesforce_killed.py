"""A load that is killed at any call leaves nothing out and nothing twice.

``benchmarks/live_load.py kill --vendor salesforce`` does the same at random moments.
"""

import os
import signal
import subprocess
import sys

import pytest

CODE = """
import sys, cdp_toolkit
from cdp_toolkit.connectors.salesforce.source import SalesforceSource
SalesforceSource.poll_s = 0.001
cdp_toolkit.Workspace(sys.argv[1]).load()
"""


@pytest.fixture
def workspace(salesforce, workspace_of):
    """Open a workspace anew, as each command does; pages have four rows."""
    source = {
        "type": "salesforce", "base_url": salesforce.url, "client_id": "key", "username": "cdp@acme.example",
        "private_key": "${env:SF_KEY}", "objects": ["Contact"], "page_rows": 4,
    }  # fmt: skip
    return lambda: workspace_of(crm=source)


@pytest.fixture
def killed(salesforce, workspace):
    """Start a load in a process of its own, which dies at a call."""

    def run(at):
        process = subprocess.Popen([sys.executable, "-c", CODE, workspace().folder], env={**os.environ})
        last = salesforce.calls + at
        salesforce.on_call = lambda call: process.send_signal(signal.SIGKILL) if call == last else None
        assert process.wait() == -signal.SIGKILL
        salesforce.on_call = lambda _: None

    return run


def landed(workspace, column="Id"):
    return workspace().lake.scan("landing/crm/Contact").to_native().collect()[column].to_list()


@pytest.mark.parametrize("at", [4, 7])
def test_a_backfill_that_is_killed_goes_on_with_the_same_query(salesforce, workspace, killed, at):
    ids = [salesforce.save("Contact", LastName=f"L{i}") for i in range(14)]

    killed(at)
    done = workspace().load()

    assert done.problems == ()
    assert sorted(landed(workspace)) == ids
    assert len(salesforce.jobs) == 1


def test_an_increment_that_is_killed_goes_on_where_it_was(salesforce, workspace, killed):
    ids = [salesforce.save("Contact", LastName=f"L{i}") for i in range(14)]
    workspace().load()
    for each in ids[:9]:
        salesforce.save("Contact", Id=each, FirstName="Changed")

    killed(6)
    workspace().load()

    assert sorted(landed(workspace)) == sorted([*ids, *ids[:9]])
    assert landed(workspace, "FirstName").count("Changed") == 9

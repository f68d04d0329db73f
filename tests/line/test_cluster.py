"""Spark with workers: the same tables, even if one of them dies. Needs Java and minutes; see `make test-cluster`."""

import threading

import pytest

from tests import parity
from tests.stand_ins import clusters

pytestmark = pytest.mark.spark


def test_a_worker_that_is_killed_in_the_middle_of_each_verb_changes_nothing(tmp_path):
    world = parity.make_world(tmp_path / "world", persons=300)
    expected = parity.workspace_on(world, tmp_path / "polars", "polars")
    for verb in parity.VERBS:
        parity.run(expected, verb)
    killed = []

    with clusters.spark(tmp_path / "server", master="local-cluster[2,1,2048]") as (address, kill):
        workspace = parity.workspace_on(world, tmp_path / "spark", f'{{spark: "{address}"}}')
        for verb in parity.VERBS:
            killer = threading.Timer(8, lambda: killed.append(kill()))
            killer.start()
            parity.run(workspace, verb)
            killer.cancel()

    assert len(killed) >= 2
    assert parity.differences(expected.lake.uri, workspace.lake.uri) == {}

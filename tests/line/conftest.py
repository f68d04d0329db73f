"""One demo world, walked through the whole line once."""

import datetime as dt
from typing import NamedTuple

import pytest

import cdp_toolkit as cdp
from cdp_toolkit.demo import make_workspace

AS_OF = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)


class Walked(NamedTuple):
    workspace: cdp.Workspace
    loaded: cdp.Run
    stitched: cdp.Run
    evaluated: cdp.Run
    activated: cdp.Run


@pytest.fixture(scope="session")
def line(tmp_path_factory) -> Walked:
    folder = tmp_path_factory.mktemp("line") / "demo"
    make_workspace(folder, persons=2_000, seed=7, as_of=AS_OF)
    workspace = cdp.Workspace(folder)
    loaded, stitched = workspace.load(), workspace.stitch()
    return Walked(workspace, loaded, stitched, workspace.evaluate(as_of=AS_OF), workspace.activate(as_of=AS_OF))

"""One demo world, walked through the whole line once."""

import datetime as dt
from typing import NamedTuple

import duckdb
import pytest
from deltalake import DeltaTable

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
    make_workspace(folder, persons=2_000, seed=8, as_of=AS_OF)
    workspace = cdp.Workspace(folder)
    loaded, stitched = workspace.load(), workspace.stitch(as_of=AS_OF)
    return Walked(workspace, loaded, stitched, workspace.evaluate(as_of=AS_OF), workspace.activate(as_of=AS_OF))


@pytest.fixture(scope="session")
def sql(line):
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name, version in line.workspace.lake.log.versions().items():
        if name.startswith("profiles/"):
            files = DeltaTable(f"{line.workspace.lake.uri}/{name}", version=version).file_uris()
            if files:  # a table without rows has none
                connection.read_parquet(files).create_view(name.removeprefix("profiles/"))
    return connection

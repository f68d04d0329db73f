"""A small made-up world that has gone the whole line, shared by the tests of what people see."""

import pytest

from cdp_toolkit.demo import make_workspace
from cdp_toolkit.workspace import Workspace


@pytest.fixture(scope="session")
def ws(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world") / "demo"
    make_workspace(folder, persons=300)
    workspace = Workspace(folder)
    workspace.load()
    workspace.stitch()
    workspace.evaluate(as_of="2026-06-01")
    workspace.evaluate(as_of="2026-09-01")
    workspace.activate()
    return workspace


@pytest.fixture
def untouched(tmp_path):
    (tmp_path / "cdp.yaml").write_text("name: untouched\n", "utf-8")
    return Workspace(tmp_path)

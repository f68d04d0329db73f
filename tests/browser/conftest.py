"""A made-up world in a JupyterLab of its own; screenshots go where a build keeps them."""

import os
import shutil
from pathlib import Path

import pytest

from cdp_toolkit.demo import make_workspace
from cdp_toolkit.explore.notebooks import shipped
from cdp_toolkit.workspace import Workspace
from tests.browser.lab import CHROMIUM, browsing, running_lab
from tests.needed import lacking

SHOTS = Path(os.environ.get("CDP_SCREENSHOTS", "build/screenshots"))


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("lab")
    make_workspace(root / "demo", persons=int(os.environ.get("CDP_BROWSER_PERSONS", "300")))
    ws = Workspace(root / "demo")
    for step in (ws.load, ws.stitch, ws.evaluate, ws.activate):
        step()
    shutil.copytree(shipped(), root / "notebooks", ignore=shutil.ignore_patterns(".*"))
    return root


@pytest.fixture(scope="session")
def lab(root, tmp_path_factory):
    if CHROMIUM is None:
        lacking("chromium")
    with running_lab(root, tmp_path_factory.mktemp("home")) as lab:
        yield lab


@pytest.fixture(scope="session", params=["light"])
def browser(request, lab):
    with browsing(lab, dark=request.param == "dark") as page:
        yield page


@pytest.fixture
def shot(browser):
    SHOTS.mkdir(parents=True, exist_ok=True)
    return lambda name, of=None: (of or browser).screenshot(path=SHOTS / f"{name}.png")

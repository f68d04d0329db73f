"""A made-up world in a JupyterLab of its own; screenshots go where a build keeps them."""

import os
import re
import shutil
from pathlib import Path

import pytest

from cdp_toolkit.demo import make_workspace
from cdp_toolkit.explore.notebooks import shipped
from cdp_toolkit.workspace import Workspace
from tests.browser.lab import CHROMIUM, browsing, running_lab
from tests.needed import lacking

SHOTS = Path(os.environ.get("CDP_SCREENSHOTS", "build/screenshots"))
_TAKEN = pytest.StashKey[dict[Path, str]]()
_FAILED = pytest.StashKey[bool]()


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


@pytest.fixture(autouse=True)
def shot(browser, request):
    """Take pictures by name; a test that takes none leaves how it ended, and one that fails does so besides."""
    taken, name = [], re.sub(r"\W+", "_", request.node.name.removeprefix("test_")).strip("_")

    def take(name, of=None):
        SHOTS.mkdir(parents=True, exist_ok=True)
        file = SHOTS / f"{name}.png"
        (of or browser).screenshot(path=file)
        taken.append(file)

    yield take
    if request.node.stash.get(_FAILED, default=False):
        take(f"failed_{name}")
    elif not taken:
        take(name)
    request.config.stash.setdefault(_TAKEN, {}).update(dict.fromkeys(taken, request.node.name))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, default=False) or report.failed
    return report


def pytest_terminal_summary(terminalreporter, config):
    """Say where the pictures of this run are, and keep their list beside them."""
    taken = config.stash.get(_TAKEN, {})
    if taken:
        lines = [f"{file.name}\t{file.stat().st_size}\t{test}" for file, test in sorted(taken.items())]
        (SHOTS / "manifest.tsv").write_text("\n".join(["file\tbytes\ttest", *lines, ""]), "utf-8")
        terminalreporter.section(f"{len(taken)} screenshots in {SHOTS}, listed in manifest.tsv")

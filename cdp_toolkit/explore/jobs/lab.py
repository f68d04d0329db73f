"""JupyterLab as an analyst meets it: on a welcome notebook, with the notebooks beside it in order, and jobs that are ours."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from cdp_toolkit.explore.notebooks import shipped

WELCOME = "00_quickstart.ipynb"
_NAME = "cdp"


def lab(folder: Path, *further: str) -> int:
    """Start JupyterLab on a folder, and wait until it ends.

    Parameters
    ----------
    folder
        What it shows; the notebooks are copied into it where it has none.
    *further
        Arguments for JupyterLab.

    Returns
    -------
    int
        Its exit code.
    """
    notebooks = folder.resolve() / "notebooks"
    if not notebooks.is_dir():
        shutil.copytree(shipped(), notebooks, ignore=shutil.ignore_patterns(".*"))
    arrange()
    return subprocess.run([*command(folder), *further], check=False).returncode  # noqa: S603 - JupyterLab, with its arguments


def command(folder: Path) -> list[str]:
    """Return the command that starts JupyterLab.

    Parameters
    ----------
    folder
        What it shows.

    Returns
    -------
    list of str
        Without a shell.
    """
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return [
        sys.executable, "-m", "jupyterlab", *root,
        f"--ServerApp.root_dir={folder.resolve()}",
        f"--LabApp.default_url=/lab/workspaces/{_NAME}/tree/notebooks/{WELCOME}",
        "--Scheduler.execution_manager_class=cdp_toolkit.explore.jobs.manager.NotebookJob",
    ]  # fmt: skip


def arrange(folder: Path | None = None) -> None:
    """Write the Lab's workspace: the notebooks at the left, the welcome notebook open.

    Parameters
    ----------
    folder
        Where the Lab keeps workspaces; where it usually does by default.
    """
    from jupyterlab.commands import get_workspaces_dir
    from jupyterlab_server.workspaces_handler import WorkspacesManager

    welcome = f"notebook:notebooks/{WELCOME}"
    data = {
        "layout-restorer:data": {
            "main": {"dock": {"type": "tab-area", "currentIndex": 0, "widgets": [welcome]}, "current": welcome},
            "left": {"collapsed": False, "current": "filebrowser", "widgets": ["filebrowser", "running-sessions"]},
        },
        welcome: {"data": {"path": f"notebooks/{WELCOME}", "factory": "Notebook"}},
        "file-browser-filebrowser:cwd": {"path": "notebooks"},
    }
    where = folder or Path(get_workspaces_dir())
    where.mkdir(parents=True, exist_ok=True)
    WorkspacesManager(str(where)).save(_NAME, json.dumps({"data": data, "metadata": {"id": _NAME}}))

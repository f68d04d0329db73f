"""A JupyterLab of its own on loopback, and a Chromium that reaches nothing else."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import nbformat
from playwright.sync_api import Page, Route, sync_playwright

from cdp_toolkit.explore.jobs.lab import arrange, command

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip


@dataclass
class Lab:
    """A running JupyterLab.

    Parameters
    ----------
    folder
        The folder that it shows.
    address
        Where it listens.
    token
        Lets in who knows it.
    home
        Where it keeps what is its own, such as jobs.
    """

    folder: Path
    address: str
    token: str
    home: Path
    asked_outside: list[str] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"{self.address}/lab/tree/{path}?token={self.token}&reset"


@contextmanager
def running_lab(folder: Path, home: Path) -> Iterator[Lab]:
    """Start a JupyterLab on a folder, and end it with its kernels."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    _settings(home / "config" / "lab" / "user-settings" / "@jupyterlab")
    own = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    arrange(home / "workspaces")
    quiet = ["--no-browser", f"--port={port}", f"--IdentityProvider.token={token}", "--LabApp.expose_app_in_browser=True",
             f"--LabApp.workspaces_dir={home / 'workspaces'}"]  # fmt: skip
    with (home / "lab.log").open("w") as log:
        process = subprocess.Popen(
            [*command(folder), *quiet],
            cwd=folder,
            stdout=log,
            stderr=log,
            env=os.environ | own | {"HOME": str(home)},
            start_new_session=True,
        )
    lab = Lab(folder, f"http://127.0.0.1:{port}", token, home)
    try:
        _wait_for(f"{lab.address}/api?token={token}", process, home / "lab.log")
        yield lab
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


def _settings(folder: Path) -> None:
    """Ask nobody for news, and draw all cells, not those in sight alone."""
    for name, told in {
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "notebook-extension/tracker": {"windowingMode": "none"},
    }.items():
        file = folder / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(told), "utf-8")


def open_notebook(page: Page, lab: Lab, path: str) -> None:
    """Open a notebook and wait until its kernel answers."""
    page.goto(lab.url(path))
    page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.sessionContext")
    page.evaluate("async () => { await window.jupyterapp.shell.currentWidget.sessionContext.ready; }")
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
    )


def run_all(page: Page) -> None:
    """Run all cells, and wait for the last."""
    page.evaluate("async () => { await window.jupyterapp.commands.execute('notebook:run-all-cells'); }")


def saved(page: Page, lab: Lab, path: str) -> nbformat.NotebookNode:
    """Save the notebook that is open, and read it back."""
    page.evaluate("async () => { await window.jupyterapp.commands.execute('docmanager:save'); }")
    return nbformat.read(lab.folder / path, as_version=4)


def _wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise AssertionError(f"JupyterLab ended early:\n{log.read_text('utf-8')}")
        try:
            with urlopen(url, timeout=2):  # noqa: S310 - of loopback
                return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)  # a process outside of ours tells nobody when it is ready
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text('utf-8')}")


@contextmanager
def browsing(lab: Lab, *, dark: bool = False) -> Iterator[Page]:
    """Open a browser in which everything but the Lab is refused, and remembered."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        context = browser.new_context(
            viewport={"width": 1500, "height": 1700}, color_scheme="dark" if dark else "light"
        )
        page = context.new_page()

        def only_the_lab(route: Route) -> None:
            if route.request.url.startswith((lab.address, "data:", "blob:")):
                route.continue_()
            else:
                lab.asked_outside.append(route.request.url)
                route.abort()

        page.route("**/*", only_the_lab)
        page.set_default_timeout(60_000)
        yield page
        browser.close()

"""Run one notebook unattended: never twice at a time, with everything kept, nothing secret, and word if it fails."""

import datetime as dt
import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cdp_toolkit.errors import CdpError, ConfigError, LakeBusyError, UnknownNameError
from cdp_toolkit.explore.jobs.notify import Failure, notify
from cdp_toolkit.explore.notebooks import Executed, run_notebooks, shipped
from cdp_toolkit.explore.pdf import to_pdf
from cdp_toolkit.secrets import redact, reveal
from cdp_toolkit.settings import Notify
from cdp_toolkit.workspace import Workspace

_REFERENCE = re.compile(r"\$\{\w+:[^{}]+\}")


@dataclass(frozen=True)
class NotebookRun:
    """What a run of one notebook did.

    Parameters
    ----------
    executed
        The notebook, its page, and what went wrong.
    folder
        Where its copy, page and log lie.
    parameters
        What it was given.
    pdf
        The page as PDF, where that was asked for.
    notes
        What could not be done besides, such as sending word.
    """

    executed: Executed
    folder: Path
    parameters: Mapping[str, Any]
    pdf: Path | None = None
    notes: tuple[str, ...] = ()

    @property
    def outcome(self) -> str:
        """``done`` or ``failed``."""
        return "done" if self.executed.is_ok else "failed"

    def to_json(self) -> str:
        """Return everything as JSON.

        Returns
        -------
        str
            One object, one line.
        """
        told = {"notebook": self.executed.name, "outcome": self.outcome, "seconds": round(self.executed.seconds, 1)}
        files = {
            "folder": str(self.folder),
            "page": self.executed.page.name,
            "pdf": self.pdf.name if self.pdf else None,
        }
        rest = {"parameters": dict(self.parameters), "problem": self.executed.problem, "notes": list(self.notes)}
        return json.dumps(told | files | rest, default=str)

    def __str__(self) -> str:
        """Return what ran, what went wrong, and where to look."""
        head = f"{self.executed.name}: {self.outcome}, {self.executed.seconds:.1f} s"
        told = [self.executed.problem, *self.notes]
        return "\n".join([head, *(f"  ! {each}" for each in told if each), f"  → {self.pdf or self.executed.page}"])

    __repr__ = __str__


def execute(
    ws: Workspace,
    notebook: Path,
    parameters: Mapping[str, Any],
    *,
    out: Path | None = None,
    pdf: bool = False,
    send: Callable[[Notify, Failure], Iterable[str]] = notify,
) -> NotebookRun:
    """Run a notebook in a workspace.

    Parameters
    ----------
    ws
        The workspace; the notebook knows it as ``.``.
    notebook
        The notebook.
    parameters
        Values for its parameters cell.
    out
        Folder for what it makes; one of its own under ``runs/`` by default.
    pdf
        Whether its page is wanted as PDF, too.
    send
        Tells of a failure.

    Returns
    -------
    NotebookRun
        What ran, and where to look; failed if a cell failed.

    Raises
    ------
    LakeBusyError
        If it is running already.
    """
    now = dt.datetime.now(dt.UTC)
    folder = out or ws.folder / "runs" / f"{now:%Y-%m-%dT%H-%M-%S}-{notebook.stem}"
    with _alone(ws, notebook):
        given = {"workspace": ".", **parameters}
        (executed,) = run_notebooks(notebook.parent, folder, given, pattern=notebook.name, folder=ws.folder)
    know_secrets(ws)
    for file in (executed.page, folder / notebook.name):
        _clean(file)
    done = NotebookRun(replace(executed, problem=redact(executed.problem)), folder, parameters)
    if pdf:
        done = _printed(done)
    if not executed.is_ok:
        done = replace(done, notes=(*done.notes, *send(ws.settings.notify, _failure(ws, done, now))))
    (folder / f"{notebook.stem}.log").write_text(f"{now:%Y-%m-%d %H:%M:%S} UTC {done.to_json()}\n", "utf-8")
    return done


def find_notebook(ws: Workspace, name: str) -> Path:
    """Find a notebook by its name.

    Parameters
    ----------
    ws
        The workspace, whose own notebooks come first.
    name
        Its name, with or without its ending, or its path.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UnknownNameError
        If there is none; with the nearest names.
    """
    if name.endswith(".ipynb") and Path(name).is_file():
        return Path(name)
    folders = (ws.folder / "notebooks", shipped())
    known = {path.stem: path for folder in reversed(folders) for path in sorted(folder.glob("*.ipynb"))}
    if name.removesuffix(".ipynb") not in known:
        raise UnknownNameError("notebook", name, known)
    return known[name.removesuffix(".ipynb")]


def given(pairs: Iterable[str]) -> dict[str, Any]:
    """Return parameters as they were written.

    Parameters
    ----------
    pairs
        Such as ``as_of=today`` and ``periods=8``.

    Returns
    -------
    dict
        Value by name; numbers and truth values as such, all else as text.

    Raises
    ------
    ConfigError
        If one of them has no ``=``.

    Examples
    --------
    >>> given(["as_of=today", "periods=8", "dry_run=true"])
    {'as_of': 'today', 'periods': 8, 'dry_run': True}
    """
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip().isidentifier():
            raise ConfigError(f"{pair!r} is no parameter.", where="-p", hint="Write it as `-p as_of=today`.")
        found[name.strip()] = _typed(value)
    return found


def _typed(text: str) -> Any:
    if text in {"true", "false"}:
        return text == "true"
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def know_secrets(ws: Workspace) -> None:
    """Learn what the workspace's secrets are, so that ``redact`` knows them in what others have written.

    Parameters
    ----------
    ws
        The workspace.
    """
    files = [ws.folder / "cdp.yaml", *sorted((ws.folder / "destinations").glob("*.yaml"))]
    for reference in {each for file in files for each in _REFERENCE.findall(file.read_text("utf-8"))}:
        with suppress(CdpError):  # one that is not set here was not shown either
            reveal(reference)


def _clean(file: Path) -> None:
    text = file.read_text("utf-8")
    known = redact(text)
    if known != text:
        file.write_text(known, "utf-8")


def _printed(done: NotebookRun) -> NotebookRun:
    try:
        return replace(done, pdf=to_pdf(done.executed.page))
    except ConfigError as error:
        return replace(done, notes=(f"No PDF: {error.message} {error.hint}",))


def _failure(ws: Workspace, done: NotebookRun, at: dt.datetime) -> Failure:
    return Failure(
        ws.settings.name, done.executed.name, done.executed.problem, at, dict(done.parameters), str(done.folder)
    )


@contextmanager
def _alone(ws: Workspace, notebook: Path) -> Any:
    lock = ws.folder / ".locks" / f"{notebook.stem}.lock"
    lock.parent.mkdir(exist_ok=True)
    try:
        with FileLock(lock, timeout=0):
            yield
    except Timeout as error:
        raise LakeBusyError(
            f"{notebook.stem} is running already; it was not started again.",
            where=str(lock),
            hint="Wait until it has ended; the lock goes with the process that holds it.",
        ) from error

"""The whole line through the notebooks: what ran, what came out, and where to look."""

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cdp_toolkit.explore.notebooks import Executed, run_notebooks, shipped
from cdp_toolkit.explore.report import report
from cdp_toolkit.pipeline.activate import ABOUT
from cdp_toolkit.workspace import Workspace

_LINE = "0[1-9]_*.ipynb"  # one a stage; the others are for people and for schedules


@dataclass(frozen=True)
class LineRun:
    """What a run of the whole line did.

    Parameters
    ----------
    runs
        Rows of the table ``runs`` that it added, in order.
    notebooks
        Notebooks that ran.
    page
        The report; None if a notebook failed.
    folder
        Where the executed notebooks lie.
    seconds
        How long it took.
    """

    runs: list[dict[str, Any]]
    notebooks: list[Executed]
    page: Path | None
    folder: Path
    seconds: float

    @property
    def outcome(self) -> str:
        """``done``, ``partial`` or ``failed``."""
        outcomes = {run["outcome"] for run in self.runs}
        if self.page is None or "failed" in outcomes:
            return "failed"
        return "partial" if "partial" in outcomes else "done"

    def to_json(self) -> str:
        """Return everything as JSON.

        Returns
        -------
        str
            One object, one line.
        """
        return json.dumps(asdict(self) | {"outcome": self.outcome}, default=str)

    def __str__(self) -> str:
        """Return what happened, stage by stage."""
        lines = [line for run in self.runs for line in _told(run)]
        failed = [executed.problem for executed in self.notebooks if not executed.is_ok]
        lines += [f"! {problem}" for problem in failed]
        lines += ["", f"Report     {self.page}"] if self.page else [""]
        lines += [f"Notebooks  {self.folder}", f"The whole line took {self.seconds:.1f} s."]
        return "\n".join(lines)

    __repr__ = __str__


def run_line(folder: Path, *, as_of: str = "", on_progress: Callable[[str], None] = lambda _: None) -> LineRun:
    """Run the notebooks of the line one after the other, and write the report.

    Parameters
    ----------
    folder
        Folder of the workspace; its own ``notebooks/`` run if it has any, else those of the toolkit.
    as_of
        What ``now`` means, as text; the present if empty.
    on_progress
        Called with the name of each notebook before it runs.

    Returns
    -------
    LineRun
        What ran and where to look.
    """
    workspace, started = Workspace(folder), dt.datetime.now(dt.UTC)
    out = workspace.folder / "runs" / f"{started:%Y-%m-%dT%H-%M-%S}"
    own = workspace.folder / "notebooks"
    # They run in the workspace and call it ".", so that an executed copy names no folder of this machine.
    notebooks = run_notebooks(
        own if own.is_dir() else shipped(),
        out,
        {"workspace": ".", "as_of": as_of},
        pattern="*.ipynb" if own.is_dir() else _LINE,
        folder=workspace.folder,
        on_progress=on_progress,
    )
    page = report(workspace, out / "report.html") if all(each.is_ok for each in notebooks) else None
    runs = workspace.lake.log.rows(since=started)
    return LineRun(runs, notebooks, page, out, (dt.datetime.now(dt.UTC) - started).total_seconds())


def _told(run: dict[str, Any]) -> list[str]:
    counts = ", ".join(f"{number:,} {what}" for what, number in run["counts"].items())
    lines = [f"{run['verb']:<9}  {run['outcome']}, {run['seconds']:.1f} s: {counts}"]
    lines += [f"           ! {problem.splitlines()[0]}" for problem in run["problems"]]
    if run["verb"] == "evaluate":
        sizes = run["details"].get("audiences", {})
        lines += [f"           {size:>9,}  {name}" for name, size in sizes.items()]
    if run["verb"] == "activate":
        for name, done in run["details"].items():
            if name == ABOUT:
                continue
            told = ", ".join(f"{number:,} {what}" for what, number in done.items() if number) or "nothing new"
            lines.append(f"           {name}: {told}")
    return lines

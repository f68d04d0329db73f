"""What the Lab's jobs run notebooks with: the same as `cdp notebook`, so that a job is locked, kept and told of."""

import shutil
from pathlib import Path
from typing import Any

from jupyter_scheduler.executors import DefaultExecutionManager

from cdp_toolkit.errors import CdpError
from cdp_toolkit.explore.jobs.execute import execute, given
from cdp_toolkit.workspace import Workspace


class NotebookJob(DefaultExecutionManager):  # type: ignore[misc]  # of a package without types
    """Runs a job of the Lab in its workspace."""

    def execute(self) -> None:
        """Run the notebook; what it made is where the jobs page looks, also if it failed."""
        job, source = self.model, Path(self.staging_paths["input"])
        parameters = dict(job.parameters or {})
        ws = _workspace(Path(self.root_dir), parameters.pop("workspace", "") or _default(source))
        typed = given(f"{name}={value}" for name, value in parameters.items())
        out = source.parent / "out"
        done = execute(ws, source, typed, out=out)
        for kind in job.output_formats or ():
            made = out / source.name if kind == "ipynb" else done.executed.page
            shutil.copyfile(made, self.staging_paths[kind])
        if not done.executed.is_ok:
            raise CdpError(done.executed.problem)


def _default(notebook: Path) -> str:
    import papermill

    known: dict[str, Any] = papermill.inspect_notebook(str(notebook))
    return str(known.get("workspace", {}).get("default", "")).strip("\"'")


def _workspace(root: Path, told: str) -> Workspace:
    """Return the workspace that a notebook means, which lies in a folder of the Lab."""
    around = [root / told, root / "notebooks" / told, root]
    return Workspace(next((folder for folder in around if (folder / "cdp.yaml").is_file()), around[0]))

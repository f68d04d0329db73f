"""Run notebooks one after the other, each in its own kernel, and keep what they showed as pages."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGES = Path(__file__).parent / "pages"

# A kernel warns that it talks to this process without encryption; it does so on this machine only.
_QUIET = ["--IPKernelApp.log_level=50"]


@dataclass(frozen=True)
class Executed:
    """A notebook that ran.

    Parameters
    ----------
    name
        Name of the notebook, without its ending.
    seconds
        How long it took.
    page
        What it showed, as HTML without code.
    problem
        What ended it early, with the cell; empty if nothing did.
    """

    name: str
    seconds: float
    page: Path
    problem: str = ""

    @property
    def is_ok(self) -> bool:
        """Whether it ran to its end."""
        return not self.problem


def shipped() -> Path:
    """Return the folder of the notebooks that come with the toolkit.

    Returns
    -------
    Path
        ``notebooks/`` of a clone, or the copy in an installed package.
    """
    package = Path(__file__).parent.parent
    clone = package.parent / "notebooks"
    return clone if clone.is_dir() else package / "notebooks"


def run_notebooks(
    notebooks: Path,
    out: Path,
    parameters: Mapping[str, Any],
    *,
    pattern: str = "*.ipynb",
    folder: Path | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> list[Executed]:
    """Run all notebooks of a folder in the order of their names, up to the first that fails.

    Parameters
    ----------
    notebooks
        Folder of the notebooks.
    out
        Folder for the executed copies and their pages.
    parameters
        Values for the parameters cell of each notebook; one that a notebook does not have is not passed to it.
    pattern
        Which notebooks, by their names.
    folder
        Where the notebooks run, which is what relative paths in their parameters mean; here by default.
    on_progress
        Called with the name of each notebook before it runs.

    Returns
    -------
    list of Executed
        One a notebook that ran; the last one carries a problem if it failed.
    """
    out.mkdir(parents=True, exist_ok=True)
    executed: list[Executed] = []
    for notebook in sorted(notebooks.glob(pattern)):
        on_progress(notebook.stem)
        executed.append(_run(notebook, out, parameters, folder or Path()))
        if not executed[-1].is_ok:
            break
    return executed


def _run(notebook: Path, out: Path, parameters: Mapping[str, Any], folder: Path) -> Executed:
    import papermill
    from papermill.exceptions import PapermillExecutionError

    started, copy, problem = time.perf_counter(), out / notebook.name, ""
    known = papermill.inspect_notebook(str(notebook))
    wanted = {name: value for name, value in parameters.items() if name in known}
    try:
        papermill.execute_notebook(
            str(notebook),
            str(copy),
            wanted,
            cwd=str(folder),
            progress_bar=False,
            extra_arguments=_QUIET,
            shutdown_kernel="immediate",  # it holds nothing, and a kernel that is asked takes a second to go
        )
    except PapermillExecutionError as error:
        told = (error.evalue.strip() or error.ename).splitlines()[0]
        problem = f"Cell {error.exec_count} of {notebook.stem} failed: {told}"
    page = _page(copy)
    return Executed(notebook.stem, time.perf_counter() - started, page, problem)


def _page(notebook: Path) -> Path:
    import nbformat
    from nbconvert.exporters import HTMLExporter
    from traitlets.config import Config

    cells = nbformat.read(notebook, as_version=4)
    cells.metadata.papermill.update(input_path=notebook.name, output_path=notebook.name)
    _settle(cells)
    nbformat.write(cells, notebook)
    exporter = HTMLExporter(
        config=Config(NbConvertBase={"display_data_priority": _SHOWN}),
        template_name="notebook",
        extra_template_basedirs=[str(PAGES)],
        extra_template_paths=[str(PAGES)],
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    resources = {"metadata": {"name": notebook.stem}, "headings": _headings(cells)}
    body, _ = exporter.from_notebook_node(cells, resources=resources)
    page = notebook.with_suffix(".html")
    page.write_text(body, encoding="utf-8")
    return page


def _settle(cells: Any) -> None:
    """Take live views out of an executed copy: nothing answers there, and each stands beside a page that says the same.

    What stands beside none, such as a bar of progress, is gone with it.
    """
    cells.metadata.pop("widgets", None)
    for cell in cells.cells:
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if not _is_live_alone(output)]
            for output in cell.outputs:
                output.get("data", {}).pop(_LIVE, None)


def _is_live_alone(output: Any) -> bool:
    data = output.get("data", {})
    return _LIVE in data and not set(data) - {_LIVE, "text/plain"}


_LIVE = "application/vnd.jupyter.widget-view+json"
_SHOWN = ["text/html", "text/markdown", "image/svg+xml", "image/png", "text/latex", "text/plain"]


def _headings(cells: Any) -> list[tuple[str, str]]:
    """Return the headings of the second level, with the anchors that nbconvert gives them."""
    texts = (cell.source for cell in cells.cells if cell.cell_type == "markdown")
    found = (line[3:].strip() for text in texts for line in text.splitlines() if line.startswith("## "))
    return [(heading.replace(" ", "-"), heading) for heading in found]

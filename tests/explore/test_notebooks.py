"""Notebooks run unattended, and what went wrong is told by the cell."""

import nbformat
import pytest

from cdp_toolkit.explore.line import run_line
from cdp_toolkit.explore.notebooks import run_notebooks


@pytest.fixture
def write(tmp_path):
    def write(name, *cells):
        first = nbformat.v4.new_code_cell("who = 'nobody'", metadata={"tags": ["parameters"]})
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        others = [nbformat.v4.new_code_cell(cell) for cell in cells]
        folder = tmp_path / "notebooks"
        folder.mkdir(exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(cells=[first, *others], metadata=kernel), folder / f"{name}.ipynb")
        return folder

    return write


def test_a_notebook_that_fails_is_told_by_its_cell_and_ends_the_line(write, tmp_path):
    write("1_first", "f'hello {who}'")
    write("2_second", "1 / 0")
    folder = write("3_third", "who")

    first, second = run_notebooks(folder, tmp_path / "out", {"who": "Ada", "unknown": 1})

    assert first.is_ok
    assert "hello Ada" in first.page.read_text("utf-8")
    assert second.problem == "Cell 3 of 2_second failed: division by zero"
    assert "ZeroDivisionError" in second.page.read_text("utf-8")


def test_the_whole_line_runs_through_the_notebooks_and_names_no_folder_of_this_machine(ws):
    line = run_line(ws.folder)

    assert line.outcome == "done"
    assert [each.name[:2] for each in line.notebooks] == ["01", "02", "03", "04", "05", "06"]
    assert [run["verb"] for run in line.runs] == ["load", "stitch", "evaluate", "activate"]
    assert [file.name for file in line.folder.iterdir() if str(ws.folder.parent) in file.read_text("utf-8")] == []

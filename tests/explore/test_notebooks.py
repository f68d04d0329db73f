"""Notebooks run unattended, and what went wrong is told by the cell."""

import re
import shutil

import nbformat
import papermill
import pytest

from cdp_toolkit.errors import ConfigError
from cdp_toolkit.explore.line import run_line
from cdp_toolkit.explore.notebooks import run_notebooks, shipped
from cdp_toolkit.explore.pdf import to_pdf
from tests.needed import lacking


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
    assert "(activation)" not in str(line)
    assert [file.name for file in line.folder.iterdir() if str(ws.folder.parent) in file.read_text("utf-8")] == []


LONGER = sorted(
    path.stem for path in shipped().glob("*.ipynb") if not path.stem.startswith("0") or path.stem[:2] == "00"
)


@pytest.mark.parametrize("name", LONGER)
def test_a_notebook_runs_unattended_and_its_page_is_a_report(ws, tmp_path, name):
    (executed,) = run_notebooks(shipped(), tmp_path, {"workspace": "."}, pattern=f"{name}.ipynb", folder=ws.folder)

    page = executed.page.read_text("utf-8")
    assert executed.problem == ""
    assert "Traceback" not in page
    assert "import cdp_toolkit" not in page
    assert "jupyter-widgets" not in page
    assert all(
        f'href="#{heading}"' in page for heading in re.findall(r'<h2 id="([^"]+)">[^<]+<a class="anchor-link"', page)
    )
    assert str(ws.folder.parent) not in page + (tmp_path / f"{name}.ipynb").read_text("utf-8")
    assert not re.search(r"<link|<script[^>]+src|@import", page)


def test_progress_that_was_shown_meanwhile_is_not_in_the_copy(write, tmp_path):
    shown = "from cdp_toolkit.workspace.waiting import waiting\nimport time"
    folder = write("1_slow", shown, "with waiting('Stitching', patience_s=0):\n    time.sleep(0.5)\n'done'")

    (executed,) = run_notebooks(folder, tmp_path / "out", {})

    assert executed.problem == ""
    assert "done" in executed.page.read_text("utf-8")
    kept = executed.page.read_text("utf-8") + (tmp_path / "out" / "1_slow.ipynb").read_text("utf-8")
    assert not re.search("Output\\(\\)|Stitching</|widget-(view|state)", kept)


@pytest.mark.parametrize("path", sorted(shipped().glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_parameter_of_a_notebook_can_be_given_and_says_what_it_is(path):
    cells = nbformat.read(path, as_version=4).cells
    (source,) = (cell.source for cell in cells if cell.metadata.get("tags") == ["parameters"])

    known = papermill.inspect_notebook(str(path))

    assert list(known) == re.findall(r"^(\w+) =", source, flags=re.MULTILINE)
    assert [name for name, each in known.items() if not each["help"]] == []


def test_a_page_becomes_a_pdf(tmp_path):
    if not any(shutil.which(name) for name in ("chromium", "google-chrome")):
        lacking("chromium")
    page = tmp_path / "page.html"
    page.write_text("<h1>Hello</h1>", "utf-8")

    assert to_pdf(page).read_bytes()[:5] == b"%PDF-"


def test_without_a_browser_a_pdf_is_refused_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ConfigError, match="chromium"):
        to_pdf(tmp_path / "page.html")

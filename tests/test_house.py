"""What holds everywhere in the project, whoever changes it."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import typer
from typer.testing import CliRunner

from cdp_toolkit import errors

PROJECT = Path(__file__).parent.parent
PACKAGE = PROJECT / "cdp_toolkit"
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))


def test_the_floors_and_the_other_import_contracts_hold():
    lint = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=PROJECT, capture_output=True, text=True, check=False
    )

    assert lint.returncode == 0, lint.stdout


def packages():
    return [each.name for each in pkgutil.walk_packages([str(PACKAGE)], "cdp_toolkit.") if each.ispkg]


@pytest.mark.parametrize("name", ["cdp_toolkit", *packages()])
def test_a_package_exports_what_it_says_it_exports(name):
    package = importlib.import_module(name)
    promised = set(getattr(package, "__all__", ()))

    own = {each for each, value in vars(package).items() if getattr(value, "__module__", "").startswith(name)}

    assert {each for each in own if not each.startswith("_")} <= promised
    assert all(hasattr(package, each) for each in promised)


def test_the_tree_of_errors_in_the_docstring_is_the_tree():
    drawn, above = {}, {}
    for indent, name in re.findall(r"^    ([ │├└─]*)([A-Z]\w+)", errors.__doc__, flags=re.MULTILINE):
        above[len(indent)] = name
        drawn[name] = above.get(len(indent) - 4, "Exception")

    real = {
        each.__name__: each.__base__.__name__
        for _, each in inspect.getmembers(errors, inspect.isclass)
        if issubclass(each, Exception)
    }

    assert drawn == real


def test_importing_the_package_imports_no_engine_and_nothing_of_jupyter_before_its_use():
    code = "import sys, cdp_toolkit; print(*{name.partition('.')[0] for name in sys.modules})"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert not {"duckdb", "pyspark", "altair", "IPython", "papermill", "nbconvert", "jupyterlab", "vl_convert"} & set(
        loaded
    )


@pytest.mark.parametrize("vendor", ["marketo", "salesforce", "braze"])
def test_a_vendor_is_named_in_its_connector_and_in_the_demo_only(vendor):
    rooms = (path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] not in {"connectors", "demo"})

    assert [str(path.relative_to(PROJECT)) for path in rooms if vendor in path.read_text("utf-8").lower()] == []


def test_no_file_names_a_folder_of_one_machine_or_the_address_of_a_registry():
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    local = re.compile(
        rb"""(?:^|[\s"'=(:])/(?:root|home|work|Users|opt)/|pypi[.]org|pythonhoste[d]|/simpl[e]\b""", re.MULTILINE
    )

    files = [PROJECT / name for name in tracked.split("\0") if name and (PROJECT / name).is_file()]

    assert [str(path.relative_to(PROJECT)) for path in files if local.search(path.read_bytes())] == []


def commands():
    from cdp_toolkit.cli import app

    return typer.main.get_command(app).commands


def test_every_command_has_help():
    assert [name for name, command in commands().items() if not command.help] == []


def test_the_command_reference_is_what_the_commands_say():
    from typer.cli import app

    generated = CliRunner().invoke(app, ["cdp_toolkit.cli", "utils", "docs", "--name", "cdp", "--title", "Commands"])

    assert generated.output.strip() == (PROJECT / "docs" / "commands.md").read_text("utf-8").strip(), "run `make docs`"


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_a_notebook_starts_with_its_title_and_names_its_kernel(notebook):
    assert notebook.cells[0].source.startswith("# ")
    assert notebook.metadata.kernelspec.name == "python3"


def test_the_first_code_cell_of_a_notebook_holds_its_parameters(notebook):
    assert [cell.metadata.get("tags") for cell in code_cells(notebook)].index(["parameters"]) == 0


def test_a_notebook_calls_the_package_and_programs_nothing(notebook):
    programming = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While, ast.Try, ast.AsyncFunctionDef)

    nodes = [node for cell in code_cells(notebook) for node in ast.walk(ast.parse(cell.source))]

    assert [ast.unparse(node) for node in nodes if isinstance(node, programming)] == []


def test_every_cell_of_a_notebook_ends_in_something_to_look_at(notebook):
    last = [ast.parse(cell.source).body[-1] for cell in code_cells(notebook)[1:]]

    assert [ast.unparse(statement) for statement in last if not isinstance(statement, ast.Expr)] == []


def test_a_notebook_carries_no_output(notebook):
    assert [cell.outputs for cell in code_cells(notebook) if cell.outputs or cell.execution_count] == []

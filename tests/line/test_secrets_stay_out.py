"""Nothing that a run writes or says holds a secret, whether the run succeeds or fails."""

import os
import subprocess
import sys

import nbformat
import polars as pl
import pytest

from cdp_toolkit.explore.notebooks import run_notebooks
from tests.stand_ins import places

SECRETS = {"PG_PASSWORD": "pass/word 1", "AWS_SECRET": "correct horse battery", "WRONG": "wrong password 99"}
MAPPING = """
system: Warehouse
objects:
  people: {outputs: [{entity: person, key: id, fields: {email: mail}}]}
"""
SETTINGS = """
name: acme
sources:
  warehouse: {{type: sql, mapping: warehouse.yaml, uri: "{right}", tables: {{people: {{}}}}}}
  locked: {{type: sql, mapping: warehouse.yaml, uri: "{wrong}", tables: {{people: {{}}}}}}
"""
DESTINATION = """
name: drop
type: files
audiences: [everyone]
consent: none
mapping: {{mail: email}}
path: s3://{bucket}/out
options: {{key: AKIA0000, secret: "${{env:AWS_SECRET}}", endpoint_url: "{address}"}}
"""


@pytest.fixture
def workspace(database, tmp_path, monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    database.run("CREATE TABLE people AS SELECT 1 AS id, 'a@acme.example' AS mail", "GRANT SELECT ON people TO reader")
    uris = {
        word: database.uri(f"reader:${{env:{name}}}") for word, name in (("right", "PG_PASSWORD"), ("wrong", "WRONG"))
    }
    folder = tmp_path / "workspace"
    for name, text in (("cdp.yaml", SETTINGS.format(**uris)), ("warehouse.yaml", MAPPING)):
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "segments").mkdir()
    (folder / "segments" / "everyone.yaml").write_text('name: everyone\npql: email != ""\n')
    (folder / "destinations").mkdir()
    with places.s3() as address:
        for name, bucket in (("drop", "drop"), ("gone", "nowhere")):
            text = DESTINATION.format(bucket=bucket, address=address).replace("name: drop", f"name: {name}")
            (folder / "destinations" / f"{name}.yaml").write_text(text)
        yield folder


def cdp(folder, *arguments):
    command = [
        sys.executable,
        "-c",
        "import logging; logging.basicConfig(level=0); from cdp_toolkit.cli import entry; entry()",
    ]
    done = subprocess.run(
        [*command, "--workspace", folder, *arguments], capture_output=True, text=True, check=False, env=os.environ
    )
    return done.stdout + done.stderr


def notebook(folder):
    cells = ["folder = '.'", "import cdp_toolkit\nws = cdp_toolkit.Workspace(folder)\nws.settings", "ws.load()", "ws.doctor()",
             "ws.destinations", "ws.sources['locked'][1].objects()"]  # fmt: skip
    made = [nbformat.v4.new_code_cell(cell) for cell in cells]
    made[0].metadata["tags"] = ["parameters"]
    book = nbformat.v4.new_notebook(
        cells=made, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    (folder / "notebooks").mkdir()
    nbformat.write(book, folder / "notebooks" / "look.ipynb")


def texts(folder):
    for path in folder.rglob("*"):
        if path.suffix == ".parquet":
            yield path, str(pl.read_parquet(path).rows())
        elif path.is_file():
            yield path, path.read_bytes().decode("utf-8", "ignore")


def test_no_file_and_no_output_of_a_run_holds_a_secret(workspace):
    said = [cdp(workspace, *verb) for verb in (["run", "--no-notebooks"], ["doctor"])]
    notebook(workspace)
    run_notebooks(workspace / "notebooks", workspace / "executed", {}, folder=workspace)
    written = {str(path): text for path, text in texts(workspace)}

    shown = [value for value in SECRETS.values() for value in (value, value.replace("/", "%2F").replace(" ", "%20"))]
    assert any("password authentication failed" in each for each in said), said
    assert any("authentication failed" in text for path, text in written.items() if path.endswith("look.ipynb"))
    assert [path for path, text in written.items() if any(value in text for value in shown)] == []
    assert [each for each in said if any(value in each for value in shown)] == []

"""A source written into cdp.yaml by a command."""

import os
import subprocess
import sys

import pytest
import yaml

from cdp_toolkit.errors import ConfigError, UnknownNameError
from cdp_toolkit.workspace import Workspace
from cdp_toolkit.workspace.additions import add_source, answered, questions

BEGIN = "# ours\nname: acme\ntimezone: UTC\n"
SQL = {"type": "sql", "system": "xdm", "uri": "postgresql://me:${env:PG_PASSWORD}@db/crm", "tables": {"person": {}}}


@pytest.fixture
def workspace(tmp_path):
    def write(text):
        (tmp_path / "cdp.yaml").write_text(BEGIN + text)
        return Workspace(tmp_path)

    return write


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sources: {}  # none yet\nengine: polars\n",
        "sources:\n    # the old one\n    old:\n        type: inlet\n        system: xdm\n\n# which engine\nengine: polars\n",
        "engine: polars  # fast\nsources:\n  old: {type: inlet, system: xdm}\n",
    ],
)
def test_a_source_is_added_and_everything_else_stays(workspace, text):
    opened = workspace(text)

    file = add_source(opened, "db", SQL)

    written = file.read_text()
    told = yaml.safe_load(BEGIN + text)
    assert yaml.safe_load(written) == {**told, "sources": {**(told.get("sources") or {}), "db": SQL}}
    assert [line for line in (BEGIN + text).splitlines() if "#" in line and "{}" not in line] == [
        line for line in written.splitlines() if "#" in line and "none yet" not in line
    ]


@pytest.mark.parametrize(
    ("text", "settings", "kind", "told"),
    [
        ("sources:\n  db: {type: inlet, system: xdm}\n", SQL, ConfigError, "already"),
        ("sources: {old: {type: inlet, system: xdm}}\n", SQL, ConfigError, "lines of its own"),
        ("", {**SQL, "uri": "postgresql://me:hunter22@db"}, ConfigError, "a password is not written here"),
        ("", {**SQL, "tabels": {}}, UnknownNameError, "'tables'"),
        ("", {"type": "sqll"}, UnknownNameError, "'sql'"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(workspace, text, settings, kind, told):
    opened = workspace(text)

    with pytest.raises(kind) as refused:
        add_source(opened, "db", settings)

    assert told in str(refused.value)
    assert "hunter22" not in str(refused.value)
    assert (opened.folder / "cdp.yaml").read_text() == BEGIN + text


def test_what_a_connector_needs_is_asked_for_in_its_own_words():
    asked = {each.name: each for each in questions("marketo")}

    assert asked["client_secret"].is_secret
    assert asked["base_url"].meaning.startswith("Where it answers")
    assert not asked["instance"].is_secret


def test_only_what_is_needed_and_not_given_is_asked_for():
    seen = []

    settings = answered("sql", {"uri": "sqlite:///x.db"}, lambda question: seen.append(question.name) or "{person: {}}")

    assert settings == {"type": "sql", "uri": "sqlite:///x.db", "tables": {"person": {}}}
    assert seen == ["tables"]


def test_the_command_needs_nobody_to_ask(workspace):
    folder = workspace("").folder
    command = [
        sys.executable,
        "-c",
        "from cdp_toolkit.cli import entry; entry()",
        "--workspace",
        folder,
        "source",
        "add",
        "sql",
        "db",
    ]
    options = ["--set", "system=xdm", "--set", "uri=sqlite:///x.db", "--set", "tables={person: {watermark: at}}"]

    done = subprocess.run(
        [*command, *options], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, env=os.environ
    )

    assert done.returncode == 0, done.stderr
    assert Workspace(folder).settings.sources["db"]["tables"] == {"person": {"watermark": "at"}}

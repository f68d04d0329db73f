"""The command line as a user types it, in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CDP = Path(sys.executable).parent / "cdp"
LEADS = "id,email,firstName,updatedAt\n1,a@x.example,Ana,2026-01-01T00:00:00Z\n2,b@x.example,Bo,yesterday\n"


def cdp(*arguments):
    return subprocess.run([CDP, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "acme"
    cdp("init", folder)
    exports = folder / "exports"
    exports.mkdir()
    (exports / "leads.csv").write_text(LEADS, "utf-8")
    (folder / "cdp.yaml").write_text(
        "name: acme\nsources:\n  crm: {type: files, system: marketo, instance: M1, path: exports}\n", "utf-8"
    )
    (folder / "segments" / "everyone.yaml").write_text("name: everyone\npql: workEmail.address.isNotNull()\n", "utf-8")
    return folder


def test_the_line_runs_verb_by_verb_and_says_what_happened(workspace):
    verbs = [cdp("--workspace", workspace, verb) for verb in ("load", "stitch", "evaluate", "activate")]

    assert [done.returncode for done in verbs] == [0, 0, 0, 0]
    assert "1 records, 1 rejected values" in verbs[0].stdout
    assert "1 people" in verbs[1].stdout
    assert "1 members" in verbs[2].stdout


def test_machines_get_json(workspace):
    told = json.loads(cdp("--workspace", workspace, "--json", "load").stdout)

    assert told["counts"]["records"] == 1
    assert told["outcome"] == "done"


def test_a_file_that_cannot_be_read_makes_the_run_partial_and_the_exit_code_1(workspace):
    (workspace / "exports" / "companies.csv").write_text("name\nAcme\n", "utf-8")

    done = cdp("--workspace", workspace, "load")

    assert done.returncode == 1
    assert "companies.csv" in done.stdout
    assert "key column" in done.stdout
    assert "1 records" in done.stdout


def test_someone_is_explained_by_an_address(workspace):
    for verb in ("load", "stitch", "evaluate"):
        cdp("--workspace", workspace, verb)

    done = cdp("--workspace", workspace, "explain", "everyone", "a@x.example")

    assert done.returncode == 0
    assert "a@x.example" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["load"], 2, "There is no workspace here."),
        (["--workspace", "WORKSPACE", "evaluate", "everyon"], 2, "Did you mean 'everyone'?"),
        (["--workspace", "WORKSPACE", "preview", "--pql", "workEmail.adress = 1"], 2, "workEmail.address"),
        (["--workspace", "WORKSPACE", "stitch"], 1, "Run `load` first."),
        (["nonsense"], 2, "No such command"),
    ],
)
def test_a_mistake_of_a_user_ends_in_a_message_and_never_in_a_traceback(workspace, arguments, code, said):
    done = cdp(*(str(workspace) if each == "WORKSPACE" else each for each in arguments))

    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == code


def test_a_segment_goes_out_as_json(workspace, tmp_path):
    shown = cdp("--workspace", workspace, "export-segment", "everyone")
    cdp("--workspace", workspace, "export-segment", "everyone", tmp_path / "everyone.json")

    assert json.loads(shown.stdout)["expression"]["type"] == "PQL"
    assert (tmp_path / "everyone.json").read_text("utf-8") == shown.stdout


def test_a_time_zone_that_does_not_exist_is_named(workspace):
    (workspace / "cdp.yaml").write_text("name: acme\ntimezone: Europe/Berlim\n", "utf-8")

    done = cdp("--workspace", workspace, "status")

    assert done.returncode == 2
    assert "Europe/Berlim" in done.stderr


def test_two_segments_of_one_name_are_a_mistake(workspace):
    (workspace / "segments" / "copy.yaml").write_text("name: everyone\npql: person_score > 1\n", "utf-8")

    done = cdp("--workspace", workspace, "evaluate")

    assert done.returncode == 2
    assert "Two files define 'everyone'" in done.stderr


def test_the_doctor_stops_at_a_definition_that_is_none(workspace):
    healthy = cdp("--workspace", workspace, "doctor")
    (workspace / "segments" / "broken.yaml").write_text("name: broken\npqll: x\n", "utf-8")
    ill = cdp("--workspace", workspace, "doctor")

    assert healthy.returncode == 0
    assert ill.returncode == 2
    assert "broken.yaml" in ill.stderr


def test_the_doctor_looks_at_all_connections_and_says_what_to_fix(workspace):
    (workspace / "cdp.yaml").write_text(
        "name: acme\nsources:\n  erp: {type: files, system: xdm, path: nowhere}\n"
        "  crm: {type: sql, system: xdm, uri: 'sqlite:///gone.db', tables: {person: {}}}\n"
    )

    looked = cdp("--workspace", workspace, "doctor")

    assert looked.returncode == 1
    assert looked.stdout.splitlines()[:4] == [
        "✗ source erp, settings: There is no folder 'nowhere'.",
        "    → Put the exports there, or change `path`.",
        "✗ source crm, connection: There is no file gone.db.",
        "    → Check the path in `uri`.",
    ]

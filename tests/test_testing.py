"""What holds connectors to their contract: connectors from outside pass, broken ones do not."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from cdp_toolkit.destinations.destination import DELIVERED, Limits, Outcome
from cdp_toolkit.sources.source import Batch, Object
from cdp_toolkit.testing import check_destination, check_source

PLUGIN = Path(__file__).parent / "plugin"
WORKSPACE = {
    "cdp.yaml": {"name": "party",
                 "sources": {"book": {"type": "guest_book", "path": "guests.txt", "instance": "main", "mapping": "book.yaml"}}},
    "book.yaml": {"system": "Book",
                  "objects": {"guests": {"outputs": [{"entity": "person", "key": "{email}",
                                                      "fields": {"email": "email", "full_name": "name"}}]}}},
    "segments/guests.yaml": {"name": "guests", "pql": 'person.name.fullName != "Nobody"'},
    "destinations/door.yaml": {"name": "door", "type": "guest_list", "audiences": ["guests"], "path": "door.json"},
}  # fmt: skip


@pytest.fixture(scope="session")
def outside(tmp_path_factory):
    """Install the example package into a folder of its own, and give the environment in which Python finds it."""
    folder = tmp_path_factory.mktemp("installed")
    uv = Path(sys.executable).parent / "uv"
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--offline", "--no-config", "--no-deps", "--no-build-isolation", "--python",
         sys.executable, "--target", folder, PLUGIN], check=True,
    )  # fmt: skip
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


def test_connectors_of_another_package_are_held_to_the_contract_by_its_own_tests(outside):
    checks = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", PLUGIN / "checks.py"]

    done = subprocess.run(checks, env=outside, cwd=PLUGIN.parents[1], capture_output=True, text=True, check=False)

    assert "2 passed" in done.stdout, done.stdout


def test_connectors_of_another_package_are_found_by_their_names(outside, tmp_path):
    for name, content in WORKSPACE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(yaml.safe_dump(content), "utf-8")
    (tmp_path / "guests.txt").write_text("Anna <anna@x.example>\nNobody <nobody@x.example>\n", "utf-8")

    run = [Path(sys.executable).parent / "cdp", "--workspace", tmp_path, "run", "--no-notebooks"]
    done = subprocess.run(run, env=outside, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "door.json").read_text("utf-8")) == {"guests": ["anna@x.example"]}


@dataclass
class Doors:
    """A destination that is right but for what ``broken`` says."""

    broken: str = ""
    guests: list = field(default_factory=list)
    entities = ("person",)
    modes = ("mirror",)
    fields = {"email": "email"}  # noqa: RUF012 - never changed
    identity = ("email",)
    limits = Limits()

    def deliver(self, batch):
        for action, key in zip(batch.rows["_action"].to_pylist(), batch.rows["_row_key"].to_pylist(), strict=True):
            if action == "add" and (key not in self.guests or self.broken == "doubles"):
                self.guests.append(key)
            if action == "remove":
                self._remove(key)
        short = 1 if self.broken == "leaves out an outcome" else 0
        refused = Outcome("refused", "Full.") if self.broken == "refuses" else DELIVERED
        return [refused] * (len(batch.rows) - short)

    def _remove(self, key):
        match self.broken:
            case "keeps who left":
                return
            case "empties itself":
                self.guests.clear()
            case "removes anybody":
                self.guests[:] = self.guests[1:]
            case _:
                self.guests[:] = [guest for guest in self.guests if guest != key]


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("doubles", "came twice"),
        ("leaves out an outcome", "one each is due"),
        ("refuses", "Full"),
        ("keeps who left", "One of 3 was removed and it has 3"),
        ("empties itself", "it has 0"),
        ("removes anybody", "somebody else went"),
    ],
)
def test_a_destination_that_is_broken_is_told_how(broken, told):
    doors = Doors(broken)
    members = [{"email": f"p{number}@x.example"} for number in range(3)]

    with pytest.raises(AssertionError, match=told):
        check_destination(lambda: doors, members, audience="guests", held=lambda: doors.guests)


def test_a_destination_that_is_right_passes():
    doors = Doors()

    check_destination(lambda: doors, [{"email": "a@x"}, {"email": "b@x"}], audience="guests", held=lambda: doors.guests)

    assert sorted(doors.guests) == ["a@x", "b@x"]


@dataclass
class Pages:
    """A source of three pages that is right but for what ``broken`` says."""

    broken: str = ""

    def objects(self):
        return [Object(name) for name in (["a", "a"] if self.broken == "twice" else ["a"])]

    def unknown(self):
        return []

    def read(self, _, cursor):
        start = 0 if self.broken == "forgets" else cursor.get("page", 0)
        for page in range(start, 1 if self.broken == "one page" else 3):
            behind = 3 if self.broken == "goes ahead" else page + 1
            yield Batch(f"page {page}", {"page": behind}, lambda page=page: rows(page))


def rows(page):
    table = pa.table({"id": [str(page)], "_file": [""], "_line": pa.array([1], pa.int64())})
    return table.to_reader()


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("twice", "named twice"),
        ("forgets", "double them"),
        ("one page", "fewer than two batches"),
        ("goes ahead", "Stopped behind batch 1"),
    ],
)
def test_a_source_that_is_broken_is_told_how(broken, told):
    with pytest.raises(AssertionError, match=told):
        check_source(lambda: Pages(broken))


def test_a_source_that_is_right_passes():
    check_source(Pages)

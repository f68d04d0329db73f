"""Audiences as files."""

import hashlib
import json
from pathlib import Path

import polars as pl
import pytest

from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.destination import open_connection
from cdp_toolkit.errors import ConfigError, UnknownNameError


def files(**settings):
    named = {"name": "out", "type": "files", "audiences": ["buyers"], "mapping": {"mail": "email"}}
    return Destination(**(named | settings))


def state(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_whole_export_is_a_file_of_exactly_the_audience(world):
    world.person(2, "buyers")
    world.person(1, "buyers")
    world.person(3)

    world.activate(files())

    file = world.folder / "out/out/out_buyers_20260301_120000.csv"
    assert file.read_text() == "profile_id,mail\n1,p1@x.example\n2,p2@x.example\n"


def test_a_file_of_differences_says_of_each_row_what_to_do(world):
    for profile_id in (1, 2, 3):
        world.person(profile_id, "buyers", person_score=1.5)
    destination = files(mode="mirror", format="parquet", mapping={"score": "b2b.personScore"})
    world.activate(destination)
    world.leave(1)
    world.change(2, person_score=2.0)
    world.person(4, "buyers")

    world.activate(destination)

    table = pl.read_parquet(world.folder / "out/out/out_buyers_20260302_120000.parquet")
    assert table.sort("profile_id").rows() == [(1, None, "remove"), (2, 2.0, "update"), (4, None, "add")]


def test_a_run_without_a_change_leaves_the_folder_as_it_is(world):
    world.person(1, "buyers")
    world.activate(files())
    before = state(world.folder)

    world.activate(files())

    assert state(world.folder) == before


def test_the_manifest_says_what_is_in_the_file(world):
    world.person(1, "buyers")
    world.person(2, "buyers", consent_email="n")

    world.activate(files(path="drop/{audience}.csv"))

    manifest = json.loads((world.folder / "drop/buyers.manifest.json").read_text())
    data = (world.folder / "drop/buyers.csv").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    assert manifest["files"] == [{"name": "buyers.csv", "rows": 1, "bytes": len(data), "sha256": digest}]
    assert (manifest["actions"], manifest["refused"]) == ({"add": 1}, 1)


@pytest.mark.parametrize("mode", ["full", "mirror"])
def test_what_was_sent_but_not_recorded_is_written_into_the_same_files_again(world, mode):
    destination = files(mode=mode, format="ndjson")
    world.person(1, "buyers")
    world.activate(destination)
    world.forget_answers()
    sent = state(world.folder)

    world.activate(destination)

    assert state(world.folder) == sent


@pytest.mark.parametrize("step", range(3))
def test_a_run_killed_before_any_of_its_renames_is_made_good_by_the_next(world, monkeypatch, step):
    destination = files(mode="mirror")
    world.person(1, "buyers")
    rename, done = Path.replace, []

    def killed_at_step(path, target):
        if len(done) == step:
            raise KeyboardInterrupt
        done.append(target)
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", killed_at_step)
    with pytest.raises(KeyboardInterrupt):
        world.activate(destination)
    monkeypatch.undo()
    world.now = world.now.replace(hour=18)
    world.activate(destination)

    shown = [path for path in (world.folder / "out/out").iterdir() if not path.name.startswith(".")]
    assert sorted(path.suffix for path in shown) == [".csv", ".json"]
    assert world.plan(destination).is_empty


def test_differences_that_nobody_has_read_yet_are_not_overwritten(world):
    destination = files(mode="mirror", path="drop/{audience}.csv")
    world.person(1, "buyers")
    world.activate(destination)
    world.person(2, "buyers")

    world.activate(destination)

    texts = [path.read_text() for path in (world.folder / "drop").glob("*.csv")]
    assert sorted(text.splitlines()[1] for text in texts) == ["1,p1@x.example,add", "2,p2@x.example,add"]


def test_a_receiver_may_know_a_row_by_any_mapped_field(world):
    world.person(1, "buyers")
    destination = files(mode="mirror", key="mail")
    world.activate(destination)
    world.leave(1)

    world.activate(destination)

    (file,) = (world.folder / "out/out").glob("*0302*.csv")
    assert file.read_text() == "mail,action\np1@x.example,remove\n"


def test_a_file_of_an_account_audience_has_a_row_per_account(world):
    world.account(5, "targets", account_name="Acme", domain="acme.example")

    world.activate(files(audiences=["targets"], mapping={"company": "accountName", "site": "domain"}))

    (file,) = (world.folder / "out/out").glob("*.csv")
    assert file.read_text() == "profile_id,company,site\n5,Acme,acme.example\n"


@pytest.mark.parametrize(
    ("settings", "kind", "told"),
    [
        ({"formt": "csv"}, UnknownNameError, "'format'"),
        ({"format": "xls"}, ConfigError, "'format'"),
        ({"key": "mial"}, UnknownNameError, "'mail'"),
        ({"path": "out/{audince}.csv"}, UnknownNameError, "'audience'"),
        ({"path": "{date}/x.csv"}, ConfigError, "Use {date} and {time} in the file's name."),
        ({"path": "x.csv", "audiences": ["a", "b"]}, ConfigError, "Put {audience} into the name."),
        ({"path": "x.csv", "format": "parquet"}, ConfigError, "Leave `format` out"),
        ({"mode": "mirror", "mapping": {"action": "email"}}, ConfigError, "Call yours something else."),
        ({"type": "fils"}, UnknownNameError, "'files'"),
    ],
)
def test_a_wrong_setting_is_named_with_what_to_do(tmp_path, settings, kind, told):
    with pytest.raises(kind) as error:
        open_connection(files(**settings), tmp_path)

    assert told in str(error.value)
    assert settings.get("type") or "destinations/out.yaml" in str(error.value)

"""Audiences as files elsewhere, packed, encrypted, and named as the receiver wants them."""

import gzip
import hashlib
import json

import boto3
import polars as pl
import pysequoia
import pytest

from cdp_toolkit.connectors.naming import check_template
from cdp_toolkit.connectors.remote import RemotePlace
from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.destination import open_connection
from cdp_toolkit.engines import Engine, open_engine
from cdp_toolkit.errors import ConfigError, UnknownNameError
from tests.stand_ins import places


@pytest.fixture
def engine() -> Engine:
    return open_engine("polars")  # what differs by engine is tested with the plan


def files(**settings):
    named = {"name": "out", "type": "files", "audiences": ["buyers"], "mapping": {"mail": "email"}}
    return Destination(**(named | settings))


class Bucket:
    """A bucket, read as its receiver does."""

    def __init__(self, address):
        login = {"aws_access_key_id": "AKIA0000", "aws_secret_access_key": "x", "region_name": "us-east-1"}
        self._client = boto3.client("s3", endpoint_url=address, **login)
        options = {**places.LOGIN, "endpoint_url": address, "client_kwargs": {"region_name": "us-east-1"}}
        self.settings = {"path": "s3://drop/{destination}", "options": options}

    def files(self):
        found = self._client.list_objects_v2(Bucket="drop").get("Contents", ())
        read = {each["Key"]: self._client.get_object(Bucket="drop", Key=each["Key"])["Body"].read() for each in found}
        return {name.removeprefix("out/"): data for name, data in read.items()}


class Folder:
    """A folder behind a server."""

    def __init__(self, folder, settings):
        self._folder, self.settings = folder, settings

    def files(self):
        return {path.name: path.read_bytes() for path in (self._folder / "drop/out").iterdir()}


@pytest.fixture(params=["s3", "sftp"])
def place(request, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET", "correct horse")
    monkeypatch.setenv("SFTP_PASSWORD", "pass/word 1")
    if request.param == "s3":
        with places.s3() as address:
            yield Bucket(address)
    else:
        with places.sftp(tmp_path) as (port, known):
            (tmp_path / "known").write_text(known)
            path = f"sftp://feed:${{env:SFTP_PASSWORD}}@127.0.0.1:{port}/drop/{{destination}}"
            yield Folder(tmp_path, {"path": path, "options": {"known_hosts": str(tmp_path / "known")}})


def shown(place):
    return {name: data for name, data in place.files().items() if not name.startswith(".")}


def test_a_file_and_its_manifest_arrive_wherever_they_are_to_go(world, place):
    world.person(1, "buyers")

    world.activate(files(**place.settings))

    arrived = shown(place)
    assert arrived["out_buyers_20260301_120000.csv"] == b"profile_id,mail\n1,p1@x.example\n"
    (described,) = json.loads(arrived["out_buyers_20260301_120000.manifest.json"])["files"]
    assert described["sha256"] == hashlib.sha256(arrived["out_buyers_20260301_120000.csv"]).hexdigest()
    assert len(arrived) == 2


@pytest.mark.parametrize("step", range(3))
def test_a_run_that_dies_on_the_way_is_made_good_by_the_next(world, place, monkeypatch, step):
    destination = files(mode="mirror", **place.settings)
    world.person(1, "buyers")
    done = []

    with monkeypatch.context() as killed:
        killed.setattr(RemotePlace, "rename", _killed_at(step, done))
        with pytest.raises(KeyboardInterrupt):
            world.activate(destination)
    world.now = world.now.replace(hour=18)
    world.activate(destination)

    assert len(shown(place)) == 2
    assert world.plan(destination).is_empty


def _killed_at(step, done):
    rename = RemotePlace.rename

    def rename_or_die(place, name, new):
        if len(done) == step:
            raise KeyboardInterrupt
        done.append(new)
        rename(place, name, new)

    return rename_or_die


def test_a_look_at_a_place_leaves_nothing_there(world, place):
    world.person(1, "buyers")
    world.activate(files(**place.settings))
    before = place.files()

    (finding,) = open_connection(files(**place.settings), world.folder).check()

    assert finding.status == "ok"
    assert place.files() == before


def test_a_file_is_packed_where_its_name_says_so(world):
    world.person(1, "buyers")

    world.activate(files(path="drop/{audience}.csv.gz"))

    assert gzip.decompress((world.folder / "drop/buyers.csv.gz").read_bytes()) == b"profile_id,mail\n1,p1@x.example\n"


def test_only_its_receiver_can_read_an_encrypted_file(world):
    key = pysequoia.Tsk.generate("receiver@x.example")
    (world.folder / "receiver.asc").write_text(str(key.extract_certificate()))
    world.person(1, "buyers")

    world.activate(files(path="drop/{audience}.csv", compression="gzip", encrypt_for=["receiver.asc"]))

    (sealed,) = (world.folder / "drop").glob("*.pgp")
    opened = pysequoia.decrypt(sealed.read_bytes(), decryptor=key.decryptor())
    assert gzip.decompress(opened.bytes) == b"profile_id,mail\n1,p1@x.example\n"
    assert b"p1@x.example" not in sealed.read_bytes()


def test_a_csv_file_is_written_as_its_receiver_wants_it(world):
    world.person(1, "buyers", first_name="=cmd|' /C calc'!A0", work_phone="+49 30 123")
    mapping = {"name": "person.name.firstName", "phone": "workPhone.number"}

    world.activate(files(path="drop/a.csv", delimiter=";", header=False, mapping=mapping))
    world.activate(files(name="raw", path="drop/b.csv", formulas="keep", mapping=mapping))

    assert (world.folder / "drop/a.csv").read_text() == "1;'=cmd|' /C calc'!A0;+49 30 123\n"
    assert pl.read_csv(world.folder / "drop/b.csv")["name"].to_list() == ["=cmd|' /C calc'!A0"]


def test_json_is_an_array_of_rows(world):
    world.person(1, "buyers")

    world.activate(files(path="drop/{audience}.json"))

    assert json.loads((world.folder / "drop/buyers.json").read_text()) == [{"profile_id": 1, "mail": "p1@x.example"}]


def test_names_follow_the_macros_of_the_reference_system(world):
    world.person(1, "buyers")
    name = "%ORGANIZATION_NAME%_%DESTINATION_NAME%_%SEGMENT_ID%_%DATETIME(YYYYMMdd_HHmmss)%_%TIMESTAMP%.csv"

    world.activate(files(path=f"drop/{name}", macros={"ORGANIZATION_NAME": "acme"}))

    assert (world.folder / "drop/acme_out_buyers_20260301_120000_1772366400.csv").exists()


@pytest.mark.parametrize(
    ("template", "values", "kind", "told"),
    [
        ("%SEGMNT_NAME%", {}, UnknownNameError, "SEGMENT_NAME"),
        ("%SANDBOX_NAME%", {}, ConfigError, "Add `macros: {SANDBOX_NAME: …}`."),
        ("%CUSTOM_TEXT%", {"CUSTOM_TEXT": "../../etc"}, ConfigError, "cannot be part of a name"),
        ("%CUSTOM_TEXT%", {"CUSTOM_TEXT": "a\x00b"}, ConfigError, "cannot be part of a name"),
        ("%DATETIME(../YYYY)%", {}, ConfigError, "DATETIME(YYYYMMdd_HHmmss)"),
        ("%DATETIME%", {}, ConfigError, "DATETIME(YYYYMMdd_HHmmss)"),
    ],
)
def test_a_macro_that_cannot_be_or_leads_elsewhere_is_refused(template, values, kind, told):
    with pytest.raises(kind) as refused:
        check_template(template, values, where="destinations/out.yaml, path")

    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"options": {"secret": "hunter22"}}, "options"),
        ({"path": "ftpx://host"}, "file system"),
        ({"encrypt_for": ["nobody.asc"]}, "nobody.asc is no public key"),
        ({"delimiter": "||"}, "delimiter"),
    ],
)
def test_a_wrong_setting_of_a_file_is_named(tmp_path, settings, told):
    with pytest.raises(ConfigError, match=told) as refused:
        open_connection(files(**settings), tmp_path)

    assert "hunter22" not in str(refused.value)

"""Exports that lie in an object store, on an SFTP server or on a web server."""

import boto3
import pytest

from cdp_toolkit.connectors.files.source import FilesSource
from cdp_toolkit.connectors.limits import Patience
from cdp_toolkit.errors import ConfigError, ConnectorStopped, SourceError
from cdp_toolkit.sources.source import SourceFailure
from tests.stand_ins import places

QUICK = Patience(attempts=2, first_s=0.001, most_s=0.002)


@pytest.fixture(scope="module")
def s3_server():
    with places.s3() as address:
        yield address


class Bucket:
    """A bucket, written as somebody else does."""

    def __init__(self, address):
        login = {"aws_access_key_id": "AKIA0000", "aws_secret_access_key": "x", "region_name": "us-east-1"}
        self._client = boto3.client("s3", endpoint_url=address, **login)
        self.settings = {
            "path": "s3://drop/exports",
            "options": {**places.LOGIN, "endpoint_url": address, "client_kwargs": {"region_name": "us-east-1"}},
        }
        for each in self._client.list_objects_v2(Bucket="drop").get("Contents", ()):
            self._client.delete_object(Bucket="drop", Key=each["Key"])

    def put(self, name, data):
        self._client.put_object(Bucket="drop", Key=f"exports/{name}", Body=data)


class Folder:
    """A folder that a server serves."""

    def __init__(self, folder, settings):
        self._folder, self.settings = folder, settings

    def put(self, name, data):
        path = self._folder / "exports" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@pytest.fixture(params=["s3", "sftp", "web"])
def place(request, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET", "correct horse")
    monkeypatch.setenv("SFTP_PASSWORD", "pass/word 1")
    if request.param == "s3":
        yield Bucket(request.getfixturevalue("s3_server"))
    elif request.param == "sftp":
        with places.sftp(tmp_path) as (port, known):
            (tmp_path / "known").write_text(known)
            path = f"sftp://feed:${{env:SFTP_PASSWORD}}@127.0.0.1:{port}/exports"
            yield Folder(tmp_path, {"path": path, "options": {"known_hosts": str(tmp_path / "known")}})
    else:
        with places.web(tmp_path) as address:
            yield Folder(tmp_path, {"path": f"{address}/exports/"})


def source(place, tmp_path, **settings):
    return FilesSource({"type": "files", **place.settings, **settings}, folder=tmp_path, patience=QUICK)


def read(opened, cursor=None):
    """Read everything new, and return the ids and the cursor behind them."""
    cursor, ids = dict(cursor or {}), []
    for each in opened.objects():
        for batch in opened.read(each, cursor):
            if isinstance(batch, SourceFailure):
                raise batch.error
            rows = batch.open().read_all()
            ids += rows["id"].to_pylist() if "id" in rows.column_names else []
            cursor |= batch.cursor
    return ids, cursor


def test_files_are_read_wherever_they_lie(place, tmp_path):
    place.put("leads.csv", b"id,name\n1,Anna\n")
    place.put("activities/part-0.csv", b"id\n2\n")
    place.put("activities/.hidden.csv", b"id\n3\n")

    opened = source(place, tmp_path)

    assert [(each.name, each.parts) for each in opened.objects()] == [
        ("activities", ("activities/part-0.csv",)),
        ("leads", ("leads.csv",)),
    ]
    assert read(opened)[0] == ["2", "1"]


def test_only_files_that_are_new_or_have_changed_are_fetched(place, tmp_path, monkeypatch):
    place.put("leads.csv", b"id\n1\n")
    _, cursor = read(source(place, tmp_path))
    place.put("companies.csv", b"id\n2\n")
    place.put("people.csv", b"id\n1\n")
    ids, cursor = read(source(place, tmp_path), cursor)
    place.put("leads.csv", b"id\n1\n44\n")
    changed, cursor = read(source(place, tmp_path), cursor)

    opened = source(place, tmp_path)
    monkeypatch.setattr(opened._place, "fetched", lambda name: pytest.fail(f"{name} was fetched again"))

    assert (ids, changed, read(opened, cursor)[0]) == (["2"], ["1", "44"], [])


def test_a_file_that_is_damaged_is_named_by_its_address(place, tmp_path):
    place.put("leads.csv", b"id,name\n1,Anna\n2")

    with pytest.raises(SourceError, match="cut off") as refused:
        read(source(place, tmp_path))

    assert refused.value.where.endswith("/exports/leads.csv")
    assert "pass" not in refused.value.where


def test_a_place_that_is_not_there_stops_the_source_and_says_what_to_check(place, tmp_path):
    with pytest.raises(ConnectorStopped) as stopped:
        source(place, tmp_path).objects()

    assert stopped.value.hint == "Check bucket, folder and name in `path`."


def test_a_look_at_a_place_counts_its_files(place, tmp_path):
    place.put("leads.csv", b"id\n1\n")

    (finding,) = source(place, tmp_path).check()

    assert (finding.status, finding.detail) == ("ok", "1 files")


def test_a_file_of_a_web_server_that_comes_cut_off_is_fetched_again(tmp_path):
    place = Folder(tmp_path, {})
    place.put("leads.csv", b"id\n1\n")
    with places.web(tmp_path, broken=["leads.csv"]) as address:
        place.settings = {"path": f"{address}/exports/leads.csv"}

        assert read(source(place, tmp_path))[0] == ["1"]


def test_a_server_whose_key_is_unknown_is_not_trusted(tmp_path):
    (tmp_path / "known").write_text("")
    with places.sftp(tmp_path) as (port, _):
        place = Folder(
            tmp_path, {"path": f"sftp://feed@127.0.0.1:{port}/x", "options": {"known_hosts": str(tmp_path / "known")}}
        )

        with pytest.raises(ConnectorStopped, match="key") as stopped:
            source(place, tmp_path).objects()

    assert "known_hosts" in stopped.value.hint


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"path": "ftpx://host/x"}, "no file system 'ftpx'"),
        ({"path": "sftp://feed:hunter22@host/x"}, "a password is not written here"),
        ({"path": "s3://b/x", "options": {"secret": "hunter22"}}, "'secret' is not written here"),
    ],
)
def test_a_place_that_cannot_be_or_shows_a_secret_is_refused(tmp_path, settings, told):
    with pytest.raises(ConfigError, match=told) as refused:
        FilesSource({"type": "files", **settings}, folder=tmp_path)

    assert "hunter22" not in str(refused.value)

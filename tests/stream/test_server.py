import gzip
import json

import polars as pl
import pytest

from cdp_toolkit.workspace import Workspace
from tests.stream.conftest import WRITE_KEY, event, message

ECID = "1" * 38


def landed(folder, entity):
    run = Workspace(folder).load()
    return run, Workspace(folder).lake.scan(f"entities/{entity}").to_native().collect()


def rejected(folder):
    return Workspace(folder).lake.scan("entities/_rejected").to_native().collect()


def test_an_event_that_was_acknowledged_is_in_the_lake_after_the_next_load(client, folder):
    told = client.post("/collection/web", json=message(event("e1", identityMap={"ECID": [{"id": ECID}]})))

    _, events = landed(folder, "event")
    assert told.status_code == 200
    assert told.json()["inletId"] == "web"
    assert told.json()["xactionId"] == "e1"
    assert told.json()["syncValidation"] == {"skipped": True}
    assert events.select("source_id", "event_type", "ecid").rows() == [("e1", "web.webpagedetails.pageViews", ECID)]


def test_an_event_that_is_sent_twice_is_there_once_also_when_a_load_came_between(client, folder):
    client.post("/collection/web", json=message(event("e1")))
    Workspace(folder).load()
    again = client.post("/collection/web", json=message(event("e1")))

    run, events = landed(folder, "event")
    assert again.status_code == 200
    assert run.outcome == "unchanged"
    assert events.height == 1


def test_each_message_of_a_batch_has_its_own_answer(client, folder):
    account = {"accountKey": {"sourceKey": "1@eu.CRM"}, "accountName": "ACME"}
    told = client.post(
        "/collection/batch/web", json={"messages": [message(event("e1")), {"header": {}}, message(account)]}
    )

    _, accounts = landed(folder, "account")
    assert told.status_code == 207
    assert [sorted(each) for each in told.json()["responses"]] == [
        ["xactionId"],
        ["message", "statusCode"],
        ["xactionId"],
    ]
    assert "unknown xdm format" in told.json()["responses"][1]["message"]
    assert accounts["account_name"].to_list() == ["ACME"]


def test_a_message_must_name_the_organisation_of_its_inlet(client):
    headers = {"Authorization": f"Bearer {WRITE_KEY}"}
    right = client.post("/collection/guarded", json=message(event("e1"), imsOrgId="ACME@Org"), headers=headers)
    wrong = client.post("/collection/guarded", json=message(event("e2"), imsOrgId="other"), headers=headers)

    assert (right.status_code, wrong.status_code) == (200, 400)
    assert "wrong ims org" in wrong.json()["title"]


def test_an_organisation_that_is_no_text_is_a_wrong_one_and_stops_no_other_message(client):
    several = {"messages": [message(event("e1"), imsOrgId=["ACME@Org"]), message(event("e2"), imsOrgId="ACME@Org")]}
    told = client.post("/collection/batch/guarded", json=several, headers={"x-api-key": WRITE_KEY})

    assert told.status_code == 207
    assert [sorted(each) for each in told.json()["responses"]] == [["message", "statusCode"], ["xactionId"]]


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"Authorization": "Bearer wrong"}, 403), ({"Authorization": f"Bearer {WRITE_KEY}"}, 200),
     ({"x-api-key": WRITE_KEY}, 200), ({"Authorization": "Basic %%%"}, 401),
     ({"Authorization": "Basic \xe9".encode("latin-1")}, 401)],
)  # fmt: skip
def test_who_shows_no_key_gets_401_and_who_shows_a_wrong_one_403(client, headers, status):
    told = client.post("/collection/guarded", json=message(event("e1"), imsOrgId="ACME@Org"), headers=headers)

    assert told.status_code == status


@pytest.mark.parametrize("name", ["syncValidation=true", "synchronousValidation=True"])
def test_values_are_checked_before_the_answer_where_that_is_asked(client, name):
    bad = event("e1", at="yesterday", identityMap={"ECID": [{"id": "12"}]}, device={"isMobileDevice": "yes"})
    told = client.post(f"/collection/web?{name}", json=message(bad))

    found = told.json()["report"]["cause"]["_streamingValidation"][0]
    assert told.status_code == 400
    assert [each["keyword"] for each in found["causingExceptions"]] == ["format", "pattern", "type"]
    assert client.post(f"/collection/web?{name}", json=message(event("e2"))).status_code == 200


def test_a_value_that_is_none_is_rejected_with_its_reason_when_records_are_made(client, folder):
    told = client.post("/collection/web", json=message(event("e1", at="yesterday")))

    _, events = landed(folder, "event")
    assert told.status_code == 200
    assert events.height == 0
    assert rejected(folder).select("source", "column", "value").rows() == [("web", "timestamp", "yesterday")]


def test_a_payload_that_is_too_large_is_refused_packed_or_not(serve):
    client = serve(most_bytes=2_000)
    large = json.dumps(message(event("e1", filler="x" * 5_000))).encode()
    packed = gzip.compress(large)

    told = [
        client.post("/collection/web", content=large),
        client.post("/collection/web", content=packed, headers={"Content-Encoding": "gzip"}),
    ]

    assert len(packed) < 2_000
    assert [each.status_code for each in told] == [413, 413]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}', b"[]", b"3", b'"\\ud800"'])
def test_a_payload_that_is_no_message_is_refused_as_such(client, body):
    assert client.post("/collection/web", content=body).status_code == 400


def test_senders_are_asked_to_wait_while_too_much_waits_to_be_loaded(serve, folder):
    client = serve(most_waiting=1)
    client.post("/collection/web", json=message(event("e1")))
    full = client.post("/collection/web", json=message(event("e2")))

    _, events = landed(folder, "event")
    assert (full.status_code, full.headers["retry-after"]) == (503, "5")
    assert client.get("/healthz").status_code == 503
    assert events["source_id"].to_list() == ["e1"]


def test_a_disk_that_takes_no_more_is_told_and_nothing_is_acknowledged(client, folder):
    (folder / "stream" / "log.sqlite").unlink()

    told = client.post("/collection/web", json=message(event("e1")))

    assert told.status_code == 503
    assert "retry-after" in told.headers


def test_a_log_that_is_broken_is_told_and_leaves_nobody_waiting(client, folder):
    client.post("/collection/web", json=message(event("e1")))
    for each in (folder / "stream").glob("log.sqlite*"):
        each.write_bytes(b"no database " * 10_000)

    told = [client.post("/collection/web", json=message(event(name))) for name in ("e2", "e3")]

    assert [each.status_code for each in told] == [503, 503]


def test_a_log_that_was_lost_begins_behind_what_the_lake_has(serve, folder):
    serve().post("/collection/web", json=message(event("e1")))
    Workspace(folder).load()
    for each in (folder / "stream").glob("log.sqlite*"):
        each.unlink()

    anew = serve()
    for name in ("e2", "e3"):
        anew.post("/collection/web", json=message(event(name)))

    _, events = landed(folder, "event")
    assert sorted(events["source_id"]) == ["e1", "e2", "e3"]


def test_rows_of_a_webhook_are_records_by_the_inlets_own_mapping(client, folder):
    rows = [{"ticket": 1, "user": "7", "mail": "a@acme.example", "at": "2026-11-01T00:00:00Z"}, {"ticket": 2}, "text"]
    told = client.post("/hooks/hook", json=rows)
    client.post("/hooks/hook", json=rows[0])

    _, people = landed(folder, "person")
    assert told.json() == {"received": 3}
    assert people.select("source_key", "email").rows() == [("7@hook.Forms", "a@acme.example")]
    assert sorted(rejected(folder)["reason"].to_list()) == [
        "A row must be a JSON object.",
        "The key column 'user' is missing.",
    ]


def test_counts_and_an_audit_say_what_came_and_never_what_it_said(client, folder):
    client.post("/collection/web", json=message(event("e1", personID={"email": "secret@acme.example"})))
    client.post("/collection/guarded", json={})

    audit = (folder / "stream" / "audit.log").read_text()
    assert 'cdp_messages_total{inlet="web"} 1.0' in client.get("/metrics").text
    assert 'cdp_requests_refused_total{status="401"} 1.0' in client.get("/metrics").text
    assert [json.loads(line)["status"] for line in audit.splitlines()] == [200, 401]
    assert "secret@" not in audit


def test_keys_that_differ_in_large_and_small_letters_are_one(client, folder):
    for name, key in (("1", "mail"), ("2", "Mail"), ("3", "MAIL")):
        client.post("/hooks/hook", json={"ticket": name, "user": name, key: f"{name}@acme.example"})

    _, people = landed(folder, "person")
    assert people.sort("source_id")["email"].to_list() == ["1@acme.example", "2@acme.example", "3@acme.example"]
    assert people.schema["email"] == pl.String

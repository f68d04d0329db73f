import base64

import pytest
import segment.analytics
from segment.analytics.client import Client

from cdp_toolkit.workspace import Workspace
from tests.stream.conftest import WRITE_KEY

AUTH = {"Authorization": "Basic " + base64.b64encode(f"{WRITE_KEY}:".encode()).decode()}


@pytest.fixture
def library(client):
    return Client(WRITE_KEY, host=str(client.base_url).rstrip("/"), gzip=True, sync_mode=True, max_retries=0)


def stitched(folder):
    workspace = Workspace(folder)
    workspace.load()
    workspace.stitch()
    return workspace


def test_a_library_of_the_specification_drives_it_unchanged(library, folder):
    library.identify("u1", {"email": "ada@acme.example", "firstName": "Ada", "company": {"name": "ACME"}})
    library.track("u1", "Asked for a quote", {"title": "Pricing"}, message_id="m1")
    library.page("u1", "Docs", "Home", {"url": "https://acme.example/docs"})
    library.group("u1", "g1", {"name": "ACME", "industry": "Steel"})

    workspace = stitched(folder)
    ada = workspace.profile("ada@acme.example")
    events = workspace.scan("event").collect()
    assert ada.values["first_name"] == "Ada"
    assert sorted(events["event_type"].to_list()) == ["Asked for a quote", "web.webpagedetails.pageViews"]
    assert set(events["profile_id"].to_list()) == {ada.profile_id}
    assert workspace.scan("account").collect()["account_name"].to_list() == ["ACME"]
    assert segment.analytics.__version__


def test_what_an_anonymous_visitor_did_belongs_to_who_logs_in_later(client, folder):
    call = {"anonymousId": "b1", "messageId": "m1", "event": "Read", "timestamp": "2026-11-20T10:00:00Z"}
    login = {"anonymousId": "b1", "userId": "u1", "messageId": "m2", "traits": {"email": "ada@acme.example"}}
    client.post("/v1/track", json=call, headers=AUTH)
    stitched(folder)
    client.post("/v1/identify", json=login, headers=AUTH)

    workspace = stitched(folder)
    assert workspace.scan("event").collect()["profile_id"].to_list() == [
        workspace.profile("ada@acme.example").profile_id
    ]


def test_traits_of_an_anonymous_visitor_are_those_of_who_logs_in_later(client, folder):
    for body in (
        {"type": "identify", "anonymousId": "b1", "messageId": "m1", "traits": {"title": "CFO"}},
        {"type": "track", "anonymousId": "b1", "messageId": "m2", "event": "Read"},
        {
            "type": "identify",
            "anonymousId": "b1",
            "userId": "u1",
            "messageId": "m3",
            "traits": {"email": "a@acme.example"},
        },
    ):
        client.post("/v1/batch", json={"batch": [body]}, headers=AUTH)

    assert stitched(folder).profile("a@acme.example").values["job_title"] == "CFO"


def test_an_alias_says_that_two_ids_are_one_person(client, folder):
    calls = [
        {"type": "track", "userId": "old", "messageId": "m1", "event": "Read"},
        {"type": "identify", "userId": "new", "messageId": "m2", "traits": {"email": "a@acme.example"}},
        {"type": "alias", "userId": "new", "previousId": "old", "messageId": "m3"},
    ]
    client.post("/v1/batch", json={"batch": calls}, headers=AUTH)

    workspace = stitched(folder)
    assert workspace.scan("event").collect()["profile_id"].to_list() == [workspace.profile("a@acme.example").profile_id]


def test_an_ecid_joins_a_call_to_the_browser_of_another_source(client, folder):
    ecid = "7" * 38
    client.post(
        "/v1/identify",
        json={"userId": "u1", "messageId": "m1", "traits": {"email": "a@acme.example"}, "context": {"ecid": ecid}},
        headers=AUTH,
    )

    assert stitched(folder).profile(ecid).values["email"] == "a@acme.example"


@pytest.mark.parametrize(
    "call", [{}, {"type": "track"}, {"type": "dance", "userId": "u"}, 3, None, {"type": "group", "userId": "u"}]
)
def test_what_is_no_call_is_kept_as_rejected_and_not_sent_for_ever(client, folder, call):
    told = client.post("/v1/batch", json={"batch": [call]}, headers=AUTH)

    Workspace(folder).load()
    assert told.status_code == 200
    assert Workspace(folder).lake.scan("entities/_rejected").to_native().collect().height == 1


def test_a_wrong_write_key_is_refused(client):
    told = client.post("/v1/track", json={"userId": "u", "event": "Read"}, auth=("wrong", ""))

    assert told.status_code == 403

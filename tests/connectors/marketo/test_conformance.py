"""The stand-in of Marketo answers a client that others wrote, and keeps the rules that Marketo states."""

import csv
import io

import httpx
import pytest
from marketorestpython.client import MarketoClient
from marketorestpython.helper.exceptions import MarketoException

from tests.stand_ins.marketo_world import iso


@pytest.fixture
def client(marketo):
    client = MarketoClient("123-ABC-456", "ours", "secret-of-ours", max_retry_time=1)
    client.host = marketo.url
    return client


def test_a_client_that_others_wrote_reads_leads_activities_and_deletes(marketo, client):
    marketo.world.delete(3)
    since = iso(0)

    leads = client.get_multiple_leads_by_filter_type("id", ["1", "2", "3"], fields="id,email")
    pages = client.get_lead_activities_yield(["1", "2"], sinceDatetime=since)
    deleted = client.get_deleted_leads(sinceDatetime=since)

    assert [each["id"] for each in leads] == [1, 2]
    assert sum(map(len, pages)) == 2 * 400
    assert [each["leadId"] for each in deleted] == [3]
    assert client.get_daily_usage()[0]["total"] == marketo.used


def test_a_client_that_others_wrote_extracts_in_bulk(marketo, client):
    window = {"startAt": iso(marketo.world.now - 31 * 86_400), "endAt": iso(marketo.world.now)}

    job = client.create_leads_export_job(fields=["id", "email"], filters={"createdAt": window})[0]["exportId"]
    client.enqueue_leads_export_job(job)
    states = [client.get_leads_export_job_status(job)[0]["status"] for _ in range(2)]
    rows = list(csv.DictReader(io.StringIO(client.get_leads_export_job_file(job).decode())))

    assert states == ["Processing", "Completed"]
    assert len(rows) > 100
    assert rows[0].keys() == {"id", "email"}


def test_a_client_that_others_wrote_keeps_lists(marketo, client):
    marketo.world.lists = {1001: {"id": 1001, "name": "buyers"}}

    added = client.add_leads_to_list(1001, [1, 2, 999])
    removed = client.remove_leads_from_list(1001, [2])

    assert [each["status"] for each in added] == ["added", "added", "skipped"]
    assert removed[0]["status"] == "removed"
    assert list(marketo.world.members[1001]) == [1]


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda client: client.get_multiple_leads_by_filter_type("id", [str(i) for i in range(301)]), "1003"),
        (lambda client: client.get_multiple_leads_by_filter_type("lastName", ["x"]), "1003"),
        (lambda client: client.get_lead_activities([str(i) for i in range(11)], sinceDatetime=iso(0)), "1003"),
        (lambda client: client.get_paging_token("2026-01-01T00:00:00.000Z"), "704"),
        (
            lambda client: client.create_leads_export_job(
                fields=["id"], filters={"createdAt": {"startAt": iso(0), "endAt": iso(32 * 86_400)}}
            ),
            "1003",
        ),
        (
            lambda client: client.create_leads_export_job(
                fields=["id"], filters={"updatedAt": {"startAt": iso(0), "endAt": iso(86_400)}}
            ),
            "1035",
        ),
    ],
)
def test_what_marketo_forbids_is_refused_with_its_code(client, call, code):
    with pytest.raises(MarketoException) as refused:
        call(client)

    assert str(refused.value.code) == code


def test_a_call_without_a_token_and_one_that_no_definition_knows_are_refused(marketo):
    answers = [httpx.get(f"{marketo.url}{path}").json() for path in ("/rest/v1/leads.json", "/rest/v1/nothing.json")]

    assert [(each["success"], each["errors"][0]["code"]) for each in answers] == [(False, "601"), (False, "601")]

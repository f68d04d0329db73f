"""Marketo as a source: everything once, then what changed, whatever the API does in between."""

import polars as pl
import pytest

from cdp_toolkit.connectors.marketo.bulk import read_export
from cdp_toolkit.errors import QuotaExhausted
from tests.stand_ins.marketo_api import CREATORS


def test_a_backfill_loads_every_lead_and_activity_once(marketo, loading, rows):
    done = loading()

    assert (done.outcome, done.problems) == ("done", ())
    assert [key for key, *_ in rows("entities/person", "source_id")] == sorted(map(str, marketo.world.leads["id"]))
    assert len(rows("entities/event", "source_id")) == marketo.world.activities.height
    lead = marketo.world.leads.row(0, named=True)
    assert rows("entities/person", "source_id", "email", "last_name")[0] == ("1", lead["email"], lead["lastName"])


def test_an_increment_brings_new_changed_deleted_and_merged_leads(marketo, loading, rows):
    loading()
    world = marketo.world
    new = world.add(email="new@acme.example", lastName="New")
    world.change(7, "firstName", "Changed")
    world.delete(8)
    world.merge(winner=9, loser=10)

    done = loading()

    people = {row[0]: row[1:] for row in rows("entities/person", "source_id", "first_name", "email", "is_deleted")}
    assert done.outcome == "done"
    assert people[str(new)] == (None, "new@acme.example", False)
    assert people["7"][0] == "Changed"
    assert (people["8"][2], people["10"][2], people["9"][2]) == (True, True, False)
    assert len(rows("entities/event", "source_id")) == world.activities.filter(pl.col("type") != 37).height


def test_a_custom_field_is_read_and_its_change_seen_although_the_time_of_change_does_not_move(marketo, landing, lake):
    landing(objects=["leads"])
    marketo.world.change(7, "seats__c", 4711)

    landing(objects=["leads"])

    landed = lake.scan("landing/mk/leads").to_native().collect().filter(pl.col("id") == "7")
    assert landed.sort("_batch")["seats__c"].to_list()[-1] == "4711"


def test_a_load_without_news_is_unchanged(loading):
    loading()

    assert [loading().outcome for _ in range(2)] == ["unchanged", "unchanged"]


def test_programs_lists_and_their_members_follow_changes(marketo, loading, rows):
    world = marketo.world
    world.lists = {n: {"id": n, "name": f"List {n}", "updatedAt": "2026-01-01T00:00:00Z+0000"} for n in (1001, 1002)}
    world.programs = {
        n: {"id": n, "name": f"Program {n}", "type": "Default", "updatedAt": "2026-01-01T00:00:00Z+0000"}
        for n in range(2001, 2013)
    }
    for lead in (1, 2, 3):
        world.put(lead, 1001)
        world.enrol(lead, 2001 + lead * 3, "Invited")
    loading()
    world.take(2, 1001)
    world.put(4, 1002)
    world.enrol(1, 2004, "Attended")

    done = loading()

    assert done.outcome == "done"
    members = rows("entities/marketing_list_member", "source_id", "is_deleted")
    assert members == [("1001-1", False), ("1001-2", True), ("1001-3", False), ("1002-4", False)]
    enrolled = rows("entities/campaign_member", "source_id", "status")
    assert enrolled == [("2004-1", "Attended"), ("2007-2", "Invited"), ("2010-3", "Invited")]
    assert len(rows("entities/marketing_list", "source_id")) == 2
    assert len(rows("entities/campaign", "source_id")) == 12


def test_companies_opportunities_and_roles_are_looked_up_by_what_names_them(marketo, loading, rows):
    world = marketo.world
    world.objects["opportunities"] = [{"marketoGUID": "o1", "externalOpportunityId": "006A", "name": "Chairs"}]
    world.objects["opportunities/roles"] = [
        {"marketoGUID": "r1", "externalOpportunityId": "006A", "leadId": 5, "role": "Buyer", "isPrimary": True}
    ]
    world.objects["namedaccounts"] = [{"marketoGUID": "n1", "name": "Company 5", "industry": "Finance"}]

    loading()

    assert rows("entities/opportunity", "source_id", "opportunity_name") == [("o1", "Chairs")]
    assert rows("entities/opportunity_person", "source_id", "role") == [("r1", "Buyer")]
    assert len(rows("entities/account", "source_id")) == 399 + 1


def test_a_native_crm_sync_is_told_and_stops_nothing(marketo, loading):
    marketo.has_crm_sync = True

    done = loading()

    told = [note for note in done.notes if "connect the CRM itself" in note]
    assert done.outcome == "done"
    assert sorted(note.split()[0] for note in told) == ["opportunities", "opportunity_roles"]


def test_a_permission_that_is_missing_costs_one_object_and_says_which(marketo, loading, rows):
    marketo.refused = frozenset({"/rest/v1/companies/describe.json"})

    done = loading()

    assert done.outcome == "partial"
    assert [problem for problem in done.problems if "603" in problem]
    assert len(rows("entities/person", "source_id")) == 400


FAULTS = {
    "expire": 7, "606": 11, "615": 13, "502": 17, "500": 19, "cut": 2, "corrupt": 5, "late": 3, "fail": 4, "empty": 3, "repeat": 4,
}  # fmt: skip


def test_whatever_the_api_does_every_row_is_there_once(marketo, loading, rows):
    marketo.every = FAULTS
    world = marketo.world
    world.lists = {1001: {"id": 1001, "name": "List", "updatedAt": "2026-01-01T00:00:00Z+0000"}}

    first = loading()
    for lead in range(20, 120):
        world.change(lead, "firstName", f"Changed {lead}")
        world.put(lead, 1001)
    second = loading()

    assert (first.problems, second.problems) == ((), ())
    assert {"606", "602", "615", "502"} <= marketo.codes.keys()
    people = rows("entities/person", "source_id", "first_name")
    assert len(people) == 400
    assert len([1 for _, name in people if name.startswith("Changed")]) == 100
    assert len(rows("entities/event", "source_id")) == world.activities.height
    assert len(rows("landing/mk/activities", "marketoGUID")) == world.activities.height


@pytest.mark.parametrize("code", ["607", "1029"])
def test_a_spent_quota_stops_the_load_and_the_next_day_goes_on(marketo, landing, rows, code):
    marketo.quota, marketo.bulk.quota_bytes = (30, 1 << 40) if code == "607" else (10**6, 1000)

    first = landing()
    marketo.quota, marketo.bulk.quota_bytes = 10**6, 1 << 40
    second = landing()

    assert isinstance(first.stopped, QuotaExhausted)
    assert f"error {code}" in first.stopped.message
    assert (second.stopped, second.refused) == (None, [])
    assert len(rows("landing/mk/leads", "id")) == 400
    assert len(rows("landing/mk/activities", "marketoGUID")) == 2000


def test_the_cap_on_calls_a_day_counts_those_of_all_users(marketo, loading):
    marketo.used = 995

    done = loading(calls_a_day=1000)

    assert marketo.used <= 1000
    assert "1,000 calls" in done.problems[0]


def test_no_limit_is_hit_by_a_load_that_keeps_its_pace(marketo, landing):
    marketo.window = (50, 0.5)

    landing(pace={"poll_s": 0.001, "first_pause_s": 0.001, "calls": 45, "seconds": 0.5})

    assert marketo.codes.keys() <= {"1006"}  # whether there are ECIDs is found out by asking
    assert marketo.most_at_once <= 5


def test_fields_of_an_instance_that_change_are_told(marketo, landing):
    landing(objects=["leads"])
    del marketo.world.fields["seats__c"]
    marketo.world.fields["size__c"] = "integer"
    marketo.world.fields["leadScore"] = "float"

    done = landing(objects=["leads"])

    assert [note for note in done.notes if "Fields of mk/leads changed" in note] == [
        "Fields of mk/leads changed: new size__c, retyped leadScore (score became float), vanished seats__c. See landing/_fields."
    ]


def test_nothing_that_was_asked_could_have_made_a_lead(marketo, landing):
    landing()

    assert marketo.created_leads == 0
    assert not {each.split()[1] for each in CREATORS if each.startswith("POST")} & {
        call.split()[1] for call in marketo.calls if call.startswith("POST")
    }


def test_files_of_extracts_are_gone_once_they_have_landed(landing, tmp_path):
    landing()

    assert list(tmp_path.glob(".downloads/**/*.csv")) == []


def test_a_call_that_is_too_long_for_an_address_is_posted_and_makes_nobody(marketo, landing, rows):
    marketo.world.fields |= {f"a_custom_field_with_a_long_name_{i}__c": "string" for i in range(300)}
    landing(objects=["leads"])
    marketo.world.change(7, "firstName", "Changed")

    done = landing(objects=["leads"])

    assert (done.refused, done.stopped) == ([], None)
    assert ("7", "Changed") in rows("landing/mk/leads", "id", "firstName")
    assert "POST /rest/v1/activities/leadchanges.json" in marketo.calls
    assert marketo.created_leads == 0


def test_no_file_of_the_workspace_holds_the_secret(marketo, loading, tmp_path):
    marketo.every = {"502": 9}
    loading(objects=["leads"])

    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    tokens = [b"secret-of-ours", *(token.encode() for token in marketo._tokens)]

    assert len(written) > 20
    assert [path for path in written for text in tokens if text in path.read_bytes()] == []


def test_a_file_as_bulk_files_really_are_is_read_row_by_row(tmp_path):
    file = tmp_path / "leads.csv"
    file.write_bytes(
        b'id,firstName\n1,"first"Name1"\n2,"two\nlines"\n3,N\x00UL\n4,"said ""hi"""\n5,six,seven\n6,null\n'
    )

    read = read_export(file, "leads").read_all().to_pylist()

    names = {row["id"]: row["firstName"] for row in read if row["id"]}
    assert names == {"1": 'firstName1"', "2": "two\nlines", "3": "NUL", "4": 'said "hi"', "6": "null"}
    assert [row["_raw"] for row in read if row["_problem"]] == ["5,six,seven"]

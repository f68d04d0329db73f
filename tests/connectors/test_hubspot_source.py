"""HubSpot: every record and association once, as it is now, within the account's limits."""

import datetime as dt

import polars as pl
import pytest

from cdp_toolkit.connectors.hubspot.source import HubSpotSource
from cdp_toolkit.errors import QuotaExhausted
from cdp_toolkit.sources.land import land


def settings(account, **more):
    return {
        "type": "hubspot",
        "instance": "4711",
        "base_url": account.url,
        "access_token": "${env:HUBSPOT_TOKEN}",
    } | more


@pytest.fixture
def load(hubspot, lake, tmp_path):
    """Land what is new, as each command does: with a source opened anew."""

    def run(*objects, **more):
        source = HubSpotSource(settings(hubspot, objects=objects or ("contacts",), **more), folder=tmp_path)
        return land("crm", source, lake)

    return run


def contacts(account, n, **properties):
    return [account.save("contacts", email=f"c{i}@x.example", **properties) for i in range(n)]


def test_records_associations_and_lists_become_entities(hubspot, workspace_of):
    company = hubspot.save("companies", name="Acme", domain="acme.example", annualrevenue="5000000")
    ann = hubspot.save("contacts", email="ann@acme.example", associatedcompanyid=company, hs_email_optout="true")
    bob = hubspot.save("contacts", email="bob@acme.example", hs_merged_object_ids="7;8")
    deal = hubspot.save("deals", dealname="Big", amount="10.5", deal_currency_code="USD", dealstage="qualifiedtobuy")
    hubspot.associate("contacts", ann, "companies", company, "Primary")
    hubspot.associate("deals", deal, "companies", company, "Primary")
    hubspot.associate("deals", deal, "contacts", bob, "Decision maker")
    news = hubspot.add_list("News", ann, bob)
    hubspot.add_list("All customers", ann, processing="DYNAMIC")
    workspace = workspace_of(crm=settings(hubspot))

    done = workspace.load()

    assert done.problems == ()
    assert done.counts["rejected values"] == 0
    people = rows(workspace, "person", "source_id", "account_key", "consent_email", "is_deleted")
    assert people == {
        ann: (f"{company}@4711.HubSpot", "n", False), bob: (None, None, False), "7": (None, None, True),
        "8": (None, None, True),
    }  # fmt: skip
    assert rows(workspace, "account", "source_id", "domain", "annual_revenue") == {company: ("acme.example", 5e6)}
    assert rows(workspace, "opportunity", "source_id", "stage", "amount", "account_key") == {
        deal: ("Qualified", 10.5, f"{company}@4711.HubSpot")
    }
    assert rows(workspace, "account_person", "source_id", "is_primary") == {f"{ann}-{company}": (True,)}
    assert rows(workspace, "opportunity_person", "source_id", "role") == {f"{deal}-{bob}": ("Decision maker",)}
    assert set(rows(workspace, "marketing_list", "list_name")) == {"News", "All customers"}
    assert set(rows(workspace, "marketing_list_member", "source_id")) == {f"{news}-{ann}", f"{news}-{bob}"}

    del hubspot.members[news][ann]
    hubspot.pairs["deals", "contacts"] = {}
    hubspot.save("deals", id=deal, amount="11")
    workspace_of(crm=settings(hubspot)).load()

    assert rows(workspace, "marketing_list_member", "source_id", "is_deleted")[f"{news}-{ann}"] == (True,)
    assert rows(workspace, "opportunity_person", "source_id", "is_deleted") == {f"{deal}-{bob}": (True,)}
    assert rows(workspace, "opportunity", "source_id", "amount", "account_key") == {
        deal: (11.0, f"{company}@4711.HubSpot")
    }


def rows(workspace, entity, *columns):
    frame = workspace.lake.scan(f"entities/{entity}").to_native().select(columns).collect()
    return {first: tuple(rest) for first, *rest in frame.rows()}


def test_every_page_is_read_and_a_load_without_news_lands_nothing(hubspot, load, table):
    ids = contacts(hubspot, 250)

    load()
    quiet = load()

    assert sorted(table("contacts")["id"], key=int) == ids
    assert quiet.rows == 0


def test_what_changed_is_found_though_more_than_a_search_gives_changed_at_once(hubspot, load, table):
    load()
    at = dt.datetime.now(dt.UTC)
    ids = [hubspot.save("contacts", at, email="x@x.example") for _ in range(10_250)]

    done = load()

    assert (done.refused, sorted(table("contacts")["id"], key=int)) == ([], ids)


def test_what_the_search_does_not_show_yet_is_found_by_the_next_load(hubspot, load, table):
    load()
    late, other = contacts(hubspot, 2)
    hubspot.unindexed.add(late)
    load()
    hubspot.unindexed.clear()

    load()

    assert table("contacts")["id"].to_list() == [other, late]


def test_deleted_records_are_told_once(hubspot, load, table):
    gone, _ = contacts(hubspot, 2)
    load()
    hubspot.archive("contacts", gone)

    load()
    quiet = load()

    assert table("contacts").filter(pl.col("archived") == "true")["id"].to_list() == [gone]
    assert quiet.rows == 0


def test_all_properties_are_read_but_hidden_ones_and_those_left_out_also_when_they_are_many(hubspot, load, table):
    hubspot.properties["contacts"] |= {f"custom_property_{i}": "string" for i in range(400)}
    contacts(hubspot, 3, custom_property_399="yes", phone="1")

    load(leave_out=["contacts.phone"])

    assert table("contacts")["custom_property_399"].to_list() == ["yes"] * 3
    assert {"phone", "hs_calculated_secret"} & set(table("contacts").columns) == set()


def associations(table, name="deals_contacts"):
    return table(name).select("fromId", "toId", "labels", "isDeleted").rows()


def test_an_association_that_is_gone_or_named_anew_is_told(hubspot, load, table):
    deal = hubspot.save("deals", dealname="Big")
    one, two = contacts(hubspot, 2)
    hubspot.associate("deals", deal, "contacts", one, "User")
    hubspot.associate("deals", deal, "contacts", two)
    load("deals", "deals_contacts")
    hubspot.pairs["deals", "contacts"][deal] = {one: "Buyer"}
    hubspot.save("deals", id=deal)

    load("deals", "deals_contacts")
    quiet = load("deals", "deals_contacts")

    assert associations(table)[2:] == [(deal, one, "Buyer", "false"), (deal, two, None, "true")]
    assert quiet.rows == 0


def test_a_deal_whose_company_is_taken_away_has_none(hubspot, load, table):
    deal, company = hubspot.save("deals", dealname="Big"), hubspot.save("companies", name="Acme")
    hubspot.associate("deals", deal, "companies", company, "Primary")
    load("deals", "deals_companies")
    hubspot.pairs.clear()
    hubspot.save("deals", id=deal)

    load("deals", "deals_companies")

    named = table("deals_companies").select("primaryOf", "primary").rows()
    assert named == [(deal, company), (deal, None)]


def test_more_associations_than_one_answer_holds_are_all_read(hubspot, load, table):
    hubspot.most_associated = 2
    deal = hubspot.save("deals", dealname="Big")
    for each in contacts(hubspot, 5):
        hubspot.associate("deals", deal, "contacts", each)

    load("deals", "deals_contacts")

    assert len(associations(table)) == 5


def test_who_leaves_a_list_and_which_list_is_gone_is_told(hubspot, load, table):
    one, two = contacts(hubspot, 2)
    news, old = hubspot.add_list("News", one, two), hubspot.add_list("Old", one)
    load("lists", "list_memberships")
    del hubspot.members[news][one]
    del hubspot.lists[old]

    load("lists", "list_memberships")
    quiet = load("lists", "list_memberships")

    assert table("list_memberships").filter(pl.col("isDeleted") == "true").select("listId", "recordId").rows() == [
        (news, one)
    ]
    assert table("lists").filter(pl.col("isDeleted") == "true")["listId"].to_list() == [old]
    assert quiet.rows == 0


def test_members_of_lists_that_hubspot_fills_are_read_where_they_are_named(hubspot, load, table):
    one, *_ = contacts(hubspot, 1)
    hubspot.add_list("News", one)
    filled = hubspot.add_list("All customers", one, processing="DYNAMIC")

    load("list_memberships", lists=["All customers"])

    assert table("list_memberships")["listId"].to_list() == [filled]


@pytest.mark.parametrize(
    "fault",
    [
        lambda account: account.switches.fail(502, {}, at="/objects", times=2),
        lambda account: account.switches.cut(at="/objects"),
        lambda account: account.switches.fail(423, {"message": "locked"}, at="/objects", Retry_After="0.01"),
        lambda account: account.switches.fail(
            429, {"policyName": "SECONDLY", "message": "slower"}, at="/objects", Retry_After="0.01"
        ),
    ],
    ids=["502", "cut", "locked", "too fast"],
)
def test_what_goes_wrong_on_the_way_costs_no_row_and_doubles_none(hubspot, load, table, fault):
    ids = contacts(hubspot, 150)
    fault(hubspot)

    done = load()

    assert (done.refused, done.stopped) == ([], None)
    assert sorted(table("contacts")["id"], key=int) == ids


def test_the_limit_of_a_day_stops_with_the_time_to_go_on(hubspot, load):
    hubspot.switches.fail(429, {"policyName": "DAILY", "message": "You have reached your daily limit."}, at="/objects")

    done = load()

    assert isinstance(done.stopped, QuotaExhausted)
    assert "daily limit" in done.stopped.message


def test_a_backfill_that_stopped_goes_on_behind_the_last_page_that_landed(hubspot, load, table):
    ids = contacts(hubspot, 20_150)
    stopped = load(calls_a_day=202)
    hubspot.switches.calls.clear()

    done = load()

    assert (stopped.rows, done.rows) == (20_000, 150)
    assert sorted(table("contacts")["id"], key=int) == ids
    assert len(hubspot.switches.made("/objects/contacts")) < 5


def test_a_token_that_is_not_valid_stops_with_what_to_check_and_is_not_shown(load, monkeypatch):
    monkeypatch.setenv("HUBSPOT_TOKEN", "pat-eu1-wrong-one")

    done = load()

    assert "Check `access_token`" in done.stopped.hint
    assert "pat-eu1-wrong-one" not in repr(done)


def test_a_scope_that_is_missing_is_named_and_the_others_are_read(hubspot, load, table):
    contacts(hubspot, 1)
    hubspot.scopes.remove("companies")

    done = load("companies", "contacts")

    assert "crm.objects.companies.read" in done.refused[0].hint
    assert table("contacts").height == 1


def test_a_check_tells_the_account_and_which_scopes_are_missing(hubspot, tmp_path):
    hubspot.scopes.remove("deals")
    source = HubSpotSource(settings(hubspot, objects=["contacts", "deals", "lists"]), folder=tmp_path)

    found = {each.what: each.status for each in source.check()}

    assert found == {"login": "ok", "permission to read contacts": "ok", "permission to read deals": "problem"}

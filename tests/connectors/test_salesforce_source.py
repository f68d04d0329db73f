"""Salesforce: every record once, in its latest state, whatever happens on the way."""

import datetime as dt

import polars as pl
import pytest

from cdp_toolkit.connectors.salesforce.source import SalesforceSource
from cdp_toolkit.errors import ConfigError, QuotaExhausted
from cdp_toolkit.sources.land import land

DAY = dt.timedelta(days=1)


def settings(org, **more):
    return {
        "type": "salesforce", "instance": "00D5g", "base_url": org.url, "client_id": "key", "page_rows": 3,
        "username": "cdp@acme.example", "private_key": "${env:SF_KEY}",
    } | more  # fmt: skip


@pytest.fixture
def load(salesforce, lake, tmp_path):
    """Land what is new of the contacts, as each command does: with a source opened anew."""

    def run(**more):
        source = SalesforceSource(settings(salesforce, **({"objects": ["Contact"]} | more)), folder=tmp_path)
        return land("crm", source, lake)

    return run


def people(table):
    return dict(table("Contact").sort("SystemModstamp").unique("Id", keep="last").select("Id", "Email").rows())


def deleted(table):
    return set(table("Contact").filter(pl.col("IsDeleted") == "true")["Id"])


def contacts(org, n, **values):
    return [org.save("Contact", Email=f"c{i}@x.example", LastName=f"L{i}", **values) for i in range(n)]


def test_records_of_all_objects_become_entities(salesforce, workspace_of):
    account = salesforce.save("Account", Name="Acme", AnnualRevenue=5e6, CurrencyIsoCode="EUR")
    contact = salesforce.save("Contact", Email="ann@acme.example", AccountId=account, MailingCity="Köln")
    lead = salesforce.save(
        "Lead", Email="ann@acme.example", Company="Acme", IsConverted=True, ConvertedContactId=contact
    )
    deal = salesforce.save("Opportunity", Name="Big", AccountId=account, Amount=10.5, CurrencyIsoCode="USD", IsWon=True)
    salesforce.save("OpportunityContactRole", OpportunityId=deal, ContactId=contact, Role="Decision Maker")
    salesforce.save("AccountContactRelation", AccountId=account, ContactId=contact, Roles="Buyer;User", IsActive=True)
    campaign = salesforce.save("Campaign", Name="Fair", IsActive=True)
    salesforce.save("CampaignMember", CampaignId=campaign, LeadId=lead, LeadOrContactId=lead, Status="Sent")
    old = salesforce.save("Contact", Email="old@acme.example")
    salesforce.delete("Contact", old, master=contact)
    workspace = workspace_of(crm=settings(salesforce))

    done = workspace.load()

    assert done.problems == ()
    assert {name: n for name, n in done.details["records"].items() if n} == {
        "person": 3, "account": 1, "opportunity": 1, "opportunity_person": 1, "account_person": 1, "campaign": 1,
        "campaign_member": 1,
    }  # fmt: skip
    people = rows(workspace, "person", "source_id", "city", "account_key", "is_deleted")
    assert people[contact] == ("Köln", f"{account}@00D5g.Salesforce", False)
    assert people[old] == (None, None, True)
    assert rows(workspace, "opportunity", "source_id", "amount", "currency") == {deal: (10.5, "USD")}
    assert rows(workspace, "account", "source_id", "annual_revenue", "revenue_currency") == {account: (5e6, "EUR")}
    identities = workspace.lake.scan("entities/identities").to_native().collect()
    links = set(identities.filter(pl.col("namespace") == "person_key").select("source_key", "value").rows())
    assert {(key(lead), key(contact)), (key(contact), key(old))} <= links


def key(record):
    return f"{record}@00D5g.Salesforce"


def rows(workspace, entity, *columns):
    frame = workspace.lake.scan(f"entities/{entity}").to_native().select(columns).collect()
    return {first: tuple(rest) for first, *rest in frame.rows()}


def test_pages_are_read_to_their_end_and_lines_within_values_stay(salesforce, load, table):
    contacts(salesforce, 7)
    salesforce.save("Account", Name='The "A",\nInc.', Description="a\nb")

    load(objects=["Account", "Contact"])

    assert len(people(table)) == 7
    assert table("Account").select("Name", "Description").rows() == [('The "A",\nInc.', "a\nb")]


def test_a_load_without_news_lands_nothing_and_a_change_lands_alone(salesforce, load, table):
    first, *_ = contacts(salesforce, 4)
    load()
    quiet = load()
    salesforce.save("Contact", Id=first, Email="new@x.example")

    changed = load()

    assert (quiet.rows, changed.rows) == (0, 1)
    assert people(table)[first] == "new@x.example"


def test_records_that_share_the_time_of_the_last_one_are_not_lost(salesforce, load, table):
    at = dt.datetime.now(dt.UTC)
    salesforce.save("Contact", at, Email="a@x.example")
    load()

    salesforce.save("Contact", at, Email="b@x.example")
    load()

    assert sorted(people(table).values()) == ["a@x.example", "b@x.example"]


def test_custom_fields_and_objects_are_read_by_name_and_compounds_and_left_out_fields_are_not(salesforce, load, table):
    salesforce.fields["Contact"] |= {"Score__c": "double", "Notes__c": "textarea", "Age__c": "formula:double"}
    salesforce.define("Invoice__c", "a00", Total__c="currency")
    salesforce.save("Contact", Score__c=7, Notes__c="long", Age__c=3)
    salesforce.save("Invoice__c", Total__c=12.5)

    done = load(objects=["Contact", "Invoice__c"], leave_out=["Contact.Notes__c"], formulas=False)

    columns = table("Contact").columns
    assert "Score__c" in columns
    assert {"Notes__c", "Age__c", "MailingAddress"} & set(columns) == set()
    assert table("Invoice__c")["Total__c"].to_list() == ["12.5"]
    assert (done.refused, done.stopped) == ([], None)


def test_fields_that_come_and_go_are_told_and_stop_nothing(salesforce, load, table):
    contacts(salesforce, 1)
    load()
    salesforce.fields["Contact"] |= {"Score__c": "double"}
    del salesforce.fields["Contact"]["Department"]
    salesforce.save("Contact", Score__c=9)

    done = load()

    assert "Fields of crm/Contact changed: new Score__c, vanished Department. See landing/_fields." in done.notes
    assert table("Contact")["Score__c"].to_list() == [None, "9"]


def test_what_lies_in_the_recycle_bin_is_deleted_and_what_was_merged_names_the_other(salesforce, load, table):
    one, two, three = contacts(salesforce, 3)
    load()
    salesforce.delete("Contact", one)
    salesforce.delete("Contact", two, master=three)

    load()

    told = table("Contact").filter(pl.col("IsDeleted") == "true").select("Id", "MasterRecordId").rows()
    assert sorted(told) == [(one, None), (two, three)]


@pytest.fixture
def yesterday(salesforce, load):
    """Three contacts were loaded yesterday."""
    salesforce.clock = lambda: dt.datetime.now(dt.UTC) - DAY
    ids = contacts(salesforce, 3)
    load()
    salesforce.clock = lambda: dt.datetime.now(dt.UTC)
    return ids


def test_what_has_left_the_recycle_bin_is_deleted_too(salesforce, load, table, yesterday):
    salesforce.delete("Contact", yesterday[0], dt.datetime.now(dt.UTC) - DAY / 2, purge=True)

    load()

    assert deleted(table) == {yesterday[0]}


def test_deletes_that_the_log_shows_late_are_asked_for_again(salesforce, load, table, yesterday):
    salesforce.latest_covered = dt.datetime.now(dt.UTC) - DAY * 0.9
    salesforce.delete("Contact", yesterday[0], dt.datetime.now(dt.UTC) - DAY / 2, purge=True)
    load()
    before = deleted(table)
    salesforce.latest_covered = None

    load()

    assert (before, deleted(table)) == (set(), {yesterday[0]})


def test_too_many_deletes_are_asked_for_in_parts(salesforce, load, table, yesterday):
    salesforce.id_limit = 1
    for i, each in enumerate(yesterday):
        salesforce.delete("Contact", each, dt.datetime.now(dt.UTC) - DAY * (i + 1) / 5, purge=True)

    load()

    assert deleted(table) == set(yesterday)


def test_after_weeks_without_a_load_what_is_gone_is_found_by_comparison(salesforce, load, table):
    salesforce.clock = lambda: dt.datetime.now(dt.UTC) - 40 * DAY
    one, *_ = contacts(salesforce, 3)
    load()
    salesforce.delete("Contact", one, purge=True)
    salesforce.clock = lambda: dt.datetime.now(dt.UTC)

    done = load()

    assert deleted(table) == {one}
    assert any("compared one by one, and 1 are no more" in note for note in done.notes)
    assert load().rows == 0


@pytest.mark.parametrize(
    "faults",
    [
        {"dies_after": 5},
        {"fails_every": 3},
        {"truncates": {1, 4}},
        {"cuts": {1, 3, 4}},
        {"busy": 3},
        {"polls": 4},
    ],
    ids=lambda each: next(iter(each)),
)
def test_what_goes_wrong_on_the_way_costs_no_row_and_doubles_none(salesforce, load, table, faults):
    ids = contacts(salesforce, 20)
    for name, value in faults.items():
        setattr(salesforce.faults, name, value)

    done = load()

    assert (done.refused, done.stopped) == ([], None)
    assert table("Contact")["Id"].sort().to_list() == sorted(ids)


def test_a_query_that_fails_is_told_and_started_again_by_the_next_load(salesforce, load, table):
    contacts(salesforce, 2)
    salesforce.faults.fails_jobs = 1

    failed = load()
    load()

    assert [each.message for each in failed.refused] == ["The query was failed: timed out."]
    assert len(people(table)) == 2


def test_a_load_that_stops_goes_on_at_the_page_where_it_stopped(salesforce, load, table):
    ids = contacts(salesforce, 9)
    salesforce.daily_calls = salesforce.calls + 7
    stopped = load(api_share=1)
    salesforce.daily_calls = 100_000
    started = salesforce.counted()["/services/data/v62.0/jobs/query"]

    load()

    assert "of the organisation's" in stopped.stopped.message
    assert 0 < started == salesforce.counted()["/services/data/v62.0/jobs/query"]
    assert table("Contact")["Id"].to_list() == ids


def test_a_query_whose_results_are_no_longer_kept_is_started_again(salesforce, load, table):
    ids = contacts(salesforce, 9)
    salesforce.daily_calls = salesforce.calls + 7
    load(api_share=1)
    salesforce.daily_calls = 100_000
    salesforce.jobs.clear()

    load()

    assert sorted(people(table)) == ids


def test_the_rest_of_the_organisation_keeps_its_share_of_calls(salesforce, load):
    contacts(salesforce, 9)
    salesforce.daily_calls = 10

    done = load(api_share=0.5)

    assert salesforce.calls == 5
    assert isinstance(done.stopped, QuotaExhausted)


def test_an_object_that_the_user_may_not_read_is_told_and_the_others_are_read(salesforce, load, table):
    contacts(salesforce, 1)
    salesforce.faults.forbids = {"Lead"}

    done = load(objects=["Lead", "Contact"])

    assert [str(each).splitlines()[0] for each in done.refused] == [
        "There is no object 'Lead', or the user may not read it."
    ]
    assert len(people(table)) == 1


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"client_id": "other"}, "user hasn't approved this consumer"),
        ({"login": "password", "password": "${env:WRONG}", "client_secret": "${env:SECRET}"}, "authentication failure"),
    ],
)
def test_a_refused_login_is_told_with_what_to_check_and_without_the_secret(load, monkeypatch, more, told):
    monkeypatch.setenv("WRONG", "hunter22hunter22")
    monkeypatch.setenv("SECRET", "secret")

    done = load(**more)

    assert told in done.stopped.message
    assert "Check the user" in done.stopped.hint
    assert "hunter22" not in repr(done)


@pytest.mark.parametrize(
    "more",
    [
        {"login": "client_credentials", "client_secret": "${env:SF_SECRET}"},
        {"login": "password", "client_secret": "${env:SF_SECRET}", "password": "${env:SF_PASSWORD}"},
    ],
    ids=lambda each: each["login"],
)
def test_the_other_ways_to_log_in_work_too(salesforce, load, monkeypatch, more):
    monkeypatch.setenv("SF_SECRET", "secret")
    monkeypatch.setenv("SF_PASSWORD", salesforce.password)

    assert load(**more).stopped is None


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"login": "client_credentials"}, "the login client_credentials needs client_secret"),
        ({"private_key": "-----BEGIN"}, "a secret is not written here"),
        ({"page_rows": 0}, "page_rows"),
    ],
)
def test_settings_that_cannot_work_are_told_before_anything_is_called(salesforce, tmp_path, more, told):
    with pytest.raises(ConfigError, match=told):
        SalesforceSource(settings(salesforce, **more), folder=tmp_path)


def test_a_check_tells_who_logs_in_what_may_not_be_read_and_what_is_left(salesforce, tmp_path):
    salesforce.faults.forbids = {"Lead"}
    salesforce.daily_calls = 10
    source = SalesforceSource(settings(salesforce), folder=tmp_path, objects={"Contact": (), "Lead": ()})

    found = {each.what: (each.status, each.detail) for each in source.check()}

    assert found["login"] == ("ok", "cdp@acme.example")
    assert found["permission to read Lead"][0] == "problem"
    assert found["permission to read"] == ("ok", "Contact")
    assert found["API calls left"] == ("ok", "8 of 10 in 24 hours")

"""Dynamics 365: every row once, then what changed, with deletes, whatever happens on the way."""

import datetime as dt

import polars as pl
import pytest

from cdp_toolkit.connectors.dynamics.source import DynamicsSource
from cdp_toolkit.errors import ConfigError
from cdp_toolkit.sources.land import land

DAYS_10 = dt.timedelta(days=10)


def settings(environment, **more):
    return {
        "type": "dynamics", "instance": "acme", "base_url": environment.url, "login_url": environment.url,
        "tenant_id": "tenant", "client_id": "app", "client_secret": "${env:DYNAMICS_SECRET}", "page_rows": 3,
    } | more  # fmt: skip


@pytest.fixture
def load(dynamics, lake, tmp_path):
    """Land what is new, as each command does: with a source opened anew."""

    def run(*objects, **more):
        source = DynamicsSource(settings(dynamics, objects=objects or ("contact",), **more), folder=tmp_path)
        return land("crm", source, lake)

    return run


def contacts(environment, n, **values):
    return [environment.save("contact", emailaddress1=f"c{i}@x.example", **values) for i in range(n)]


def deleted(table):
    return table("contact").filter(pl.col("isDeleted") == "true")["contactid"].to_list()


def test_rows_of_all_tables_become_entities(dynamics, workspace_of):
    euro = dynamics.save("transactioncurrency", isocurrencycode="EUR")
    dynamics.label("account", "industrycode", 7, "Finance")
    dynamics.label("account", "industrycode", 7, "Finanzen", language=1031)
    account = dynamics.save("account", name="Acme", revenue=5e6, industrycode=7, _transactioncurrencyid_value=euro)
    ann = dynamics.save("contact", emailaddress1="ann@acme.example", _accountid_value=account, donotemail=True)
    old = dynamics.save("contact", emailaddress1="old@acme.example", merged=True, _masterid_value=ann)
    lead = dynamics.save("lead", emailaddress1="ann@acme.example", statecode=1, _parentcontactid_value=ann)
    deal = dynamics.save("opportunity", name="Big", estimatedvalue=10.5, statecode=2, _parentaccountid_value=account)
    role = dynamics.save("connectionrole", name="Decision Maker")
    tie = dynamics.save(
        "connection", record1objecttypecode=3, record2objecttypecode=2, _record1id_value=deal, _record2id_value=ann,
        _record2roleid_value=role,
    )  # fmt: skip
    dynamics.save(
        "connection", record1objecttypecode=2, record2objecttypecode=3, _record1id_value=ann, _record2id_value=deal
    )
    news = dynamics.save("list", listname="News")
    member = dynamics.save("listmember", _listid_value=news, _entityid_value=ann)
    workspace = workspace_of(crm=settings(dynamics, language=1031))

    done = workspace.load()

    assert done.problems == ()
    assert done.counts["rejected values"] == 0
    assert rows(workspace, "person", "source_id", "account_key", "consent_email", "converted_contact_key", "is_deleted") == {
        ann: (key(account), "n", None, False), old: (None, None, None, True), lead: (None, None, key(ann), False),
    }  # fmt: skip
    assert rows(workspace, "account", "source_id", "industry", "annual_revenue", "revenue_currency") == {
        account: ("Finanzen", 5e6, "EUR")
    }
    assert rows(workspace, "opportunity", "source_id", "amount", "is_closed", "is_won", "account_key") == {
        deal: (10.5, True, False, key(account))
    }
    assert rows(workspace, "opportunity_person", "source_id", "opportunity_key", "person_key", "role") == {
        tie: (key(deal), key(ann), "Decision Maker")
    }
    assert rows(workspace, "marketing_list_member", "source_id", "list_key", "person_key") == {
        member: (key(news), key(ann))
    }


def key(record):
    return f"{record}@acme.Dynamics"


def rows(workspace, entity, *columns):
    frame = workspace.lake.scan(f"entities/{entity}").to_native().select(columns).collect()
    return {first: tuple(rest) for first, *rest in frame.rows()}


def test_every_page_is_read_then_only_what_changed_and_what_is_gone(dynamics, load, table):
    one, two, *_ = contacts(dynamics, 8)
    first = load()
    dynamics.save("contact", id=one, emailaddress1="new@x.example")
    dynamics.delete("contact", two)

    second = load()
    quiet = load()

    assert (first.rows, second.rows, quiet.rows) == (8, 2, 0)
    assert table("contact").tail(2).select("contactid", "emailaddress1", "isDeleted").rows() == [
        (one, "new@x.example", "false"), (two, None, "true"),
    ]  # fmt: skip


def test_more_changes_than_one_page_are_all_read(dynamics, load, table):
    load()
    ids = contacts(dynamics, 10)
    dynamics.delete("contact", ids[0])

    load()

    assert table("contact")["contactid"].to_list() == [*ids[1:], ids[0]]


def test_after_a_pause_of_more_than_seven_days_what_is_gone_is_found_by_comparison(dynamics, load, table):
    dynamics.clock = lambda: dt.datetime.now(dt.UTC) - DAYS_10
    one, two, *_ = contacts(dynamics, 5)
    load()
    dynamics.clock = lambda: dt.datetime.now(dt.UTC)
    dynamics.save("contact", id=one, emailaddress1="new@x.example")
    dynamics.delete("contact", two)

    late = load()
    quiet = load()

    assert (late.rows, quiet.rows, deleted(table)) == (2, 0, [two])
    assert any("it is compared" in note for note in late.notes)


def test_a_comparison_that_broke_off_is_made_by_the_next_load(dynamics, load, table):
    dynamics.clock = lambda: dt.datetime.now(dt.UTC) - DAYS_10
    one, *_ = contacts(dynamics, 5)
    load()
    dynamics.clock = lambda: dt.datetime.now(dt.UTC)
    dynamics.delete("contact", one)
    broken = load(calls_a_day=9)
    before = deleted(table)

    load()

    assert broken.stopped is not None
    assert (before, deleted(table)) == ([], [one])


def test_a_new_column_brings_its_values_and_is_told(dynamics, load, table):
    ids = contacts(dynamics, 4)
    load()
    dynamics.add_column("contact", "acme_score", "Integer")
    dynamics.save("contact", id=ids[0], acme_score=7)

    done = load()

    assert "Fields of crm/contact changed: new acme_score. See landing/_fields." in done.notes
    assert table("contact").filter(pl.col("acme_score") == "7")["contactid"].to_list() == [ids[0]]
    assert done.rows == 1


def test_a_table_without_change_tracking_is_read_by_time_and_compared(dynamics, load, table):
    dynamics.untracked.add("contact")
    one, two, *_ = contacts(dynamics, 8)
    first = load()
    dynamics.save("contact", id=one, emailaddress1="new@x.example")
    dynamics.delete("contact", two)

    second = load()
    quiet = load()

    assert (first.rows, second.rows, quiet.rows) == (8, 2, 0)
    assert deleted(table) == [two]


def test_custom_tables_are_read_by_name_and_columns_that_are_left_out_do_not_land(dynamics, load, table):
    dynamics.tables["acme_invoice"], dynamics.columns["acme_invoice"] = {}, {"acme_total": "Money"}
    dynamics.gone["acme_invoice"], dynamics.changed_at["acme_invoice"] = [], 0
    dynamics.save("acme_invoice", acme_total=12.5, acme_notes="long")

    done = load("acme_invoice", leave_out=["acme_invoice.acme_notes"])

    assert done.refused == []
    assert table("acme_invoice")["acme_total"].to_list() == ["12.5"]
    assert "acme_notes" not in table("acme_invoice").columns


@pytest.mark.parametrize(
    "fault",
    [
        lambda environment: environment.switches.fail(503, {}, at="/contacts", times=2),
        lambda environment: environment.switches.cut(at="/contacts"),
        lambda environment: environment.switches.fail(
            429, {"error": {"code": "0x80072322", "message": "Number of requests exceeded"}}, at="/contacts",
            Retry_After="0.01",
        ),
        lambda environment: environment.switches.fail(401, {}, at="/contacts"),
    ],
    ids=["503", "cut", "too fast", "token"],
)  # fmt: skip
def test_what_goes_wrong_on_the_way_costs_no_row_and_doubles_none(dynamics, load, table, fault):
    ids = contacts(dynamics, 10)
    fault(dynamics)

    done = load()

    assert (done.refused, done.stopped) == ([], None)
    assert table("contact")["contactid"].to_list() == ids


def test_a_token_is_fetched_again_before_it_ends(dynamics, load, table):
    dynamics.lives_s = 0
    contacts(dynamics, 4)

    load()

    assert len(dynamics.switches.made("/oauth2/")) > 1
    assert table("contact").height == 4


def test_a_server_that_asks_to_wait_longer_than_a_load_may_stops_with_the_time_to_go_on(dynamics, load):
    dynamics.switches.fail(429, {"error": {"code": "0x80072322", "message": "slow"}}, at="/contacts", Retry_After="900")

    done = load()

    assert "Run again after" in done.stopped.hint


def test_a_table_that_may_not_be_read_is_told_and_the_others_are_read(dynamics, load, table):
    contacts(dynamics, 1)
    dynamics.forbidden.add("account")

    done = load("account", "contact", "nonsense")

    assert [error.where for error in done.refused] == [
        "GET /api/data/v9.2/accounts",
        "GET /api/data/v9.2/EntityDefinitions(LogicalName='nonsense')",
    ]
    assert "security role" in done.refused[0].hint
    assert table("contact").height == 1


def test_a_refused_login_is_told_with_what_to_check_and_without_the_secret(load, monkeypatch):
    monkeypatch.setenv("DYNAMICS_SECRET", "hunter22hunter22")

    done = load()

    assert "AADSTS7000215" in done.stopped.message
    assert "has expired" in done.stopped.hint
    assert "hunter22" not in repr(done)


def test_an_address_with_a_path_is_refused(dynamics, tmp_path):
    with pytest.raises(ConfigError, match="base_url"):
        DynamicsSource(settings(dynamics, base_url="https://acme.crm4.dynamics.com/main.aspx"), folder=tmp_path)


def test_a_check_tells_permissions_and_which_tables_are_not_tracked(dynamics, tmp_path):
    dynamics.forbidden.add("account")
    dynamics.untracked.add("list")
    source = DynamicsSource(settings(dynamics, objects=["contact", "account", "list"]), folder=tmp_path)

    found = {each.what.rpartition(" ")[2]: each.status for each in source.check()}

    assert found == {"login": "ok", "contact": "ok", "account": "problem", "list": "warning"}

"""What the deals and the people of an account add up to."""

import datetime as dt

import pytest

from cdp_toolkit.profiles.components import person_components, person_identities
from cdp_toolkit.profiles.merge import own_records
from cdp_toolkit.profiles.relations import Keys
from cdp_toolkit.profiles.rollups import account_pipelines, account_roles, roll_up

IDS = {"profile_id": "integer", "account_id": "integer", "opportunity_id": "integer", "source_key": "text"}


def day(number):
    return dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=number)


@pytest.fixture
def deals(rows_of):
    def build(*deals):
        rows = [{"profile_id": number, "account_id": 1} | deal for number, deal in enumerate(deals)]
        return rows_of("profiles/opportunity", rows, IDS.items())

    return build


@pytest.fixture
def rolled(rows_of, rows):
    """Roll up accounts 1 and 2 and return columns of them."""

    def roll(*columns, pipelines=None, people=(), events=()):
        accounts = rows_of("profiles/person_account", [{"account_id": 1}, {"account_id": 2}])
        given = roll_up(
            accounts.select(profile_id="account_id"),
            pipelines=account_pipelines(rows_of("profiles/opportunity", [], IDS.items())) if pipelines is None else pipelines,
            person_accounts=rows_of("profiles/person_account", [dict(zip(("profile_id", "account_id"), pair, strict=True)) for pair in people]),
            events=rows_of("profiles/event", [dict(zip(("profile_id", "event_type", "timestamp"), event, strict=True)) for event in events], IDS.items()),
        )  # fmt: skip
        return rows(given, "profile_id", *columns)

    return roll


OPEN, WON, LOST = (
    {"is_closed": closed, "is_won": won} for closed, won in ((False, False), (True, True), (True, False))
)


def test_open_won_and_lost_deals_are_counted_and_their_amounts_added(deals, rolled):
    pipelines = account_pipelines(
        deals(
            OPEN | {"amount": 10.0, "currency": "EUR", "created_at": day(3)},
            OPEN | {"amount": None, "currency": "EUR", "created_at": day(9)},
            WON | {"amount": 5.0, "currency": "EUR", "created_at": day(1)},
            LOST | {"amount": 99.0, "currency": "EUR"},
            {"is_closed": None, "is_won": None, "amount": 7.0, "currency": "EUR"},
            OPEN | {"amount": 1000.0, "account_id": None},
        )
    )

    found = rolled(
        "opportunities_count", "open_opportunities", "won_opportunities", "lost_opportunities", "open_pipeline",
        "won_revenue", "pipeline_currency", "first_opportunity_at", "last_opportunity_at", pipelines=pipelines,
    )  # fmt: skip

    assert found == [(1, 5, 2, 1, 1, 10.0, 5.0, "EUR", day(1), day(9)), (2, 0, 0, 0, 0, 0.0, 0.0, None, None, None)]


def test_currencies_are_never_added_and_the_account_shows_that_of_most_deals(deals, rolled, rows):
    pipelines = account_pipelines(
        deals(
            OPEN | {"amount": 1000.0, "currency": "JPY"},
            OPEN | {"amount": 10.0, "currency": "EUR"},
            OPEN | {"amount": 20.0, "currency": "EUR"},
            *[OPEN | {"amount": 1.0, "currency": None}] * 3,
        )
    )

    assert rows(pipelines, "currency", "open_pipeline") == [("EUR", 30.0), ("JPY", 1000.0), (None, 3.0)]
    assert rolled("pipeline_currency", "open_pipeline", "open_opportunities", pipelines=pipelines)[0] == (
        1, "EUR", 30.0, 6
    )  # fmt: skip


@pytest.mark.parametrize(
    ("currencies", "main"), [(["USD", "EUR"], "EUR"), ([None, None], None), ([None, "USD"], "USD")]
)
def test_a_tie_of_currencies_goes_to_the_first_by_name_and_none_only_to_what_has_none(deals, rolled, currencies, main):
    pipelines = account_pipelines(deals(*(OPEN | {"amount": 1.0, "currency": each} for each in currencies)))

    assert rolled("pipeline_currency", pipelines=pipelines)[0] == (1, main)


def test_engagement_is_what_its_people_did_not_what_was_done_to_them(rolled):
    people = [(10, 1), (11, 1), (11, 2)]
    events = [
        (10, "web.webpagedetails.pageViews", day(1)),
        (11, "directMarketing.emailOpened", day(2)),
        (11, "directMarketing.emailSent", day(3)),
        (10, "directMarketing.emailBouncedSoft", day(4)),
        (10, "leadOperation.scoreChanged", day(5)),
        (None, "web.webpagedetails.pageViews", day(6)),
        (12, "web.webpagedetails.pageViews", day(7)),
    ]

    assert rolled("people_count", "last_engagement_at", people=people, events=events) == [
        (1, 2, day(2)),
        (2, 1, day(2)),
    ]


def test_people_are_counted_once_a_role_by_relation_or_by_deal(rows_of, deals, rows):
    ties = rows_of(
        "profiles/account_person",
        [
            {"profile_id": 10, "account_id": 1, "role": "Manager", "roles": ["Manager", "Decision Maker"]},
            {"profile_id": 11, "account_id": 1, "role": "Manager", "is_active": False},
            {"profile_id": 12, "account_id": 2, "role": "Manager", "is_active": True},
        ],
        IDS.items(),
    )
    on_deals = rows_of(
        "profiles/opportunity_person",
        [
            {"profile_id": 10, "opportunity_id": 0, "role": "Decision Maker"},
            {"profile_id": 13, "opportunity_id": 0, "role": "Decision Maker"},
            {"profile_id": 13, "opportunity_id": 1, "role": "Decision Maker"},
            {"profile_id": 13, "opportunity_id": 1, "role": None},
        ],
        IDS.items(),
    )

    found = account_roles(ties, on_deals, deals({}, {}))

    assert rows(found, "account_id", "role", "people") == [
        (1, "Decision Maker", 2), (1, "Manager", 1), (2, "Manager", 1)
    ]  # fmt: skip


def test_a_person_has_a_component_a_live_record_with_the_account_that_it_names(records, rows_of, engine, model, rows):
    found, ids = records(
        {"source": "crm", "person_type": "Contact", "account_key": "a@00D1.Salesforce", "email": "a@x.example"},
        {"source": "marketo", "person_type": "Lead", "person_status": "New", "person_score": 3.0},
        {"source": "marketo", "is_deleted": True},
    )
    spelt = {"entity": "account", "namespace": "account_key", "value": "account_key:a@00D1.Salesforce", "profile_id": 7}
    known = engine.key64(rows_of("identity/identities", [spelt]).drop("value_key"), {"value_key": "value"})

    components = person_components(
        own_records(found, ids, engine), model.entity("person_component"), Keys(known, engine)
    )

    columns = ("profile_id", "person_key", "source_type", "person_type", "person_score", "account_id", "email")
    assert rows(components, *columns) == [
        (1, "0@00D1.Salesforce", "Salesforce", "Contact", None, 7, "a@x.example"),
        (1, "1@123-ABC.Marketo", "Marketo", "Lead", 3.0, None, None),
    ]


def test_the_identities_of_a_person_are_all_that_lead_to_them_but_for_record_keys(rows_of, rows):
    known = [("person", "email", "a@x.example"), ("person", "ecid", "1"), ("person", "person_key", "1@m.M"),
             ("account", "domain", "x.example")]  # fmt: skip
    columns = ("entity", "namespace", "value")
    identities = rows_of(
        "identity/identities", [dict(zip(columns, each, strict=True)) | {"profile_id": 1} for each in known]
    )

    found = person_identities(identities)

    assert rows(found, "profile_id", "source_key", "namespace", "value") == [
        (1, "ecid:1", "ecid", "1"), (1, "email:a@x.example", "email", "a@x.example")
    ]  # fmt: skip


def test_a_person_with_50_000_events_at_an_account_of_20_000_people_is_a_row_like_any_other(engine, rows):
    import numpy as np
    import pyarrow as pa

    people, events = 20_000, 50_000
    times = np.datetime64("2026-01-01T00:00:00") + np.arange(events).astype("timedelta64[s]")
    schema = {"profile_id": np.zeros(events, np.int64), "event_type": ["web.webpagedetails.pageViews"] * events,
              "timestamp": pa.array(times, pa.timestamp("us", "UTC"))}  # fmt: skip
    ties = engine.load(pa.table({"profile_id": np.arange(people), "account_id": np.ones(people, np.int64)}))
    deal = {"profile_id": [5], "account_id": [1], "is_closed": [False], "is_won": [False], "amount": [1.0],
            "currency": ["EUR"], "created_at": pa.array([day(0)], pa.timestamp("us", "UTC"))}  # fmt: skip

    rolled = roll_up(
        engine.load(pa.table({"profile_id": [1]})),
        pipelines=account_pipelines(engine.load(pa.table(deal))),
        person_accounts=ties,
        events=engine.load(pa.table(schema)),
    )

    assert rows(rolled, "people_count", "last_engagement_at") == [(people, day(0) + dt.timedelta(seconds=events - 1))]
    assert not any(pa.types.is_list(kind) for kind in engine.collect(rolled).schema.types)

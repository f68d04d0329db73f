"""One row a profile: which value it shows, and whose."""

import datetime as dt

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_toolkit.profiles import MergePolicy
from cdp_toolkit.profiles.explain import origins
from cdp_toolkit.profiles.merge import merge_origins, merge_records
from cdp_toolkit.profiles.policies import resolve

SOURCES = {"marketo": ("Marketo", "123-ABC"), "crm": ("Salesforce", "00D1"), "old_crm": ("Salesforce", "00D2")}


def day(number):
    return dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=number)


@pytest.fixture
def merged(records, engine, model, rows):
    """Merge records under a policy and return columns of the profiles."""

    def merge(given, *columns, entity="person", **policy):
        found, ids = records(*given, entity=entity)
        (chosen,) = resolve({"default": MergePolicy.model_validate(policy)}, model, SOURCES)
        return rows(merge_records(found, ids, model.entity(entity), engine, chosen), *columns)

    return merge


def test_a_value_is_that_of_the_record_changed_last_that_has_one(merged):
    records = [{"city": "Bonn", "job_title": "Buyer", "at": day(1)}, {"city": "Graz", "at": day(2)}]

    assert merged(records, "city", "job_title", "records") == [("Graz", "Buyer", 2)]


def test_by_sources_the_first_that_has_a_value_wins_and_others_only_where_none_has(merged):
    records = [
        {"source": "crm", "city": "Bonn", "at": day(1)},
        {"source": "marketo", "city": "Graz", "job_title": "Buyer", "state": "NRW", "at": day(2)},
        {"source": "old_crm", "city": "Wien", "job_title": "Head", "at": day(3)},
    ]

    found = merged(records, "city", "job_title", "state", order="sources", sources=["crm", "old_crm"])

    assert found == [("Bonn", "Head", "NRW")]


def test_each_column_may_trust_a_source_of_its_own(merged):
    records = [
        {"source": "crm", "person_score": 10.0, "job_title": "Head", "city": "Bonn", "at": day(1)},
        {"source": "marketo", "person_score": 80.0, "job_title": "Buyer", "city": "Graz", "at": day(2)},
        {"source": "crm", "person_score": 20.0, "city": "Wien", "at": day(3)},
    ]
    columns = {"person_score": {"sources": ["marketo"]}, "job_title": {"sources": ["Salesforce"]}}

    assert merged(records, "person_score", "job_title", "city", columns=columns) == [(80.0, "Head", "Wien")]


@pytest.mark.parametrize(
    ("answers", "wins"),
    [
        (["n", "y"], "n"),
        (["y", "p"], "p"),
        (["u", "y"], "u"),
        (["n", "p", "u", "y"], "n"),
        (["y", None], "y"),
        ([None, None], None),
        (["dy", "y"], "dy"),
        (["dn", "p"], "dn"),
        (["LI", "y"], "LI"),
        (["u", "maybe"], "u"),
        (["N", "y"], "N"),
    ],
)
def test_the_answer_that_permits_least_wins_whenever_it_was_given(merged, answers, wins):
    records = [{"consent_email": answer, "at": day(number)} for number, answer in enumerate(answers)]

    assert merged(records, "consent_email") == [wins]
    assert merged(records[::-1], "consent_email") == [wins]


def test_the_reason_and_the_time_of_a_consent_are_those_of_the_answer_that_won(merged):
    records = [
        {"consent_email": "n", "consent_email_at": day(3), "at": day(1)},
        {"consent_email": "y", "consent_email_reason": "asked at the fair", "consent_email_at": day(5), "at": day(9)},
    ]

    assert merged(records, "consent_email", "consent_email_reason", "consent_email_at") == [("n", None, day(3))]


def test_a_source_list_for_all_columns_weakens_no_consent(merged):
    records = [{"source": "crm", "consent_call": "y", "at": day(2)}, {"source": "marketo", "consent_call": "n"}]

    assert merged(records, "consent_call", order="sources", sources=["crm"]) == ["n"]


def test_deleted_records_give_no_value_and_a_profile_without_others_is_gone(merged):
    records = [
        {"city": "Bonn", "at": day(1)},
        {"city": "Graz", "at": day(2), "is_deleted": True},
        {"city": "Wien", "is_deleted": True, "profile_id": 2},
    ]

    assert merged(records, "profile_id", "city") == [(1, "Bonn")]


def test_an_origin_tells_the_record_the_rule_and_what_others_say(records, engine, model):
    found, ids = records(
        {"source": "crm", "job_title": "Head", "consent_email": "n", "at": day(1)},
        {"source": "marketo", "job_title": "Buyer", "consent_email": "y", "city": "Graz", "at": day(2)},
    )
    given = MergePolicy.model_validate({"columns": {"job_title": {"sources": ["Salesforce"]}}})
    (policy,) = resolve({"default": given}, model, SOURCES)

    told = {
        each["column"]: (each["value"], each["source_key"], each["rule"], each["others"])
        for each in origins(found, ids, model.entity("person"), engine, profile_id=1, policy=policy)
    }

    assert told["job_title"] == ("Head", "0@00D1.Salesforce", "Salesforce first", ["Buyer"])
    assert told["consent_email"] == ("n", "0@00D1.Salesforce", "strictest", ["y"])
    assert told["city"] == ("Graz", "1@123-ABC.Marketo", "latest", [])
    assert "state" not in told


def test_a_list_comes_from_one_record_too(records, engine, model):
    found, ids = records(
        {"account_name": "Acme", "related_keys": ["a@x.S"], "at": day(1)}, {"related_keys": ["b@x.S"], "at": day(2)},
        entity="account",
    )  # fmt: skip

    told = origins(found, ids, model.entity("account"), engine, profile_id=1)

    assert [(each["value"], each["others"]) for each in told if each["column"] == "related_keys"] == [
        (["b@x.S"], ["a@x.S"])
    ]


_CITY = st.sampled_from([None, "Bonn", "Graz", "Wien"])
_ANSWER = st.sampled_from([None, "y", "n", "p", "u", "dy", "dn", "LI", "other"])
_RECORD = st.fixed_dictionaries(
    {
        "source": st.sampled_from(list(SOURCES)),
        "profile_id": st.integers(1, 3),
        "at": st.one_of(st.none(), st.integers(0, 3).map(day)),
        "city": _CITY,
        "job_title": _CITY,
        "person_score": st.one_of(st.none(), st.floats(0, 99)),
        "consent_email": _ANSWER,
        "consent_email_reason": _CITY,
        "consent_call": _ANSWER,
        "is_deleted": st.sampled_from([False, False, False, True]),
    }
)
_RULE = st.one_of(
    st.just({"latest": True}),
    st.lists(st.sampled_from(["marketo", "crm", "00D2", "Salesforce"]), min_size=1, unique=True).map(
        lambda sources: {"sources": sources}
    ),
)
_POLICY = st.builds(
    lambda sources, city, consent: {
        **({"order": "sources", "sources": sources} if sources else {}),
        "columns": {"city": city} | ({"consent_call": consent} if consent else {}),
    },
    st.one_of(st.none(), st.lists(st.sampled_from(["marketo", "crm", "Salesforce"]), min_size=1, unique=True)),
    _RULE,
    st.one_of(st.none(), _RULE),
)


def by_hand(given_records, column, ranks):
    """Return the value of each profile, chosen in plain Python."""
    chosen = {}
    for number, record in enumerate(given_records):
        if not record["is_deleted"]:
            at = record["at"].timestamp() if record["at"] else 0
            key = f"{number}@{SOURCES[record['source']][1]}.{SOURCES[record['source']][0]}"
            place = (record[column] is not None, ranks(record), at, key)
            chosen.setdefault(record["profile_id"], []).append((place, record[column]))
    return {profile: max(found, key=lambda each: each[0])[1] for profile, found in chosen.items()}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_records=st.lists(_RECORD, min_size=1, max_size=8))
def test_the_values_are_those_that_plain_python_chooses(records, engine, model, given_records):
    found, ids = records(*given_records)
    policy = MergePolicy.model_validate({"columns": {"city": {"sources": ["old_crm", "Salesforce"]}}})

    (chosen,) = resolve({"default": policy}, model, SOURCES)
    people = engine.collect(merge_records(found, ids, model.entity("person"), engine, chosen)).to_pylist()

    trusted = {"old_crm": 2, "crm": 1, "marketo": 0}
    strictness = {"y": 1, "dy": 2, "u": 4, "p": 5, "dn": 6, "n": 7, None: 0}
    assert {each["profile_id"]: each["job_title"] for each in people} == by_hand(
        given_records, "job_title", lambda _: 0
    )
    assert {each["profile_id"]: each["city"] for each in people} == by_hand(
        given_records, "city", lambda record: trusted[record["source"]]
    )
    assert {each["profile_id"]: each["consent_email"] for each in people} == by_hand(
        given_records, "consent_email", lambda record: strictness.get(record["consent_email"], 3)
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_records=st.lists(_RECORD, min_size=1, max_size=8), given_policy=_POLICY)
def test_every_value_of_every_profile_is_that_of_the_record_named_as_its_origin(
    records, engine, model, given_records, given_policy
):
    found, ids = records(*given_records)
    entity = model.entity("person")
    (policy,) = resolve({"default": MergePolicy.model_validate(given_policy)}, model, SOURCES)

    people = engine.collect(merge_records(found, ids, entity, engine, policy)).to_pylist()
    named = engine.collect(merge_origins(found, ids, entity, engine, policy)).to_pylist()

    by_key = {row["source_key"]: row for row in engine.collect(found).to_pylist()}
    keys = {row["profile_id"]: row for row in named}
    assert keys.keys() == {row["profile_id"] for row in people}
    for person in people:
        for column in entity.recorded:
            key = keys[person["profile_id"]][column]
            assert person[column] == (by_key[key][column] if key else None)
        told = origins(found, ids, entity, engine, profile_id=person["profile_id"], policy=policy)
        shown = {each["column"]: (each["value"], each["source_key"]) for each in told}
        assert shown == {
            column: (person[column], keys[person["profile_id"]][column])
            for column in entity.recorded
            if person[column] is not None and column != "ecids"
        }

"""Fields that together say who a record is."""

import datetime as dt

import pyarrow as pa
import pytest

from cdp_toolkit.identity import IdentityRules
from cdp_toolkit.identity.evidence import derive_identities

MAY = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
PERSON = ("first_name", "last_name", "email", "work_phone", "postal_code", "country", "job_title")
ACCOUNT = ("account_name", "website", "domain", "billing_country", "parent_key", "duns_number")


@pytest.fixture
def derived(engine, rows):
    def derive(*, people=(), accounts=(), is_deleted=False, rules=None):
        frames = (_records(engine, people, PERSON, is_deleted), _records(engine, accounts, ACCOUNT, is_deleted))
        return rows(derive_identities(*frames, rules or IdentityRules(), engine), "namespace", "value")

    return derive


def _records(engine, given, names, is_deleted):
    rows = [dict.fromkeys(names) | row for row in given]
    columns = {name: pa.array([row[name] for row in rows], pa.string()) for name in names}
    count = len(rows)
    return engine.load(
        pa.table(
            columns
            | {
                "source_key": pa.array([f"{n}@m.M" for n in range(count)], pa.string()),
                "is_deleted": pa.array([is_deleted] * count, pa.bool_()),
                "updated_at": pa.array([MAY] * count, pa.timestamp("us", "UTC")),
                "loaded_at": pa.array([MAY] * count, pa.timestamp("us", "UTC")),
            }
        )
    )


def test_a_person_is_their_name_and_their_contact_card(derived):
    ana = {"first_name": " Ana", "last_name": "LIMA", "work_phone": "+49 30 123 456", "postal_code": "10115"}

    assert derived(people=[ana]) == [("contact_card", "ana lima +4930123456 10115"), ("name", "ana lima")]


@pytest.mark.parametrize(
    ("first", "last"),
    [("Ana-María", "O'Neil"), ("ANA MARIA", "ONeil"), ("O\u2019Neil", "Ana María"), (" ana  maria", "o'neil ")],
)
def test_accents_capitals_punctuation_and_the_order_of_names_do_not_count(derived, first, last):
    assert derived(people=[{"first_name": first, "last_name": last}]) == [("name", "ana maria oneil")]


@pytest.mark.parametrize("phone", ["030 2093-1234", "+49 30 20931234", "+49 (0)30 2093 1234", "0049 30 20931234"])
def test_a_phone_is_the_same_in_the_notation_of_its_country_and_of_the_world(derived, phone):
    ana = {"first_name": "Ana", "last_name": "Lima", "work_phone": phone, "postal_code": "D 10115"}

    card = derived(people=[ana | {"country": "Deutschland"}])[0]

    assert card == ("contact_card", "ana lima +493020931234 d10115")


def test_a_phone_without_a_country_is_read_in_that_of_the_rules_or_kept_as_its_digits(derived):
    ana = {"first_name": "Ana", "last_name": "Lima", "work_phone": "(212) 555-1234", "postal_code": "1"}
    american = IdentityRules(namespaces={"phone": {"region": "US", "links": True}})

    assert derived(people=[ana])[0][1] == "ana lima 2125551234 1"
    assert derived(people=[ana], rules=american) == [
        ("contact_card", "ana lima +12125551234 1"), ("name", "ana lima"), ("phone", "(212) 555-1234")
    ]  # fmt: skip


def test_at_a_switchboard_the_job_tells_people_of_one_name_apart(derived):
    office = {"work_phone": "+49 30 20931234", "postal_code": "10115", "job_title": "Buyer"}
    people = [office | {"first_name": name, "last_name": "Lima"} for name in ("Ana", "Bo", "Cy", "Di")]
    people += [office | {"first_name": "Ana", "last_name": "Lima", "job_title": "Head of Sales "}]
    people += [office | {"first_name": "Bo", "last_name": "Lima", "job_title": None}]

    cards = [value for namespace, value in derived(people=people) if namespace == "contact_card"]

    assert cards == [
        "ana lima +493020931234 10115 buyer", "ana lima +493020931234 10115 head of sales",
        *(f"{name} lima +493020931234 10115 buyer" for name in ("bo", "cy", "di")),
    ]  # fmt: skip


def test_a_person_without_a_name_is_their_address(derived):
    assert derived(people=[{"email": "a@x.example", "first_name": "Ana"}]) == [("name", "a@x.example")]


def test_an_extension_is_no_phone_to_know_a_person_by(derived):
    ana = {"first_name": "Ana", "last_name": "Lima", "work_phone": "4711", "postal_code": "10115"}

    assert derived(people=[ana]) == [("name", "ana lima")]


def test_deleted_records_say_nothing(derived):
    assert derived(people=[{"email": "a@x.example"}], is_deleted=True) == []

"""One form for the many spellings of an identity, and a reason for each value that identifies nobody."""

import datetime as dt

import pyarrow as pa
import pytest
from pydantic import ValidationError

from cdp_toolkit.identity import IdentityRules
from cdp_toolkit.identity.values import add_spellings, settle_values

MAY = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
ECID = "1234567890" * 3 + "12345678"


@pytest.fixture
def settled(engine, frame):
    def settle(*carried, countries=None, **namespaces):
        keys = [f"{n}@m.M" for n in range(len(carried))]
        stated = frame({
            "entity": ["person"] * len(carried), "source_key": keys,
            "namespace": [namespace for namespace, _ in carried], "value": [value for _, value in carried],
            "seen_at": [MAY] * len(carried), "_spoken": [f"{namespace}:{value}" for namespace, value in carried],
        })  # fmt: skip
        hashed = engine.key64(stated, {"record_key": "source_key", "value_key": "_spoken"})
        lands = frame({"source_key": keys, "country": countries or [None] * len(carried)},
                      {"source_key": pa.string(), "country": pa.string()})  # fmt: skip
        return settle_values(hashed, lands, IdentityRules(namespaces=namespaces), engine)

    return settle


@pytest.mark.parametrize(
    ("namespace", "value", "reason"),
    [
        ("email", "info@acme.example", "a mailbox of a function or of nobody"),
        ("email", "sales+web@acme.example", "a mailbox of a function or of nobody"),
        ("email", "test@test.de", "a mailbox of a function or of nobody"),
        ("email", "jo@example.com", "a test address"),
        ("email", "jo@mailinator.com", "a test address"),
        ("ecid", "42", "not an ECID, which has 38 digits"),
        ("ecid", "x" * 38, "not an ECID, which has 38 digits"),
        ("loyalty_id", "N/A", "a placeholder"),
    ],
)
def test_what_identifies_nobody_is_refused_with_its_reason(settled, rows, namespace, value, reason):
    values = settled((namespace, value), ("email", "ana@acme.example"), ("ecid", ECID))

    assert rows(values.kept, "value") == [ECID, "ana@acme.example"]
    assert rows(values.refused, "source_key", "namespace", "value", "reason") == [("0@m.M", namespace, value, reason)]


@pytest.mark.parametrize("blocked", ["demo@x.example", "demo@", "@x.example", "@X.example"])
def test_a_blocked_address_mailbox_or_domain_identifies_nobody(settled, rows, blocked):
    values = settled(("email", "demo@x.example"), email={"blocked": [blocked]})

    assert rows(values.kept, "value") == []
    assert rows(values.refused, "reason") == ["blocked"]


def test_the_key_of_a_record_is_never_a_placeholder(settled, rows):
    assert rows(settled(("person_key", "test")).kept, "value") == ["test"]


def test_addresses_keep_their_tags_and_dots_unless_told_otherwise(settled, rows):
    written = ["a.na+news@gmail.com", "ana@googlemail.com", "a.na+x@acme.example"]

    assert rows(settled(*(("email", each) for each in written)).kept, "value") == sorted(written)


def test_tags_and_dots_are_dropped_where_the_rules_say_so(settled, rows):
    written = [("email", each) for each in ("a.na+news@gmail.com", "ana@googlemail.com", "a.na+x@acme.example")]

    values = settled(*written, email={"plus_tags": "drop", "gmail_dots": "drop"})

    assert rows(values.kept, "value") == ["a.na@acme.example", "ana@gmail.com", "ana@gmail.com"]
    assert len({*rows(values.kept, "value_key")}) == 2


def test_an_identity_is_found_in_each_spelling_that_a_record_used(settled, frame, rows):
    values = settled(("email", "ana+x@acme.example"), email={"plus_tags": "drop"})
    (canonical,) = rows(values.kept, "value_key")
    mapped = frame({
        "entity": ["person"], "namespace": ["email"], "value": ["ana@acme.example"], "value_key": [canonical],
        "profile_id": [7],
    })  # fmt: skip

    found = add_spellings(mapped, values.spellings)

    assert rows(found, "value", "profile_id") == [("ana+x@acme.example", 7), ("ana@acme.example", 7)]


def test_phones_are_read_in_the_country_of_their_record(settled, rows):
    numbers = [("phone", "030 2093-1234"), ("phone", "+49 30 20931234"), ("phone", "(212) 555-1234"), ("phone", "ask")]

    values = settled(*numbers, countries=["Germany", None, "US", "US"], phone={"links": True})

    assert rows(values.kept, "value") == ["+12125551234", "+493020931234", "+493020931234"]
    assert rows(values.refused, "value", "reason") == [("ask", "not a phone number")]


def test_a_namespace_of_ones_own_is_made_by_its_rules_alone(settled, rows):
    values = settled(("card", "L-0012"), ("card", "0012"), card={"pattern": "^L-[0-9]{4}$", "unique": True})

    assert rows(values.kept, "value") == ["L-0012"]
    assert rows(values.refused, "value", "reason") == [("0012", "not like ^L-[0-9]{4}$")]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"plus_tags": "drop"}, "needs type: email"),
        ({"region": "DE"}, "needs type: phone"),
        ({"pattern": "(a"}, "no regular expression"),
        ({"pattern": "(?=a)"}, "looks ahead"),
    ],
)
def test_rules_that_do_not_fit_are_refused(rule, message):
    with pytest.raises(ValidationError, match=message):
        IdentityRules(namespaces={"card": rule})


def test_unique_is_said_as_yes_or_as_what_is_unique():
    rules = IdentityRules(namespaces={"a": {"unique": True}, "b": {"unique": "instance"}, "c": {"unique": False}})

    assert [rules.namespace(name).unique for name in "abc"] == ["profile", "instance", "none"]

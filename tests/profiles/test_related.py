"""Accounts are related by what sources say and by what they share."""

import pyarrow as pa
import pytest

from cdp_toolkit.profiles.related import MAX_GROUP, related_accounts
from cdp_toolkit.profiles.relations import Keys

ACCOUNT = {
    "profile_id": pa.int64(), "account_name": pa.string(), "domain": pa.string(), "website": pa.string(),
    "parent_id": pa.int64(), "ultimate_parent_id": pa.int64(), "source_key": pa.string(),
    "related_keys": pa.list_(pa.string()),
}  # fmt: skip


@pytest.fixture
def related(engine):
    """Relate accounts given by name; what is not said is null, and the ultimate parent is the account itself."""

    def relate(*accounts):
        given = [
            dict.fromkeys(ACCOUNT)
            | {"profile_id": n, "ultimate_parent_id": n, "source_key": f"{n}@s.S", "account_name": f"name {n}"}
            | account
            for n, account in enumerate(accounts)
        ]
        frame = engine.load(pa.Table.from_pylist(given, schema=pa.schema(ACCOUNT)))
        texts = {
            "entity": ["account"] * len(given),
            "namespace": ["account_key"] * len(given),
            "value": [each["source_key"] for each in given],
            "_spelt": [f"account_key:{each['source_key']}" for each in given],
            "profile_id": [each["profile_id"] for each in given],
        }
        identities = engine.key64(engine.load(pa.table(texts)), {"value_key": "_spelt"})
        ids = frame.select("source_key", "profile_id")
        records = frame.select("source_key", "related_keys")
        return related_accounts(frame, records, ids, Keys(identities, engine), engine)

    return relate


def test_a_pair_is_there_once_each_way_with_all_its_reasons(related, rows):
    found = related(
        {"account_name": "Acme Inc", "domain": "acme.example"},
        {
            "account_name": "Acme GmbH",
            "website": "https://shop.acme.example/de",
            "parent_id": 0,
            "ultimate_parent_id": 0,
        },
    )

    reason = "parent, family, domain, name"
    assert rows(found.pairs, "account_id", "related_id", "reason") == [(0, 1, reason), (1, 0, reason)]


def test_what_a_source_states_is_a_relation_of_its_own(related, rows):
    found = related({"related_keys": ["1@s.S", "0@s.S", "gone@s.S"]}, {})

    assert rows(found.pairs, "account_id", "related_id", "reason") == [(0, 1, "stated"), (1, 0, "stated")]


def test_children_of_one_parent_and_of_one_ultimate_parent_are_family(related, rows):
    found = related(
        {}, {"parent_id": 0, "ultimate_parent_id": 0}, {"parent_id": 1, "ultimate_parent_id": 0},
        {"parent_id": 0, "ultimate_parent_id": 0},
    )  # fmt: skip

    reasons = {(one, other): reason for one, other, reason in rows(found.pairs, "account_id", "related_id", "reason")}
    assert reasons[1, 3] == reasons[2, 3] == reasons[0, 2] == "family"
    assert reasons[0, 1] == reasons[1, 2] == "parent, family"


def test_the_companies_of_a_name_are_related_without_legal_form_and_place(related, rows):
    found = related(
        {"account_name": "Acme Deutschland GmbH"}, {"account_name": "ACME, Inc."}, {"account_name": "Acme Bank"}
    )

    assert rows(found.pairs, "account_id", "related_id", "reason") == [(0, 1, "name"), (1, 0, "name")]


def test_the_domain_of_a_provider_relates_nobody(related, rows):
    found = related(
        {"domain": "gmail.com"}, {"domain": "gmail.com"}, {"website": "a.github.io"}, {"website": "b.github.io"}
    )

    assert rows(found.pairs, "account_id") == []


def test_a_group_that_is_too_large_is_left_out_and_counted(related, rows):
    many = [{"domain": "franchise.example"}] * (MAX_GROUP + 1)

    found = related(*many, {"domain": "small.example"}, {"domain": "small.example"})

    assert rows(found.left_out, "reason", "value", "accounts") == [("domain", "franchise.example", MAX_GROUP + 1)]
    assert rows(found.pairs, "account_id") == [MAX_GROUP + 1, MAX_GROUP + 2]

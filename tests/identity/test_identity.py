import datetime as dt

import narwhals as nw
import pyarrow as pa
import pytest

from cdp_toolkit.errors import DataError
from cdp_toolkit.identity import IdentityRules
from cdp_toolkit.identity.ids import check_keys, map_identities, number_profiles

MAY = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
JUNE = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)


@pytest.fixture
def identities(frame):
    def build(*carried):
        values = sorted({(namespace, value) for _, namespace, value in carried})
        return frame(
            {
                "entity": ["person"] * len(carried),
                "source_key": [f"{record}@x" for record, _, _ in carried],
                "record_key": [record for record, _, _ in carried],
                "namespace": [namespace for _, namespace, _ in carried],
                "value": [value for _, _, value in carried],
                "value_key": [values.index((namespace, value)) for _, namespace, value in carried],
            }
        )

    return build


@pytest.fixture
def numbered(engine, frame):
    def number(records, links, previous=None, as_of=MAY):
        found = number_profiles(
            frame(
                {
                    "source_key": [f"{record}@x" for record in records],
                    "record_key": list(records),
                    "is_deleted": [records[record] for record in records],
                }
            ),
            engine.connected_components(
                frame({"a": [a for a, _ in links], "b": [b for _, b in links]}, {"a": pa.int64(), "b": pa.int64()})
            ).select("component", record_key="node"),
            previous,
            engine,
            as_of=as_of,
        )
        return engine.load(engine.collect(found))

    return number


def test_a_profile_takes_the_key_of_its_first_record_as_its_id(numbered, rows):
    ids = numbered({1: False, 2: False, 7: False}, [(2, 1)])

    assert rows(ids, "record_key", "profile_id") == [(1, 1), (2, 1), (7, 7)]


def test_an_id_survives_a_record_that_sorts_before_it(numbered, rows):
    before = numbered({5: False}, [])

    after = numbered({5: False, 1: False}, [(5, 1)], before, JUNE)

    assert rows(after, "record_key", "profile_id") == [(1, 5), (5, 5)]


def test_the_older_id_wins_a_merge(numbered, rows):
    first = numbered({5: False}, [])
    second = numbered({5: False, 1: False}, [], first, JUNE)

    merged = numbered({5: False, 1: False}, [(5, 1)], second, JUNE)

    assert rows(merged, "record_key", "profile_id") == [(1, 5), (5, 5)]


def test_the_part_with_the_anchor_keeps_the_id_of_a_split(numbered, rows):
    whole = numbered({1: False, 2: False, 3: False}, [(2, 1), (3, 1)])

    split = numbered({1: False, 2: False, 3: False}, [(3, 2)], whole, JUNE)

    assert rows(split, "record_key", "profile_id") == [(1, 1), (2, 2), (3, 2)]


def test_records_whose_whole_profile_is_deleted_leave(numbered, rows):
    ids = numbered({1: True, 2: True, 3: False}, [(3, 2)])

    assert rows(ids, "record_key", "profile_id", "is_deleted") == [(2, 2, True), (3, 2, False)]


@pytest.fixture
def mapped(identities, frame, rows):
    """Say which profile each value means, where ``links`` and ``refused`` are pairs of a record and a value's place."""

    def find(*carried, links=(), refused=()):
        keys = {"record_key": pa.int64(), "value_key": pa.int64()}
        pairs = [
            frame({"record_key": [one for one, _ in told], "value_key": [value for _, value in told]}, keys)
            for told in (links, refused)
        ]
        ids = frame({"record_key": [1, 2], "profile_id": [1, 1 if links else 2]})
        return rows(map_identities(identities(*carried), ids, *pairs, IdentityRules()), "value", "profile_id")

    return find


def test_an_identity_that_links_records_means_their_profile(mapped):
    assert mapped((1, "email", "a@x"), (2, "email", "a@x"), links=[(2, 0)]) == [("a@x", 1)]


def test_a_shared_mailbox_means_nobody(mapped):
    carried = [(1, "email", "jo@x"), (2, "email", "jo@x"), (1, "email", "a@x")]

    assert mapped(*carried, refused=[(1, 1), (2, 1)]) == [("a@x", 1)]


def test_an_identity_of_two_profiles_that_links_nobody_means_neither(mapped):
    assert mapped((1, "phone", "+1"), (2, "phone", "+1"), (2, "phone", "+2")) == [("+2", 2)]


def test_a_shared_device_means_the_profile_that_it_links(mapped):
    assert mapped((1, "ecid", "42"), (2, "ecid", "42"), refused=[(2, 0)]) == [("42", 1)]


def test_two_records_with_one_key_stop_the_run_and_are_named(frame, engine):
    records = frame({"source_key": ["1@x", "2@x", "3@x"], "record_key": [7, 7, 8]})

    with pytest.raises(DataError, match="1@x and 2@x"):
        check_keys(records, engine)
    check_keys(records.filter(nw.col("source_key") != "2@x"), engine)


def test_what_is_said_of_a_namespace_goes_over_its_defaults():
    rules = IdentityRules(namespaces={"ecid": {"max_records": 2}, "loyalty_id": {"unique": "profile"}})

    assert (rules.namespace("ecid").priority, rules.namespace("ecid").max_records) == (40, 2)
    assert rules.namespace("loyalty_id").unique == "profile"
    assert rules.namespace("email") == IdentityRules().namespace("email")

"""Who entered, who is still in, who left."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from cdp_toolkit.segments.membership import update

MONDAY, TUESDAY, FRIDAY = (datetime(2026, 3, day, tzinfo=UTC) for day in (2, 3, 6))
ALL = ("segment", "entity", "profile_id", "status", "first_qualified_at", "last_qualified_at", "exited_at")
SCHEMA = {"segment": pa.string(), "entity": pa.string(), "profile_id": pa.int64()}


@pytest.fixture
def members(frame):
    def build(**ids):
        pairs = [(segment, each) for segment, found in ids.items() for each in found]
        columns = {"segment": [segment for segment, _ in pairs], "entity": ["person"] * len(pairs)}
        return frame(columns | {"profile_id": [each for _, each in pairs]}, SCHEMA)

    return build


def history(rows, changes):
    return rows(changes.history, "segment", "profile_id", "change", "changed_at")


def test_the_first_evaluation_enters_every_member(members, rows):
    changes = update(None, members(a=[1, 2]), evaluated=["a"], as_of=MONDAY)

    assert rows(changes.membership, *ALL) == [
        ("a", "person", 1, "realized", MONDAY, MONDAY, None),
        ("a", "person", 2, "realized", MONDAY, MONDAY, None),
    ]
    assert history(rows, changes) == [("a", 1, "entered", MONDAY), ("a", 2, "entered", MONDAY)]


def test_without_a_change_nothing_is_written_again(members, rows):
    before = update(None, members(a=[1, 2]), evaluated=["a"], as_of=MONDAY).membership

    changes = update(before, members(a=[2, 1]), evaluated=["a"], as_of=TUESDAY)

    assert rows(changes.membership, *ALL) == rows(before, *ALL)
    assert history(rows, changes) == []


def test_who_leaves_and_returns_keeps_the_first_time_and_gets_a_new_last_one(members, rows):
    first = update(None, members(a=[1, 2]), evaluated=["a"], as_of=MONDAY)
    second = update(first.membership, members(a=[2]), evaluated=["a"], as_of=TUESDAY)
    third = update(second.membership, members(a=[1, 2]), evaluated=["a"], as_of=FRIDAY)

    assert rows(second.membership, *ALL)[0] == ("a", "person", 1, "exited", MONDAY, MONDAY, TUESDAY)
    assert rows(third.membership, *ALL)[0] == ("a", "person", 1, "realized", MONDAY, FRIDAY, None)
    assert history(rows, second) == [("a", 1, "exited", TUESDAY)]
    assert history(rows, third) == [("a", 1, "entered", FRIDAY)]


def test_segments_that_were_not_evaluated_keep_their_rows(members, rows):
    before = update(None, members(a=[1], b=[1]), evaluated=["a", "b"], as_of=MONDAY).membership

    failed = update(before, members(), evaluated=[], as_of=TUESDAY)
    emptied = update(before, members(), evaluated=["b"], as_of=TUESDAY)

    assert rows(failed.membership, *ALL) == rows(before, *ALL)
    assert rows(emptied.membership, "segment", "status") == [("a", "realized"), ("b", "exited")]
    assert history(rows, emptied) == [("b", 1, "exited", TUESDAY)]

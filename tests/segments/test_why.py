"""Who came and went, and why; and how large a segment would have been."""

from datetime import timedelta

import numpy as np
import pytest

from cdp_toolkit.errors import ConfigError
from cdp_toolkit.segments.backtest import backtest, moments
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.why import Look, why_changed
from tests.segments.conftest import AS_OF

LATER = AS_OF + timedelta(days=3)
LIVELY = Segment(name="lively", pql="person_score > 50 and xEvent[timestamp occurs <= 7 days before now].count() >= 1")


@pytest.fixture
def moved(world, model, engine):
    visits = {"event": [{"profile_id": each, "timestamp": AS_OF - timedelta(days=5)} for each in (2, 3)]}
    before = {"person": [{"profile_id": each, "person_score": score} for each, score in {1: 90, 2: 90, 3: 10}.items()]}
    after = {"person": [{"profile_id": each, "person_score": 90} for each in (1, 3, 4)]}
    new = {"event": [*visits["event"], {"profile_id": 3, "timestamp": LATER}, {"profile_id": 4, "timestamp": LATER}]}

    def why(entered, left, *, tables=(before | visits, after | new)):
        looks = (Look(AS_OF, world(tables[0])), Look(LATER, world(tables[1])))
        ids = (np.array(each, np.int64) for each in (entered, left))
        return why_changed(LIVELY, *ids, *looks, model=model, engine=engine, timezone="UTC")

    return why


def test_a_fact_that_changed_is_told_with_its_values_before_and_after(moved):
    found = moved([3], [])

    assert found.rows == (
        {"profile_id": 3, "change": "entered", "because": "a fact", "clause": "person_score > 50",
         "fact": "person_score: 10 → 90"},
    )  # fmt: skip
    assert str(found).splitlines()[0].endswith("1 entered, 0 left")
    assert "<code>person_score &gt; 50</code>" in found._repr_html_()


def test_a_window_that_slid_on_is_told_as_time(moved):
    visited = {"person": [{"profile_id": 2, "person_score": 90}],
               "event": [{"profile_id": 2, "timestamp": AS_OF - timedelta(days=5)}]}  # fmt: skip

    found = moved([], [2], tables=(visited, visited))

    assert [(row["because"], row["fact"].rpartition(": ")[2]) for row in found.rows] == [("time", "1 → 0")]


def test_new_and_gone_profiles_are_told_as_such(moved):
    found = moved([4], [2])

    assert [(row["profile_id"], row["change"], row["because"]) for row in found.rows] == [
        (4, "entered", "a new profile"),
        (2, "left", "a gone profile"),
    ]
    assert found.table.num_rows == 2


def test_a_backtest_counts_the_rule_at_each_time_over_what_was_known_then(world, model, engine):
    worlds = {
        AS_OF: world({"person": [{"profile_id": 1, "created_at": AS_OF}]}),
        LATER: world({"person": [{"profile_id": 1, "created_at": AS_OF}, {"profile_id": 2, "created_at": LATER}]}),
    }
    fresh = Segment(name="fresh", pql="created_at occurs <= 2 days before now")

    found = backtest(
        fresh, [LATER, AS_OF], lambda at: (worlds[at], at, at == LATER), model=model, engine=engine, timezone="UTC"
    )

    assert [(size.at, size.members, size.total) for size in found.sizes] == [(AS_OF, 1, 1), (LATER, 1, 2)]
    assert "2026-03-15 12:00         1 of 1*" in str(found)
    assert "the oldest profiles there are stand in" in found._repr_html_()
    assert found.table["members"].to_pylist() == [1, 1]


def test_times_at_equal_distances_follow_the_calendar_and_a_wrong_distance_is_named():
    assert len(moments(AS_OF, "1w", 12, "Europe/Berlin")) == 12

    with pytest.raises(ConfigError, match="'weekly' is no distance"):
        moments(AS_OF, "weekly", 3, "UTC")

"""Who entered, who is still in, who left, and who was in at a moment that has passed."""

from collections import Counter
from datetime import UTC, datetime
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_toolkit.lake.groups import Groups
from cdp_toolkit.lake.packed import Numbering, unpacked
from cdp_toolkit.lake.tables import TABLES
from cdp_toolkit.segments.buckets import Bucket
from cdp_toolkit.segments.evaluate import Part
from cdp_toolkit.segments.membership import HISTORY, Moves
from cdp_toolkit.segments.past import standing_at
from cdp_toolkit.segments.standings import MEMBERSHIP, anew

MONDAY, TUESDAY, FRIDAY = (datetime(2026, 3, day, tzinfo=UTC) for day in (2, 3, 6))
ALL = tuple(TABLES["segments/membership"].columns)
MOVED = ("segment", "profile_id", "change", "changed_at")
HIGH = 2**63 - 2  # ids lie anywhere below 2**63


class Audiences:
    """Tables of memberships, as runs would keep them."""

    def __init__(self, engine):
        self.engine = engine
        self.numbering = Numbering()
        self.history = HISTORY.empty_table()
        self.membership = None
        self.runs = 0

    def evaluate(self, profiles, members, as_of, *, only=None, ended=(), bucket=Bucket()):  # noqa: B008 - is frozen
        self.runs += 1
        flags = {name: pa.array([each in inside for each in profiles], pa.bool_()) for name, inside in members.items()}
        columns = {"profile_id": pa.array(profiles, pa.int64())} | flags
        part = Part("person", bucket, tuple(members), partial(self.engine.load, pa.table(columns)))
        before = None if self.membership is None else self.groups
        recorded_at = datetime(2026, 4, 1, 0, self.runs, tzinfo=UTC)
        moves = Moves(before, self.numbering, self.engine, as_of, recorded_at)
        looked_at = None if only is None else {"person": np.array(only, np.int64)}
        moved = [*moves.of_parts([part], looked_at), *moves.of_ended(ended)]
        known = [MEMBERSHIP.empty_table() if self.membership is None else self.membership]
        self.membership = pa.concat_tables(known + [each.membership for each in moved])
        self.history = pa.concat_tables([self.history, *(each.history for each in moved)])
        return as_of, recorded_at

    def write_anew(self):
        self.membership = pa.concat_tables([MEMBERSHIP.empty_table(), *anew(self.groups, self.numbering)])

    @property
    def groups(self):
        file = pa.BufferOutputStream()
        pq.write_table(self.membership, file, row_group_size=5)
        return Groups([pq.ParquetFile(pa.BufferReader(file.getvalue()))], MEMBERSHIP)

    def sizes(self):
        sizes = Counter()
        for row in self.membership.select(["segment", "status", "profiles"]).to_pylist():
            sizes[row["segment"], row["status"]] += row["profiles"]
        return +sizes

    def at(self, moment, seen=()):
        rows = self.engine.load(self.history)
        return self.read(standing_at(moment, rows, seen, self.numbering, self.engine))

    def read(self, packed=None, table="membership", among=None):
        among = None if among is None else np.array(among, np.int64)
        packed = packed if packed is not None else getattr(self, table)
        columns = TABLES[f"segments/{table}"].columns
        found = [row for each in unpacked(packed, self.numbering, columns, among=among) for row in each.to_pylist()]
        names = ALL if table == "membership" else MOVED
        return sorted((tuple(row[name] for name in names) for row in found), key=repr)


@pytest.fixture
def audiences(engine):
    return Audiences(engine)


def test_the_first_evaluation_enters_every_member(audiences):
    audiences.evaluate([1, 2, HIGH], {"a": [1, HIGH]}, MONDAY)

    assert audiences.read() == [
        ("a", "person", 1, "realized", MONDAY, MONDAY, None),
        ("a", "person", HIGH, "realized", MONDAY, MONDAY, None),
    ]
    assert audiences.read(table="history") == [("a", 1, "entered", MONDAY), ("a", HIGH, "entered", MONDAY)]


def test_without_a_change_nobody_moves(audiences):
    audiences.evaluate([1, 2, HIGH], {"a": [1, 2]}, MONDAY)
    before = audiences.read()

    audiences.evaluate([HIGH, 2, 1], {"a": [2, 1]}, TUESDAY)

    assert audiences.read() == before
    assert len(audiences.history) == 1


def test_who_leaves_and_returns_keeps_the_first_time_and_gets_a_new_last_one(audiences):
    audiences.evaluate([1, 2], {"a": [1, 2]}, MONDAY)
    audiences.evaluate([1, 2], {"a": [2]}, TUESDAY)
    left = audiences.read()[0]
    audiences.evaluate([1, 2], {"a": [1, 2]}, FRIDAY)

    assert left == ("a", "person", 1, "exited", MONDAY, MONDAY, TUESDAY)
    assert audiences.read()[0] == ("a", "person", 1, "realized", MONDAY, FRIDAY, None)
    assert [row[1:] for row in audiences.read(table="history")] == [
        (1, "entered", MONDAY), (1, "entered", FRIDAY), (1, "exited", TUESDAY), (2, "entered", MONDAY)
    ]  # fmt: skip


def test_segments_that_were_not_evaluated_keep_their_rows_and_ended_ones_lose_their_members(audiences):
    audiences.evaluate([1, 2], {"a": [1], "b": [1, 2]}, MONDAY)

    audiences.evaluate([1, 2], {}, TUESDAY)
    untouched = audiences.read()
    audiences.evaluate([1, 2], {}, FRIDAY, ended=["b"])

    assert [(row[0], row[3]) for row in untouched] == [("a", "realized"), ("b", "realized"), ("b", "realized")]
    assert [(row[0], row[3]) for row in audiences.read()] == [("a", "realized"), ("b", "exited"), ("b", "exited")]


def test_a_profile_that_is_no_more_leaves_and_a_new_one_enters(audiences):
    audiences.evaluate([5, 7], {"a": [5, 7]}, MONDAY)

    audiences.evaluate([3, 7], {"a": [3, 7]}, TUESDAY)

    assert [row[2:4] for row in audiences.read()] == [(3, "realized"), (5, "exited"), (7, "realized")]


def test_a_bucket_and_chosen_profiles_leave_all_others_what_they_were(audiences):
    audiences.evaluate([1, 2, 3, 4], {"a": [1, 2, 3, 4]}, MONDAY)

    audiences.evaluate([1], {"a": [1]}, TUESDAY, bucket=Bucket(None, 3))
    audiences.evaluate([], {"a": []}, FRIDAY, only=[3])

    assert [row[2:4] for row in audiences.read()] == [(1, "realized"), (2, "exited"), (3, "exited"), (4, "realized")]


@pytest.mark.parametrize("members", [range(0, 300, 2), [3, 4, 200]])  # kept as bits, and as a list of numbers
def test_a_few_of_many_profiles_move_as_in_the_whole(engine, members):
    few, whole = Audiences(engine), Audiences(engine)
    for each in (few, whole):
        each.evaluate(range(300), {"a": members, "b": range(250)}, MONDAY)
    now = {"a": {*members} ^ {3, 4, 5}, "b": {*range(250)} ^ {3, 299}}

    few.evaluate([3, 4, 5, 299], now, TUESDAY, only=[3, 4, 5, 299, 777])
    whole.evaluate(range(300), now, TUESDAY)

    assert few.read() == whole.read()
    assert few.read(table="history") == whole.read(table="history")


def test_the_past_is_as_the_last_evaluation_until_then_left_it(audiences):
    audiences.evaluate([1, 2], {"a": [1]}, MONDAY)
    audiences.evaluate([1, 2], {"a": [2]}, TUESDAY)
    audiences.evaluate([1, 2], {"a": [1, 2]}, FRIDAY)

    before, monday, wednesday = (audiences.at(datetime(2026, 3, day, 9, tzinfo=UTC)) for day in (1, 2, 4))

    assert before == []
    assert monday == [("a", "person", 1, "realized", MONDAY, MONDAY, None)]
    assert wednesday == [
        ("a", "person", 1, "exited", MONDAY, MONDAY, TUESDAY),
        ("a", "person", 2, "realized", TUESDAY, TUESDAY, None),
    ]


def test_an_evaluation_that_looks_back_counts_for_the_time_that_it_looks_at(audiences):
    seen = [audiences.evaluate([1, 2], {"a": [1, 2]}, FRIDAY), audiences.evaluate([1, 2], {"a": [1]}, MONDAY)]
    seen.append(audiences.evaluate([1, 2], {"a": [1]}, TUESDAY))  # nobody moves, and yet it was looked at

    found = [[row[2] for row in audiences.at(moment, seen) if row[3] == "realized"] for moment in (TUESDAY, FRIDAY)]

    assert found == [[1], [1, 2]]


WORLDS = st.lists(st.sets(st.sampled_from([0, 1, 2, 9, 40, 2**60, 2**62, HIGH])), min_size=1, max_size=6)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=WORLDS, inside=WORLDS)
def test_bits_say_what_sets_say(engine, people, inside):
    audiences, expected = Audiences(engine), []

    for day, (profiles, members) in enumerate(zip(people, inside, strict=False), start=1):
        expected.append(sorted(profiles & members))
        audiences.evaluate(sorted(profiles), {"a": members}, datetime(2026, 5, day, tzinfo=UTC))

    past = [audiences.at(datetime(2026, 5, day, 1, tzinfo=UTC)) for day in range(1, len(expected) + 1)]
    assert [sorted(row[2] for row in rows if row[3] == "realized") for rows in past] == expected
    assert audiences.read() == past[-1]
    for some in [*people, set(), {-1, 5}]:
        assert audiences.read(among=sorted(some)) == [row for row in past[-1] if row[2] in some]


class Sets:
    """What the tables of memberships are to say, kept as Python keeps sets."""

    def __init__(self):
        self.standings = {}

    def evaluate(self, looked_at, members, as_of):
        for segment, inside in members.items():
            for profile in looked_at:
                status, first, last, _ = self.standings.get((segment, profile), (None, as_of, as_of, None))
                if (profile in inside) == (status == "realized"):
                    continue
                if profile in inside:
                    self.standings[segment, profile] = ("realized", first, as_of, None)
                elif status == "realized":
                    self.standings[segment, profile] = ("exited", first, last, as_of)

    def read(self):
        told = ((segment, "person", profile, *rest) for (segment, profile), rest in self.standings.items())
        return sorted(told, key=repr)


PEOPLE = range(0, 4000, 7)
INSIDE = st.tuples(st.integers(1, 97), st.integers(0, 96)).map(
    lambda by: {p for p in PEOPLE if p % 97 % by[0] == by[1]}
)
EVALUATION = st.tuples(INSIDE, INSIDE, st.none() | st.sets(st.sampled_from(PEOPLE), max_size=40), st.integers(1, 28))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(evaluations=st.lists(EVALUATION, min_size=2, max_size=7), compacted=st.sets(st.integers(0, 6)))
def test_many_small_evaluations_and_a_base_written_anew_between_them_say_what_sets_say(engine, evaluations, compacted):
    audiences, expected = Audiences(engine), Sets()

    for number, (one, other, few, day) in enumerate(evaluations):
        as_of, chosen = datetime(2026, 5, day, tzinfo=UTC), few if number else None
        looked_at = sorted(PEOPLE if chosen is None else chosen)
        members = {"a": one, "b": other}
        audiences.evaluate(looked_at, members, as_of, only=None if chosen is None else looked_at)
        expected.evaluate(looked_at, members, as_of)
        if number in compacted:
            audiences.write_anew()

        assert audiences.read() == expected.read()
        assert audiences.sizes() == Counter((row[0], row[3]) for row in expected.read())

    audiences.evaluate([], {}, FRIDAY, ended=["b"])
    expected.evaluate(PEOPLE, {"b": set()}, FRIDAY)
    assert audiences.read() == expected.read()
    rows = len(audiences.membership)
    audiences.write_anew()
    assert audiences.read() == expected.read()
    assert len(audiences.membership) == len({(row[0], *row[3:]) for row in expected.read()}) <= rows

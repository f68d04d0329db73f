"""Audiences as they were, from the runs of a lake."""

import datetime as dt
from math import inf

import pyarrow as pa
import pytest

from cdp_toolkit import past, pipeline
from cdp_toolkit.errors import NotYetError
from cdp_toolkit.explore.numbers import audiences
from cdp_toolkit.lake import Lake
from cdp_toolkit.lake.tables import table
from cdp_toolkit.model.types import arrow_type
from cdp_toolkit.profile import Profile
from cdp_toolkit.segments import Segment, step

MAY, JUNE, JULY = (dt.datetime(2026, month, 1, tzinfo=dt.UTC) for month in (5, 6, 7))
HIGH = Segment(name="high", pql="person_score > 80")
LOW = Segment(name="low", pql="person_score <= 80")


@pytest.fixture
def lake(tmp_path, engine):
    return Lake(tmp_path / "lake", engine=engine)


@pytest.fixture
def score(lake, engine):
    """Write the people of a stitch by their scores."""

    def write(**scores):
        columns = table("profiles/person", lake.model).columns | {"profile_id": "integer"}
        schema = pa.schema([(name, arrow_type(kind)) for name, kind in columns.items()])
        empty = dict.fromkeys(schema.names)
        rows = [empty | {"profile_id": int(name[1:]), "person_score": value} for name, value in scores.items()]
        with lake.run("stitch") as run:
            run.replace("profiles/person", engine.load(pa.Table.from_pylist(rows, schema=schema)))

    return write


def evaluate(lake, as_of):
    return pipeline.evaluate(lake, [HIGH], as_of=as_of, timezone="UTC")


def test_members_of_a_past_moment_come_with_the_times_that_were_known_then(lake, score, rows):
    score(p1=90.0, p2=10.0, p3=10.0, p4=10.0, p5=10.0)
    evaluate(lake, MAY)
    score(p1=10.0, p2=90.0, p3=10.0, p4=10.0, p5=10.0)
    evaluate(lake, JUNE)

    then, now = (past.standing(lake, "high", moment) for moment in (MAY, JULY))

    assert rows(then, "profile_id", "last_qualified_at") == [(1, MAY)]
    assert rows(now, "profile_id", "last_qualified_at") == [(2, JUNE)]
    assert rows(lake.scan("segments/membership"), "profile_id", "status") == [(1, "exited"), (2, "realized")]


def test_who_came_and_went_is_explained_from_the_tables_of_both_evaluations(lake, score):
    score(p1=90.0, p2=10.0, p3=10.0, p4=10.0)
    evaluate(lake, MAY)
    score(p1=20.0, p2=90.0, p3=10.0, p4=10.0)
    evaluate(lake, JUNE)

    found = past.explain_changes(lake, HIGH, MAY, timezone="UTC", policy="default", segments=[HIGH])

    assert [(row["profile_id"], row["change"], row["fact"]) for row in found.rows] == [
        (2, "entered", "person_score: 10 → 90"),
        (1, "left", "person_score: 90 → 20"),
    ]
    with pytest.raises(NotYetError, match="was not evaluated until 2026-04-01"):
        past.explain_changes(
            lake, HIGH, dt.datetime(2026, 4, 1, tzinfo=dt.UTC), timezone="UTC", policy="default", segments=[HIGH]
        )


def test_profiles_at_a_time_are_those_of_the_stitch_before_and_else_the_oldest(lake, score, rows):
    score(p1=1.0)
    between = dt.datetime.now(dt.UTC)
    score(p1=2.0)

    (first, _, was_known), (last, _, is_known) = (
        past.profiles_at(lake, "default", at) for at in (MAY - dt.timedelta(days=9999), dt.datetime.now(dt.UTC))
    )
    middle, stitched_at, _ = past.profiles_at(lake, "default", between)

    assert [rows(scan("person"), "person_score") for scan in (first, middle, last)] == [[1.0], [1.0], [2.0]]
    assert (was_known, is_known) == (False, True)
    assert stitched_at < between


def told(lake, rows):
    """Return what readers see of the membership, through each of their doors."""
    of_high = {"segment": ["high"], "status": ["realized"]}
    return {
        "rows": sorted(rows(lake.scan("segments/membership"), *table("segments/membership").columns), key=repr),
        "some": sorted(rows(lake.scan("segments/membership", only=of_high), "profile_id")),
        "past": sorted(rows(past.standing(lake, "high", JULY), "profile_id")),
        "one": Profile("person", 2, {}, [], None, "default", lake).segments,
        "sizes": audiences(lake).rows(),
        "count": lake.rows("segments/membership"),
    }


@pytest.mark.parametrize("most_behind", [0, inf, step._MOST_BEHIND])
def test_readers_see_the_same_whether_moves_lie_behind_their_base_or_were_joined_to_it(
    lake, score, rows, most_behind, monkeypatch
):
    monkeypatch.setattr(step, "_MOST_BEHIND", most_behind)
    months = [dt.datetime(2026, month, 1, tzinfo=dt.UTC) for month in range(1, 7)]
    for month in months:
        score(**{f"p{profile}": 90.0 if profile % month.month else 10.0 for profile in range(40)})
        segments = [HIGH, LOW] if month < JUNE else [HIGH]  # the other has ended
        pipeline.evaluate(lake, segments, as_of=month, timezone="UTC")

    found = told(lake, rows)

    expected = {}
    for month in months:
        for profile in range(40):
            is_high = profile % month.month > 0
            stand(expected, ("high", profile), month, is_in=is_high)
            stand(expected, ("low", profile), month, is_in=not is_high and month < JUNE)
    high = [profile for profile in range(40) if profile % 6]
    ever_high = sum(segment == "high" for segment, _ in expected)
    assert found == {
        "rows": sorted(
            ((segment, "person", profile, *rest) for (segment, profile), rest in expected.items()), key=repr
        ),
        "some": high,
        "past": high,
        "one": [{"segment": "high", **named(expected["high", 2])}, {"segment": "low", **named(expected["low", 2])}],
        "sizes": [("high", "person", len(high), ever_high - len(high)), ("low", "person", 0, 40)],
        "count": len(expected),
    }


def stand(standings, who, at, *, is_in):
    status, first, last, _ = standings.get(who, ("exited", at, at, None))
    if is_in and status == "exited":
        standings[who] = ("realized", first, at, None)
    if not is_in and status == "realized":
        standings[who] = ("exited", first, last, at)


def named(standing):
    return dict(zip(("status", "first_qualified_at", "last_qualified_at", "exited_at"), standing, strict=True))


def test_a_lake_of_many_evaluations_keeps_few_files_and_all_that_it_knew(lake, score, rows):
    for number in range(32):
        score(**{f"p{profile}": 90.0 if (profile + number) % 7 else 10.0 for profile in range(20)})
        evaluate(lake, MAY + dt.timedelta(days=number))

    files = lake.deltas.snapshot("segments/membership", lake.version("segments/membership")).files
    history = past.standing(lake, "high", MAY + dt.timedelta(days=99))
    columns = ("profile_id", "first_qualified_at", "last_qualified_at")
    assert len(files) < 26
    assert rows(history, *columns) == rows(lake.scan("segments/membership", only={"status": ["realized"]}), *columns)

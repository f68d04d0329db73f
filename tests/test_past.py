"""Audiences as they were, from the runs of a lake."""

import datetime as dt

import pyarrow as pa
import pytest

from cdp_toolkit import past, pipeline
from cdp_toolkit.errors import NotYetError
from cdp_toolkit.lake import Lake
from cdp_toolkit.lake.tables import table
from cdp_toolkit.model.types import arrow_type
from cdp_toolkit.segments import Segment

MAY, JUNE, JULY = (dt.datetime(2026, month, 1, tzinfo=dt.UTC) for month in (5, 6, 7))
HIGH = Segment(name="high", pql="person_score > 80")


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

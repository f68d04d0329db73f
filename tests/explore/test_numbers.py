"""Numbers on a page are those of the tables."""

import polars as pl
import pytest

from cdp_toolkit.explore import numbers
from cdp_toolkit.explore.masked import masked, sample


def test_the_size_of_an_audience_is_the_number_of_its_members(ws):
    sizes = numbers.audiences(ws.lake)

    counted = {name: ws.members(name).collect().height for name in sizes["segment"]}

    assert dict(sizes.select("segment", "members").iter_rows()) == counted


def test_the_trend_of_an_audience_ends_at_its_size(ws):
    trends = numbers.trends(ws.lake).sort("changed_at").group_by("segment").agg(pl.col("members").last())

    sizes = numbers.audiences(ws.lake).filter(pl.col("members") + pl.col("exited") > 0).select("segment", "members")

    assert sorted(trends.iter_rows()) == sorted(sizes.iter_rows())


def test_overlap_does_not_depend_on_the_order_of_a_pair_and_is_whole_with_itself(ws):
    pairs = {(row["segment"], row["other"]): row["jaccard"] for row in numbers.overlaps(ws.lake).to_dicts()}

    assert all(share == pairs[other, segment] for (segment, other), share in pairs.items())
    assert {share for (segment, other), share in pairs.items() if segment == other} == {1.0}


def test_the_funnel_starts_at_records_and_narrows_to_those_who_were_sent(ws):
    stages = numbers.funnel(ws.lake)

    assert stages["stage"].to_list()[0] == "Records of people"
    assert stages["count"].is_sorted(descending=True)
    assert stages["count"].min() > 0


def test_people_are_counted_once_by_the_number_of_their_records(ws):
    counted = numbers.records_per_person(ws.lake)

    assert counted["people"].sum() == numbers.profiles(ws.lake)["people"]


def test_a_table_that_no_run_has_written_gives_no_rows(untouched):
    functions = (numbers.records, numbers.audiences, numbers.trends, numbers.overlaps, numbers.funnel, numbers.rejects,
                 numbers.records_per_person, numbers.links, numbers.refused_links, numbers.deliveries, numbers.growth,
                 numbers.runs, numbers.freshness, numbers.drift)  # fmt: skip

    assert [count.__name__ for count in functions if not count(untouched.lake).is_empty()] == []
    assert numbers.profiles(untouched.lake) == {}


@pytest.mark.parametrize("column", ["email", "first_name", "last_name", "work_phone"])
def test_a_sample_of_people_hides_who_they_are(ws, column):
    shown = sample(ws.lake, "person", column, most=20)[column].drop_nulls()

    known = set(ws.scan("person").select(column).collect()[column].drop_nulls().str.split("@").list.first())

    assert not set(shown.str.split("@").list.first()) & known


def test_masking_leaves_what_names_nobody(ws):
    people = ws.scan("person").collect()

    assert (
        masked(people)
        .select("job_title", "country", "profile_id")
        .equals(people.select("job_title", "country", "profile_id"))
    )

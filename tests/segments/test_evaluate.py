"""All segments together: what is refused, what fails, and that nothing of it stops the rest."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from cdp_toolkit.errors import NotYetError, PqlError, UnknownNameError
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.evaluate import evaluate
from tests.segments.conftest import AS_OF


@pytest.fixture
def failure(world, tiny, model):
    """Evaluate one rule and return its error."""

    def refuse(pql, entity="person"):
        segment = Segment(name="broken", pql=pql, entity=entity)
        return evaluate([segment], world(tiny), model, as_of=AS_OF).failed["broken"]

    return refuse


@pytest.mark.parametrize(
    ("pql", "column", "nearest"),
    [
        ("person_skore > 80", 1, "person_score"),
        ('city = "Bern" and xEvent.exists(page_ulr = "x")', 33, "page_url"),
        ("exists R from oportunityRoles where R.role = 1", 15, "opportunityRoles"),
        ("exists R from opportunityRoles where role = 1", 38, "R.role"),
        ("accounts.exists(parent.acountName = 1)", 17, "accountName"),
        ('city.startWith("B")', 1, "startsWith"),
        ('inSegment("brokn")', 1, "broken"),
    ],
)
def test_an_unknown_name_is_shown_with_its_place_and_the_nearest_names(failure, pql, column, nearest):
    error = failure(pql)

    assert isinstance(error, UnknownNameError)
    assert nearest in error.nearest
    assert error.where.startswith(f"line 1, column {column}\n  {pql}\n")


@pytest.mark.parametrize(
    ("pql", "message"),
    [
        ('person_score > "80"', "sets a number beside a text"),
        ("city", "is a text, where true or false is needed"),
        ("city + 1 = 2", "is a text, where a number is needed"),
        ("accounts = 1", "is an array, not one value"),
        ("city.exists(true)", "is a text, where a list of texts is needed"),
        ("city = null", "Nothing compares with null"),
        ("created_at occurs <= 3 days before city", "is a text, where a time or a date is needed"),
        ("accounts.sum(account_name) > 1", "is a text, where a number is needed"),
        ('city.matches("(")', "This is no regular expression"),
        ('city.matches("((a{100}){100}){100}")', "The pattern repeats its parts too often."),
        ('city.matches("a{5000}")', "The pattern repeats its parts too often."),
        ("city.contains(null)", "Nothing compares with null"),
        ("$2.city = 1", "There is no parameter $2"),
        ('inSegment("broken")', "The segments name each other in a circle: broken → broken."),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_before_data_is_read(failure, pql, message):
    error = failure(pql)

    assert isinstance(error, PqlError)
    assert message in error.message


@pytest.mark.parametrize(
    ("pql", "reason"),
    [
        ("city.matches(full_name)", "`matches` needs a written pattern, which is checked before any data is read"),
        ("city.indexOf(full_name) = 1", "`indexOf` needs a written value"),
        ("city.substr(0, city.length()) = city", "`substr` needs a written value"),
        ('city.replace(city, "x") = "x"', "`replace` needs a written value"),
        ('city.matches("(?=a)b")', "Look-around cannot be matched in linear time"),
        (r'city.matches("(a)\\1")', "A back reference cannot be matched in linear time"),
        ("accounts.head().employees > 1", "has no order, so no first item"),
        ("accounts.topN(employees, 0).exists()", "is not how many to keep"),
        ("created_at occurs before updated_at ignore year", "needs a stretch of time of less than a year"),
        ("accounts.groupBy(industry).exists(true)", "does not say what a group is called"),
        ("identityMap.get(city) = 1", "`get` takes a key, in quotes"),
        ('accounts.includes("Acme")', "looks for a value among whole rows"),
        ('enteredSegment("broken", "soon")', "is no stretch of time"),
        (
            "CHAIN(xEvent, timestamp, [A: WHAT(true), B: WHAT(true) WHEN(<= 1 day after C), C: WHAT(true)])",
            "B counts from C, which is no step before it",
        ),
    ],
)
def test_what_has_no_answer_is_refused_with_the_reason(failure, pql, reason):
    error = failure(pql)

    assert isinstance(error, PqlError)
    assert reason in error.message


def test_a_rule_as_deep_and_one_as_wide_as_allowed_are_evaluated(world, tiny, model, rows):
    segments = [
        Segment(name="deep", pql="not " * 498 + "person_score > 80"),
        Segment(name="wide", pql=" or ".join(f"person_score = {number}" for number in range(80, 1000))),
        Segment(name="dated", pql='full_name.matches("^.{1,64}([A-Z]{2}|n){0,255}")'),
    ]

    evaluation = evaluate(segments, world(tiny), model, as_of=AS_OF)

    assert evaluation.failed == {}
    found = rows(evaluation.members, "segment", "profile_id")
    assert [row for row in found if row[0] != "dated"] == [
        ("deep", 1), ("deep", 4), ("wide", 1), ("wide", 2), ("wide", 4),
    ]  # fmt: skip


def test_a_broken_segment_stops_no_other(world, tiny, model, rows):
    segments = [
        Segment(name="good", pql="person_score > 80"),
        Segment(name="broken", pql="person_score >"),
        Segment(name="named", pql='inSegment("broken")'),
    ]

    evaluation = evaluate(segments, world(tiny), model, as_of=AS_OF)

    assert (evaluation.evaluated, set(evaluation.failed)) == (("good",), {"broken", "named"})
    assert evaluation.failed["named"].message == "The segment 'broken' cannot be evaluated: A value is missing."
    assert rows(evaluation.members, "profile_id") == [1, 4]


def test_a_table_that_was_never_written_fails_only_who_reads_it(world, tiny, model, rows):
    scan = world(tiny)

    def partly(name):
        if name == "campaign":
            raise NotYetError("No run has written profiles/campaign.")
        return scan(name)

    segments = [
        Segment(name="spenders", pql="campaignMemberships.exists(campaign.actual_cost > 1)"),
        Segment(name="members", pql="campaignMemberships.exists()"),
    ]
    evaluation = evaluate(segments, partly, model, as_of=AS_OF)

    assert isinstance(evaluation.failed["spenders"], NotYetError)
    assert rows(evaluation.members, "segment", "profile_id") == [("members", 5), ("members", 6)]


def test_segments_of_segments_see_each_other_at_any_level(world, tiny, model, rows):
    segments = [
        Segment(name="staff_of_rich", pql='inSegment("scored") and accounts.exists(inSegment("rich"))'),
        Segment(name="scored", pql="person_score > 0", status="draft"),
        Segment(name="rich", pql="annual_revenue >= 100000000", entity="account"),
    ]

    evaluation = evaluate(segments, world(tiny), model, as_of=AS_OF)

    assert evaluation.failed == {}
    assert evaluation.evaluated == ("staff_of_rich", "rich")
    assert rows(evaluation.members, "segment", "profile_id") == [
        ("rich", 1), ("rich", 2), ("staff_of_rich", 1), ("staff_of_rich", 2),
    ]  # fmt: skip


def test_a_circle_of_segments_is_named(world, tiny, model):
    segments = [Segment(name="a", pql='inSegment("b")'), Segment(name="b", pql='inSegment("a")')]

    evaluation = evaluate(segments, world(tiny), model, as_of=AS_OF)

    assert "a → b → a" in evaluation.failed["a"].message
    assert evaluation.members is None


def test_days_begin_in_the_time_zone_of_the_workspace(world, model, rows):
    people = [{"profile_id": 1, "created_at": datetime(2026, 3, 14, 23, 30, tzinfo=ZoneInfo("UTC"))}]
    segments = [Segment(name="today", pql="created_at occurs today")]

    there = evaluate(segments, world({"person": people}), model, as_of=AS_OF, timezone="Europe/Zurich")
    here = evaluate(segments, world({"person": people}), model, as_of=AS_OF)

    assert rows(there.members, "profile_id") == [1]
    assert rows(here.members, "profile_id") == []


def test_the_method_tells_events_from_other_entities(world, tiny, model):
    segments = [
        Segment(name="events", pql="xEvent.exists(page_name = city)"),
        Segment(name="accounts", pql="accounts.exists()"),
    ]

    methods = evaluate(segments, world(tiny), model, as_of=AS_OF).methods

    assert methods["events"][0] == "streaming"
    assert methods["accounts"] == ("batch", "reads account, person_account")


@pytest.mark.parametrize("is_run", [False, True])
def test_buckets_of_profiles_have_together_the_members_of_the_whole(is_run, world, tiny, model, engine, rows):
    segments = [
        Segment(name="scored", pql="person_score > 10"),
        Segment(name="visitors", pql="xEvent.count(true) >= 1"),
        Segment(name="at_accounts", pql="accounts.exists(annual_revenue > 0)"),
        Segment(name="staffed", pql="people.exists(xEvent.exists(true))", entity="account"),
    ]

    whole = evaluate(segments, world(tiny), model, as_of=AS_OF)
    divided = evaluate(segments, world(tiny), model, as_of=AS_OF, bucket_size=2, engine=engine if is_run else None)

    assert len(list(divided.parts())) > len(list(whole.parts())) == 2
    assert rows(divided.members, "segment", "profile_id") == rows(whole.members, "segment", "profile_id")


@pytest.mark.parametrize("is_run", [False, True])
def test_chosen_profiles_are_judged_as_in_the_whole(is_run, world, tiny, model, frame, engine, rows):
    segments = [
        Segment(name="visitors", pql="xEvent.count(true) >= 1"),
        Segment(name="at_accounts", pql="accounts.exists(annual_revenue > 0)"),
        Segment(name="rich", pql="annual_revenue > 0", entity="account"),
    ]
    chosen = [1, 3, 4]

    whole = evaluate(segments, world(tiny), model, as_of=AS_OF)
    profiles = {"person": frame({"profile_id": chosen})}
    some = evaluate(segments, world(tiny), model, as_of=AS_OF, profiles=profiles, engine=engine if is_run else None)

    expected = rows(whole.members, "segment", "profile_id")
    assert rows(some.members, "segment", "profile_id") == [
        (name, profile_id) for name, profile_id in expected if name == "rich" or profile_id in chosen
    ]

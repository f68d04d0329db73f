"""Why in, why out."""

import pytest

from cdp_toolkit.errors import DataError
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.explain import explain
from tests.segments.conftest import AS_OF
from tests.segments.test_meaning import CASES, NAMED, WORLD


def test_each_condition_shows_its_truth_and_the_value_that_decides(world, tiny, model):
    segment = Segment(name="buyers", pql='department = "Human Resources" and not person_score > 80')

    explanation = explain(segment, 3, world(tiny), model, as_of=AS_OF)

    assert str(explanation).splitlines() == [
        '? department = "Human Resources" and not person_score > 80',
        '  ✓ department = "Human Resources"',
        "      department = Human Resources",
        "  ? not person_score > 80",
        "    ? person_score > 80",
        "        person_score = null",
    ]


def test_the_rows_nearest_to_the_rule_are_shown(world, tiny, model):
    pql = 'exists R from accountRelations where R.personRole = "Manager" and R.account.industry = "Retail"'

    explanation = explain(Segment(name="managers", pql=pql), 1, world(tiny), model, as_of=AS_OF)

    assert explanation.verdict is False
    assert explanation.facts == ("✗ row account_person-0: R.personRole = Manager, R.account.industry = Finance",)
    assert [(part.verdict, part.facts) for part in explanation.parts] == [
        (True, ("holds for 1 of 1 rows",)),
        (False, ("holds for 0 of 1 rows",)),
    ]


def test_a_count_is_shown_with_the_rows_that_it_counts(world, tiny, model):
    pql = 'xEvent[web.webPageDetails.URL.contains("/pricing")].count() >= 3'

    explanation = explain(Segment(name="visitors", pql=pql), 1, world(tiny), model, as_of=AS_OF)

    assert explanation.verdict is True
    assert explanation.facts[0] == 'xEvent[web.webPageDetails.URL.contains("/pricing")].count() = 3'
    assert len(explanation.facts) == 4


def test_a_condition_on_all_rows_shows_the_rows_that_break_it(world, tiny, model):
    pql = 'accounts.forall(industry = "Finance")'

    explanation = explain(Segment(name="only_finance", pql=pql), 2, world(tiny), model, as_of=AS_OF)

    assert explanation.verdict is False
    assert explanation.facts[0] == "✗ row 3: industry = Retail"
    assert "holds for 1 of 2 rows" in explanation._repr_html_()


def test_a_segment_of_segments_is_explained_through_and_through(world, tiny, model):
    high = Segment(name="high", pql="person_score > 80")
    both = Segment(name="both", pql='inSegment("high") and xEvent.exists(page_name = job_title)')

    explanation = explain(both, 4, world(tiny), model, as_of=AS_OF, segments=[high])

    assert str(explanation.parts[0]).splitlines() == [
        '✓ inSegment("high")',
        "  ✓ person_score > 80",
        "      person_score = 81",
    ]


def test_a_profile_that_is_not_there_is_named(world, tiny, model):
    with pytest.raises(DataError, match="There is no person 99"):
        explain(Segment(name="all", pql="true"), 99, world(tiny), model, as_of=AS_OF)


def test_a_sequence_is_explained_by_the_rows_of_its_steps(world, tiny, model):
    rule = 'CHAIN(xEvent, timestamp, [A: WHAT(eventType like "web%"), B: WHAT(page_url like "%?a") WHEN(<= 20 days after A)])'

    explained = explain(Segment(name="came_back", pql=rule), 1, world(tiny), model, as_of=AS_OF)

    assert explained.verdict is True
    assert [(part.text, part.facts) for part in explained.parts] == [
        ('eventType like "web%"', ("holds for 3 of 3 rows",)),
        ('page_url like "%?a"', ("holds for 1 of 3 rows",)),
    ]


@pytest.mark.parametrize("engine", ["polars"], indirect=True)
@pytest.mark.parametrize("topic", CASES)
@pytest.mark.usefixtures("engine")
def test_every_construct_is_explained_with_the_truth_that_an_evaluation_finds(topic, world, model):
    scan = world(WORLD)

    for number, case in enumerate(CASES[topic]):
        profile_id = number % 4 + 1
        explained = explain(Segment(name="rule", pql=case["pql"]), profile_id, scan, model, as_of=AS_OF, segments=NAMED)

        assert bool(explained.verdict) == (profile_id in case["in"]), (case["pql"], profile_id)
        assert explained.text in str(explained)

"""A segment is the same in Python and in its file."""

import pytest

from cdp_toolkit.errors import ConfigError
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.evaluate import evaluate
from tests.segments.conftest import AS_OF


def test_a_segment_is_read_as_it_was_written():
    segment = Segment(
        name="buyers", description="Who buys: all", pql="a = 1\nand b = 2\n", tags=("web",), status="draft"
    )

    text = segment.to_yaml()

    assert Segment.from_yaml(text) == segment
    assert "pql: |\n  a = 1\n  and b = 2\n" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: Big Buyers\npql: a = 1", "name: String should match pattern"),
        ("name: buyers\npql: a = 1\nentty: person", "entty: Extra inputs are not permitted"),
        ("name: buyers", "the file: A segment needs a rule: pql, or include"),
        ('name: buyers\npql: "  "', "the file: A segment needs a rule: pql, or include"),
        ("name: [", "The file is not YAML"),
        ("- 1", "the file: Input should be a valid dictionary"),
    ],
)
def test_a_wrong_file_is_refused_with_the_setting_that_is_wrong(text, message):
    with pytest.raises(ConfigError, match=r"segments/buyers\.yaml") as caught:
        Segment.from_yaml(text, where="segments/buyers.yaml")

    assert caught.value.message.startswith(message)


def test_an_audience_can_be_made_of_others(world, tiny, model, rows):
    segments = [
        Segment(name="scored", pql="person_score > 0"),
        Segment(name="managers", pql='job_title = "Manager"', status="draft"),
        Segment(name="chosen", include=("scored", 'city = "Rome"'), exclude=("person_score > 85", "managers")),
    ]

    evaluation = evaluate(segments, world(tiny), model, as_of=AS_OF)

    found = rows(evaluation.members, "segment", "profile_id")
    assert evaluation.failed == {}
    assert [profile for segment, profile in found if segment == "scored"] == [1, 2, 4, 5]
    assert [profile for segment, profile in found if segment == "chosen"] == [2, 5]


def test_whoever_is_unknown_to_an_exclusion_stays(world, model, rows):
    people = [{"profile_id": 1, "is_blocked": None}, {"profile_id": 2, "is_blocked": True}]
    segment = Segment(name="all", pql="true // everyone", exclude=("is_blocked = true",))

    evaluation = evaluate([segment], world({"person": people}), model, as_of=AS_OF)

    assert rows(evaluation.members, "profile_id") == [1]


def test_a_circle_by_way_of_an_inclusion_is_named(world, tiny, model):
    segments = [Segment(name="a", pql="true", include=("b",)), Segment(name="b", pql="true", exclude=("a",))]

    evaluation = evaluate(segments, world(tiny), model, as_of=AS_OF)

    assert "a → b → a" in evaluation.failed["a"].message

"""Definitions of the reference system come in unchanged and go back."""

import json

import pytest

from cdp_toolkit.errors import ConfigError, PqlError
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.exchange import from_json, to_json

EXPORTED = {
    "id": "4afe34ae-8c98-4513-8a1d-67ccaa54bc05",
    "schema": {"name": "_xdm.context.profile"},
    "profileInstanceId": "ups",
    "imsOrgId": "org",
    "name": "People who ordered in the last 30 days",
    "description": "Last 30 days",
    "expression": {
        "type": "PQL",
        "format": "pql/text",
        "value": "xEvent.exists(timestamp occurs <= 30 days before now)",
    },
    "evaluationInfo": {
        "batch": {"enabled": False},
        "continuous": {"enabled": True},
        "synchronous": {"enabled": False},
    },
    "creationTime": 0,
}


def test_an_exported_definition_is_a_segment():
    segment = from_json(json.dumps(EXPORTED))

    assert segment == Segment(
        name="people_who_ordered_in_the_last_30_days",
        description="Last 30 days",
        entity="person",
        pql="xEvent.exists(timestamp occurs <= 30 days before now)",
        exchanged=EXPORTED,
    )


def test_what_came_in_goes_out_as_it_was_and_through_its_file():
    segment = from_json(json.dumps(EXPORTED))

    assert json.loads(to_json(segment)) == EXPORTED
    assert json.loads(to_json(Segment.from_yaml(segment.to_yaml()))) == EXPORTED


def test_what_was_changed_here_goes_out_changed():
    segment = from_json(json.dumps(EXPORTED)).model_copy(update={"pql": "person_score > 1", "status": "archived"})

    found = json.loads(to_json(segment))

    assert found["expression"] == EXPORTED["expression"] | {"value": "person_score > 1"}
    assert found["lifecycleState"] == "inactive"
    assert {name: found[name] for name in ("id", "name", "evaluationInfo")} == {
        name: EXPORTED[name] for name in ("id", "name", "evaluationInfo")
    }


@pytest.mark.parametrize("entity", ["person", "account"])
@pytest.mark.parametrize("status", ["draft", "active", "archived"])
def test_a_segment_goes_out_and_comes_back(entity, status):
    segment = Segment(name="some", description="Some of them", entity=entity, pql="true", status=status)

    assert from_json(to_json(segment)) == segment


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"expression": {"type": "PQL", "format": "pql/json", "value": "{}"}}, ConfigError, "expression.format"),
        ({"expression": None}, ConfigError, "expression"),
        ({"schema": {"name": "_xdm.context.other"}}, ConfigError, "schema.name"),
        ({"expression": {"format": "pql/text", "value": "a ="}}, PqlError, "A value is missing."),
    ],
)
def test_what_is_no_definition_is_refused_with_its_place(change, error, message):
    with pytest.raises(error) as caught:
        from_json(json.dumps(EXPORTED | change), where="export.json")

    assert message in caught.value.message


def test_a_name_without_letters_still_gives_a_file():
    assert from_json(json.dumps(EXPORTED | {"name": "2026 · 🎉"})).name == "segment_2026"

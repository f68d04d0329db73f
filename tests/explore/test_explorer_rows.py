"""Rows show a rule without changing it, and what they cannot show stays as text."""

from datetime import date
from pathlib import Path

import pytest
import yaml

from cdp_toolkit.explore.explorer import parts as p
from cdp_toolkit.explore.explorer.draft import Draft
from cdp_toolkit.explore.explorer.operators import OPERATORS, fits
from cdp_toolkit.explore.explorer.read import read
from cdp_toolkit.explore.explorer.sight import Row, Sight
from cdp_toolkit.explore.explorer.write import write, written
from cdp_toolkit.model import Model
from cdp_toolkit.segments.pql.parse import parse

MODEL = Model.standard()
PROJECT = Path(__file__).parent.parent.parent


def _texts():
    for file in sorted((PROJECT / "cdp_toolkit" / "demo" / "workspace" / "segments").glob("*.yaml")):
        told = yaml.safe_load(file.read_text("utf-8"))
        yield told.get("entity", "person"), told["pql"]
    for file in sorted((PROJECT / "tests" / "segments").glob("conformance*.yaml")):
        for cases in yaml.safe_load(file.read_text("utf-8")).values():
            named = (each for each in cases if isinstance(each, dict)) if isinstance(cases, list) else ()
            yield from ((each.get("entity", "person"), each["pql"]) for each in named if "error" not in each)


def _kinds(part):
    yield type(part)
    for each in getattr(part, "parts", ()):
        yield from _kinds(each)


def test_every_rule_that_is_read_as_rows_is_written_back_as_it_was():
    changed = []
    for entity, text in _texts():
        node = parse(text)
        rows = read(node, Sight(MODEL, (Row(entity),)))
        if write(rows) != node or parse(written(node)) != node:
            changed.append(text)

    assert changed == []


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("person_score > 80", {p.Comparison}),
        ("b2b.personScore between 1 and 2.5 or not workAddress.country.isNull()", {p.Comparison}),
        ('job_title.contains("chief", false) and country in ["DE", "AT"]', {p.Comparison}),
        ("created_at occurs <= 3 days before now and birth_date occurs on date(2000, 1, 2)", {p.Comparison}),
        ("created_at occurs this month and is_blocked = false", {p.Comparison}),
        ('xEvent[event_type = "a" and timestamp occurs <= 30 days before now].count() >= 3', {p.Related, p.Comparison}),
        ('exists R from opportunityRoles where R.opportunity.account.industry = "Finance"', {p.Related, p.Comparison}),
        ("accounts.exists(opportunities.exists(amount > 1) and related.forall(employees > 2))", {p.Related, p.Comparison}),
        ("accounts.opportunities.sum(amount) > 1000", {p.Related}),
        ('inSegment("a") and not enteredSegment("b", "7 days")', {p.InSegment}),
        ('CHAIN(xEvent, timestamp, [A: WHAT(eventType = "a"), !B: WHAT(eventType = "b") WHEN(<= 7 days after A)])',
         {p.Sequence, p.Step, p.Comparison}),
        ("a and b", {p.Text}),
        ("person_score % 10 = 0", {p.Text}),
    ],
)  # fmt: skip
def test_rows_show_a_rule_by_what_it_is_made_of(text, kinds):
    rows = read(parse(text), Sight(MODEL, (Row("person"),)))

    assert set(_kinds(rows)) - {p.Group} == kinds


def test_a_rule_is_built_by_rows_to_any_depth():
    draft = Draft(MODEL)

    for edit in (
        {"do": "add", "at": [], "kind": "comparison"},
        {"do": "operator", "at": [0], "name": "in"},
        {"do": "values", "at": [0], "values": ["CEO", "CFO"]},
        {"do": "add", "at": [], "kind": "event"},
        {"do": "values", "at": [1, 0], "values": ["visit"]},
        {"do": "quantity", "at": [1], "amount": 3},
        {"do": "add", "at": [], "kind": "related"},
        {"do": "add", "at": [2], "kind": "related"},
        {"do": "relation", "at": [2, 0], "path": "opportunities"},
        {"do": "quantity", "at": [2, 0], "kind": "sum", "operator": ">", "amount": 1000},
        {"do": "negate", "at": [2], "negated": True},
    ):
        draft.edit(edit)

    assert draft.text.splitlines() == [
        'job_title in ["CEO", "CFO"]',
        'and xEvent[event_type = "visit" and timestamp occurs <= 30 days before now].count() >= 3',
        "and not accounts.exists(opportunities.sum(amount) > 1000)",
    ]


def test_a_row_that_waits_for_its_value_is_not_in_the_text():
    draft = Draft(MODEL, pql="person_score > 1")

    draft.edit({"do": "add", "at": [], "kind": "comparison"})

    assert draft.text == "person_score > 1"
    assert [each["is_done"] for each in draft.rows["parts"]] == [True, False]


def test_typing_wrong_text_keeps_the_rows_and_points_at_the_mistake():
    draft = Draft(MODEL, pql='country = "DE"')

    draft.type('country = "DE" and')

    assert draft.error.column > 14
    assert draft.rows["parts"][0]["values"] == ["DE"]


def test_a_row_in_an_exists_with_a_variable_keeps_the_variable():
    draft = Draft(MODEL, pql='exists R from opportunityRoles where R.role = "Buyer"')

    draft.edit({"do": "add", "at": [0], "kind": "comparison"})
    draft.edit({"do": "field", "at": [0, 1], "path": "opportunity.is_closed"})
    draft.edit({"do": "quantity", "at": [0], "kind": "count", "amount": 2})

    inside = 'select R from opportunityRoles where R.role = "Buyer" and R.opportunity.is_closed = true'
    assert draft.text == f"({inside}).count() >= 2"


def test_another_operator_keeps_the_value_where_it_can():
    draft = Draft(MODEL, pql='country = "DE"')

    draft.edit({"do": "operator", "at": [0], "name": "in"})
    assert draft.text == 'country in ["DE"]'

    draft.edit({"do": "operator", "at": [0], "name": "isNull"})
    assert draft.text == "country.isNull()"


def test_a_step_that_others_count_from_can_be_removed():
    draft = Draft(MODEL, pql='CHAIN(xEvent, timestamp, [A: WHAT(eventType = "a"), B: WHAT(eventType = "b"), '
                  'C: WHAT(eventType = "c") WHEN(<= 7 days after A)])')  # fmt: skip

    draft.edit({"do": "remove", "at": [0, 0]})

    assert draft.text.endswith('[B: WHAT(eventType = "b"), C: WHAT(eventType = "c") WHEN(<= 7 days after B)])')


def test_rows_are_moved_grouped_joined_and_taken_back():
    draft = Draft(MODEL, pql="person_score > 1 and is_blocked = true")

    draft.edit({"do": "move", "at": [1], "by": -1})
    draft.edit({"do": "join", "at": [], "joined": "or"})
    draft.edit({"do": "wrap", "at": [0]})
    draft.edit({"do": "add", "at": [0], "kind": "comparison"})
    draft.edit({"do": "values", "at": [0, 1], "values": ["CEO"]})
    assert draft.text == '(is_blocked = true or job_title = "CEO")\nor person_score > 1'

    draft.undo()
    assert draft.text == "is_blocked = true\nor person_score > 1"


@pytest.mark.parametrize(
    ("takes", "values"),
    [
        ("day", (date(2026, 1, 1),)),
        ("distance", (3, "day")),
        ("texts", ("a", "b")),
        ("range", (1, 2.5)),
        ("nothing", ()),
    ],
)
def test_values_fit_what_takes_them_and_nothing_else(takes, values):
    known = {each.takes for several in OPERATORS.values() for each in several}

    assert {each for each in known if fits(each, values)} - {"number", "numbers", "text", "days"} == {takes}

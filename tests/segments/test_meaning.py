"""Each construct of the language, on each engine: rules, and for whom they are true."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.evaluate import evaluate
from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.calls import ON_ARRAYS
from cdp_toolkit.segments.pql.functions import FUNCTIONS, OTHERS
from cdp_toolkit.segments.pql.parse import parse
from tests.segments.conftest import AS_OF

FILES = sorted(Path(__file__).parent.glob("conformance*.yaml"))
CASES = {topic: cases for file in FILES for topic, cases in yaml.safe_load(file.read_text("utf-8")).items()}
WORLD, NAMED = CASES.pop("world"), [Segment(**each) for each in CASES.pop("segments")]
RULES = [case["pql"] for cases in CASES.values() for case in cases]


@pytest.mark.parametrize("topic", CASES)
def test_a_rule_is_true_for_whom_the_file_says(topic, world, model, rows):
    rules = {f"rule_{number}": case["pql"] for number, case in enumerate(CASES[topic])}
    segments = [Segment(name=name, pql=pql) for name, pql in rules.items()]

    evaluation = evaluate([*segments, *NAMED], world(WORLD), model, as_of=AS_OF)

    assert {name: str(error) for name, error in evaluation.failed.items()} == {}
    found = {pql: [] for pql in rules.values()}
    for name, profile_id in rows(evaluation.members, "segment", "profile_id"):
        found[rules[name]].append(profile_id)
    assert found == {case["pql"]: case["in"] for case in CASES[topic]}


def parts(node: n.Node) -> Iterator[n.Node]:
    """Return a node and all that it is made of."""
    yield node
    for each in fields(node):
        value = getattr(node, each.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, n.Node):
                yield from parts(part)


def nullable(model) -> set[str]:
    """Return the names of columns that are null somewhere in the world, and of the relations that someone lacks."""
    columns = {
        name
        for table, rows in WORLD.items()
        if table in model.entities
        for row in rows
        for field in model.entity(table).fields.values()
        if field.name in row and row[field.name] is None
        for name in (field.name, *field.path.split("."))
    }
    return columns | {"accounts", "xEvent", "opportunityRoles", "parent", "in_bern"}


def names(node: n.Node) -> set[str]:
    """Return all names and texts in a node."""
    found = {each.name for each in parts(node) if isinstance(each, n.Name | n.Member)}
    return found | {each.value for each in parts(node) if isinstance(each, n.Literal) and isinstance(each.value, str)}


def test_there_are_at_least_400_cases_and_none_twice():
    assert len(RULES) == len(set(RULES))
    assert len(RULES) >= 400


@pytest.mark.parametrize(
    "function", sorted({*FUNCTIONS, *ON_ARRAYS, *OTHERS} - {"currentYear", "currentMonth", "currentDayOfMonth"})
)
def test_each_function_has_a_case_in_which_something_is_null(function, model):
    operators = {"in": n.In, "notIn": n.In, "like": n.Like, "filter": n.Filtered}

    calls = [
        part
        for rule in RULES
        for part in parts(parse(rule))
        if (isinstance(part, n.Call) and part.name == function) or isinstance(part, operators.get(function, ()))
    ]

    assert any(names(call) & nullable(model) for call in calls)


@pytest.mark.parametrize(
    "construct", sorted(n.Node.__subclasses__(), key=lambda each: each.__name__), ids=lambda each: each.__name__
)
def test_each_construct_has_a_case(construct):
    assert any(isinstance(part, construct) for rule in RULES for part in parts(parse(rule)))

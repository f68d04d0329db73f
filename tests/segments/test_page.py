"""The page about the language says what the language is."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cdp_toolkit.segments.builder import Rules
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.pql.bind import bind
from cdp_toolkit.segments.pql.binder import Segments
from cdp_toolkit.segments.pql.bound import Constant
from cdp_toolkit.segments.pql.calls import ON_ARRAYS
from cdp_toolkit.segments.pql.functions import FUNCTIONS, OTHERS
from cdp_toolkit.segments.pql.parse import parse
from cdp_toolkit.segments.pql.times import Clock

PAGE = (Path(__file__).parents[2] / "docs" / "pql.md").read_text("utf-8")
ROWS = [re.findall(r"`([^`]+)`", line) for line in PAGE.splitlines() if line.startswith("| `")]
CLOCK = Clock(datetime(2026, 3, 15, 12, tzinfo=UTC))


class Any(Segments):
    """Segments of people, whatever their name."""

    def entity(self, _name, _node):
        return "person"

    def condition(self, _name, _node):
        return Constant(value=True, kind="boolean")


@pytest.mark.parametrize("example", [row[-1] for row in ROWS])
def test_each_example_makes_sense(example, model):
    bound = bind(parse(example), model, clock=CLOCK, segments=Any())

    assert bound.kind == "boolean"


def test_each_function_is_on_the_page_and_no_other():
    functions = PAGE[PAGE.index("## Functions") : PAGE.index("## What is refused")]

    named = re.findall(r"^\| `(\w+)` \|", functions, re.MULTILINE)

    assert sorted(named) == sorted({*FUNCTIONS, *ON_ARRAYS, *OTHERS})
    assert all(f"{row[0]}(" in row[-1] or f" {row[0]} " in row[-1] for row in ROWS if row[0] in named)


def test_the_python_on_the_page_are_rules(model):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    start, *lines = [line for line in code.splitlines() if line]
    rules = Rules(model)
    names = {"person": rules.person, "account": rules.account}

    texts = [str(eval(line, {}, names)) for line in lines]  # noqa: S307 - lines of our own page

    assert start.startswith("person, account = ws.rules")
    assert all(bind(parse(text), model, clock=CLOCK).kind == "boolean" for text in texts)


def test_the_definition_on_the_page_is_one(model):
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)

    segment = Segment.from_yaml(text)

    assert bind(parse(segment.rule), model, clock=CLOCK).kind == "boolean"

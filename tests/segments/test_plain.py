"""What is read quickly is what the grammar would read, to the place of each part."""

from dataclasses import fields

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lark.exceptions import LarkError

from cdp_toolkit.errors import PqlError
from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.parse import read_by_grammar
from cdp_toolkit.segments.pql.plain import read_plain
from tests.segments.test_language import PUBLISHED, larger, plain
from tests.segments.test_meaning import RULES

WORDS = [
    "a", "b.c", "X", "and", "or", "not", "!", "in", "notIn", "like", "between", "occurs", "exists", "forall", "select",
    "from", "where", ":", "let", "count", "sum", "over", "chain", "CHAIN", "date", "now", "Today", "last week", "this",
    "next", "day", "3", "2.5", "7.e", "1d", "days", "month", "before", "after", "ignore year", "on", "(on)", "true",
    "NULL", '"t"', "'t'", '"', "=", "==", "<>", "!=", "<=", ">", "=>", "(", ")", "[", "]", "[]", "()", ",", ".", ". ",
    "-", "+", "*", "%", "$1", "//", "/*", "\\", "\n", "  ", "if", "inSegment", "a.exists(", "E from", "what", "when",
]  # fmt: skip


def places(node):
    yield type(node), node.at.line, node.at.column
    for each in fields(node):
        value = getattr(node, each.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, n.Node):
                yield from places(part)


def assert_read_alike(text):
    quickly = read_plain(text)
    if quickly is None:
        return
    try:
        slowly = read_by_grammar(text)
    except (PqlError, LarkError) as error:
        pytest.fail(f"{text!r} is read as {quickly}, but the grammar says: {error}")
    assert quickly == slowly
    assert [*places(quickly)] == [*places(slowly)]


@pytest.mark.parametrize("text", [*RULES, *PUBLISHED])
def test_rules_are_read_alike(text):
    assert_read_alike(text)


@given(st.recursive(plain, larger, max_leaves=8))
@settings(max_examples=100, deadline=None)
def test_trees_are_read_alike(tree):
    assert_read_alike(str(tree))


@given(st.lists(st.sampled_from(WORDS), max_size=12), st.sampled_from(["", " "]))
@settings(max_examples=500, deadline=None)
@example(["a", "=", "1", "and", "not", "exists", "X", "from", "b", "where", "c", "or", "d"], " ")
@example(["count", "(", "a", ")", "=", "1"], "")
def test_what_makes_no_sense_makes_none_to_either(words, between):
    assert_read_alike(between.join(words))


def test_most_rules_are_plain():
    read = [read_plain(text) is not None for text in RULES]

    assert sum(read) > len(read) / 2

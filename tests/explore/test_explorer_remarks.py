"""Comments of a rule outlive every change of its rows."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_toolkit.explore.explorer.draft import Draft
from cdp_toolkit.model import Model
from cdp_toolkit.segments.pql.comments import comments, without
from cdp_toolkit.segments.pql.parse import parse
from tests.explore.test_explorer_rows import _texts

MODEL = Model.standard()
TEXTS = [(entity, text) for entity, text in _texts() if not list(comments(text))]


def _said(text):
    return [line for each in comments(text) for line in each.text.splitlines()]


def _comments(row):
    return [row["comment"], *(said for part in row.get("parts", ()) for said in _comments(part))]


RULE = """\
// whom sales asked for
country = "DE"  // not yet Austria
/* in a company
   that is large */
and accounts.exists(/* by head count */ employees > 1000)
// either of these
and (/* the bosses */ job_title = "CEO" or /* and who is keen */ person_score > 80)"""


def test_each_comment_is_that_of_the_row_or_group_behind_it_or_before_it_on_its_line():
    draft = Draft(MODEL, pql=RULE)

    assert _comments(draft.rows) == [
        "",
        "whom sales asked for\nnot yet Austria",
        "in a company\nthat is large",
        "by head count",
        "either of these",
        "the bosses",
        "and who is keen",
    ]


def test_an_edit_of_one_row_prints_all_comments_again():
    draft = Draft(MODEL, pql=RULE)

    draft.edit({"do": "values", "at": [0], "values": ["AT"]})

    assert draft.text.splitlines() == [
        "// whom sales asked for",
        "// not yet Austria",
        'country = "AT"',
        "// in a company",
        "// that is large",
        "and accounts.exists(/* by head count */ employees > 1000)",
        "// either of these",
        'and (/* the bosses */ job_title = "CEO" or /* and who is keen */ person_score > 80)',
    ]
    assert _comments(Draft(MODEL, pql=draft.text).rows) == _comments(draft.rows)


@pytest.mark.parametrize(
    ("edit", "kept"),
    [
        ({"do": "field", "at": [0], "path": "is_blocked"}, 8),
        ({"do": "values", "at": [0], "values": []}, 8),  # a row that waits for its value is not in the text
        ({"do": "move", "at": [2], "by": -2}, 8),
        ({"do": "join", "at": [], "joined": "or"}, 8),
        ({"do": "wrap", "at": [0]}, 8),
        ({"do": "negate", "at": [2], "negated": True}, 8),
        ({"do": "remove", "at": [2, 0]}, 7),  # what is removed takes its own comment with it
        ({"do": "remove", "at": [1]}, 5),
    ],
)
def test_a_comment_goes_where_its_row_goes(edit, kept):
    draft = Draft(MODEL, pql=RULE)

    draft.edit(edit)

    assert len(_said(draft.text)) == kept
    assert set(_said(draft.text)) <= set(_said(RULE))


def test_a_comment_that_was_typed_into_a_row_of_text_is_kept():
    draft = Draft(MODEL, pql='country = "DE"')

    draft.edit({"do": "add", "at": [], "kind": "text"})
    draft.edit({"do": "text", "at": [1], "text": "person_score % 10 = 0 // every tenth"})

    assert draft.text.splitlines() == ['country = "DE"', "// every tenth", "and person_score % 10 = 0"]


def test_a_text_of_comments_alone_is_an_empty_rule_that_keeps_them():
    draft = Draft(MODEL, pql="// to be written")
    assert draft.error is None
    assert draft.is_empty

    draft.edit({"do": "add", "at": [], "kind": "comparison"})
    draft.edit({"do": "values", "at": [0], "values": ["CEO"]})

    assert draft.text.splitlines() == ["// to be written", 'job_title = "CEO"']


def test_what_looks_like_a_comment_in_quotes_is_none():
    assert _said("""url = "http://x" and b = '/* no */' // yes""") == ["yes"]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(TEXTS), st.data())
def test_no_edit_loses_a_comment_or_changes_the_rule(rule, data):
    entity, text = rule
    blanks = [
        place
        for place, letter in enumerate(text)
        if letter in " \n" and parsed(_with(text, [(place, "x")])) == parse(text)
    ]
    places = data.draw(st.lists(st.sampled_from([0, *blanks]), max_size=5, unique=True))
    told = _with(text, [(place, f"said {number}") for number, place in enumerate(sorted(places))])

    draft = Draft(MODEL, entity=entity, pql=told)
    count = len(draft.root.parts)
    draft.edit({"do": "negate", "at": [count - 1], "negated": not draft.root.parts[-1].negated})
    draft.edit({"do": "negate", "at": [count - 1], "negated": not draft.root.parts[-1].negated})

    assert sorted(_said(draft.text)) == sorted(_said(told))
    assert parse(draft.text) == parse(text)
    again = Draft(MODEL, entity=entity, pql=draft.text)
    again.tidy()
    assert again.text == draft.text


def _with(text, said):
    for place, words in reversed(said):
        text = f"{text[:place]} /* {words} */{text[place:]}"
    return text


def parsed(text):
    try:
        return parse(text)
    except Exception:  # noqa: BLE001 - whatever is wrong with it
        return None


def test_comments_become_blanks_of_the_same_length():
    text = 'a = "x" // one\n/* two\nlines */ and b = 1'

    assert without(text).splitlines() == ['a = "x"       ', "      ", "         and b = 1"]

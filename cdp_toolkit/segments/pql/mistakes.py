"""What is wrong with a text that is not in the language, and how it is written instead."""

from collections.abc import Callable
from typing import Any

from lark import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from cdp_toolkit.errors import PqlError
from cdp_toolkit.segments.pql import nodes as n

_NULL = "Whether something is missing is asked in another way."
_NOT_IN = "`not in` is one word."
_SEARCH = "A function of texts stands behind the text, with a dot."
_TURNED = "A comparison is written the other way round."


def _everywhere(*endings: str) -> list[str]:
    """Return what is wrong behind any kind of value, by itself and in a call."""
    alone = [f"{start} {ending}" for ending in endings for start in ("a", "a.b", "f(a)", "a.f(b)")]
    return [*alone, *(f"{call}{each})" for each in alone for call in ("f(", "a.f(", "f(b, "))]


# The parser finds the example that stumbles in the same state; one that stumbles at the same word comes first.
_MISTAKES: dict[str, list[str]] = {
    _NULL: _everywhere("is null", "is not null"),
    _NOT_IN: _everywhere("not in [1]"),
    _SEARCH: _everywhere(*(f'{word} "b"' for word in ("contains", "startsWith", "endsWith", "matches", "includes"))),
    _TURNED: ["a => 1", "a =< 1", "a =! 1"],
    "A list is written with [ and ].": ["a in (1, 2)", 'a in ("b", "c")'],
    "A parenthesis is not closed.": [
        "(a = 1",
        "(a = 1 and b = 2",
        "f(a",
        "f(a = 1",
        "f(a = 1 and b = 2",
        "a.f(b",
        "a.f(b = 1",
    ],
    "A bracket is not closed.": ["a in [1, 2", "a[b = 1"],
    "A value is missing.": ["a =", "a >= and b = 1", "a = 1 and", "a = 1 or", "not", "a in", "a + ", "", "and a = 1"],
    "A word such as `and` or `or` is missing.": ["a = 1 b = 2", "a = 1 (b = 2)", "a.exists(b) c", 'a "b"', "a 1"],
    "A comparison is written twice.": ["a = = 1", "a = 1 = 2", "1 < a < 2", "a > > 1"],
    "A time is missing after `occurs`.": [
        "a occurs",
        "a occurs <= 3",
        "a occurs <= 3 days",
        "a occurs <= 3 days before",
    ],
    "A name is missing after the dot.": ["a. = 1", "a.", "a.b."],
    "An array is missing after `from`.": ["exists X from where X.a = 1", "exists X from"],
    "`between` needs two ends, joined by `and`.": ["a between 1", "a between 1, 2", "a occurs between now"],
}
_HINTS = {
    _NULL: "Write it as `city.isNull()` or `city.isNotNull()`.",
    _NOT_IN: 'Write it as `city notIn ["Bern"]`, or `not (city in ["Bern"])` to keep who has no city.',
    _SEARCH: 'Write it as `city.contains("Be")`.',
    _TURNED: "Write it as `>=`, `<=` or `!=`.",
    "A word such as `and` or `or` is missing.": "Join two conditions with `and` or `or`; texts stand in quotes.",
    "A time is missing after `occurs`.": "Write it as `timestamp occurs <= 3 days before now`.",
    "A comparison is written twice.": "Join two comparisons with `and`, or use `between`.",
}
_CHARACTERS = {
    "&": ("Conditions are joined by words.", "Write `and`."),
    "|": ("Conditions are joined by words.", "Write `or`."),
    "~": ("Conditions are turned round by a word.", "Write `not`."),
    ";": ("A rule is one condition.", "Leave out the semicolon, or write `and`."),
    "#": ("A comment begins with //.", ""),
    **dict.fromkeys(
        "\u201c\u201d\u201e\u2018\u2019",
        ("Such a quote has no meaning here.", 'Texts stand in straight quotes: "Bern".'),
    ),
    **dict.fromkeys("≤≥≠", ("Such a comparison has no meaning here.", "Write `<=`, `>=` or `!=`.")),
}


def explained(error: UnexpectedInput, text: str, parse: Callable[[str], Any]) -> PqlError:
    """Return the error that tells a user of a mistake.

    Parameters
    ----------
    error
        Where the parser stumbled.
    text
        What was written.
    parse
        The parser, which stumbles over examples of typical mistakes in the same way.

    Returns
    -------
    PqlError
        With line, column, a caret, and the right form where the mistake is a typical one.
    """
    if isinstance(error, UnexpectedCharacters):
        message, hint = _character(error.char)
    else:
        known = error.match_examples(parse, _MISTAKES, use_accepts=False, token_type_match_fallback=True)
        message = known or "This is not understood."
        hint = _HINTS.get(message, "")
    line, column = error.line, error.column
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        lines = text.splitlines() or [""]
        line, column = len(lines), len(lines[-1]) + 1
    return n.Place(text, line, column).error(message, hint=hint)


def _character(character: str) -> tuple[str, str]:
    if character in "\"'":
        return "A text is not closed.", ""
    return _CHARACTERS.get(character, (f"The character {character!r} has no meaning here.", ""))

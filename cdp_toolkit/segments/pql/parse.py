"""Text of the Profile Query Language to nodes."""

import ast
from collections.abc import Iterator, Sequence
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, cast

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken, v_args
from lark.exceptions import VisitError

from cdp_toolkit.errors import PqlError
from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.times import unit_of_word

# Deeper trees outgrow the stack here or in an engine; rules that people write have a dozen levels.
MAX_LEVELS = 100

# Typical mistakes; the parser finds the one that stumbles in the same state.
_MISTAKES = {
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
    "A word such as `and` or `or` is missing.": "Join two conditions with `and` or `or`; texts stand in quotes.",
    "A time is missing after `occurs`.": "Write it as `timestamp occurs <= 3 days before now`.",
    "A comparison is written twice.": "Join two comparisons with `and`, or use `between`.",
}


def parse(text: str) -> n.Node:
    """Read a text in the Profile Query Language.

    Parameters
    ----------
    text
        A condition, such as ``country = "Canada"``.

    Returns
    -------
    Node
        The condition as a tree; ``str`` gives its text again. Names are not looked up yet.

    Raises
    ------
    PqlError
        If the text is not in the language, with line, column and a caret; or if it has more than 100 levels.

    Examples
    --------
    >>> parse("person_score > 80 and !is_blocked")
    And(operands=(Compare(operator='>', left=Name(name='person_score'), right=Literal(value=80)), \
Not(operand=Name(name='is_blocked'))))
    """
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        raise _explained(error, text) from None
    try:
        node = cast("n.Node", _Builder(text).transform(tree))
    except VisitError as error:
        if isinstance(error.orig_exc, RecursionError):
            raise _too_deep(text) from None
        raise error.orig_exc from None
    except RecursionError:
        raise _too_deep(text) from None
    if _levels(node) > MAX_LEVELS:
        raise _too_deep(text)
    return node


def _too_deep(text: str) -> PqlError:
    return n.Place(text, 1, 1).error(
        f"The rule has more than {MAX_LEVELS} levels.",
        hint="Split it into segments that name each other by `inSegment`.",
    )


def _levels(node: n.Node) -> int:
    level, count = [node], 0
    while level:
        level = [part for each in level for part in _parts(each)]
        count += 1
    return count


def _parts(node: n.Node) -> Iterator[n.Node]:
    for value in vars(node).values():
        yield from (each for each in (value if isinstance(value, tuple) else (value,)) if isinstance(each, n.Node))


@cache
def _parser() -> Lark:
    grammar = files("cdp_toolkit.segments.pql").joinpath("grammar.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=True)


def _explained(error: UnexpectedInput, text: str) -> PqlError:
    if isinstance(error, UnexpectedCharacters):
        message = _character(error.char)
    else:
        known = error.match_examples(_parser().parse, _MISTAKES, use_accepts=False, token_type_match_fallback=True)
        message = known or "This is not understood."
    line, column = error.line, error.column
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        lines = text.splitlines() or [""]
        line, column = len(lines), len(lines[-1]) + 1
    return PqlError(message, text=text, line=line, column=column, hint=_HINTS.get(message, ""))


def _character(character: str) -> str:
    return "A text is not closed." if character in "\"'" else f"The character {character!r} has no meaning here."


def _unescaped(token: str) -> str:
    try:
        return cast("str", ast.literal_eval(token.replace("\n", "\\n").replace("\r", "\\r")))
    except SyntaxError:  # an escape that is none, as in "\d", stands for itself
        return token[1:-1]


def _unit(word: str) -> n.Unit:
    unit = unit_of_word(word)
    assert unit is not None  # noqa: S101 - by the grammar
    return unit


@v_args(meta=True)
class _Builder(Transformer[Token, Any]):
    """One method a rule of the grammar."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def _at(self, meta: Any) -> n.Place:
        return n.Place(self._text, getattr(meta, "line", 1), getattr(meta, "column", 1))

    def start(self, _: Any, found: Sequence[Any]) -> n.Node:
        return cast("n.Node", found[0])

    def disjunction(self, meta: Any, found: Sequence[Any]) -> n.Node:
        return n.Or(tuple(found), at=self._at(meta))

    def conjunction(self, meta: Any, found: Sequence[Any]) -> n.Node:
        return n.And(tuple(found), at=self._at(meta))

    def negation(self, meta: Any, found: Sequence[Any]) -> n.Node:
        return n.Not(found[1], at=self._at(meta))

    def quantifier(self, meta: Any, found: Sequence[Any]) -> n.Node:
        kind, *sources = found
        return n.Quantifier(kind.lower(), tuple(sources), at=self._at(meta))

    def fold(self, meta: Any, found: Sequence[Any]) -> n.Node:
        function, value, *sources = found
        return n.Fold(function.lower(), value, tuple(sources), at=self._at(meta))

    def let(self, meta: Any, found: Sequence[Any]) -> n.Node:
        variable, _, value, body = found
        return n.Let(str(variable), value, body, at=self._at(meta))

    def function(self, meta: Any, found: Sequence[Any]) -> n.Node:
        head, body = found
        names = head.rpartition(")")[0].strip("( \n\t")
        return n.Lambda(tuple(name.strip() for name in names.split(",")), body, at=self._at(meta))

    def source(self, meta: Any, found: Sequence[Any]) -> n.Node:
        variable, array, condition = found
        return n.Source(str(variable), array, condition, at=self._at(meta))

    def compare(self, meta: Any, found: Sequence[Any]) -> n.Node:
        left, operator, right = found
        return n.Compare(_operator(operator), left, right, at=self._at(meta))

    def contained(self, meta: Any, found: Sequence[Any]) -> n.Node:
        return n.In(*found, at=self._at(meta))

    def not_contained(self, meta: Any, found: Sequence[Any]) -> n.Node:
        left, right = found
        return n.In(left, right, negated=True, at=self._at(meta))

    def like(self, meta: Any, found: Sequence[Any]) -> n.Node:
        return n.Like(*found, at=self._at(meta))

    def between(self, meta: Any, found: Sequence[Any]) -> n.Node:
        return n.Between(*found, at=self._at(meta))

    def occurs(self, meta: Any, found: Sequence[Any]) -> n.Node:
        value, when, ignore_year = found
        return n.Occurs(value, when, ignore_year is not None, at=self._at(meta))

    def compared(self, _: Any, found: Sequence[Any]) -> n.Compared:
        return _operator(found[0])

    def distance(self, meta: Any, found: Sequence[Any]) -> n.Node:
        operator, amount, unit, direction, anchor = found
        return n.Distance(operator, int(amount), _unit(unit), direction.lower(), anchor, at=self._at(meta))

    def side(self, meta: Any, found: Sequence[Any]) -> n.Node:
        return n.Side(found[0].lower(), found[1], at=self._at(meta))

    def on(self, meta: Any, found: Sequence[Any]) -> n.Node:
        return n.On(found[0], at=self._at(meta))

    def span(self, meta: Any, found: Sequence[Any]) -> n.Node:
        return n.Span(*found, at=self._at(meta))

    def arithmetic(self, meta: Any, found: Sequence[Any]) -> n.Node:
        left, operator, right = found
        return n.Arithmetic(str(operator), left, right, at=self._at(meta))  # type: ignore[arg-type]  # by the grammar

    def negative(self, meta: Any, found: Sequence[Any]) -> n.Node:
        operand = found[1]
        if isinstance(operand, n.Literal) and type(operand.value) in {int, float}:
            return n.Literal(-operand.value, at=self._at(meta))  # type: ignore[operator]  # a number, see above
        return n.Negative(operand, at=self._at(meta))

    def member(self, meta: Any, found: Sequence[Any]) -> n.Node:
        return n.Member(found[0], str(found[1]), at=self._at(meta))

    def method(self, meta: Any, found: Sequence[Any]) -> n.Node:
        of, name, arguments = found
        return n.Call(str(name), tuple(arguments or ()), of, at=self._at(meta))

    def filtered(self, meta: Any, found: Sequence[Any]) -> n.Node:
        return n.Filtered(*found, at=self._at(meta))

    def text(self, meta: Any, found: Sequence[Any]) -> n.Node:
        return n.Literal(_unescaped(found[0]), at=self._at(meta))

    def integer(self, meta: Any, found: Sequence[Any]) -> n.Node:
        return n.Literal(int(found[0]), at=self._at(meta))

    def double(self, meta: Any, found: Sequence[Any]) -> n.Node:
        return n.Literal(float(found[0]), at=self._at(meta))

    def true(self, meta: Any, _: Sequence[Any]) -> n.Node:
        return n.Literal(value=True, at=self._at(meta))

    def false(self, meta: Any, _: Sequence[Any]) -> n.Node:
        return n.Literal(value=False, at=self._at(meta))

    def null(self, meta: Any, _: Sequence[Any]) -> n.Node:
        return n.Literal(None, at=self._at(meta))

    def moment(self, meta: Any, found: Sequence[Any]) -> n.Node:
        return n.Moment(found[0].lower(), at=self._at(meta))

    def period(self, meta: Any, found: Sequence[Any]) -> n.Node:
        which, unit = found[0].lower().split()
        return n.Period(which, _unit(unit), at=self._at(meta))

    def parameter(self, meta: Any, found: Sequence[Any]) -> n.Node:
        return n.Parameter(int(found[0][1:]), at=self._at(meta))

    def name(self, meta: Any, found: Sequence[Any]) -> n.Node:
        return n.Name(str(found[0]), at=self._at(meta))

    def call(self, meta: Any, found: Sequence[Any]) -> n.Node:
        name, arguments = str(found[0]), tuple(found[1] or ())
        if name == "date" and arguments:
            return _day(arguments, self._at(meta))
        return n.Call(name, arguments, at=self._at(meta))

    def array(self, meta: Any, found: Sequence[Any]) -> n.Node:
        return n.Array(tuple(found[0] or ()), at=self._at(meta))

    def arguments(self, _: Any, found: Sequence[Any]) -> Sequence[Any]:
        return found

    def chain(self, meta: Any, found: Sequence[Any]) -> n.Node:
        _, array, time, *steps = found
        return n.Chain(array, time, tuple(steps), at=self._at(meta))

    def step(self, meta: Any, found: Sequence[Any]) -> n.Node:
        outer, label, (inner, what, when, compared, amount) = found
        count = None if amount is None else (compared, int(amount))
        return n.Step(str(label), what, when, count, negated=(outer or inner) is not None, at=self._at(meta))

    def what(self, _: Any, found: Sequence[Any]) -> Sequence[Any]:
        return found


def _operator(token: str) -> n.Compared:
    return cast("n.Compared", {"<>": "!=", "==": "="}.get(token, str(token)))


def _day(arguments: tuple[n.Node, ...], at: n.Place) -> n.Node:
    parts = [part.value for part in arguments if isinstance(part, n.Literal) and type(part.value) is int]
    try:
        year, month, day = parts
        return n.Day(date(year, month, day), at=at)
    except ValueError:
        raise at.error("This is not a date.", hint="Write it as `date(2020, 3, 14)`: year, month, day.") from None

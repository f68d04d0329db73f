"""Text of the Profile Query Language to nodes."""

import ast
import sys
from collections.abc import Sequence
from datetime import date
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, cast

from lark import Lark, Token, Transformer_NonRecursive, UnexpectedInput, v_args
from lark.exceptions import VisitError

from cdp_toolkit.errors import PqlError
from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.mistakes import explained
from cdp_toolkit.segments.pql.plain import read_plain
from cdp_toolkit.segments.pql.times import unit_of_word

# Rules that people write have a dozen levels and a hundred parts; these bound the work, so that nothing hangs.
MAX_LEVELS = 500
MAX_PARTS = 50_000
MAX_CHARACTERS = 1_000_000
_CALLS_PER_LEVEL = 30  # of Python functions, when a tree is bound, compared or written
_REMEMBERED, _SHORT = 10_000, 10_000  # so many texts of at most so many characters are read once


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
        If the text is not in the language, with line, column and a caret; or if it is too large:
        500 levels, 50,000 parts or a million characters.

    Examples
    --------
    >>> parse("person_score > 80 and !is_blocked")
    And(operands=(Compare(operator='>', left=Name(name='person_score'), right=Literal(value=80)), \
Not(operand=Name(name='is_blocked'))))
    """
    if len(text) > MAX_CHARACTERS:
        raise _too_large(text, f"{MAX_CHARACTERS:,} characters")
    return _remembered(text) if len(text) <= _SHORT else _read(text)


# An evaluation after another one reads the same thousand rules again: 0.6 s of processor time.
@lru_cache(_REMEMBERED)
def _remembered(text: str) -> n.Node:
    return _read(text)


def _read(text: str) -> n.Node:
    node = read_plain(text) or read_by_grammar(text)
    levels, parts = _size(node)
    if levels > MAX_LEVELS:
        raise _too_large(text, f"{MAX_LEVELS} levels")
    if parts > MAX_PARTS:
        raise _too_large(text, f"{MAX_PARTS:,} parts")
    # A tree is walked by functions that call themselves; Python stops those at a thousand calls unless told otherwise.
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 1_000 + _CALLS_PER_LEVEL * levels))
    return node


def read_by_grammar(text: str) -> n.Node:
    """Read a text as the grammar says, which is the law; see ``parse``.

    Parameters
    ----------
    text
        A condition.

    Returns
    -------
    Node
        The condition, of any size.
    """
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        raise explained(error, text, _parser().parse) from None
    try:
        return cast("n.Node", _Builder(text).transform(tree))
    except VisitError as error:
        raise error.orig_exc from None


def _too_large(text: str, limit: str) -> PqlError:
    return n.Place(text[:200], 1, 1).error(
        f"The rule has more than {limit}.",
        hint="Split it into segments that name each other by `inSegment`.",
    )


def _size(node: n.Node) -> tuple[int, int]:
    level, levels, parts = [node], 0, 0
    while level:
        levels, parts = levels + 1, parts + len(level)
        below: list[n.Node] = []
        for each in level:
            for value in vars(each).values():
                if isinstance(value, n.Node):
                    below.append(value)
                elif isinstance(value, tuple):
                    below += [part for part in value if isinstance(part, n.Node)]
        level = below
    return levels, parts


@cache
def _parser() -> Lark:
    grammar = files("cdp_toolkit.segments.pql").joinpath("grammar.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=True)


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
class _Builder(Transformer_NonRecursive[Token, Any]):
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

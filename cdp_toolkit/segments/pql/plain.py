"""The rules that people write most, read quickly; whatever else a rule says is left to the grammar.

What is read here is what the grammar would read (a test holds them to it): and, or, not, comparisons, `in`, `like`, paths,
methods, filters, `exists` and its like over one array, and `occurs` with a distance or a day. On anything else, and on every
mistake, this gives up, and the grammar reads the text anew. A thousand rules: 0.13 s, by the grammar 0.64 s.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, cast

from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.times import unit_of_word

_TOKEN = re.compile(
    r"""[ ]*(?:(?P<word>[A-Za-z_]\w*) | (?P<text>"[^"\\]*"|'[^'\\]*') | (?P<integer>\d+)(?![\w.])
    | (?P<double>\d+\.\d+)(?![\w.]) | (?P<sign><=|>=|!=|<>|==|[=<>().,\[\]!:]) | (?P<end>$))""",
    re.VERBOSE,
)
_COMPARED: dict[str, n.Compared] = {
    "=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=",
}  # fmt: skip
_CONSTANTS = {"true": True, "false": False, "null": None}
_MOMENTS = {"now", "today", "yesterday", "tomorrow"}
# Words that begin something which only the grammar knows; the others only where a blank or an array follows.
_ELSEWHERE = {"and", "or", "in", "where", "this", "last", "next", "date", "chain", "on"}
_FOLDS = {"let", "count", "sum", "average", "min", "max"}
_QUANTIFIERS = {"exists", "forall", "select"}
_MOST_LEVELS = 40

_Token = tuple[str, str, int]


class _BeyondError(Exception):
    """The text says something that is not plain."""


def read_plain(text: str) -> n.Node | None:
    """Read a rule, if it is a plain one.

    Parameters
    ----------
    text
        A text in the Profile Query Language, or what is meant as one.

    Returns
    -------
    Node or None
        The rule as the grammar reads it; None where only the grammar can say what it is.
    """
    if not text.isprintable():
        return None
    try:
        return _Reader(text).whole()
    except _BeyondError:
        return None


def _tokens(text: str) -> Iterator[_Token]:
    scanner = _TOKEN.scanner(text)  # type: ignore[attr-defined]  # a method that typeshed lacks
    while match := scanner.match():
        kind = cast("str", match.lastgroup)
        yield kind, match.group(kind), match.start(kind) + 1
        if kind == "end":
            return
    raise _BeyondError


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [*_tokens(text)]
        self._place = 0
        self._level = 0

    def whole(self) -> n.Node:
        found = self._expression()
        return found if self._tokens[self._place][0] == "end" else _beyond()

    @property
    def _next(self) -> _Token:
        return self._tokens[self._place]

    def _at(self) -> n.Place:
        return n.Place(self._text, 1, self._tokens[self._place][2])

    def _is_word(self, word: str) -> bool:
        kind, value, _ = self._tokens[self._place]
        return kind == "word" and value.lower() == word

    def _is_sign(self, sign: str) -> bool:
        kind, value, _ = self._tokens[self._place]
        return kind == "sign" and value == sign

    def _took(self, is_it: bool) -> bool:  # noqa: FBT001 - reads as a sentence where it is called
        self._place += is_it
        return is_it

    def _expect(self, sign: str) -> None:
        if not self._took(self._is_sign(sign)):
            raise _BeyondError

    def _taken(self, kind: str) -> str:
        found, value, _ = self._tokens[self._place]
        if found != kind:
            raise _BeyondError
        self._place += 1
        return value

    def _expression(self) -> n.Node:
        self._level += 1
        if self._level > _MOST_LEVELS:
            raise _BeyondError
        found = self._joined("or", n.Or, lambda: self._joined("and", n.And, self._negated))
        self._level -= 1
        return found

    def _joined(self, word: str, kind: type[n.And] | type[n.Or], operand: Callable[[], n.Node]) -> n.Node:
        at = self._at()
        first = operand()
        if not self._is_word(word):
            return first
        operands = [first]
        while self._took(self._is_word(word)):
            operands.append(operand())
        return kind(tuple(operands), at=at)

    def _negated(self) -> n.Node:
        at = self._at()
        kind, value, _ = self._next
        if self._took(self._is_sign("!") or self._is_word("not")):
            self._level += 1
            if self._level > _MOST_LEVELS:
                raise _BeyondError
            found = n.Not(self._negated(), at=at)
            self._level -= 1
            return found
        if kind == "word" and value.lower() in _QUANTIFIERS and self._tokens[self._place + 1][0] == "word":
            return self._quantified(at)
        return self._comparison(at)

    def _quantified(self, at: n.Place) -> n.Node:
        kind = self._taken("word").lower()
        of = self._at()
        variable = self._taken("word")
        if not self._took(self._is_word("from")):
            raise _BeyondError
        array = self._path()
        condition = self._expression() if self._took(self._is_word("where") or self._is_sign(":")) else None
        return n.Quantifier(cast("Any", kind), (n.Source(variable, array, condition, at=of),), at=at)

    def _comparison(self, at: n.Place) -> n.Node:  # noqa: PLR0911 - a case an operator
        left = self._path()
        kind, value, _ = self._next
        if kind == "sign" and value in _COMPARED:
            self._place += 1
            return n.Compare(_COMPARED[value], left, self._path(), at=at)
        if kind != "word":
            return left
        match value.lower():
            case "and" | "or":
                return left
            case "in":
                self._place += 1
                return n.In(left, self._path(), at=at)
            case "notin":
                self._place += 1
                return n.In(left, self._path(), negated=True, at=at)
            case "like":
                self._place += 1
                return n.Like(left, self._path(), at=at)
            case "occurs":
                self._place += 1
                return n.Occurs(left, self._when(), at=at)
            case _:
                raise _BeyondError

    def _when(self) -> n.When:
        at = self._at()
        kind, value, _ = self._next
        if kind == "sign" and value in _COMPARED:
            self._place += 1
            amount, word = int(self._taken("integer")), self._taken("word")
            unit = unit_of_word(word) if len(word) > 1 else None
            direction = self._taken("word").lower()
            if unit is None or direction not in {"before", "after", "from"}:
                raise _BeyondError
            return n.Distance(_COMPARED[value], amount, unit, cast("n.Direction", direction), self._path(), at=at)
        if kind == "sign" or value.lower() in {"before", "after", "from", "between"}:
            raise _BeyondError
        return n.On(self._path(), at=at)

    def _path(self) -> n.Node:
        at = self._at()
        found = self._atom(at)
        while True:
            if self._took(self._is_sign(".")):
                found = self._behind(found, at)
            elif self._took(self._is_sign("[")):
                found = n.Filtered(found, self._expression(), at=at)
                self._expect("]")
            else:
                return found

    def _behind(self, of: n.Node, at: n.Place) -> n.Node:
        _, _, column = self._next
        if self._text[column - 2] != ".":
            raise _BeyondError
        name = self._taken("word")
        return (
            n.Call(name, self._arguments(")"), of, at=at)
            if self._took(self._is_sign("("))
            else n.Member(of, name, at=at)
        )

    def _arguments(self, end: str) -> tuple[n.Node, ...]:
        if self._took(self._is_sign(end)):
            return ()
        found = [self._expression()]
        while self._took(self._is_sign(",")):
            found.append(self._expression())
        self._expect(end)
        return tuple(found)

    def _atom(self, at: n.Place) -> n.Node:
        kind, value, _ = self._next
        self._place += 1
        match kind:
            case "word":
                return self._word(value, at)
            case "text":
                return n.Literal(value[1:-1], at=at)
            case "integer":
                return n.Literal(int(value), at=at)
            case "double":
                return n.Literal(float(value), at=at)
        if value == "(" and kind == "sign":
            found = self._expression()
            self._expect(")")
            return found
        if value == "[":
            return n.Array(self._arguments("]"), at=at)
        raise _BeyondError

    def _word(self, word: str, at: n.Place) -> n.Node:
        lower = word.lower()
        if lower in _CONSTANTS:
            return n.Literal(_CONSTANTS[lower], at=at)
        if lower in _MOMENTS:
            return n.Moment(cast("Any", lower), at=at)
        is_called = self._is_sign("(")
        if lower in _ELSEWHERE or (lower in _FOLDS and self._text[at.column - 1 + len(word) :][:1] == " "):
            raise _BeyondError
        return n.Call(word, self._arguments(")"), at=at) if self._took(is_called) else n.Name(word, at=at)


def _beyond() -> n.Node:
    raise _BeyondError

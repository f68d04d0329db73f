"""The Profile Query Language as frozen data: one node a construct, each with the place it was written at.

Places take no part in equality, so two texts that mean the same tree are equal.
"""

from dataclasses import dataclass, field
from datetime import date
from functools import singledispatch
from typing import Literal as Either

from cdp_toolkit.errors import PqlError

Compared = Either["=", "!=", "<", "<=", ">", ">="]
Unit = Either[
    "millisecond", "second", "minute", "hour", "day", "week", "month", "year", "decade", "century", "millennium"
]  # fmt: skip
Direction = Either["before", "after", "from"]


@dataclass(frozen=True)
class Place:
    """Where in which text a node begins; line and column from 1."""

    text: str
    line: int
    column: int

    def error(self, message: str, *, hint: str = "") -> PqlError:
        """Return an error that points here.

        Parameters
        ----------
        message
            What is wrong, as a sentence.
        hint
            What the user can do.

        Returns
        -------
        PqlError
            To be raised.
        """
        return PqlError(message, text=self.text, line=self.line, column=self.column, hint=hint)


NOWHERE = Place("", 1, 1)


@dataclass(frozen=True, kw_only=True)
class Node:
    """Anything that the language can say."""

    at: Place = field(default=NOWHERE, compare=False, repr=False)

    def __str__(self) -> str:
        """Return the text of the node; parsing it gives an equal node."""
        return written(self)


@singledispatch
def written(node: Node) -> str:
    """Return the text of a node; ``write.py`` says how, a function a construct.

    Parameters
    ----------
    node
        Any node.

    Returns
    -------
    str
        Its text on one line.
    """
    raise NotImplementedError(type(node).__name__)


@dataclass(frozen=True)
class Literal(Node):
    """A text, a number, a truth value or null."""

    value: str | int | float | bool | None

    def __eq__(self, other: object) -> bool:
        """Tell 1, 1.0 and true apart, which Python does not."""
        return isinstance(other, Literal) and (type(self.value), self.value) == (type(other.value), other.value)

    def __hash__(self) -> int:
        """Hash as compared."""
        return hash((type(self.value), self.value))


@dataclass(frozen=True)
class Day(Node):
    """``date(2020, 3, 14)``."""

    value: date


@dataclass(frozen=True)
class Moment(Node):
    """``now``, ``today``, ``yesterday`` or ``tomorrow``."""

    name: Either["now", "today", "yesterday", "tomorrow"]


@dataclass(frozen=True)
class Period(Node):
    """A unit of time: ``this``, ``last`` or ``next``."""

    which: Either["this", "last", "next"]
    unit: Unit


@dataclass(frozen=True)
class Array(Node):
    """``[a, b]``."""

    items: tuple[Node, ...]


@dataclass(frozen=True)
class Name(Node):
    """A variable, a field of the row in context, or one of its relations."""

    name: str


@dataclass(frozen=True)
class Parameter(Node):
    """``$1``."""

    number: int


@dataclass(frozen=True)
class Member(Node):
    """``of.name``."""

    of: Node
    name: str


@dataclass(frozen=True)
class Filtered(Node):
    """``array[condition]``."""

    array: Node
    condition: Node


@dataclass(frozen=True)
class Call(Node):
    """``name(a, b)`` or, with a receiver, ``of.name(a, b)``."""

    name: str
    arguments: tuple[Node, ...] = ()
    of: Node | None = None


@dataclass(frozen=True)
class Lambda(Node):
    """``(A, B) => body``."""

    parameters: tuple[str, ...]
    body: Node


@dataclass(frozen=True)
class Not(Node):
    """``not a``."""

    operand: Node


@dataclass(frozen=True)
class And(Node):
    """``a and b and c``."""

    operands: tuple[Node, ...]


@dataclass(frozen=True)
class Or(Node):
    """``a or b or c``."""

    operands: tuple[Node, ...]


@dataclass(frozen=True)
class Compare(Node):
    """``a <= b``."""

    operator: Compared
    left: Node
    right: Node


@dataclass(frozen=True)
class In(Node):
    """``a in b``, or ``a notIn b``, which is not its negation: null on either side is false."""

    left: Node
    right: Node
    negated: bool = False


@dataclass(frozen=True)
class Like(Node):
    """``a like "%b_"``."""

    left: Node
    right: Node


@dataclass(frozen=True)
class Between(Node):
    """``a between b and c``, both ends included."""

    value: Node
    low: Node
    high: Node


@dataclass(frozen=True)
class Arithmetic(Node):
    """``a + b``."""

    operator: Either["+", "-", "*", "/", "%"]
    left: Node
    right: Node


@dataclass(frozen=True)
class Negative(Node):
    """``-a``, where a is no literal."""

    operand: Node


@dataclass(frozen=True)
class Distance(Node):
    """``<= 3 days before now``."""

    operator: Compared
    amount: int
    unit: Unit
    direction: Direction
    anchor: Node


@dataclass(frozen=True)
class Side(Node):
    """``before today``."""

    direction: Direction
    anchor: Node


@dataclass(frozen=True)
class On(Node):
    """``on last week``; the word is optional."""

    anchor: Node


@dataclass(frozen=True)
class Span(Node):
    """``between yesterday and now``."""

    start: Node
    end: Node


When = Distance | Side | On | Span


@dataclass(frozen=True)
class Occurs(Node):
    """``timestamp occurs <= 3 days before now``, perhaps ``ignore year``."""

    value: Node
    when: When
    ignore_year: bool = False


@dataclass(frozen=True)
class Source(Node):
    """``X from array where condition``."""

    variable: str
    array: Node
    condition: Node | None = None


@dataclass(frozen=True)
class Quantifier(Node):
    """``exists``, ``forall`` or ``select`` over sources, each of which sees the variables before it."""

    kind: Either["exists", "forall", "select"]
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class Fold(Node):
    """``sum X.price over X from orders where …``."""

    function: Either["count", "sum", "average", "min", "max"]
    value: Node
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class Let(Node):
    """``let X = value in body``."""

    variable: str
    value: Node
    body: Node


@dataclass(frozen=True)
class Step(Node):
    """``C1: WHAT(condition) WHEN(<= 7 days after C0) COUNT(>= 2)`` of a chain."""

    label: str
    what: Node
    when: When | None = None
    count: tuple[Compared | None, int] | None = None
    negated: bool = False


@dataclass(frozen=True)
class Chain(Node):
    """``CHAIN(xEvent, timestamp, [steps])``: steps that happened in this order."""

    array: Node
    time: Node
    steps: tuple[Step, ...]

"""A rule as Python holds it: text of the language that ``&``, ``|`` and ``~`` join."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from cdp_toolkit.errors import ConfigError
from cdp_toolkit.segments.pql import nodes as n

# The entities of the rows in sight, the innermost first and what the rule is about last.
Sight = tuple[str, ...]
# Gives the node as it reads where these rows are in sight: fields of the innermost need no prefix.
Reading = Callable[[Sight], n.Node]


@dataclass(frozen=True, eq=False)
class Rule:
    """A condition about the rows of an entity.

    ``str(rule)`` is its text in the Profile Query Language, and a ``Segment`` takes it as it is.

    Parameters
    ----------
    entity
        What it is about.
    reading
        Gives its node.
    """

    entity: str
    reading: Reading

    @property
    def node(self) -> n.Node:
        """The rule as a tree; parsing its text gives an equal one."""
        return self.reading((self.entity,))

    def __and__(self, other: "Rule") -> "Rule":
        """Return the rule that both hold."""
        return _joined(n.And, self, other)

    def __or__(self, other: "Rule") -> "Rule":
        """Return the rule that at least one holds."""
        return _joined(n.Or, self, other)

    def __invert__(self) -> "Rule":
        """Return the rule that it does not hold; of the unknown that is unknown."""
        return Rule(self.entity, lambda sight: n.Not(self.reading(sight)))

    def __bool__(self) -> NoReturn:
        """Refuse to be true or false, which only a profile can decide."""
        raise ConfigError(
            "A rule is neither true nor false before it meets a profile.",
            where=str(self),
            hint="Join rules with & and |, negate with ~, each in parentheses; for a < x < b use x.between(a, b).",
        )

    def __str__(self) -> str:
        """Return the rule in the Profile Query Language."""
        return str(self.node)

    def __repr__(self) -> str:
        """Return the rule as a notebook shows it."""
        return f"Rule({self.entity}: {self})"


def _joined(kind: type[n.And] | type[n.Or], left: Rule, right: Rule) -> Rule:
    if not isinstance(right, Rule):
        raise ConfigError(
            f"{right!r} is no rule.", where=str(left), hint="Put each comparison in parentheses: (a == 1) & (b == 2)."
        )

    def operands(node: n.Node) -> tuple[n.Node, ...]:
        return node.operands if isinstance(node, kind) else (node,)

    return Rule(left.entity, lambda sight: kind((*operands(left.reading(sight)), *operands(right.reading(sight)))))

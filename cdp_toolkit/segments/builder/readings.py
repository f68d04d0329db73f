"""What a rule says of a value given to it: its node, wherever it is read."""

import re
from abc import ABC, abstractmethod
from datetime import date, datetime
from typing import Any

from cdp_toolkit.errors import ConfigError
from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.times import unit_of_word
from cdp_toolkit.segments.rule import Reading, Sight


class Readable(ABC):
    """Something of a row that a rule can compare: a value, or the rows behind a relation."""

    @abstractmethod
    def at(self, sight: Sight) -> n.Node:
        """Return its node as it reads where some rows are in sight.

        Parameters
        ----------
        sight
            Entities of the rows in sight, the innermost first.

        Returns
        -------
        Node
            The node.
        """


def literal(value: Any) -> n.Node:
    """Return the node of a value of Python.

    Parameters
    ----------
    value
        A text, a number, a truth value, a date, or several of them.

    Returns
    -------
    Node
        The node.

    Raises
    ------
    ConfigError
        If no rule can hold such a value.
    """
    match value:
        case None:
            raise ConfigError("Nothing compares with None.", where="rule", hint="Use `.is_null()` or `.is_not_null()`.")
        case datetime():
            raise ConfigError("A rule compares with days, not with instants.", where=str(value), hint="Give a date.")
        case date():
            return n.Day(value)
        case bool() | int() | float() | str():
            return n.Literal(value)
        case list() | tuple() | set() | frozenset():
            return n.Array(tuple(literal(each) for each in value))
        case _:
            raise ConfigError(f"A rule cannot hold {value!r}.", where="rule", hint="Give a text, a number or a date.")


def reading_of(value: Any) -> Reading:
    """Return how a value is read, whether it is Python's or a row's.

    Parameters
    ----------
    value
        What a rule compares with.

    Returns
    -------
    Reading
        Gives its node.
    """
    if isinstance(value, Readable):
        return value.at
    node = literal(value)
    return lambda _: node


def distance(length: str, operator: n.Compared, direction: n.Direction) -> n.Distance:
    """Return a distance from now.

    Parameters
    ----------
    length
        Such as ``30d`` or ``2 weeks``.
    operator
        How the distance is compared.
    direction
        Whether before or after now.

    Returns
    -------
    Distance
        The node.

    Raises
    ------
    ConfigError
        If the length is none.
    """
    found = re.fullmatch(r"\s*(\d+)\s*([A-Za-z]+)\s*", length)
    unit = unit_of_word(found[2]) if found else None
    if found is None or unit is None:
        raise ConfigError(f"{length!r} is no stretch of time.", where="rule", hint='Write it as "30d" or "2 weeks".')
    return n.Distance(operator, int(found[1]), unit, direction, n.Moment("now"))

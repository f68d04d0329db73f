"""The parts that rows show of a rule: what a person sees of a tree of the language.

A part says no more than the text does, and what the rows cannot show is kept as ``Text``. A part that is not filled in
yet is missing in the text, and only there.
"""

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

from cdp_toolkit.segments.pql import nodes as n

Value = str | int | float | bool | date
Joined = Literal["and", "or"]


@dataclass(frozen=True)
class Part:
    """A condition, alone or made of others.

    Parameters
    ----------
    negated
        Whether it must not hold.
    comment
        What is said of it beside the rule, in one line or more.
    place
        Where it begins in the text that it was read from.
    """

    negated: bool = field(default=False, kw_only=True)
    comment: str = field(default="", kw_only=True)
    place: n.Place = field(default=n.NOWHERE, kw_only=True, compare=False, repr=False)


@dataclass(frozen=True)
class Comparison(Part):
    """A field, an operator and values: ``country = "DE"``.

    Parameters
    ----------
    left
        The field as it is written.
    operator
        Name of one of ``operators.OPERATORS``.
    values
        As many as the operator takes; fewer while they are being filled in.
    """

    left: n.Node
    operator: str
    values: tuple[Value, ...] = ()


@dataclass(frozen=True)
class InSegment(Part):
    """Membership of another segment, now or since a while.

    Parameters
    ----------
    function
        ``inSegment``, ``enteredSegment`` or ``exitedSegment``.
    name
        Name of the segment.
    within
        How long ago at most, such as ``7 days``; empty for ever.
    """

    function: str
    name: str = ""
    within: str = ""


@dataclass(frozen=True)
class Text(Part):
    """Anything that rows cannot show, as text of the language.

    Parameters
    ----------
    text
        The condition.
    """

    text: str = ""


@dataclass(frozen=True)
class Holder(Part):
    """A part that is made of others.

    Parameters
    ----------
    parts
        Those.
    joined
        Whether all of them must hold or one.
    """

    parts: tuple[Part, ...] = ()
    joined: Joined = "and"


@dataclass(frozen=True)
class Group(Holder):
    """Conditions in parentheses."""


@dataclass(frozen=True)
class Quantity:
    """How many rows, or how much of them.

    Parameters
    ----------
    kind
        ``exists``, ``forall``, ``count``, or ``sum``, ``average``, ``min`` and ``max`` of a field.
    operator, amount
        What a number is compared with; not for ``exists`` and ``forall``.
    of
        The field that is summed up.
    """

    kind: str = "exists"
    operator: n.Compared = ">="
    amount: float = 1
    of: n.Node | None = None


@dataclass(frozen=True)
class Related(Holder):
    """Rows behind a relation, such as events or accounts, and what is asked of each.

    Parameters
    ----------
    array
        The relation as it is written.
    quantity
        How many must meet the conditions.
    variable
        Name of a row, where the text gives it one: ``exists R from opportunityRoles``.
    """

    array: n.Node = field(kw_only=True)
    quantity: Quantity = field(default=Quantity(), kw_only=True)
    variable: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class Wait:
    """How long after an earlier step: ``<= 7 days after A``.

    Parameters
    ----------
    operator, amount, unit
        The distance.
    after
        Label of the earlier step.
    """

    operator: n.Compared
    amount: int
    unit: n.Unit
    after: str


@dataclass(frozen=True)
class Step(Holder):
    """An event of a sequence.

    Parameters
    ----------
    label
        Its name within the sequence.
    wait
        How long after an earlier step; any time if None.
    count
        How often, such as ``(">=", 2)``; once if None.
    """

    label: str = field(default="A", kw_only=True)
    wait: Wait | None = field(default=None, kw_only=True)
    count: tuple[n.Compared | None, int] | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Sequence(Holder):
    """Events in this order, a ``CHAIN``.

    Parameters
    ----------
    array
        The events.
    time
        Their time.
    """

    array: n.Node = field(kw_only=True)
    time: n.Node = field(kw_only=True)


Address = tuple[int, ...]


def part_at(root: Part, at: Address) -> Part:
    """Return the part at an address.

    Parameters
    ----------
    root
        The whole rule.
    at
        Places of parts within parts, from the outside; empty for the whole.

    Returns
    -------
    Part
        The part.
    """
    for place in at:
        assert isinstance(root, Holder)  # noqa: S101 - addresses come from the tree
        root = root.parts[place]
    return root


def with_part(root: Part, at: Address, *parts: Part) -> Part:
    """Return the rule with other parts at an address.

    Parameters
    ----------
    root
        The whole rule.
    at
        Where; not empty unless one part replaces the whole.
    *parts
        What stands there instead; nothing if none are given.

    Returns
    -------
    Part
        The whole rule, changed.
    """
    if not at:
        (whole,) = parts
        return whole
    assert isinstance(root, Holder)  # noqa: S101 - addresses come from the tree
    place, *inside = at
    new = (with_part(root.parts[place], tuple(inside), *parts),) if inside else parts
    return replace(root, parts=(*root.parts[:place], *new, *root.parts[place + 1 :]))

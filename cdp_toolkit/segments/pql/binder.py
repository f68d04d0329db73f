"""What the parts of the binder need of each other: it binds nodes, they bind what stands in calls and arrays."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from cdp_toolkit.errors import UnknownNameError
from cdp_toolkit.model import Model
from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.bound import Bound, Kind
from cdp_toolkit.segments.pql.functions import ANY
from cdp_toolkit.segments.pql.meanings import Meaning
from cdp_toolkit.segments.pql.scope import Scope
from cdp_toolkit.segments.pql.times import Clock


class Segments:
    """The segments that a rule may name; none here."""

    def entity(self, name: str, node: n.Node) -> str:
        """Return what the members of a segment are.

        Parameters
        ----------
        name
            Name of the segment.
        node
            Where it is named.

        Returns
        -------
        str
            Name of an entity.

        Raises
        ------
        UnknownNameError
            If there is no such segment; with position and nearest names.
        """
        raise UnknownNameError("segment", name, (), where=node.at.error("").where)

    def condition(self, name: str, node: n.Node) -> Bound:
        """Return the condition of a segment.

        Parameters
        ----------
        name
            Name of the segment.
        node
            Where it is named.

        Returns
        -------
        Bound
            As seen from a row of the segment's entity.

        Raises
        ------
        UnknownNameError
            If there is no such segment; with position and nearest names.
        """
        raise UnknownNameError("segment", name, (), where=node.at.error("").where)


class Binder(ABC):
    """Gives nodes a meaning.

    Parameters
    ----------
    model
        Entities, fields and relations.
    clock
        When a segment is evaluated and where days begin.
    segments
        The segments that a rule may name.
    """

    def __init__(self, model: Model, clock: Clock, segments: Segments) -> None:
        self.model = model
        self.clock = clock
        self.segments = segments

    @abstractmethod
    def meaning(self, node: n.Node, scope: Scope) -> Meaning:
        """Return what a node means.

        Parameters
        ----------
        node
            What was written.
        scope
            Variables in sight, the innermost last.

        Returns
        -------
        Row, Rows, Values, Items, Groups, Object or Bound
            What it stands for.
        """

    @abstractmethod
    def condition(self, node: n.Node, scope: Scope) -> Bound:
        """Return a node that must be true or false.

        Parameters
        ----------
        node
            What was written.
        scope
            Variables in sight, the innermost last.

        Returns
        -------
        Bound
            A condition.
        """

    @abstractmethod
    def value(self, node: n.Node, scope: Scope, kinds: tuple[Kind, ...] = ANY) -> Bound:
        """Return a node that must be one value.

        Parameters
        ----------
        node
            What was written.
        scope
            Variables in sight, the innermost last.
        kinds
            Kinds that fit.

        Returns
        -------
        Bound
            The value.
        """

    @abstractmethod
    def plain(self, meaning: Meaning, node: n.Node) -> Bound:
        """Return a meaning that must be one value.

        Parameters
        ----------
        meaning
            A meaning.
        node
            What was written.

        Returns
        -------
        Bound
            The value.
        """


Functions = Mapping[str, tuple[Callable[..., Meaning], int, int]]


def applied(functions: Functions, receiver: object, node: n.Call, what: str) -> Meaning:
    """Apply a function to what stands before its dot.

    Parameters
    ----------
    functions
        By name: the function, and how few and how many arguments it takes.
    receiver
        What stands before the dot.
    node
        The call.
    what
        What the receiver is, for the error.

    Returns
    -------
    Meaning
        What comes out.

    Raises
    ------
    PqlError
        If there is no such function, or it takes another number of arguments.
    """
    if node.name not in functions:
        raise node.at.error(f"`{node.name}` is no function of {what}.", hint=f"There are {', '.join(functions)}.")
    function, least, most = functions[node.name]
    if not least <= len(node.arguments) <= most:
        wanted = f"{least}" if least == most else f"{least} or {most}"
        raise node.at.error(f"`{node.name}` takes {wanted} arguments here, not {len(node.arguments)}.")
    return function(receiver, *node.arguments)

"""Which rows a condition can see, and what a name in it means."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cdp_toolkit.explore.explorer import parts as p
from cdp_toolkit.model import Entity, Field, Model, Relation
from cdp_toolkit.segments.pql import nodes as n


@dataclass(frozen=True)
class Row:
    """A row in sight.

    Parameters
    ----------
    entity
        What it is.
    variable
        Its name; empty where its fields need no prefix.
    """

    entity: str
    variable: str = ""


@dataclass(frozen=True)
class Read:
    """What is read of a row.

    Parameters
    ----------
    entity
        Whose field.
    field
        The field.
    path
        Relations to one row and the column, as read of the innermost row; empty where it is read of another.
    """

    entity: str
    field: Field
    path: str


@dataclass(frozen=True)
class Sight:
    """The rows that a condition can see.

    Parameters
    ----------
    model
        Entities, fields and relations.
    rows
        The innermost first; the last one is what the rule is about.
    """

    model: Model
    rows: tuple[Row, ...]

    @property
    def entity(self) -> Entity:
        """What the innermost row is."""
        return self.model.entity(self.rows[0].entity)

    def within(self, part: p.Part) -> "Sight":
        """Return what the conditions in a part can see.

        Parameters
        ----------
        part
            A part of a rule.

        Returns
        -------
        Sight
            With one row more where the part is about other rows.
        """
        array = part.array if isinstance(part, p.Related | p.Sequence) else None
        entity = self.rows_of(array) if array is not None else None
        if entity is None:
            return self
        variable = part.variable if isinstance(part, p.Related) else ""
        return replace(self, rows=(Row(entity, variable), *self.rows))

    def read(self, node: n.Node) -> "Read | None":
        """Return what a node reads of a row.

        Parameters
        ----------
        node
            Any node.

        Returns
        -------
        Read or None
            None where it names no field of one row.
        """
        for row, names in self._starts(node):
            walked = list(_relations(self.model, row.entity, names))
            way, last = names[: len(walked)], ".".join(names[len(walked) :])
            owner = self.model.entity(walked[-1].to if walked else row.entity)
            found = owner.fields.get(last) or owner.by_path.get(last)
            if found is not None and not any(each.many for each in walked):
                return Read(owner.name, found, ".".join((*way, found.name)) if row == self.rows[0] else "")
        return None

    def field(self, node: n.Node) -> Field | None:
        """Return the field that a node names.

        Parameters
        ----------
        node
            Any node.

        Returns
        -------
        Field or None
            None where it names no field of one row.
        """
        found = self.read(node)
        return found.field if found else None

    def rows_of(self, node: n.Node) -> str | None:
        """Return the entity of the rows that a node names.

        Parameters
        ----------
        node
            Any node.

        Returns
        -------
        str or None
            None where it names no rows.
        """
        for row, names in self._starts(node):
            walked = list(_relations(self.model, row.entity, names))
            if len(walked) == len(names) and any(each.many for each in walked):
                return walked[-1].to
        return None

    def path_of(self, node: n.Node) -> str:
        """Return how a field or relation is called in the innermost row.

        Parameters
        ----------
        node
            What names it.

        Returns
        -------
        str
            Names with dots; empty where it is read of another row.
        """
        names, variable = names_of(node), self.rows[0].variable
        if variable:
            return ".".join(names[1:]) if names[:1] == [variable] else ""
        return ".".join(names)

    def node_of(self, path: str) -> n.Node:
        """Return the node that reads a field or relation of the innermost row.

        Parameters
        ----------
        path
            Names with dots.

        Returns
        -------
        Node
            With the row's name before it where it has one.
        """
        variable = self.rows[0].variable
        first, *rest = [*([variable] if variable else []), *path.split(".")]
        node: n.Node = n.Name(first)
        for name in rest:
            node = n.Member(node, name)
        return node

    def _starts(self, node: n.Node) -> Iterator[tuple[Row, list[str]]]:
        names = names_of(node)
        if names[:1] == ["$1"]:
            yield self.rows[-1], names[1:]
        for row in self.rows if names else ():
            if row.variable and names[0] == row.variable and names[1:]:
                yield row, names[1:]
            elif not row.variable:
                yield row, names


def sight_at(root: p.Group, at: p.Address, sight: Sight) -> Sight:
    """Return what the parts at an address can see.

    Parameters
    ----------
    root
        The whole rule.
    at
        Address of a part; the last place in it need not exist.
    sight
        What the whole rule can see.

    Returns
    -------
    Sight
        What a part there can see.
    """
    part: p.Part = root
    for place in at:
        sight = sight.within(part)
        if not isinstance(part, p.Holder) or place >= len(part.parts):
            break
        part = part.parts[place]
    return sight


def names_of(node: n.Node) -> list[str]:
    """Return the names of a dotted path.

    Parameters
    ----------
    node
        Any node.

    Returns
    -------
    list of str
        Empty where it is something else.

    Examples
    --------
    >>> names_of(n.Member(n.Name("R"), "role"))
    ['R', 'role']
    """
    match node:
        case n.Name(name):
            return [name]
        case n.Parameter(number):
            return [f"${number}"]
        case n.Member(of, name) if names_of(of):
            return [*names_of(of), name]
        case _:
            return []


def _relations(model: Model, entity: str, names: Sequence[str]) -> Iterator[Relation]:
    for name in names:
        relation = model.entity(entity).relations.get(name)
        if relation is None:
            return
        yield relation
        entity = relation.to

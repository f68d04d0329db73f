"""What a name means: the variables in sight, and the ways that the model allows from a row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cdp_toolkit.errors import UnknownNameError
from cdp_toolkit.model import Entity, Model
from cdp_toolkit.segments.listed import ITEM, to_list
from cdp_toolkit.segments.pql.bound import Column, Kind, Step
from cdp_toolkit.segments.pql.meanings import Meaning, Object, Row, Rows, Values, moved
from cdp_toolkit.segments.pql.nodes import Node

_KINDS: dict[str, Kind] = {
    "integer": "number", "number": "number", "money": "number", "boolean": "boolean",
    "timestamp": "time", "date": "date", "keys": "texts", "strings": "texts",
}  # fmt: skip


@dataclass(frozen=True)
class Variable:
    """A name for a row; without a name, or where ``is_implicit``, its fields need no prefix."""

    entity: str
    name: str | None = None
    is_implicit: bool = True


@dataclass(frozen=True)
class Given:
    """A name for a value, by ``let``; ``depth`` is how many rows were in sight."""

    name: str
    meaning: Meaning
    depth: int


Scope = tuple[Variable | Given, ...]


def depth(scope: Scope) -> int:
    """Return how many rows are in sight.

    Parameters
    ----------
    scope
        Variables in sight.

    Returns
    -------
    int
        Named values not counted.
    """
    return sum(isinstance(each, Variable) for each in scope)


def find(names: Sequence[str], scope: Scope, model: Model, node: Node) -> Meaning:
    """Return what a dotted name means, from the innermost variable outwards.

    Parameters
    ----------
    names
        The parts of the name.
    scope
        Variables in sight, the innermost last.
    model
        Entities, fields and relations.
    node
        Where the name stands.

    Returns
    -------
    Row, Rows, Values or Bound
        What is found.

    Raises
    ------
    UnknownNameError
        If nothing in sight carries the name; with position and nearest names.
    """
    inside = 0
    for each in reversed(scope):
        if isinstance(each, Given) and each.name == names[0]:
            return walk(moved(each.meaning, depth(scope) - each.depth), names[1:], model, node)
        if isinstance(each, Variable):
            row = Row(inside, (), each.entity)
            if each.name == names[0]:
                return walk(row, names[1:], model, node)
            if each.is_implicit and (found := _from_row(row, names, model, node)) is not None:
                return found
            inside += 1
    raise _unknown(names, scope, model, node)


def walk(meaning: Meaning, names: Sequence[str], model: Model, node: Node) -> Meaning:
    """Return what is found behind a meaning by further names.

    Parameters
    ----------
    meaning
        A row or an array of rows; a plain value has nothing behind it.
    names
        Relations, and a field at the end.
    model
        Entities, fields and relations.
    node
        Where the names stand.

    Returns
    -------
    Row, Rows, Values or Bound
        What is found.

    Raises
    ------
    UnknownNameError
        If there is no such field or relation.
    PqlError
        If the meaning is a plain value.
    """
    if not names:
        return meaning
    if isinstance(meaning, Row):
        found = _from_row(meaning, names, model, node)
        if found is None:
            raise _unknown(names, (Variable(meaning.entity),), model, node)
        return found
    if isinstance(meaning, Rows):
        return _from_rows(meaning, walk(Row(0, (), meaning.entity), names, model, node), node)
    if isinstance(meaning, Object):
        return walk(meaning.row, [*meaning.path.split("."), *names], model, node)
    raise node.at.error(f"{'.'.join(names)!r} is read of a value that has no fields.")


def _from_row(row: Row, names: Sequence[str], model: Model, node: Node) -> Meaning | None:
    entity = model.entity(row.entity)
    relation = entity.relations.get(names[0])
    if relation is None:
        return _column(row, entity, ".".join(names), node) or _object(row, entity, ".".join(names), node)
    if relation.many:
        rows = Rows(row.up, row.hops, (Step(relation.name),), relation.to)
        return walk(rows, names[1:], model, node)
    return walk(Row(row.up, (*row.hops, relation.name), relation.to), names[1:], model, node)


def _column(row: Row, entity: Entity, name: str, node: Node) -> Column | None:
    field = entity.fields.get(name) or entity.by_path.get(name)
    if field is None:
        return None
    return Column(row.up, row.hops, field.name, kind=_KINDS.get(field.type, "text"), source=node)


def _object(row: Row, entity: Entity, name: str, node: Node) -> Object | None:
    start = f"{name}."
    paths = [path for path in entity.by_path if path.startswith(start)]
    columns = [(path.removeprefix(start), _column(row, entity, path, node)) for path in paths]
    fields = tuple((rest, column) for rest, column in columns if column is not None)
    return Object(row, name, fields) if fields else None


def _from_rows(rows: Rows, behind: Meaning, node: Node) -> Meaning:
    match behind:
        case Row():
            steps = tuple(Step(hop) for hop in behind.hops)
            return replace(rows, steps=rows.steps + steps, entity=behind.entity, order=None)
        case Rows():
            steps = (*(Step(hop) for hop in behind.hops), *behind.steps)
            return replace(behind, up=rows.up, hops=rows.hops, steps=rows.steps + steps)
        case Values():
            nearer = _from_rows(rows, behind.rows, node)
            assert isinstance(nearer, Rows)  # noqa: S101 - rows behind rows are rows
            return replace(behind, rows=nearer)
        case Column(kind="texts"):
            return _from_rows(rows, items_of(behind, rows.entity), node)
        case Column():
            return Values(rows, behind)
        case _:
            raise node.at.error(f"`{node}` is not a field of a row.", hint="Name one of its fields.")


def items_of(column: Column, entity: str) -> Values:
    """Return the items of a list in a column, as values of rows.

    Parameters
    ----------
    column
        A list of texts.
    entity
        Whose column it is, behind its relations.

    Returns
    -------
    Values
        One value an item.
    """
    rows = Rows(column.up, column.hops, (Step(to_list(column.name)),), f"{entity}.{column.name}")
    return Values(rows, Column(0, (), ITEM, kind="text", source=column.source))


def entity_of(column: Column, scope: Scope, model: Model) -> str:
    """Return the entity that a column belongs to.

    Parameters
    ----------
    column
        A column.
    scope
        Variables in sight, the innermost last.
    model
        Entities and relations.

    Returns
    -------
    str
        Name of the entity.
    """
    entity = [each.entity for each in reversed(scope) if isinstance(each, Variable)][column.up]
    for hop in column.hops:
        entity = model.entity(entity).relations[hop].to
    return entity


def _unknown(names: Sequence[str], scope: Scope, model: Model, node: Node) -> UnknownNameError:
    nearest = next(each.entity for each in reversed(scope) if isinstance(each, Variable))
    where = node.at.error("").where
    return UnknownNameError(f"field of {nearest}", ".".join(names), _known(scope, model), where=where)


def _known(scope: Scope, model: Model) -> Iterator[str]:
    for each in scope:
        if each.name:
            yield each.name
        if isinstance(each, Variable):
            entity = model.entity(each.entity)
            own = [name for name in (*entity.fields, *entity.by_path, *entity.relations) if name[-1] != "]"]
            yield from own if each.is_implicit else (f"{each.name}.{name}" for name in own)

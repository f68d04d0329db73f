"""Lists in a column and the history of segments as relations, so that every function of arrays works on them.

A list is a table of its own, ``person.ecids``: one row per owner and item that is not null.
"""

from collections.abc import Callable

import narwhals as nw

from cdp_toolkit.engines import Frame
from cdp_toolkit.errors import NotYetError
from cdp_toolkit.lake.tables import table
from cdp_toolkit.model import Entity, Field, Model, Relation

Scan = Callable[[str], Frame]
HISTORY = "segments/history"
OF, ITEM = "_of", "item"
# Brackets stand in no name that a text can hold, so that these relations are found by the language alone.
TO_HISTORY = "history[]"
_LISTS = {"strings", "keys"}


def to_list(column: str) -> str:
    """Return the relation from a row to the items of a list in one of its columns.

    Parameters
    ----------
    column
        Name of the column.

    Returns
    -------
    str
        Name of the relation.
    """
    return f"{column}[]"


def with_lists(model: Model) -> Model:
    """Return a model in which lists and the history of segments are relations too.

    Parameters
    ----------
    model
        Entities, fields and relations.

    Returns
    -------
    Model
        The same, wider. A model that is wide already stays as it is.
    """
    if HISTORY in model.entities:
        return model
    entities = {HISTORY: _history()}
    for name, entity in model.entities.items():
        lists = [field for field in entity.fields.values() if field.type in _LISTS]
        entities |= {f"{name}.{field.name}": _items(f"{name}.{field.name}", field) for field in lists}
        relations = {to_list(field.name): _to_items(name, field) for field in lists}
        if name in {"person", "account"}:
            relations[TO_HISTORY] = Relation(
                name=TO_HISTORY, to=HISTORY, many=True, description="When it entered and left segments."
            )
        entities[name] = entity.model_copy(update={"relations": entity.relations | relations})
    return Model.model_construct(entities=entities)


def _items(name: str, field: Field) -> Entity:
    item = Field(name=ITEM, path=ITEM, type="string", description=f"An item of {field.name}.")
    return Entity(
        name=name, label=f"item of {field.name}", plural=f"items of {field.name}", description=field.description,
        xdm_class="", key=ITEM, fields={ITEM: item},
    )  # fmt: skip


def _to_items(entity: str, field: Field) -> Relation:
    return Relation(
        name=to_list(field.name), to=f"{entity}.{field.name}", many=True, far=OF, description=field.description
    )


def _history() -> Entity:
    columns = table(HISTORY).columns
    fields = {
        name: Field.model_validate(
            {"name": name, "path": name, "type": {"text": "string"}.get(kind, kind), "description": name}
        )
        for name, kind in columns.items()
    }
    return Entity(
        name=HISTORY, label="change", plural="changes", description="A profile that entered or left a segment.",
        xdm_class="", key="segment", fields=fields,
    )  # fmt: skip


def row_id_of(entity: str) -> str:
    """Return the column that tells the rows of an entity apart; those of a list, within their owner.

    Parameters
    ----------
    entity
        Name of an entity.

    Returns
    -------
    str
        ``profile_id``, or ``source_key`` where a profile has many rows.
    """
    if entity == HISTORY:
        return "changed_at"
    if "." in entity:
        return ITEM
    (key,) = table(f"profiles/{entity}").key
    return key


def base_of(entity: str, column: str = "") -> tuple[str, str]:
    """Return the table and the column that hold what an entity shows.

    Parameters
    ----------
    entity
        Name of an entity, or of a list.
    column
        Name of a column.

    Returns
    -------
    tuple of str
        The entity itself and its column, unless it is a list.
    """
    if "." in entity:
        owner, _, name = entity.partition(".")
        return owner, name
    return entity, column


def scan_listed(scan: Scan, name: str) -> Frame:
    """Return a table, be it a list or the history.

    Parameters
    ----------
    scan
        Gives ``profiles/<name>``, and the history of segments.
    name
        Name of a table.

    Returns
    -------
    Frame
        Its rows; no rows where no history was ever written.
    """
    if name == HISTORY:
        try:
            return scan(name)
        except NotYetError:
            return _no_history(scan("person"))
    owner, _, column = name.partition(".")
    if not column:
        return scan(name)
    items = scan(owner).select(nw.col(row_id_of(owner)).alias(OF), nw.col(column).alias(ITEM)).explode(ITEM)
    return items.filter(~nw.col(ITEM).is_null())


def _no_history(people: Frame) -> Frame:
    dtypes = {"text": nw.String(), "timestamp": nw.Datetime("us", "UTC")}
    columns = {
        name: nw.lit(None).cast(dtypes[kind]) for name, kind in table(HISTORY).columns.items() if name != "profile_id"
    }
    return people.filter(nw.col("profile_id").is_null()).select("profile_id", **columns)

"""The entities, their fields and the relations that segments may walk, read from ``entities/*.yaml``.

A field has two names: a short column name (``job_title``) and its path in the Experience Data Model
(``extendedWorkDetails.jobTitle``). Both find it.
"""

from functools import cache, cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, model_validator
from pydantic import Field as Setting

from cdp_toolkit.errors import ConfigError, UnknownNameError

FieldType = Literal[
    "string", "email", "phone", "domain", "url", "country", "key", "keys", "strings",
    "integer", "number", "money", "boolean", "timestamp", "date",
]  # fmt: skip

ColumnName = Annotated[str, Setting(pattern=r"^[a-z][a-z0-9_]*$")]


class Field(BaseModel):
    """A column of an entity and what it means.

    Parameters
    ----------
    name
        Short column name.
    path
        Path in the Experience Data Model.
    type
        Kind of value; ``cdp_toolkit.model.types`` says how each is cleaned and which Arrow type it has.
    description
        One sentence.
    namespace
        Identity namespace, where the value identifies someone.
    labels
        Data usage labels, such as ``I1`` (directly identifies a person).
    to
        Entity that a ``key`` refers to.
    required
        Whether a row without it is refused.
    derived
        How the profiles make it of other tables, such as ``rolled up from opportunities``; empty where records carry it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ColumnName
    path: str
    type: FieldType
    description: str
    namespace: str | None = None
    labels: tuple[str, ...] = ()
    to: str | None = None
    required: bool = False
    derived: str = ""


class Relation(BaseModel):
    """A way from a row of one entity to rows of another.

    A to-one relation reads ``near`` of the own row and finds the row of ``to`` with that ``profile_id``.
    A to-many relation finds the rows of ``to`` whose column ``far`` is the own ``profile_id``; with ``through`` the
    table in between holds both: its column ``near`` is the own id, its column ``far`` the id of the other.

    Parameters
    ----------
    name
        Name in segments, such as ``opportunityRoles``.
    to
        Entity at the other end.
    many
        Whether there may be more than one.
    description
        One sentence.
    near, far
        Columns, as described above.
    through
        Table of ``profiles/`` in between, if any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    to: str
    many: bool
    description: str
    near: str = "profile_id"
    far: str = "profile_id"
    through: str | None = None


class Entity(BaseModel):
    """A kind of thing: person, account, opportunity and so on.

    Parameters
    ----------
    name
        Name of the entity and of its tables.
    label, plural
        As shown to people.
    description
        One sentence.
    xdm_class
        Class of the Experience Data Model.
    key
        Path of the record key in the Experience Data Model.
    fields
        Columns by name.
    relations
        Relations by name.
    keeps_deleted
        Whether rows marked as deleted stay in the profile table (a list member that was removed is a fact).
    derived
        What its rows are made of in the profiles; empty where sources deliver records of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    label: str
    plural: str
    description: str
    xdm_class: str
    key: str
    fields: dict[str, Field]
    relations: dict[str, Relation] = {}
    keeps_deleted: bool = False
    derived: str = ""

    @model_validator(mode="before")
    @classmethod
    def _name_members(cls, data: dict[str, Any]) -> dict[str, Any]:
        for member in ("fields", "relations"):
            data = data | {
                member: {
                    name: each if isinstance(each, BaseModel) else {"name": name} | each
                    for name, each in data.get(member, {}).items()
                }
            }
        return data

    @cached_property
    def by_path(self) -> dict[str, Field]:
        """Fields by their path in the Experience Data Model."""
        return {field.path: field for field in self.fields.values()}

    @cached_property
    def recorded(self) -> dict[str, Field]:
        """Fields that records carry, by column name."""
        return {name: field for name, field in self.fields.items() if not field.derived}

    def field(self, name: str, *, where: str = "") -> Field:
        """Find a field by column name or path.

        Parameters
        ----------
        name
            Column name or path in the Experience Data Model.
        where
            What the name is written in, for the error.

        Returns
        -------
        Field
            The field.

        Raises
        ------
        UnknownNameError
            If no field has that name; with the nearest names.
        """
        found = self.fields.get(name) or self.by_path.get(name)
        if found is None:
            known = [*self.fields, *self.by_path, *self.relations]
            raise UnknownNameError(f"field of {self.name}", name, known, where=where)
        return found


class Model(BaseModel):
    """All entities, with the user's own columns.

    Parameters
    ----------
    entities
        Entities by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    entities: dict[str, Entity]

    @model_validator(mode="after")
    def _relations_end_somewhere(self) -> Self:
        for entity in self.entities.values():
            ends: list[Relation | Field] = [*entity.relations.values(), *entity.fields.values()]
            for each in ends:
                if each.to is not None and each.to not in self.entities:
                    raise UnknownNameError("entity", each.to, self.entities, where=f"{entity.name}.{each.name}")
        return self

    @property
    def recorded(self) -> dict[str, Entity]:
        """Entities that sources deliver records of, by name."""
        return {name: entity for name, entity in self.entities.items() if not entity.derived}

    def entity(self, name: str, *, where: str = "") -> Entity:
        """Find an entity by name.

        Parameters
        ----------
        name
            Name of the entity.
        where
            What the name is written in, for the error.

        Returns
        -------
        Entity
            The entity.

        Raises
        ------
        UnknownNameError
            If there is no such entity; with the nearest names.
        """
        if name not in self.entities:
            raise UnknownNameError("entity", name, self.entities, where=where)
        return self.entities[name]

    @cached_property
    def namespaces(self) -> list[str]:
        """Namespaces of identities that fields carry or that are keys of records, in order."""
        own = {field.namespace for entity in self.entities.values() for field in entity.fields.values()}
        return sorted({name for name in own if name} | {f"{name}_key" for name in self.entities})

    def extended(self, columns: dict[str, dict[str, Any]], *, where: str = "schema.yaml") -> "Model":
        """Return the model with a workspace's own columns.

        Parameters
        ----------
        columns
            For each entity its new fields by column name, as in the entity files.
        where
            File that the columns come from, for the error.

        Returns
        -------
        Model
            A new model; this one stays as it is.

        Raises
        ------
        ConfigError
            If a column exists already or is not well described.
        UnknownNameError
            If there is no such entity.
        """
        entities = dict(self.entities)
        for name, fields in columns.items():
            entity = self.entity(name, where=where)
            taken = set(entity.fields) | set(entity.by_path)
            clash = sorted(taken & ({*fields} | {field.get("path") for field in fields.values()}))
            if clash:
                raise ConfigError(
                    f"The column {clash[0]!r} of {name} exists already.",
                    where=where,
                    hint="Choose another name; the columns of the model cannot be changed.",
                )
            own = {
                column: Field(name=column, **({"path": f"custom.{column}"} | field)) for column, field in fields.items()
            }
            entities[name] = Entity.model_validate(entity.model_dump() | {"fields": entity.fields | own})
        return Model(entities=entities)

    @classmethod
    def standard(cls) -> "Model":
        """Return the model that the toolkit ships.

        Returns
        -------
        Model
            Ten entities after the public Experience Data Model, and those that profiles are made of besides.

        Examples
        --------
        >>> Model.standard().entity("person").field("extendedWorkDetails.jobTitle").name
        'job_title'
        """
        return _standard()


@cache
def _standard() -> Model:
    texts = sorted(files("cdp_toolkit.model").joinpath("entities").iterdir(), key=lambda file: file.name)
    entities = [Entity.model_validate(read_shipped(file)) for file in texts]
    return Model(entities={entity.name: entity for entity in entities})


def read_shipped(file: Traversable) -> Any:
    """Return what a YAML file of the package says.

    Parameters
    ----------
    file
        The file.

    Returns
    -------
    Any
        Its content, by libyaml where there is one: 6 ms instead of 20, but errors show no caret.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(file.read_text("utf-8"), loader)  # noqa: S506 - both are safe

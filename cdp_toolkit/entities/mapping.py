"""What a user may say about a source: a mapping, as data, from delivered objects to entities.

The mappings of the vendors are written in the same language, one ``mapping.yaml`` in each connector's folder.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from cdp_toolkit.entities.columns import Columns, template_parts
from cdp_toolkit.errors import ConfigError, SourceError, UnknownNameError, nearest
from cdp_toolkit.model import Entity, Model
from cdp_toolkit.model import Field as ModelField
from cdp_toolkit.model.model import FieldType
from cdp_toolkit.model.paths import places
from cdp_toolkit.model.types import check_form


def _texts(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value if value is None else str(value)


Texts = Annotated[tuple[Annotated[str, BeforeValidator(_text)], ...], BeforeValidator(_texts)]
Conditions = dict[str, bool | Texts]
"""Column and what it must hold, ignoring case: true or false, or one of some texts. All must hold."""


class Value(BaseModel):
    """How a value is found in a delivered row. A text alone means the column of that name.

    Parameters
    ----------
    from
        Columns, the first that is not empty counts. ``a.b`` also looks for ``b`` in the JSON of column ``a``; a text
        with braces, such as ``{listId}-{leadId}``, is put together and null if a part is.
    const
        The same value in every row.
    as
        What the text must be before ``values`` is asked, such as ``boolean``.
    values
        What stands for a text, ignoring case; other texts stay as they are.
    format
        Order of the parts of a time, such as ``MM/DD/YYYY``, or ``1.234,56`` for numbers with a decimal comma.
    split
        What separates the elements of a list; a semicolon by default.
    system
        Whose id a key is: of the source itself (``own``), of the CRM that it is synced with (``crm``), or a whole key
        (``whole``: ``id@instance.type``).
    when
        Conditions without which the value is null.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    sources: Texts = Field(default=(), alias="from")
    const: Annotated[str | None, BeforeValidator(_text)] = None
    kind: FieldType | None = Field(default=None, alias="as")
    values: dict[Annotated[str, BeforeValidator(_text)], Annotated[str | None, BeforeValidator(_text)]] = {}
    format: str | None = None
    split: str | None = None
    system: Literal["own", "crm", "whole"] = "own"
    when: Conditions = {}

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        return {"from": data} if isinstance(data, str | list) else data

    @model_validator(mode="after")
    def _has_a_source(self) -> Self:
        if bool(self.sources) == (self.const is not None):
            raise ValueError("say either `from` or `const`")
        return self


class Output(BaseModel):
    """Rows of an entity that an object gives.

    Parameters
    ----------
    entity
        Entity of the rows.
    key
        Where the record's own id stands.
    when
        Which delivered rows count.
    each
        Column that holds a list: one row for each element, which the column then stands for.
    deleted
        Whether, or under which conditions, the rows say that the record is no more.
    into
        Record that this one was merged into.
    fields
        Values by column of the entity.
    paths
        Whether all other columns are looked for at their path in the Experience Data Model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    entity: str
    key: Value
    when: Conditions = {}
    each: str | None = None
    deleted: bool | Conditions = False
    into: Value | None = None
    fields: dict[str, Value] = {}
    paths: bool = False

    def values(self, entity: Entity) -> dict[str, Value]:
        """Return how each column that this output fills is found.

        Parameters
        ----------
        entity
            The output's entity.

        Returns
        -------
        dict
            Values by column name; columns that nothing fills are left out.
        """
        found = {entity.field(name).name: value for name, value in self.fields.items()}
        if self.paths:
            found = {field.name: _at_path(field) for field in entity.recorded.values()} | found
        return {name: value for name, value in found.items() if name != "is_deleted"}

    def words(self, entity: Entity) -> list[str]:
        """Return all columns that this output reads.

        Parameters
        ----------
        entity
            The output's entity.

        Returns
        -------
        list of str
            Columns, paths and lookups, as the mapping says them.
        """
        asked = [self.key, *([self.into] if self.into else []), *self.values(entity).values()]
        sources = [part for value in asked for source in value.sources for part in template_parts(source) or [source]]
        conditions = [
            self.when,
            self.deleted if isinstance(self.deleted, dict) else {},
            *(value.when for value in asked),
        ]
        named = [column for each in conditions for column in each]
        return [*sources, *named, *([self.each] if self.each else [])]


class ObjectMapping(BaseModel):
    """What an object of the source gives.

    Parameters
    ----------
    files
        Names or patterns of its files; by default the object's own name.
    outputs
        Rows of entities; none for an object that only others look things up in.
    refuse
        Why no row of this object has a place in the model; each row is then kept as rejected.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: Texts = ()
    outputs: tuple[Output, ...] = ()
    refuse: str | None = None


class Lookup(BaseModel):
    """A column that is looked up in another object, such as the name of an activity's type.

    Parameters
    ----------
    object
        Object to look in, if it was delivered.
    key, value
        Its columns.
    of
        Column that holds the key in the objects that ask.
    default
        Values by key where the object does not say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    object: str
    key: str
    value: str
    of: str
    default: dict[Annotated[str, BeforeValidator(_text)], str] = {}


class SourceMapping(BaseModel):
    """How the objects of a source become entities.

    Parameters
    ----------
    system
        The vendor's name, as it stands in record keys.
    nulls
        Texts that mean null, such as ``null``.
    columns
        Whether column names must be the same but for case (``exact``), or also but for blanks and underscores
        (``loose``).
    lookups
        Looked-up columns by name.
    objects
        Objects by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    system: str
    nulls: Texts = ()
    columns: Literal["exact", "loose"] = "exact"
    lookups: dict[str, Lookup] = {}
    objects: dict[str, ObjectMapping]

    def find(self, name: str) -> str | None:
        """Return the mapped object of a delivered name.

        Parameters
        ----------
        name
            Name of a delivered object, in any case.

        Returns
        -------
        str or None
            Name of the object in this mapping, or None if it knows no such object.
        """
        return next((known for known in self.objects if known.casefold() == name.casefold()), None)

    def files(self) -> dict[str, tuple[str, ...]]:
        """Return which files each object reads.

        Returns
        -------
        dict
            Patterns by object; empty where the object's own name decides.
        """
        return {name: each.files for name, each in self.objects.items()}

    def check_columns(self, name: str, columns: Iterable[str]) -> None:
        """Refuse a delivery that lacks the column of a record's key.

        Parameters
        ----------
        name
            Delivered object.
        columns
            Columns of the delivery.

        Raises
        ------
        SourceError
            If no column holds the key of any of the object's records.
        """
        found = self.find(name)
        outputs = self.objects[found].outputs if found else ()
        known = Columns(columns, loose=self.columns == "loose")
        if outputs and not any(known.has(source) for source in outputs[0].key.sources):
            wanted = outputs[0].key.sources[0]
            near = nearest(wanted, known.names) or known.names[:12]
            raise SourceError(
                f"The key column {wanted!r} is missing.", hint=f"Columns that are there: {', '.join(near)}."
            )

    def checked(self, model: Model, *, where: str = "") -> Self:
        """Check the mapping against the model.

        Parameters
        ----------
        model
            The model, with the workspace's own columns.
        where
            File of the mapping, for the error.

        Returns
        -------
        SourceMapping
            The same mapping.

        Raises
        ------
        ConfigError
            If an entity, a field or a format is unknown, with the nearest names; or if no source can fill the field.
        """
        for name, each in self.objects.items():
            for output in each.outputs:
                entity = model.entity(output.entity, where=f"{where}, objects.{name}")
                for column, value in output.fields.items():
                    place = f"{where}, objects.{name}, {entity.name}.{column}"
                    field = entity.field(column, where=place)
                    if field.derived:
                        raise ConfigError(
                            f"No source can fill {field.name!r}: it is {field.derived}.",
                            where=place,
                            hint="Map to a column that records carry, or to one of your own in schema.yaml.",
                        )
                    if value.format is not None:
                        check_form(value.format, field.type, where=place)
        for name, lookup in self.lookups.items():
            if lookup.object not in self.objects:
                raise UnknownNameError("object", lookup.object, self.objects, where=f"{where}, lookups.{name}")
        return self


def _at_path(field: ModelField) -> Value:
    is_key = field.type in {"key", "keys"}
    return Value.model_validate({"from": places(field), "system": "whole" if is_key else "own"})

"""What a user may say about a destination: the same in Python and in ``destinations/<name>.yaml``."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from cdp_toolkit.destinations.policies import Channel
from cdp_toolkit.destinations.schedule import check
from cdp_toolkit.errors import ConfigError, UnknownNameError

Mode = Literal["full", "mirror", "add_only"]
"""Whole audience at each change, exact differences, or additions and updates only."""

# A name that begins with an underscore is a column of the plan.
FieldName = Annotated[str, Field(pattern=r"^[^_\s]")]
Settings = TypeVar("Settings", bound=BaseModel)


class Destination(BaseModel):
    """Who is sent where, and as what.

    Every other key is a setting of the connector, which checks it.

    Parameters
    ----------
    name
        Name of the destination and of its file.
    type
        Name of the connector.
    description
        One sentence.
    audiences
        Segments to send, all of people or all of accounts.
    mapping
        For each field of the destination a column of the profile or its path in the Experience Data Model. A list
        gives its first value in alphabetical order.
    mode
        What is sent at a change: the whole audience (``full``), differences (``mirror``), or differences without
        removals (``add_only``); the connector's usual mode by default.
    schedule
        When it is due: ``daily`` (once a day, after an evaluation), ``on_change``, ``manual``, or a cron line.
    consent
        Channel of marketing whose refusal keeps a person out; ``none`` for what is no marketing.
    marketing_actions
        What the destination is used for, such as ``email_targeting``; every policy on labels that names one of them
        holds. If none is named, all policies hold.
    forbidden_labels
        Data usage labels, such as ``I1``, whose columns may not be mapped whatever the destination is used for.

    Examples
    --------
    >>> Destination(name="buyers", type="files", audiences=["finance_buyers"], format="parquet").settings
    {'format': 'parquet'}
    """

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    type: str
    description: str = ""
    audiences: tuple[str, ...]
    mapping: dict[FieldName, str] = {}
    mode: Mode | None = None
    schedule: Annotated[str, AfterValidator(check)] = "daily"
    consent: Channel = "email"
    marketing_actions: tuple[str, ...] = ()
    forbidden_labels: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_an_audience(self) -> Self:
        if not self.audiences:
            raise ConfigError(
                f"The destination {self.name!r} names no audience.",
                where=self.where,
                hint="Add `audiences: [SEGMENT]`, or delete the file.",
            )
        return self

    @property
    def where(self) -> str:
        """The file that says it, for errors."""
        return f"destinations/{self.name}.yaml"

    @property
    def settings(self) -> dict[str, Any]:
        """Keys that are the connector's."""
        return dict(self.model_extra or {})

    def entity(self, segments: Mapping[str, str]) -> str:
        """Return whether people or accounts are sent.

        Parameters
        ----------
        segments
            Entity by segment name, of all segments.

        Returns
        -------
        str
            ``person`` or ``account``.

        Raises
        ------
        UnknownNameError
            If an audience is no segment; with the nearest names.
        ConfigError
            If the audiences are of both.
        """
        for audience in self.audiences:
            if audience not in segments:
                raise UnknownNameError("segment", audience, segments, where=f"{self.where}, audiences")
        entities = sorted({segments[audience] for audience in self.audiences})
        if len(entities) > 1:
            raise ConfigError(
                f"The destination {self.name!r} has audiences of {' and '.join(entities)}.",
                where=f"{self.where}, audiences",
                hint="Make a destination for each.",
            )
        return entities[0]


def read_settings(destination: Destination, kind: type[Settings]) -> Settings:
    """Check the connector's settings of a destination.

    Parameters
    ----------
    destination
        Its definition.
    kind
        Model of the settings; refuses unknown keys.

    Returns
    -------
    Settings
        The settings with their defaults.

    Raises
    ------
    ConfigError
        If a setting is wrong; names the key.
    UnknownNameError
        If a key is neither a setting nor a part of every destination; with the nearest names.
    """
    known = [*kind.model_fields, *Destination.model_fields]
    for key in destination.settings:
        if key not in known:
            raise UnknownNameError("setting", key, known, where=destination.where)
    try:
        return kind.model_validate(destination.settings)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"The setting {key!r} of the destination {destination.name!r} is wrong.",
            where=destination.where,
            hint=f"{first['msg']}.",
        ) from error


def keyed_fields(destination: Destination, key: str, *, taken: Iterable[str] = ()) -> dict[str, str]:
    """Return the mapped fields of a destination that knows a row by one of them.

    Parameters
    ----------
    destination
        Its definition.
    key
        That field; ``profile_id`` needs no mapping.
    taken
        Names that the connector itself uses.

    Returns
    -------
    dict
        Column or path by field.

    Raises
    ------
    UnknownNameError
        If the key is not mapped; with the nearest names.
    ConfigError
        If a field has a name that is taken.
    """
    own = {"profile_id": "profile_id"} if key == "profile_id" else {}
    fields = own | destination.mapping
    if key not in fields:
        raise UnknownNameError("mapped field", key, fields, where=f"{destination.where}, key")
    for name in taken:
        if name in fields:
            raise ConfigError(
                f"The field {name!r} is what {destination.type} itself says of a row.",
                where=f"{destination.where}, mapping",
                hint="Call yours something else.",
            )
    return fields

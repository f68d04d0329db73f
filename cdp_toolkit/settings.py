"""Definitions as files: what ``cdp.yaml`` may say, and how any definition is read and checked."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from cdp_toolkit.destinations.policies import Policies
from cdp_toolkit.errors import ConfigError, DataError, nearest
from cdp_toolkit.identity import IdentityRules
from cdp_toolkit.profiles import MergePolicy
from cdp_toolkit.secrets import Address, Options
from cdp_toolkit.segments.computed import ComputedAttribute
from cdp_toolkit.sources.inlets import StreamSettings

Definition = TypeVar("Definition", bound=BaseModel)
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Notify(BaseModel):
    """Who is told when a notebook fails that nobody watches.

    Parameters
    ----------
    webhook
        An address that takes a message as JSON, such as one of a chat system: ``${env:TEAM_WEBHOOK}``.
    email
        Addresses.
    smtp
        Server that sends: ``smtp://user:${env:SMTP_PASSWORD}@mail.acme.example:587``, or ``smtps://``.
    sender
        Who it is from; the first of the addresses by default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    webhook: str | None = None
    email: tuple[str, ...] = ()
    smtp: Address = "smtp://localhost"
    sender: str = ""


class Settings(BaseModel):
    """What ``cdp.yaml`` says.

    Parameters
    ----------
    name
        Name of the workspace.
    timezone
        Where days begin, such as ``Europe/Berlin``.
    lake
        Folder of the tables, or an address such as ``s3://bucket/lake``.
    storage
        Options of a lake that is no folder, such as ``endpoint_url`` or ``access_key_id``, as its object store names them;
        what is not there is taken from the environment, such as ``AWS_ACCESS_KEY_ID``. Secrets are references.
    engine
        ``polars``, ``duckdb``, or ``spark`` with the address of its server: ``spark: "sc://host:15002"``.
    sources
        Settings of each source by its name; ``type`` names the connector, which checks the rest.
    identity
        Which identities link records.
    merge_policies
        Which record's value a profile shows, by name.
    computed_attributes
        Columns of people or accounts that a rule works out, by name.
    policies
        Who may be sent, which columns for what, and who is left in peace.
    notify
        Who is told when a notebook fails that nobody watches.
    stream
        Where messages are taken, and how often they are loaded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str
    timezone: str = "UTC"
    lake: str = "lake"
    storage: Options = {}
    engine: str | dict[str, str] = "polars"
    sources: dict[str, dict[str, Any]] = {}
    identity: IdentityRules = IdentityRules()
    merge_policies: dict[Name, MergePolicy] = {"default": MergePolicy()}
    computed_attributes: dict[Name, ComputedAttribute] = {}
    policies: Policies = Policies()
    notify: Notify = Notify()
    stream: StreamSettings = StreamSettings()

    @field_validator("timezone")
    @classmethod
    def _is_a_timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, OSError) as error:
            raise ValueError(f"{name!r} is no time zone, such as Europe/Berlin") from error
        return name


def by_name(definitions: Iterable[Definition]) -> dict[str, Definition]:
    """Return definitions by their names.

    Parameters
    ----------
    definitions
        Segments or destinations.

    Returns
    -------
    dict
        Definition by name.

    Raises
    ------
    ConfigError
        If two have the same name.
    """
    found: dict[str, Definition] = {}
    for definition in definitions:
        name = str(getattr(definition, "name"))  # noqa: B009 - the bound of the type variable has no name
        if name in found:
            raise ConfigError(f"Two files define {name!r}.", where=name, hint="Rename one of them.")
        found[name] = definition
    return found


def read_yaml(file: Path) -> Any:
    """Read a YAML file.

    Parameters
    ----------
    file
        The file.

    Returns
    -------
    dict
        What it says; empty if it says nothing.

    Raises
    ------
    ConfigError
        If it is no YAML.
    DataError
        If it is not UTF-8.
    """
    try:
        return yaml.safe_load(file.read_text("utf-8")) or {}
    except yaml.YAMLError as error:
        raise ConfigError("The file is no YAML.", where=str(file), hint=str(error)) from error
    except UnicodeDecodeError as error:
        raise DataError("The file is not UTF-8.", where=str(file), hint="Save it as UTF-8.") from error


def read_definition(kind: type[Definition], file: Path, *, under: str = "") -> Definition:
    """Read a definition and check it.

    Parameters
    ----------
    kind
        What it should be.
    file
        YAML file.
    under
        Setting that the whole file is the value of; by default the file has the settings.

    Returns
    -------
    Definition
        The definition.

    Raises
    ------
    ConfigError
        If a setting is missing, wrong or unknown; names the key.
    """
    told = read_yaml(file)
    try:
        return kind.model_validate({under: told or []} if under else told)
    except ValidationError as error:
        raise _config_error(kind, error, str(file)) from error


def _config_error(kind: type[BaseModel], error: ValidationError, where: str) -> ConfigError:
    first = error.errors()[0]
    *way, last = first["loc"] or ("",)
    spelt = ".".join(str(part) for part in first["loc"])
    around = [_settings_at(kind, each) for each in ([*way, last], way)]
    known = next((list(each.model_fields) for each in around if hasattr(each, "model_fields")), list(kind.model_fields))
    if first["type"] != "extra_forbidden":
        message = str(first["msg"]).removeprefix("Value error, ")
        return ConfigError(f"{message}: {spelt}.", where=where, hint=f"Known keys: {', '.join(known)}.")
    near = [repr(name) for name in nearest(str(last), known)]
    hint = f"Did you mean {' or '.join(near)}?" if near else f"Known keys: {', '.join(known)}."
    return ConfigError(f"There is no setting {spelt!r}.", where=where, hint=hint)


def _settings_at(kind: Any, way: Sequence[int | str]) -> Any:
    """Return the type of what stands at a place in a definition; an object where it has none."""
    for part in way:
        if part in getattr(kind, "model_fields", {}):
            kind = kind.model_fields[part].annotation
        else:  # a name that the user chose, or a place in a list
            kind = next(reversed(get_args(kind)), object)
        if get_origin(kind) in (Union, UnionType):
            kind = next((each for each in get_args(kind) if hasattr(each, "model_fields")), kind)
    return kind

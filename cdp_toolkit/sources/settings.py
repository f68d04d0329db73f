"""What ``cdp.yaml`` may say of any source, and how it is checked."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from cdp_toolkit.errors import ConfigError, UnknownNameError


class SourceSettings(BaseModel):
    """Settings that every source has; a connector's own are a model that extends it.

    The class of a connector names its model as ``settings_kind``, by which ``cdp source add`` knows what to ask for.

    Parameters
    ----------
    type
        Name of the connector.
    system
        System whose mapping is used.
    instance
        Which installation of the system: a Munchkin id, an organisation's id. It stands in every record key.
    crm
        ``system`` and ``instance`` of the CRM that the system is synced with.
    mapping
        A mapping file instead of the system's own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: str
    system: str | None = None
    instance: str | None = None
    crm: dict[str, str] | None = None
    mapping: str | None = None


Kind = TypeVar("Kind", bound=SourceSettings)


def read_settings(settings: Mapping[str, Any], kind: type[Kind], *, where: str) -> Kind:
    """Check the settings of a source.

    Parameters
    ----------
    settings
        What ``cdp.yaml`` says of it.
    kind
        Model of the settings; refuses unknown keys.
    where
        Where they stand, for errors.

    Returns
    -------
    SourceSettings
        The settings with their defaults; secrets are still references.

    Raises
    ------
    ConfigError
        If a setting is wrong or missing; names the key.
    UnknownNameError
        If there is no such setting; with the nearest names.
    """
    for key in settings:
        if key not in kind.model_fields:
            raise UnknownNameError("setting", key, kind.model_fields, where=where)
    try:
        return kind.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        told = str(first["msg"]).removeprefix("Value error, ")
        raise ConfigError(
            f"{place or 'The settings'}: {told}.", where=where, hint=f"Known settings: {', '.join(kind.model_fields)}."
        ) from error

"""Where mappings are read from: the vendors' own, by name, and a user's, by file."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from cdp_toolkit.entities.mapping import SourceMapping
from cdp_toolkit.errors import ConfigError, UnknownNameError
from cdp_toolkit.model import Model
from cdp_toolkit.model.model import read_shipped


def load_mapping(mapping: str | Path, model: Model) -> SourceMapping:
    """Read a mapping and check it against the model.

    Parameters
    ----------
    mapping
        Name of a system whose mapping the toolkit ships, such as ``xdm``, or the path of a YAML file.
    model
        The model, with the workspace's own columns.

    Returns
    -------
    SourceMapping
        The mapping, laid over the one that it extends, if any.

    Raises
    ------
    ConfigError
        If the file cannot be read or says something that no mapping can say.
    UnknownNameError
        If a system, an entity or a field is unknown; with the nearest names.
    """
    where = str(mapping)
    try:
        return SourceMapping.model_validate(_read(mapping)).checked(model, where=where)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"The mapping cannot say {place or 'this'}: {first['msg']}.",
            where=where,
            hint="The mappings of the connectors show the whole language.",
        ) from error


def system_name(system: str) -> str:
    """Return a system's name as it stands in record keys.

    Parameters
    ----------
    system
        As in ``cdp.yaml``, in any case.

    Returns
    -------
    str
        The name in the mapping that the toolkit ships; the text itself for a system that it does not know.
    """
    return _system_name(system.casefold()) or system


@cache
def _system_name(folder: str) -> str | None:
    shipped = _shipped().get(folder)
    return str(read_shipped(shipped)["system"]) if shipped is not None else None


def _read(mapping: str | Path) -> dict[str, Any]:
    path = Path(mapping)
    if path.suffix in {".yaml", ".yml"}:
        if not path.is_file():
            raise ConfigError("There is no such mapping file.", where=str(path), hint="Check `mapping:` in cdp.yaml.")
        read = _parsed(path.read_text("utf-8"), str(mapping))
    else:
        shipped = _shipped()
        if str(mapping).casefold() not in shipped:
            raise UnknownNameError("mapping for a system", str(mapping), shipped, where="cdp.yaml, sources")
        read = read_shipped(shipped[str(mapping).casefold()])
    base = read.pop("extends", None)
    return read if base is None else _laid_over(_read(base), read)


def _parsed(text: str, where: str) -> dict[str, Any]:
    try:
        read = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError("The mapping is not valid YAML.", where=where, hint=str(error)) from error
    if not isinstance(read, dict):
        raise ConfigError("The mapping is empty.", where=where, hint="It needs `system:` and `objects:`.")
    return read


def _laid_over(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    joined = {**base, **own}
    for part in ("objects", "lookups"):
        joined[part] = {**base.get(part, {}), **own.get(part, {})}
    return joined


def _shipped() -> dict[str, Traversable]:
    folders = files("cdp_toolkit").joinpath("connectors").iterdir()
    return {
        folder.name: folder.joinpath("mapping.yaml") for folder in folders if folder.joinpath("mapping.yaml").is_file()
    }

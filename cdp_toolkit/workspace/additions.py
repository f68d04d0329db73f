"""A source is written into ``cdp.yaml``, and nothing else in that file changes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cdp_toolkit.errors import ConfigError
from cdp_toolkit.plugins import find
from cdp_toolkit.secrets import is_secret
from cdp_toolkit.settings import Settings
from cdp_toolkit.workspace.workspace import Workspace

_PARAMETER = re.compile(r"^ {4}(\w[\w, ]*)\n((?: {8}.*\n?)+)", re.MULTILINE)


@dataclass(frozen=True)
class Question:
    """A setting that a connector has.

    Parameters
    ----------
    name
        Its name.
    meaning
        What its documentation says.
    is_required
        Whether the connector cannot do without.
    is_secret
        Whether it is a reference to a secret.
    """

    name: str
    meaning: str
    is_required: bool
    is_secret: bool


def questions(kind: str) -> list[Question]:
    """Return the settings of a connector, those that it needs first.

    Parameters
    ----------
    kind
        Name of the connector.

    Returns
    -------
    list of Question
        One a setting, without ``type``.

    Raises
    ------
    UnknownNameError
        If no installed package has such a connector.
    """
    settings = getattr(find("sources", kind), "settings_kind", None)
    fields = settings.model_fields if settings is not None else {}
    meanings = _meanings(settings) if settings is not None else {}
    asked = [
        Question(name, meanings.get(name, ""), field.is_required(), is_secret(field.annotation, field.metadata))
        for name, field in fields.items()
        if name != "type"
    ]
    return sorted(asked, key=lambda each: not each.is_required)


def add_source(workspace: Workspace, name: str, settings: Mapping[str, Any]) -> Path:
    """Write a source into ``cdp.yaml``, once it is known to be right.

    Parameters
    ----------
    workspace
        Where to.
    name
        Name of the source.
    settings
        Its settings, ``type`` among them; secrets are references.

    Returns
    -------
    Path
        The file; all that stood in it still does, comments too.

    Raises
    ------
    ConfigError
        If there is such a source, a setting is wrong, or the file is written in a way that nothing can be added to.
    """
    file = workspace.folder / "cdp.yaml"
    if name in workspace.settings.sources:
        raise ConfigError(f"There is a source {name!r} already.", where=str(file), hint="Choose another name.")
    find("sources", str(settings.get("type")))
    before = file.read_text("utf-8")
    after = _added(before, name, settings)
    told, wanted = _read(after), yaml.safe_load(before) or {}
    if told != {**wanted, "sources": {**(wanted.get("sources") or {}), name: dict(settings)}}:
        raise ConfigError(
            "The sources are written in one line.", where=str(file), hint="Write each source on lines of its own."
        )
    Settings.model_validate(told)
    workspace.opened(name, dict(settings))
    beside = file.with_name(".cdp.yaml.tmp")
    beside.write_text(after, "utf-8")
    beside.replace(file)
    return file


def _read(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:  # what was added does not fit to what was there
        return None


def _added(text: str, name: str, settings: Mapping[str, Any]) -> str:
    lines = text.splitlines()
    at = next((number for number, line in enumerate(lines) if re.match(r"sources\s*:", line)), None)
    if at is None:
        return "\n".join([*lines, "sources:", *_entry(name, settings, 2)]) + "\n"
    if re.match(r"sources\s*:\s*(\{\s*\}|~|null)\s*(#.*)?$", lines[at]):
        lines[at] = re.sub(r"\s*(\{\s*\}|~|null)", "", lines[at], count=1)
    end = next((n for n in range(at + 1, len(lines)) if lines[n] and not lines[n].startswith((" ", "#"))), len(lines))
    while not lines[end - 1].strip() or lines[end - 1].startswith("#"):  # which belong to what follows
        end -= 1
    first = next((line for line in lines[at + 1 : end] if line.strip() and not line.strip().startswith("#")), "  ")
    indent = len(first) - len(first.lstrip()) or 2
    return "\n".join([*lines[:end], *_entry(name, settings, indent), *lines[end:]]) + "\n"


def _entry(name: str, settings: Mapping[str, Any], indent: int) -> list[str]:
    written = yaml.safe_dump({name: dict(settings)}, sort_keys=False, allow_unicode=True, width=1_000)
    return [" " * indent + line for line in written.splitlines()]


def _meanings(settings: type) -> dict[str, str]:
    """Return what the documentation of a connector's settings says of each, on one line."""
    found: dict[str, str] = {}
    for kind in reversed(settings.__mro__):
        for names, meaning in _PARAMETER.findall(kind.__doc__ or ""):
            found |= dict.fromkeys((each.strip() for each in names.split(",")), " ".join(meaning.split()))
    return found


Ask = Callable[[Question], str]


def answered(kind: str, given: Mapping[str, Any], ask: Ask | None) -> dict[str, Any]:
    """Put together the settings of a source.

    Parameters
    ----------
    kind
        Name of the connector.
    given
        Settings that are known.
    ask
        Asks for one that is not; None where nobody can be asked.

    Returns
    -------
    dict
        ``type``, what was given, and what was asked for.
    """
    settings = {"type": kind, **given}
    for question in questions(kind) if ask is not None else ():
        if question.is_required and question.name not in settings and ask is not None:
            settings[question.name] = yaml.safe_load(ask(question))
    return settings

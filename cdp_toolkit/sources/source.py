"""What a source must do, and how one is opened."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from cdp_toolkit.errors import ConfigError
from cdp_toolkit.plugins import find

Cursor = dict[str, Any]
"""What a source needs to go on from where it was; anything that JSON can hold."""


@dataclass(frozen=True)
class Object:
    """A kind of record that a source delivers, such as contacts.

    Parameters
    ----------
    name
        Name below ``landing/<source>/``.
    parts
        What it is delivered in, such as files; empty if a source cannot say.
    """

    name: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Batch:
    """Rows that are landed together or not at all.

    Parameters
    ----------
    part
        Where they come from, for messages: a file, a page.
    cursor
        What to remember once they are landed; laid over what was remembered before.
    open
        Starts reading. Every column is text; ``_file`` and ``_line`` say where a row stood.
    notes
        What the user should know, such as an encoding that was guessed.
    """

    part: str
    cursor: Cursor
    open: Callable[[], pa.RecordBatchReader]
    notes: tuple[str, ...] = ()


class Source(Protocol):
    """A way to read from outside."""

    def objects(self) -> Sequence[Object]:
        """Return what there is to read.

        Returns
        -------
        sequence of Object
            Objects in order of their names.
        """
        ...

    def read(self, object: Object, cursor: Cursor) -> "Iterator[Batch | SourceFailure]":  # noqa: A002 - the noun of the contract
        """Read what is new in an object.

        Parameters
        ----------
        object
            One of ``objects()``.
        cursor
            What was remembered; empty at first.

        Yields
        ------
        Batch or SourceFailure
            Batches in order; a part that cannot be read is told and the others follow.
        """
        ...

    def unknown(self) -> Sequence[str]:
        """Return what was found and belongs to no object.

        Returns
        -------
        sequence of str
            Such as file names.
        """
        ...


@dataclass(frozen=True)
class SourceFailure:
    """A part that could not be read.

    Parameters
    ----------
    part
        Its name.
    error
        Why.
    """

    part: str
    error: Exception


def open_source(
    name: str, settings: Mapping[str, Any], folder: str | Path, *, objects: Mapping[str, Sequence[str]] | None = None
) -> Source:
    """Open a source by the name of its connector.

    Parameters
    ----------
    name
        Name of the source in ``cdp.yaml``.
    settings
        What ``cdp.yaml`` says of it; ``type`` names the connector, which checks the rest.
    folder
        Folder that paths are relative to.
    objects
        Objects that a mapping knows, with the names or patterns of their files; anything goes by default.

    Returns
    -------
    Source
        Ready to read.

    Raises
    ------
    ConfigError
        If no type is named, or a setting is wrong.
    UnknownNameError
        If no installed package has such a connector.
    """
    where = f"cdp.yaml, sources.{name}"
    if "type" not in settings:
        raise ConfigError("The source names no connector.", where=where, hint="Add `type: files`.")
    connector = find("sources", str(settings["type"]))
    source: Source = connector(settings, folder=Path(folder), objects=dict(objects or {}), where=where)
    return source

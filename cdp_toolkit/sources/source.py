"""What a source must do, and how one is opened."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from cdp_toolkit.errors import ConfigError
from cdp_toolkit.plugins import find
from cdp_toolkit.sources.budget import Budget

Cursor = dict[str, Any]
"""What a source needs to go on from where it was; anything that JSON can hold.

Keys that begin with an underscore are kept by the room itself.
"""

Delivered = Callable[[str, Sequence[str]], Iterator[pa.RecordBatch]]
"""Gives columns of what an object of the source has landed so far, by the object's name; nothing if it has not landed.

To be read before a batch is yielded, not while it is opened: within the write of a Delta table none can be read.
"""


@dataclass(frozen=True)
class Object:
    """A kind of record that a source delivers, such as contacts.

    Parameters
    ----------
    name
        Name below ``landing/<source>/``.
    parts
        What it is delivered in, such as files; empty if a source cannot say.
    fields
        The vendor's type of each field, where it describes them; a change is recorded in ``landing/_fields`` and told.
    """

    name: str
    parts: tuple[str, ...] = ()
    fields: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Overlap:
    """Rows that may have been landed before, since a load reads again a little of what the last one has read.

    Parameters
    ----------
    columns
        Columns that together say that two rows are the same, such as an id and the time of its last change; all of them
        if none is named.
    since
        Time from which rows are read again. A row that is landed already was landed after this, and is dropped.
    """

    columns: tuple[str, ...]
    since: datetime


def _nothing() -> pa.RecordBatchReader:
    schema = pa.schema([("_file", pa.string()), ("_line", pa.int64())])
    return pa.RecordBatchReader.from_batches(schema, [])


@dataclass(frozen=True)
class Batch:
    """Rows that are landed together or not at all. Without rows it is a note of how far the source has come.

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
    share
        How much of what is to be read of the object is read with this, from 0 to 1; None if a source cannot say.
    overlap
        Which of its rows may have been landed before; none by default.
    """

    part: str
    cursor: Cursor
    open: Callable[[], pa.RecordBatchReader] = _nothing
    notes: tuple[str, ...] = ()
    share: float | None = None
    overlap: Overlap | None = None


class Source(Protocol):
    """A way to read from outside.

    Opening one calls nobody: a source that is down is met by ``objects`` or ``read``, which raise ``ConnectorStopped``, and
    leaves the others running. One that is read over a network is ``Metered``, and ``Linked`` if it must know what landed.
    """

    def objects(self) -> Sequence[Object]:
        """Return what there is to read.

        Returns
        -------
        sequence of Object
            Objects in the order in which they are read.
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


@runtime_checkable
class Metered(Protocol):
    """A source whose calls are counted and may be capped."""

    budget: Budget


@runtime_checkable
class Noted(Protocol):
    """A source that has something to say besides what it reads."""

    def notes(self) -> Sequence[str]:
        """Return what the user should know; asked for after ``objects``.

        Returns
        -------
        sequence of str
            Sentences, such as which objects are left out and why.
        """
        ...


@runtime_checkable
class Linked(Protocol):
    """A source that reads what it has landed, such as the companies that its leads name."""

    def link(self, delivered: Delivered) -> None:
        """Take the way to what has landed; called before anything is read.

        Parameters
        ----------
        delivered
            Gives columns of an object.
        """
        ...


@runtime_checkable
class Local(Protocol):
    """A source that may be landed beside others, by any thread: what it reads lies on this machine, so that it waits for nobody."""

    is_local: bool


@runtime_checkable
class Named(Protocol):
    """A source that must know its own name, such as one whose rows lie among those of others."""

    def named(self, name: str) -> None:
        """Take the name; called before anything is read.

        Parameters
        ----------
        name
            Name of the source in ``cdp.yaml``.
        """
        ...


@runtime_checkable
class Sifting(Protocol):
    """A source that keeps apart itself what its mapping refuses, since its messages do not come again."""

    def sift(self, check: "Callable[[str, Sequence[str]], None]") -> None:
        """Learn what the mapping refuses; called before anything is read.

        Parameters
        ----------
        check
            Refuses rows by their object and the names of their columns, with a ``SourceError``.
        """
        ...


@runtime_checkable
class Streaming(Protocol):
    """A source whose messages wait to be loaded, again and again."""

    def waiting(self) -> int:
        """Return how many messages wait.

        Returns
        -------
        int
            0 if a load would find none.

        Raises
        ------
        ConnectorStopped
            If that cannot be told.
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
    if isinstance(source, Named):
        source.named(name)
    return source

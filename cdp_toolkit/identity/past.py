"""What the last run read and wrote, of one entity, and where this one writes: whole tables, or rows by their keys."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from cdp_toolkit.engines import Engine, Frame

KEYS = {
    "ids": "record_key",
    "links": "record_key",
    "refused_links": "record_key",
    "clusters": "record_key",
    "members": "cluster",
    "carriers": "value_key",
    "identities": "value_key",
    "aliases": "alias_id",
}
"""The tables, and the key by which their rows are looked up."""


@dataclass(frozen=True)
class Kept:
    """A table as the last run left it.

    Parameters
    ----------
    rows
        All of its rows.
    find
        Returns the rows of some keys, which are given in a column of the name of the key.
    """

    rows: Frame
    find: Callable[[Frame], Frame]


@dataclass(frozen=True)
class Past:
    """The last run.

    Parameters
    ----------
    tables
        What it wrote of this entity, by the names of ``KEYS``.
    said
        What the records said then, by ``record_key``: as ``Evidence.identities``. None where that was under other rules,
        so that everything is to be looked at again.
    """

    tables: Mapping[str, Kept]
    said: Kept | None = None


class Shelf(Protocol):
    """Where the tables of one entity are written."""

    def keep(self, name: str, rows: Frame) -> Frame:
        """Write a table anew.

        Parameters
        ----------
        name
            Of ``KEYS``, or ``history``, to which rows are added.
        rows
            All its rows.

        Returns
        -------
        Frame
            The rows as they are read from there.
        """
        ...


class ChangingShelf(Shelf, Protocol):
    """Where rows of the tables of one entity can be written in the place of others."""

    def change(self, name: str, rows: Frame, keys: Frame) -> None:
        """Write rows of a table in the place of those of some keys.

        Parameters
        ----------
        name
            Of ``KEYS``.
        rows
            The new rows, already run.
        keys
            Whose rows are no more, in a column of the name of the key; of ``carriers`` by ``value_key`` and ``record_key``.
        """
        ...


def keep_by(key: str, rows: Frame, engine: Engine) -> Kept:
    """Return a table whose rows are found by reading through them.

    Parameters
    ----------
    key
        Column of the key.
    rows
        All rows.
    engine
        Reads.

    Returns
    -------
    Kept
        The table.
    """
    return Kept(rows, lambda keys: engine.materialise(engine.among(rows, key, keys)))

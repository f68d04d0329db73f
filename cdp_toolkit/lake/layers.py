"""Changes of a table, laid over its rows: a version is its base and later files, whose keys replace what is below.

A change of one row in a hundred would else write every file anew. A later file has all rows that its keys have now; a key
that has none any more has one row that says it is gone. Its name says its place in the order, and from which place on it
has taken in the changes before it, so that there are few to read. ``Store.change`` writes such files, and lays them into
a new base once they have become many rows; all reading goes through here.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import narwhals as nw
import pyarrow as pa

from cdp_toolkit.engines import Frame

GONE = "_gone"
"""Column of a later file: whether its key has no rows any more."""

_PLACE = "_place"
_NAMED = re.compile(r"/changes-(\d+)-(\d+)-(\d+)-[0-9a-f]+/[^/]+$")


class Change(NamedTuple):
    """A later file: its ``place`` in the order, the ``first`` place of what it has taken in, and how many rows it has."""

    place: int
    first: int
    rows: int
    file: str


class Layers(NamedTuple):
    """The files of a version: the ``base``, the ``changes`` over it in their order, and those that count no more."""

    base: tuple[str, ...]
    changes: tuple[Change, ...]
    taken_in: tuple[Change, ...]

    @property
    def rows(self) -> int:
        """Rows of all later files."""
        return sum(change.rows for change in (*self.changes, *self.taken_in))


def layers_of(files: Sequence[str]) -> Layers:
    """Tell later files from those of the base.

    Parameters
    ----------
    files
        Addresses of the files of one version.

    Returns
    -------
    Layers
        The files.

    Examples
    --------
    >>> found = layers_of(["t/a.parquet", "t/changes-1-1-9-ab/rows.parquet", "t/changes-2-1-12-cd/rows.parquet"])
    >>> found.base, [change.place for change in found.changes]
    (('t/a.parquet',), [2])
    """
    named = [(file, _NAMED.search(file)) for file in files]
    changes = sorted(
        Change(int(found[1]), int(found[2]), int(found[3]), file) for file, found in named if found is not None
    )
    alive = [each for each in changes if not any(later.first <= each.place < later.place for later in changes)]
    return Layers(
        tuple(file for file, found in named if found is None),
        tuple(alive),
        tuple(each for each in changes if each not in alive),
    )


def name_of(place: int, first: int, rows: int, unique: str) -> str:
    """Return the name of the folder of a later file.

    Parameters
    ----------
    place, first, rows
        As in ``Change``.
    unique
        Hexadecimal digits that no other write uses.

    Returns
    -------
    str
        Name below the table.
    """
    return f"changes-{place}-{first}-{rows}-{unique}"


def laid(changes: Sequence[Change], frames: Sequence[Frame], on: Sequence[str]) -> Frame:
    """Return what later files say of each key, the last word of each.

    Parameters
    ----------
    changes
        The files.
    frames
        Rows of each, with the column ``GONE``.
    on
        Columns of the key.

    Returns
    -------
    Frame
        Rows of the table with the column ``GONE``.
    """
    if len(changes) == 1:
        return frames[0]
    placed = zip(changes, frames, strict=True)
    told = nw.concat([frame.with_columns(nw.lit(each.place).alias(_PLACE)) for each, frame in placed])
    last = told.group_by(*on).agg(nw.col(_PLACE).max())
    return told.join(last, on=[*on, _PLACE], how="semi").drop(_PLACE)


def overlay(base: Frame, changes: Frame, on: Sequence[str]) -> Frame:
    """Lay changes over rows.

    Parameters
    ----------
    base
        Rows of a table.
    changes
        Of ``laid``.
    on
        Columns of the key.

    Returns
    -------
    Frame
        The rows as they are now.
    """
    columns = base.collect_schema().names()
    left = base.join(changes.select(*on).unique(), on=list(on), how="anti")
    return nw.concat([left, changes.filter(~nw.col(GONE)).select(*columns)])


def with_gone(schema: pa.Schema) -> pa.Schema:
    """Return the columns of a later file.

    Parameters
    ----------
    schema
        Columns of the table.

    Returns
    -------
    pyarrow.Schema
        With ``GONE``.
    """
    return schema.append(pa.field(GONE, pa.bool_()))

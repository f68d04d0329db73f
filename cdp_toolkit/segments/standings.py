"""Everyone's standing in the segments: since when in, or until when.

``segments/membership`` keeps a row for each standing, segment and bucket, and rows that take profiles out of one and put
them into another: what an evaluation adds. From time to time all are written anew as one row each.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

import pyarrow as pa

from cdp_toolkit.lake.bits import few_numbers, holds, odd, pack, pack_numbers, unpack
from cdp_toolkit.lake.groups import Groups
from cdp_toolkit.lake.packed import Numbering, merged, packed_schema
from cdp_toolkit.lake.tables import TABLES

MEMBERSHIP = packed_schema(TABLES["segments/membership"])

Packed = tuple[int, bytes]
"""How many profiles, and their bits as a row keeps them; fewer than none where they are taken out."""

Standing = tuple[str, datetime, datetime, datetime | None]
"""Status, first entry, latest entry, exit."""

Standings = dict[Standing, Packed]
"""Who has which standing in one segment, of one bucket."""


def moves(
    standings: Mapping[Standing, Packed], change: str, moving: Packed, at: datetime, size: int
) -> Iterator[tuple[Standing, Packed]]:
    """Return by which rows profiles get their new standing.

    Parameters
    ----------
    standings
        Who has which standing.
    change
        ``entered`` or ``exited``.
    moving
        Who does.
    at
        When.
    size
        How many profiles the bucket has.

    Yields
    ------
    standing, packed
        Who is taken out of a standing, and who is put into one.
    """
    has_entered = change == "entered"
    left = moving
    for standing, packed in standings.items():
        status, first, last, _ = standing
        if (status == "exited") != has_entered or not left[0]:
            continue
        mine = _both(packed, left, size)
        if mine[0]:
            left = odd([left, (-mine[0], mine[1])], size)
            yield standing, (-mine[0], mine[1])
            yield ("realized", first, at, None) if has_entered else ("exited", first, last, at), mine
    if has_entered and left[0]:
        yield ("realized", at, at, None), left


def _both(one: Packed, other: Packed, size: int) -> Packed:
    numbers = few_numbers(*other)
    if numbers is None:
        return pack(unpack(*one, size) & unpack(*other, size))
    return pack_numbers(numbers[holds(*one, numbers, size)], size)


def after(history: pa.Table, numbering: Numbering) -> pa.Table:
    """Return everyone's standing after all that happened.

    Parameters
    ----------
    history
        Rows of ``segments/history`` as they are on disk.
    numbering
        How many profiles there are a bucket.

    Returns
    -------
    pyarrow.Table
        Rows of ``segments/membership`` as they are on disk. ``last_qualified_at`` is the latest entry and does not move
        while a profile stays in.
    """
    found: dict[tuple[str, str, int], Standings] = {}
    for move in history.sort_by("recorded_at").to_pylist():
        size = len(numbering.ids(move["entity"], move["bucket"]))
        mine = found.setdefault((move["segment"], move["entity"], move["bucket"]), {})
        moving = (move["profiles"], move["bits"])
        for standing, packed in list(moves(mine, move["change"], moving, move["changed_at"], size)):
            mine[standing] = odd([mine[standing], packed], size) if standing in mine else packed
    rows = [
        dict(zip(MEMBERSHIP.names, (segment, entity, *standing, bucket, *packed), strict=True))
        for (segment, entity, bucket), standings in found.items()
        for standing, packed in standings.items()
        if packed[0]
    ]
    return pa.Table.from_pylist(rows, schema=MEMBERSHIP)


def anew(rows: Groups, numbering: Numbering) -> Iterator[pa.Table]:
    """Return everyone's standing with one row each.

    Parameters
    ----------
    rows
        Rows of ``segments/membership`` as they are on disk.
    numbering
        How many profiles there are a bucket.

    Yields
    ------
    pyarrow.Table
        The rows of a bucket.
    """
    for entity, bucket in rows.places:
        yield merged(rows.rows(entity, bucket), numbering).sort_by("segment")

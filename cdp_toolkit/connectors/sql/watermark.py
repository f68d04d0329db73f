"""How far a table has been read, by a column that grows with every change.

Invariant: rows come in the order of the watermark, and the cursor stands behind whole groups of rows with one value, so
that a load which was killed goes on without reading a row twice. What is committed late, comes from a clock that is wrong
or carries no watermark is read again, and dropped where it has landed.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from cdp_toolkit.connectors.sql.database import Since
from cdp_toolkit.sources.source import Cursor, Overlap

_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_SPAN = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
# A row was landed after its watermark, but for zones that a column does not tell and for clocks that differ.
_SLACK = timedelta(days=1)
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Watermark:
    """How far a table has been read.

    Parameters
    ----------
    column
        The column.
    overlap
        How far before the last value the next load begins.
    began
        Begin of the load that is under way.
    value
        All rows up to it have landed.
    highest
        Highest value that was ever seen, also in the future.
    is_whole
        Whether all rows of ``value`` have landed, and not some of those behind it.
    is_done
        Whether that load came to its end.
    is_fresh
        Whether nothing has landed before this load.
    """

    column: str
    overlap: timedelta
    began: datetime
    value: str | None = None
    highest: str | None = None
    is_whole: bool = True
    is_done: bool = False
    is_fresh: bool = True

    @classmethod
    def of(cls, column: str, overlap: timedelta, cursor: Cursor, now: datetime) -> "Watermark":
        """Go on from what a cursor remembers.

        Parameters
        ----------
        column, overlap
            As the settings say.
        cursor
            What was remembered; empty before the first load, or if another column was the watermark.
        now
            Present time.

        Returns
        -------
        Watermark
            Of the load that was interrupted, or of the next.
        """
        if cursor.get("column") != column:
            return cls(column, overlap, now)
        known = {name: cursor[name] for name in ("value", "highest", "is_whole", "is_done")}
        began = now if known["is_done"] else datetime.fromisoformat(cursor["began"])
        return cls(column, overlap, began, **known, is_fresh=False)

    @property
    def cursor(self) -> Cursor:
        """What to remember."""
        own = {"column": self.column, "began": self.began.isoformat(), "value": self.value, "highest": self.highest}
        return {**own, "is_whole": self.is_whole, "is_done": self.is_done}

    @property
    def since(self) -> Since | None:
        """From where on to read."""
        if self.value is None:
            return None
        low = _minus(self.value if self.is_done else _like(self.began, self.value), self.overlap)
        # Of a past long before the load nothing is committed late: it goes on behind the last row.
        if low is None or (not self.is_done and _key(self.value) < _key(low)):
            return Since(self.column, self.value, is_included=not self.is_whole)
        return Since(self.column, low, is_included=True)

    def after(self, values: "Group", *, is_done: bool) -> "Watermark":
        """Return how far the table has been read once rows have landed.

        Parameters
        ----------
        values
            Watermarks of the rows.
        is_done
            Whether there are no further rows.

        Returns
        -------
        Watermark
            Never in the future: a row from a clock that is wrong would hide all that follow.
        """
        known = [each for each in (self.highest, values.last) if each is not None]
        highest = max(known, key=_key, default=None)
        value = highest if is_done else values.last or self.value
        if value is not None and _key(value) > _key(present := _like(self.began, value)):
            value = present
        return replace(self, value=value, highest=highest, is_whole=values.is_whole or is_done, is_done=is_done)

    def overlap_of(self, values: "Group", columns: tuple[str, ...]) -> Overlap | None:
        """Return whether rows may have landed before.

        Parameters
        ----------
        values
            Watermarks of the rows.
        columns
            All their columns.

        Returns
        -------
        Overlap or None
            None for rows that are surely new.
        """
        first = None if values.has_null else values.first
        is_new = first is not None and self.highest is not None and _key(first) > _key(self.highest)
        if self.is_fresh or is_new:
            return None
        at = None if first is None else as_time(first)
        return Overlap(columns, _EVER if at is None else min(at, self.began) - _SLACK)


@dataclass(frozen=True)
class Group:
    """Watermarks of rows that land together.

    Parameters
    ----------
    first, last
        The lowest and the highest; None if all are null.
    has_null
        Whether any is null.
    is_whole
        Whether all rows of the highest are there.
    """

    first: str | None
    last: str | None
    has_null: bool
    is_whole: bool


def span(text: str) -> timedelta:
    """Return how long a text says that something is.

    Parameters
    ----------
    text
        A number with a unit, such as ``90s``, ``10m``, ``2h`` or ``1d``.

    Returns
    -------
    timedelta
        The time.

    Raises
    ------
    ValueError
        If it is none.

    Examples
    --------
    >>> span("10m")
    datetime.timedelta(seconds=600)
    """
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no span of time, such as 90s, 10m, 2h or 1d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def as_time(text: str) -> datetime | None:
    """Return the time that a text says.

    Parameters
    ----------
    text
        ISO 8601, with a zone or in UTC.

    Returns
    -------
    datetime or None
        In UTC; None if it is no time.

    Examples
    --------
    >>> as_time("2026-03-01 12:00:00+02").isoformat(), as_time("17")
    ('2026-03-01T10:00:00+00:00', None)
    """
    if not _is_time(text):
        return None
    at = datetime.fromisoformat(text)
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _is_time(text: str) -> bool:
    if "-" not in text[1:]:
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _key(text: str) -> tuple[int, Decimal | datetime | str]:
    at = as_time(text)
    if at is not None:
        return (1, at)
    return (0, Decimal(text)) if _NUMBER.fullmatch(text) else (2, text)


def _like(at: datetime, sample: str) -> str:
    """Write a time in the way that a sample is written; the sample itself where it is no time."""
    if not _is_time(sample):
        return sample
    if len(sample) == 10:
        return at.date().isoformat()
    own = (
        at.astimezone(UTC)
        if sample[10:].count("+") or sample.endswith("Z")
        else at.astimezone(UTC).replace(tzinfo=None)
    )
    return own.isoformat(sep=sample[10])


def _minus(text: str, overlap: timedelta) -> str | None:
    at = as_time(text)
    return None if at is None else _like(at - overlap, text)

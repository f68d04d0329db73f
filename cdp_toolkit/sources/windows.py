"""A stretch of time as windows that are read one after the other, and how far that has come.

The cursor keeps the plan: a load that was killed goes on at the first window that has not landed. When all have, the next
load plans from there to its own present, and begins a little earlier, since vendors show late what happened.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cdp_toolkit.sources.source import Cursor, Overlap


@dataclass(frozen=True)
class Window:
    """A stretch of time, its end excluded.

    Parameters
    ----------
    start, end
        Times in UTC, of whole seconds.
    is_repeated
        Whether it begins within what has been read before.
    """

    start: datetime
    end: datetime
    is_repeated: bool = False

    def overlap(self, *columns: str) -> Overlap | None:
        """Return which rows of the window may have landed before.

        Parameters
        ----------
        *columns
            Columns that together say that two rows are the same.

        Returns
        -------
        Overlap or None
            None where the window repeats nothing.
        """
        return Overlap(columns, self.start) if self.is_repeated else None

    def __str__(self) -> str:
        """Return both ends."""
        return f"{stamp(self.start)}/{stamp(self.end)}"


@dataclass(frozen=True)
class Plan:
    """Windows from ``begin`` to ``until``, all before ``done`` landed.

    Parameters
    ----------
    begin, until
        What is to be read.
    done
        Up to where it is.
    step
        Longest window.
    overlap
        How far the first window of an increment reaches back before ``begin``.
    is_backfill
        Whether nothing was read before ``begin``.
    """

    begin: datetime
    until: datetime
    done: datetime
    step: timedelta
    overlap: timedelta = timedelta()
    is_backfill: bool = True

    @classmethod
    def of(
        cls, cursor: Cursor, *, since: datetime, now: datetime, step: timedelta, overlap: timedelta = timedelta()
    ) -> "Plan":
        """Go on with the plan that a cursor keeps, or make the next one.

        Parameters
        ----------
        cursor
            What was remembered; empty before the backfill.
        since
            Where the backfill begins.
        now
            Up to where to read.
        step
            Longest window.
        overlap
            How far increments reach back.

        Returns
        -------
        Plan
            The plan under way, or one from its end to ``now``.

        Examples
        --------
        >>> march, april = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
        >>> backfill = Plan.of({}, since=march, now=april, step=timedelta(days=20), overlap=timedelta(hours=1))
        >>> print(*backfill.windows())
        2026-03-01T00:00:00Z/2026-03-21T00:00:00Z 2026-03-21T00:00:00Z/2026-04-01T00:00:00Z
        >>> first, second = backfill.windows()
        >>> later = {"since": march, "now": april + timedelta(days=1), "step": timedelta(days=20)}
        >>> print(*Plan.of(backfill.after(first), **later).windows())
        2026-03-21T00:00:00Z/2026-04-01T00:00:00Z
        >>> print(*Plan.of(backfill.after(second), **later, overlap=timedelta(hours=1)).windows())
        2026-03-31T23:00:00Z/2026-04-02T00:00:00Z
        """
        now = now.replace(microsecond=0)
        if "until" not in cursor:
            return cls(since, max(now, since), since, step, overlap)
        begin, until, done = (moment(cursor[name]) for name in ("begin", "until", "done"))
        if done < until:
            return cls(begin, until, done, step, overlap, is_backfill=not cursor["is_increment"])
        return cls(until, max(now, until), until, step, overlap, is_backfill=False)

    def windows(self) -> Iterator[Window]:
        """Return what is still to be read.

        Yields
        ------
        Window
            One after the other, without a gap.
        """
        start = self.done
        while start < self.until:
            is_repeated = start == self.begin and not self.is_backfill
            back = self.overlap if is_repeated else timedelta()
            end = min(start + self.step - back, self.until)
            yield Window(start - back, end, is_repeated)
            start = end

    def after(self, window: Window) -> Cursor:
        """Return what a cursor keeps once a window has landed.

        Parameters
        ----------
        window
            The window.

        Returns
        -------
        Cursor
            The plan.
        """
        kept = {"begin": stamp(self.begin), "until": stamp(self.until), "done": stamp(window.end)}
        return {**kept, "is_increment": not self.is_backfill}

    def share(self, window: Window, within: float = 1.0) -> float:
        """Return how much of the plan is read.

        Parameters
        ----------
        window
            The window that is being read.
        within
            How much of it is, from 0 to 1.

        Returns
        -------
        float
            From 0 to 1.
        """
        whole = (self.until - self.begin).total_seconds() or 1.0
        at = window.start + (window.end - window.start) * within
        return min(max((at - self.begin).total_seconds() / whole, 0.0), 1.0)


def stamp(at: datetime) -> str:
    """Return a time as vendors take it.

    Parameters
    ----------
    at
        A time with its zone.

    Returns
    -------
    str
        ISO 8601 in UTC, whole seconds.
    """
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """Return the time that ``stamp`` wrote.

    Parameters
    ----------
    text
        ISO 8601 with a zone.

    Returns
    -------
    datetime
        In UTC.
    """
    return datetime.fromisoformat(text).astimezone(UTC)

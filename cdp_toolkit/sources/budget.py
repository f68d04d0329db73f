"""How many calls a source may make on a day, counted over all runs of that day."""

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from cdp_toolkit.errors import QuotaExhausted

MARK = "_calls"
"""Key of the cursor under which the calls of a day are remembered."""


class Budget:
    """Calls of a day: counted, and refused once they are spent.

    Parameters
    ----------
    limit
        How many calls a day; None for as many as it takes.
    zone
        Where a day begins, as the vendor counts.
    clock
        Tells the time, in UTC.

    Examples
    --------
    >>> budget = Budget(2, clock=lambda: datetime(2026, 3, 1, 12, tzinfo=UTC))
    >>> budget.spend(), budget.spend()
    (None, None)
    >>> budget.spend()
    Traceback (most recent call last):
    ...
    cdp_toolkit.errors.QuotaExhausted: The 2 calls that this source may make on a day are spent.
    Run again after 2026-03-02 00:00 UTC: it goes on there.
    """

    def __init__(
        self, limit: int | None = None, *, zone: str = "UTC", clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.limit = limit
        self._zone = ZoneInfo(zone)
        self._clock = clock
        self._lock = threading.Lock()
        self._day = self.today()
        self._spent = 0

    def today(self) -> date:
        """Return the day as the vendor counts.

        Returns
        -------
        date
            Day in the zone of the budget.
        """
        return self._clock().astimezone(self._zone).date()

    def next_day(self) -> datetime:
        """Return when the next day begins.

        Returns
        -------
        datetime
            Midnight of the zone, in UTC.
        """
        return datetime.combine(self.today() + timedelta(days=1), time(), self._zone).astimezone(UTC)

    def spend(self, calls: int = 1) -> None:
        """Count calls that are about to be made.

        Parameters
        ----------
        calls
            How many.

        Raises
        ------
        QuotaExhausted
            If the calls of the day are spent.
        """
        with self._lock:
            self._turn()
            if self.limit is not None and self._spent + calls > self.limit:
                raise QuotaExhausted(
                    f"The {self.limit:,} calls that this source may make on a day are spent.",
                    resume_at=self.next_day(),
                )
            self._spent += calls

    def recall(self, cursors: Iterable[Mapping[str, Any]]) -> None:
        """Count what earlier runs of the day have spent.

        Parameters
        ----------
        cursors
            Cursors of all objects of the source.
        """
        today = self.today().isoformat()
        marks = [cursor[MARK] for cursor in cursors if MARK in cursor]
        self.at_least(max((int(mark["spent"]) for mark in marks if mark["day"] == today), default=0))

    def at_least(self, calls: int) -> None:
        """Count what a vendor says has been spent today.

        Parameters
        ----------
        calls
            How many calls; fewer than are known change nothing.
        """
        with self._lock:
            self._turn()
            self._spent = max(self._spent, calls)

    @property
    def spent(self) -> int:
        """Calls of the day so far."""
        with self._lock:
            self._turn()
            return self._spent

    def mark(self) -> dict[str, Any]:
        """Return what a cursor remembers of the day.

        Returns
        -------
        dict
            Under ``MARK``: the day and the calls of the whole source so far.
        """
        return {MARK: {"day": self.today().isoformat(), "spent": self.spent}}

    def _turn(self) -> None:
        if self._day != self.today():
            self._day, self._spent = self.today(), 0

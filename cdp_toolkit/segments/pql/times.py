"""Words for time as instants: ``now``, ``last week`` and ``3 days before today``, for one evaluation."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from cdp_toolkit.segments.pql.nodes import Unit

_SECONDS: dict[Unit, float] = {"millisecond": 0.001, "second": 1, "minute": 60, "hour": 3600}
_DAYS: dict[Unit, int] = {"day": 1, "week": 7}
_MONTHS: dict[Unit, int] = {"month": 1, "year": 12, "decade": 120, "century": 1200, "millennium": 12000}


def unit_of_word(word: str) -> Unit | None:
    """Return the unit of time that a word means, in singular or plural, in any case.

    Parameters
    ----------
    word
        Such as ``days``.

    Returns
    -------
    str or None
        Such as ``day``; None where it is no unit.

    Examples
    --------
    >>> unit_of_word("Centuries"), unit_of_word("D")
    ('century', 'day')
    """
    word = word.lower()
    found = {"centuries": "century", "millennia": "millennium", "d": "day", "h": "hour", "w": "week"}.get(
        word, word.removesuffix("s")
    )
    known: dict[str, Unit] = {unit: unit for unit in (*_SECONDS, *_DAYS, *_MONTHS)}
    return known.get(found)


@dataclass(frozen=True)
class Range:
    """A stretch of time from ``start`` (included) to ``end``; a missing end is open, an instant has both alike."""

    start: datetime | None
    end: datetime | None
    includes_start: bool = True
    includes_end: bool = False


@dataclass(frozen=True)
class Clock:
    """When a segment is evaluated, and where its days begin.

    Parameters
    ----------
    as_of
        The moment that ``now`` means; aware.
    timezone
        Name of the time zone in which days, weeks and months begin.
    """

    as_of: datetime
    timezone: str = "UTC"

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def today(self) -> date:
        """The day of ``now``."""
        return self.local(self.as_of).date()

    def local(self, instant: datetime) -> datetime:
        """Return an instant as the clock on the wall shows it.

        Parameters
        ----------
        instant
            An aware time.

        Returns
        -------
        datetime
            The same in the time zone of the clock.
        """
        return instant.astimezone(self._zone)

    def midnight(self, day: date) -> datetime:
        """Return the instant at which a day begins.

        Parameters
        ----------
        day
            A day.

        Returns
        -------
        datetime
            In UTC.
        """
        return datetime.combine(day, time(), self._zone).astimezone(UTC)

    def day(self, day: date) -> Range:
        """Return a whole day.

        Parameters
        ----------
        day
            A day.

        Returns
        -------
        Range
            From midnight to midnight.
        """
        return Range(self.midnight(day), self.midnight(day + timedelta(days=1)))

    def moment(self, name: str) -> Range:
        """Return what ``now``, ``today``, ``yesterday`` or ``tomorrow`` means.

        Parameters
        ----------
        name
            One of the four words.

        Returns
        -------
        Range
            An instant for ``now``, else a whole day.
        """
        if name == "now":
            now = self.as_of.astimezone(UTC)
            return Range(now, now, includes_end=True)
        return self.day(self.today + timedelta(days={"yesterday": -1, "today": 0, "tomorrow": 1}[name]))

    def period(self, which: str, unit: Unit) -> Range:
        """Return what ``this``, ``last`` or ``next`` unit means: a whole unit of the calendar; weeks begin on Monday.

        Parameters
        ----------
        which
            One of the three words.
        unit
            Unit of time.

        Returns
        -------
        Range
            The whole unit.
        """
        near = self.shift(self.as_of, {"last": -1, "this": 0, "next": 1}[which], unit)
        return self.unit_of(near, unit)

    def unit_of(self, instant: datetime, unit: Unit) -> Range:
        """Return the whole unit of the calendar that an instant lies in.

        Parameters
        ----------
        instant
            An aware time.
        unit
            Unit of time.

        Returns
        -------
        Range
            The whole unit.
        """
        start = self._floor(self.local(instant), unit).astimezone(UTC)
        return Range(start, self.shift(start, 1, unit))

    def shift(self, instant: datetime, amount: int, unit: Unit) -> datetime:
        """Return an instant moved by units of the calendar; the 31st becomes the last day of a shorter month.

        Parameters
        ----------
        instant
            An aware time.
        amount
            How many units; negative for back.
        unit
            Unit of time.

        Returns
        -------
        datetime
            In UTC.
        """
        local = self.local(instant)
        if unit in _SECONDS:
            return instant.astimezone(UTC) + timedelta(seconds=amount * _SECONDS[unit])
        if unit in _DAYS:
            return (local + timedelta(days=amount * _DAYS[unit])).astimezone(UTC)
        year, month = divmod(local.year * 12 + local.month - 1 + amount * _MONTHS[unit], 12)
        first = local.replace(year=min(max(year, 1), 9998), month=month + 1, day=1)
        last_day = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        return first.replace(day=min(local.day, last_day.day)).astimezone(UTC)

    def _floor(self, local: datetime, unit: Unit) -> datetime:
        if unit in _SECONDS:
            step = {"millisecond": 1000, "second": 10**6, "minute": 60 * 10**6, "hour": 3600 * 10**6}[unit]
            within = ((local.hour * 60 + local.minute) * 60 + local.second) * 10**6 + local.microsecond
            return (local.astimezone(UTC) - timedelta(microseconds=within % step)).astimezone(self._zone)
        day = datetime.combine(local.date(), time(), self._zone)
        if unit in _DAYS:
            return day - timedelta(days=day.weekday() if unit == "week" else 0)
        years = {"decade": 10, "century": 100, "millennium": 1000}.get(unit, 1)
        month = day.month if unit == "month" else 1
        return day.replace(year=max(day.year - day.year % years, 1), month=month, day=1)

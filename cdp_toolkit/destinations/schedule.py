"""When a destination is due."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

# Fields of a cron line: name, smallest and largest value.
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_NAMED = ("daily", "on_change", "manual")
_LONGEST_DAYS = 4 * 366  # from one 29 February to the next


def is_due(
    schedule: str, *, now: datetime, told_at: datetime | None, is_evaluated: bool, timezone: str = "UTC"
) -> bool:
    """Tell whether a destination is to be told now.

    Parameters
    ----------
    schedule
        ``daily`` (once a day, after an evaluation), ``on_change`` (whenever something changed), ``manual`` (only when
        it is named), or the five fields of a cron line such as ``0 6,18 * * 1-5``.
    now
        The moment, in UTC.
    told_at
        When it was last told without a failure, in UTC.
    is_evaluated
        Whether audiences were evaluated after that.
    timezone
        Where days begin and cron's hours are read.

    Returns
    -------
    bool
        Whether it is due.

    Examples
    --------
    >>> six, seven = datetime(2026, 3, 2, 6, 30), datetime(2026, 3, 2, 7)
    >>> is_due("0 7 * * 1", now=seven, told_at=six, is_evaluated=False)
    True
    """
    if schedule in {"on_change", "manual"}:
        return schedule == "on_change"
    if told_at is None:
        return True
    zone = ZoneInfo(timezone)
    here, before = (_aware(each).astimezone(zone) for each in (now, told_at))
    if schedule == "daily":
        return is_evaluated and before.date() < here.date()
    latest = last_time(schedule, here)
    return latest is not None and latest > before


def last_time(schedule: str, now: datetime) -> datetime | None:
    """Return the latest time that a cron line names.

    Parameters
    ----------
    schedule
        Five fields.
    now
        The moment, where the line's hours are read.

    Returns
    -------
    datetime or None
        Not later than ``now``; None if there was none for four years.

    Examples
    --------
    >>> last_time("30 6 * * 1", datetime(2026, 3, 5, 12))
    datetime.datetime(2026, 3, 2, 6, 30)
    """
    minutes, hours, days, months, weekdays = fields(schedule)
    is_any_day, is_any_weekday = (len(each) == most for each, most in ((days, 31), (weekdays, 7)))
    for back in range(_LONGEST_DAYS):
        date = now - timedelta(days=back)
        on_day, on_weekday = date.day in days, (date.weekday() + 1) % 7 in weekdays
        # As cron has it: a day of the month and a day of the week, if both are named, are alternatives.
        named = on_day and on_weekday if is_any_day or is_any_weekday else on_day or on_weekday
        times = ((hour, minute) for hour in sorted(hours, reverse=True) for minute in sorted(minutes, reverse=True))
        latest = (now.hour, now.minute) if back == 0 else (24, 0)
        if date.month in months and named and (found := next((each for each in times if each <= latest), None)):
            return date.replace(hour=found[0], minute=found[1], second=0, microsecond=0)
    return None


def fields(schedule: str) -> list[set[int]]:
    """Read a cron line.

    Parameters
    ----------
    schedule
        Five fields of numbers, ranges ``1-5``, steps ``*/15`` and lists of them.

    Returns
    -------
    list of set
        Minutes, hours, days, months and weekdays, 0 being Sunday.

    Raises
    ------
    ValueError
        If it is no cron line; says what is wrong.
    """
    parts = schedule.split()
    if len(parts) != len(_FIELDS):
        raise ValueError(f"{schedule!r} is none of {', '.join(_NAMED)} and no cron line of five fields")
    found = [_field(part, *field) for part, field in zip(parts, _FIELDS, strict=True)]
    return [*found[:4], {day % 7 for day in found[4]}]


def check(schedule: str) -> str:
    """Return a schedule if it is one.

    Parameters
    ----------
    schedule
        See ``is_due``.

    Returns
    -------
    str
        The same.

    Raises
    ------
    ValueError
        If it is none; says what is wrong.
    """
    if schedule not in _NAMED:
        fields(schedule)
    return schedule


def _field(part: str, name: str, least: int, most: int) -> set[int]:
    found: set[int] = set()
    for each in part.split(","):
        span, _, step = each.partition("/")
        first, _, last = span.partition("-")
        low, high = (str(least), str(most)) if span == "*" else (first, last or (str(most) if step else first))
        if not (low.isdigit() and high.isdigit() and (step or "1").isdigit() and int(step or 1) > 0):
            raise ValueError(f"{each!r} is no {name}")
        if not least <= int(low) <= int(high) <= most:
            raise ValueError(f"{each!r} is no {name}: they go from {least} to {most}")
        found |= set(range(int(low), int(high) + 1, int(step or 1)))
    return found


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo("UTC"))

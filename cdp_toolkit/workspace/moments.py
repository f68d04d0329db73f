"""Times as people write them, as moments."""

import datetime as dt
from zoneinfo import ZoneInfo

from cdp_toolkit.errors import ConfigError

Moment = dt.datetime | str | None
"""A time, a text such as ``2026-11-01`` or ``today``, or the present."""


# Words for a schedule, which is written once and means another day each time.
_DAYS = {"today": 0, "yesterday": 1}


def moment_of(moment: Moment, timezone: str) -> dt.datetime:
    """Return a moment in UTC.

    Parameters
    ----------
    moment
        A time or a text; the present if it is None or empty.
    timezone
        Where it is meant if it names no zone.

    Returns
    -------
    datetime
        In UTC.

    Raises
    ------
    ConfigError
        If the text is no time.
    """
    if moment is None or moment == "":
        return dt.datetime.now(dt.UTC)
    zone = ZoneInfo(timezone)
    if moment in _DAYS:
        midnight = dt.datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        return (midnight - dt.timedelta(days=_DAYS[str(moment)])).astimezone(dt.UTC)
    try:
        time = dt.datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    except ValueError as error:
        raise ConfigError(
            f"{moment!r} is not a time.", where="as_of", hint="Write it as 2026-11-01 or 2026-11-01T08:00+01:00."
        ) from error
    return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(dt.UTC)

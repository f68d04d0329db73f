"""Where destinations stand, and which of them are due."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cdp_toolkit.destinations.ledger import of_destination
from cdp_toolkit.destinations.schedule import is_due
from cdp_toolkit.destinations.standing import Standing, Standings, count
from cdp_toolkit.lake import Lake
from cdp_toolkit.pipeline.activate import ABOUT
from cdp_toolkit.pipeline.targets import Target, told


def standings(lake: Lake, targets: Sequence[Target], *, now: datetime, timezone: str) -> Standings:
    """Say where destinations stand.

    Parameters
    ----------
    lake
        Reads ``segments/``, ``activation/`` and ``runs``.
    targets
        The destinations.
    now
        The moment, in UTC.
    timezone
        Where days begin.

    Returns
    -------
    Standings
        One ``Standing`` a destination.
    """
    return Standings(_standing(lake, target, now=now, timezone=timezone) for target in targets)


def due(lake: Lake, targets: Sequence[Target], *, now: datetime, timezone: str) -> list[Target]:
    """Return the destinations that are to be told now.

    Parameters
    ----------
    lake
        Reads ``runs``.
    targets
        The destinations.
    now
        The moment, in UTC.
    timezone
        Where days begin.

    Returns
    -------
    list of Target
        In the same order.
    """
    return [target for target in targets if _is_due(lake, target, now=now, timezone=timezone)]


def _is_due(lake: Lake, target: Target, *, now: datetime, timezone: str) -> bool:
    last, evaluated = lake.log.last_about(target.name, is_clean=True), lake.log.last("evaluate")
    # A destination may be told while audiences are evaluated: it heeds what counted when it was asked last.
    is_evaluated = evaluated is not None and (last is None or _ended_at(evaluated) > last["started_at"])
    return is_due(
        target.destination.schedule,
        now=now,
        told_at=_as_of(last) if last else None,
        is_evaluated=is_evaluated,
        timezone=timezone,
    )


def _standing(lake: Lake, target: Target, *, now: datetime, timezone: str) -> Standing:
    last = lake.log.last_about(target.name)
    counts = last["details"][target.name] if last else {}
    confirmed = sum(counts.get(what, 0) for what in ("added", "updated", "removed"))
    found = dict.fromkeys(("members", "taken", "declined", "undelivered", "oldest_at"), 0)
    if lake.exists("segments/membership"):
        history = of_destination(*told(lake, lake.engine), target.name)
        members = lake.scan("segments/membership", only={"segment": target.destination.audiences})
        found = count(target.destination, history, members, lake.engine)
    asked = found["taken"] + found["declined"]
    return Standing(
        destination=target.name,
        type=target.destination.type,
        schedule=target.destination.schedule,
        is_due=_is_due(lake, target, now=now, timezone=timezone),
        told_at=_as_of(last) if last else None,
        sent=confirmed + counts.get("failed", 0),
        confirmed=confirmed,
        failed=counts.get("failed", 0),
        refused=counts.get("refused", 0),
        members=found["members"],
        match_rate=found["taken"] / asked if asked else None,
        undelivered=found["undelivered"],
        oldest_at=datetime.fromtimestamp(found["oldest_at"] / 1e6, UTC) if found["oldest_at"] else None,
    )


def _ended_at(run: Mapping[str, Any]) -> datetime:
    ended: datetime = run["started_at"] + timedelta(seconds=run["seconds"])
    return ended


def _as_of(run: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(run["details"][ABOUT]["as_of"])

"""What ``cdp.yaml`` may say of a Marketo instance."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from cdp_toolkit.secrets import Secret
from cdp_toolkit.sources.settings import SourceSettings

# Marketo was founded in 2006: no lead is older.
_FIRST = dt.date(2006, 1, 1)


def _without_path(url: str) -> str:
    if not url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise ValueError("it begins with https://, such as https://123-ABC-456.mktorest.com")
    return url.rstrip("/").removesuffix("/rest").removesuffix("/identity")


Address = Annotated[str, AfterValidator(_without_path)]
"""Where an instance answers; what Marketo shows as its REST endpoint may be pasted, with ``/rest`` at its end."""


class Pace(BaseModel):
    """How fast Marketo is called.

    Parameters
    ----------
    calls, seconds
        At most so many calls within so many seconds: a part of the 100 in 20 that all users of an instance share.
    at_once
        How many calls run at the same time, of the 10 that all users share.
    poll_s
        How often to ask for a bulk extract that is under way.
    first_pause_s
        Pause before a call is repeated for the first time; it doubles.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    calls: int = Field(default=45, gt=0)
    seconds: float = Field(default=20.0, gt=0)
    at_once: int = Field(default=5, gt=0)
    poll_s: float = Field(default=60.0, gt=0)
    first_pause_s: float = Field(default=1.0, gt=0)


class MarketoLogin(BaseModel):
    """Where an instance is, and who calls it: what its source and its destination have in common.

    Parameters
    ----------
    base_url
        Where it answers, such as ``https://123-ABC-456.mktorest.com``.
    client_id, client_secret
        Of the custom service in LaunchPoint; the secret by reference.
    pace
        How fast it is called.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: Address
    client_id: str
    client_secret: Secret
    pace: Pace = Pace()


class MarketoSettings(SourceSettings, MarketoLogin):
    """What ``cdp.yaml`` may say of a Marketo instance, besides what it may say of any source.

    Parameters
    ----------
    objects
        What to read; everything by default.
    since
        Where the backfill begins: leads that were created and activities that happened later are read.
    lead_fields
        Fields of leads to read; all by default.
    activity_types
        Types of activities to read: those that the mapping knows by name, and custom ones (``known``), all of them, or some
        by their ids.
    calls_a_day
        Marketo's calls of a day, of all users together, after which this source stops until the next.
    overlap_minutes
        How far increments reach back, since Marketo shows late what happened.
    refresh_days
        After how many days companies, named accounts and opportunities are looked up again although no lead changed; roles
        after seven times as many.
    """

    objects: tuple[str, ...] | None = None
    since: dt.date = _FIRST
    lead_fields: tuple[str, ...] = ()
    activity_types: Literal["known", "all"] | tuple[int, ...] = "known"
    calls_a_day: int = Field(default=40_000, gt=0)
    overlap_minutes: int = Field(default=15, ge=0)
    refresh_days: int = Field(default=1, gt=0)

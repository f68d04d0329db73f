"""Matched Audiences of LinkedIn: people by their address, companies by domain and name."""

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cdp_toolkit.connectors.http import Http
from cdp_toolkit.connectors.limits import Limiter, Patience
from cdp_toolkit.connectors.linkedin.answers import judge
from cdp_toolkit.connectors.linkedin.client import Element, Segments, access
from cdp_toolkit.connectors.linkedin.elements import COMPANY_FIELDS, PERSON_FIELDS, companies, people
from cdp_toolkit.connectors.roster import batch_errors, json_texts, mapped, recalled, texts
from cdp_toolkit.destinations.definition import Destination, Mode, read_settings
from cdp_toolkit.destinations.destination import Batch, Limits, Outcome
from cdp_toolkit.findings import Finding
from cdp_toolkit.secrets import Secret, reveal

_SMALLEST = 300
_CALLS = {"people": 600, "companies": 300}  # a minute, for one member of LinkedIn
_REFRESHING = ("client_id", "client_secret", "refresh_token")
_UNUSABLE = ("EXPIRED", "FAILED", "ERROR")


class MatchedAudienceSettings(BaseModel):
    """Settings of Matched Audiences.

    Parameters
    ----------
    account
        Id of the advertising account, digits only.
    members
        ``people`` for audiences of people, ``companies`` for audiences of accounts.
    access_token
        Token of a member of LinkedIn, as a reference such as ``${env:LINKEDIN_TOKEN}``; or the three that follow.
    client_id, client_secret, refresh_token
        Of the app and the member, as references: tokens are then fetched when they are needed.
    version
        Version of the API, ``YYYYMM``; each ends after about a year.
    source_platform
        Under which name LinkedIn knows where the segments are from.
    base_url
        Address of the API.
    login_url
        Address that refreshes tokens.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: Annotated[str, Field(pattern=r"^\d+$")]
    members: Literal["people", "companies"] = "people"
    access_token: Secret | None = None
    client_id: Secret | None = None
    client_secret: Secret | None = None
    refresh_token: Secret | None = None
    version: Annotated[str, Field(pattern=r"^20\d{4}$")] = "202608"
    source_platform: str = "CDP_TOOLKIT"
    base_url: str = "https://api.linkedin.com"
    login_url: str = "https://www.linkedin.com/oauth/v2/accessToken"

    @model_validator(mode="after")
    def _has_a_login(self) -> Self:
        given = [name for name in _REFRESHING if getattr(self, name)]
        if bool(self.access_token) == bool(given) or len(given) not in {0, len(_REFRESHING)}:
            raise ValueError(f"name either access_token, or {', '.join(_REFRESHING)}")
        return self


class MatchedAudienceConnection:
    """Segments that receive who joined, and lose who left; made where there are none.

    Parameters
    ----------
    destination
        Its definition.
    folder
        Folder of the workspace.
    patience
        How often a call is repeated.

    Raises
    ------
    ConfigError
        If a setting is wrong.
    """

    modes: tuple[Mode, ...] = ("mirror", "add_only")
    requires_source = None
    requires_instance = None

    def __init__(self, destination: Destination, folder: Path, patience: Patience | None = None) -> None:
        del folder
        self._settings = settings = read_settings(destination, MatchedAudienceSettings)
        self._is_people = settings.members == "people"
        self._audiences = destination.audiences
        self._name = destination.name
        self._where = destination.where
        self._patience = patience
        self._ids: dict[str, str] = {}
        self.entities: tuple[str, ...] = ("person",) if self._is_people else ("account",)
        usual = (
            {"email": "email"}
            if self._is_people
            else {"domain": "domain", "website": "website", "name": "account_name"}
        )
        self._known = PERSON_FIELDS if self._is_people else COMPANY_FIELDS
        self.fields: Mapping[str, str] = mapped(destination, usual, self._known)
        self.identity: tuple[str, ...] = ("email",) if self._is_people else ("domain", "name")
        self.limits = Limits(
            batch_rows=5_000, calls_per_batch=2, calls_per_audience=3, calls=_CALLS[settings.members], window_s=60.0,
            audience_rows=_SMALLEST,
        )  # fmt: skip

    def deliver(self, batch: Batch) -> Sequence[Outcome]:
        """Tell LinkedIn who left and who joined; see ``Connection.deliver``.

        Parameters
        ----------
        batch
            Rows of one audience.

        Returns
        -------
        sequence of Outcome
            Delivered is what LinkedIn took; whom it matches shows in the size of the segment, within 48 hours.
        """
        rows = texts(batch.rows, self._known).with_row_index("_row")
        told = self._people(rows) if self._is_people else self._companies(rows)
        with batch_errors():
            return self._send(self._segment(batch.audience), rows, told)

    def check(self) -> Sequence[Finding]:
        """Look at the login and at each segment; see ``Checked.check``.

        Returns
        -------
        sequence of Finding
            One a segment.
        """
        return [_about(audience, self._api.find(self._source_id(audience))) for audience in self._audiences]

    def _people(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return what each person is told as; who leaves is told by the address that was the key."""
        key = pl.when(pl.col("_action") == "remove").then(pl.col("_row_key")).otherwise(pl.col("email"))
        told = people(rows.with_columns(email=key))
        ids = pl.concat_list(pl.struct(idType=pl.lit("SHA256_EMAIL"), idValue=pl.col("email")))
        return told.select(pl.when(pl.col("email").is_not_null()).then(ids).alias("userIds"), pl.exclude("email"))

    def _companies(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return what each company is told as; one that leaves is told as it was when it joined."""
        now = companies(rows)
        before = recalled(rows, now.columns, companies(_by_key(rows)))
        is_gone = rows["_action"] == "remove"
        return now.select(**{name: pl.when(is_gone).then(before[name]).otherwise(now[name]) for name in now.columns})

    def _send(self, segment_id: str, rows: pl.DataFrame, told: pl.DataFrame) -> list[Outcome]:
        keys = ("userIds",) if self._is_people else ("companyWebsiteDomain", "companyName")
        is_one = told.select(pl.any_horizontal(pl.col(key).is_not_null() for key in keys)).to_series()
        none = "no e-mail address that is one" if self._is_people else "neither domain nor name"
        known_as = [None] * len(rows) if self._is_people else json_texts(told).to_list()
        outcomes = [Outcome(known_as=known) if is_told else Outcome("refused", none)
                    for known, is_told in zip(known_as, is_one, strict=True)]  # fmt: skip
        is_gone = rows["_action"] == "remove"
        for action, chosen in (("REMOVE", is_gone & is_one), ("ADD", ~is_gone & is_one)):
            places = rows["_row"].filter(chosen).to_list()
            elements = [_element(action, each) for each in told.filter(chosen).iter_rows(named=True)]
            wrong = self._api.stream(segment_id, elements) if elements else []
            for place, reason in zip(places, wrong, strict=True):
                if reason is not None:
                    outcomes[place] = _refused(reason)
        return outcomes

    def _segment(self, audience: str) -> str:
        if audience not in self._ids:
            name = self._source_id(audience)
            found = self._api.find(name)
            self._ids[audience] = str(found["id"]) if found else self._api.create(name, f"{audience} ({self._name})")
        return self._ids[audience]

    def _source_id(self, audience: str) -> str:
        return f"{self._name}.{audience}"

    @cached_property
    def _api(self) -> Segments:
        settings = self._settings
        secrets = {name: partial(reveal, getattr(settings, name) or "", where=f"{self._where}, {name}")
                   for name in ("access_token", *_REFRESHING)}  # fmt: skip
        refresh = {name: secrets[name] for name in _REFRESHING} if settings.refresh_token else None
        opened = partial(Http, "LinkedIn", settings.base_url, judge=judge, patience=self._patience)
        login = access(secrets["access_token"], refresh, opened(), settings.login_url)
        http = opened(access=login, limiters=[Limiter(_CALLS[settings.members], 60.0)])
        kind: Literal["USER", "COMPANY"] = "USER" if self._is_people else "COMPANY"
        return Segments(http, settings.account, kind, settings.version, settings.source_platform)


def _by_key(rows: pl.DataFrame) -> pl.DataFrame:
    # Of a company of which no more is known than the key that it was sent under: its domain, or else its name.
    key, is_domain = pl.col("_row_key"), pl.col("_row_key").str.contains(r"^\S+\.\S+$")
    nothing = [pl.lit(None, pl.String).alias(name) for name in COMPANY_FIELDS]
    return rows.with_columns(nothing).with_columns(
        domain=pl.when(is_domain).then(key), name=pl.when(~is_domain).then(key)
    )


def _element(action: str, told: Mapping[str, Any]) -> Element:
    given = {name: value for name, value in told.items() if value is not None}
    if "industries" in given:
        given["industries"] = [given["industries"]]
    return {"action": action, **given}


def _refused(reason: str) -> Outcome:
    status = reason.partition(" ")[0]
    if status == "429" or status.startswith("5"):
        return Outcome("retry", f"LinkedIn: {reason}")
    return Outcome("refused", f"LinkedIn: {reason}")


def _about(audience: str, segment: Mapping[str, Any] | None) -> Finding:
    what = f"segment of {audience}"
    if segment is None:
        return Finding(what, "not there yet; the first activation makes it")
    target: Mapping[str, Any] = next(iter(segment.get("destinations", [])), {})
    size, status = int(target.get("audienceSize", 0)), str(target.get("status", "unknown"))
    detail = f"{segment.get('name')}, {size:,} members, {status}"
    if status in _UNUSABLE:
        return Finding(what, detail, "problem", "Activate it again, or delete it at LinkedIn so that it is made anew.")
    if size < _SMALLEST:
        return Finding(what, detail, "warning", f"LinkedIn uses segments of {_SMALLEST} members and more.")
    return Finding(what, detail)

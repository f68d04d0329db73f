"""Lists of Customer Match, at Google Ads and Display & Video 360."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from cdp_toolkit.connectors.google.answers import judge
from cdp_toolkit.connectors.google.client import DataManager, Member, Processed
from cdp_toolkit.connectors.google.identifiers import identifiers
from cdp_toolkit.connectors.google.login import service_account
from cdp_toolkit.connectors.http import Http
from cdp_toolkit.connectors.limits import Limiter, Patience
from cdp_toolkit.connectors.moves import Moves, Roster, by_key
from cdp_toolkit.connectors.roster import batch_errors, list_ids, mapped, texts
from cdp_toolkit.connectors.token import Token
from cdp_toolkit.destinations.definition import Destination, Mode, read_settings
from cdp_toolkit.destinations.destination import Batch, Limits, Outcome
from cdp_toolkit.errors import ActivationError
from cdp_toolkit.findings import Finding
from cdp_toolkit.secrets import Secret, reveal

AccountId = Annotated[str, Field(pattern=r"^\d+$")]
AccountType = Literal["GOOGLE_ADS", "DISPLAY_VIDEO_ADVERTISER", "DISPLAY_VIDEO_PARTNER"]

_PEOPLE = ("email", "phone", "first_name", "last_name", "postal_code", "country")
_CONSENTS = {"ad_user_data": "adUserData", "ad_personalization": "adPersonalization"}
# Nobody who was not asked, or is not known to have agreed, is said to have.
_CONSENT = {"y": "CONSENT_GRANTED", "n": "CONSENT_DENIED", "dn": "CONSENT_DENIED"}
_ADDRESS = {"given_name": "givenName", "family_name": "familyName", "region_code": "regionCode",
            "postal_code": "postalCode"}  # fmt: skip
_SMALLEST = 100


class CustomerMatchSettings(BaseModel):
    """Settings of Customer Match.

    Parameters
    ----------
    service_account
        Key of the service account, the whole JSON, as a reference such as ``${env:GOOGLE_SERVICE_ACCOUNT}``.
    operating_account
        Id of the account that owns the lists, digits only.
    account_type
        Which product the account is of.
    login_account
        Id of the manager account through which the service account has access, if it is through one.
    audience_ids
        Id of the list of each audience.
    customer_match_terms
        ``accepted``, by which whoever writes it says so to Google with each call.
    region
        Country of two letters for phone numbers and addresses without one.
    wait_for_processing_s
        How long to ask after each call what Google has made of it.
    base_url
        Address of the API.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    service_account: Secret
    operating_account: AccountId
    account_type: AccountType = "GOOGLE_ADS"
    login_account: AccountId | None = None
    audience_ids: dict[str, AccountId]
    customer_match_terms: Literal["accepted"]
    region: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None = None
    wait_for_processing_s: float = 0.0
    base_url: str = "https://datamanager.googleapis.com"


class CustomerMatchConnection:
    """Lists of Customer Match that receive who joined, and lose who left.

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

    entities = ("person",)
    modes: tuple[Mode, ...] = ("mirror", "add_only")
    requires_source = None
    requires_instance = None
    limits = Limits(batch_rows=10_000, calls_per_batch=2, calls=300, window_s=60.0, audience_rows=_SMALLEST)

    def __init__(self, destination: Destination, folder: Path, patience: Patience | None = None) -> None:
        del folder
        self._settings = read_settings(destination, CustomerMatchSettings)
        self._lists = list_ids(destination, self._settings.audience_ids, "audience_ids")
        usual = {"email": "email", "ad_user_data": "consent_any", "ad_personalization": "consent_any"}
        self.fields: Mapping[str, str] = mapped(destination, usual, (*_PEOPLE, *_CONSENTS))
        self.identity = tuple(field for field in ("email", "phone") if field in self.fields)
        self._where = destination.where
        self._patience = patience
        self._roster = Roster(["email", "phone"])

    def deliver(self, batch: Batch) -> Sequence[Outcome]:
        """Tell Google who left and who joined; see ``Connection.deliver``.

        Parameters
        ----------
        batch
            Rows of one audience.

        Returns
        -------
        sequence of Outcome
            Delivered is what Google took; whom it matches, it tells nobody.
        """
        rows = texts(batch.rows, (*_PEOPLE, *_CONSENTS))
        is_denied = pl.col("ad_user_data").is_in(["n", "dn"])
        rows = rows.with_columns(_refused=pl.when(is_denied).then(pl.lit("denies the use of data for advertising")))
        moves = self._roster.moves(batch.audience, rows, self._told(rows), self._told(by_key(rows, "email", "phone")))
        with batch_errors():
            return self._send(self._lists[batch.audience], rows, moves)

    def check(self) -> Sequence[Finding]:
        """Look at the login and at each list; see ``Checked.check``.

        Returns
        -------
        sequence of Finding
            One a list.
        """
        return [_about(audience, self._api.user_list(list_id)) for audience, list_id in self._lists.items()]

    def _told(self, rows: pl.DataFrame) -> pl.DataFrame:
        return identifiers(rows, self._settings.region)

    def _send(self, list_id: str, rows: pl.DataFrame, moves: Moves) -> list[Outcome]:
        outcomes = list(moves.outcomes)
        if len(moves.leaving):
            taken = self._api.remove(list_id, _members(moves.leaving))
            leaving = moves.leaving["_row"].to_list()
            for place, reason in taken.refused.items():
                outcomes[leaving[place]] = Outcome("refused", f"Google: {reason}")
            self._await(taken.request_id)
        if len(moves.joining):
            consents = rows.select(pl.col(name).replace_strict(_CONSENT, default="CONSENT_STATUS_UNSPECIFIED")
                                   for name in _CONSENTS)  # fmt: skip
            places = moves.joining["_row"].to_list()
            members = [
                member | {"consent": {_CONSENTS[name]: told for name, told in consents.row(place, named=True).items()}}
                for member, place in zip(_members(moves.joining), places, strict=True)
            ]
            taken = self._api.ingest(list_id, members)
            for place in places:
                outcomes[place] = replace(outcomes[place], reason=f"request {taken.request_id}")
            for place, reason in taken.refused.items():
                outcomes[places[place]] = Outcome("refused", f"Google: {reason}")
            self._await(taken.request_id)
        return outcomes

    def _await(self, request_id: str) -> None:
        """Ask until Google has processed a request, for as long as the settings say."""
        ends, pause = time.monotonic() + self._settings.wait_for_processing_s, 0.05
        while request_id and time.monotonic() < ends:
            processed = self._api.processed(request_id)
            if processed.state == "FAILED":
                raise ActivationError(
                    f"Google took the batch and could process none of it: {_counted(processed)}.",
                    where=f"{self._where}, request {request_id}",
                    hint="See the reasons in docs/destinations/google.md.",
                )
            if processed.state != "PROCESSING":
                return
            time.sleep(min(pause, max(ends - time.monotonic(), 0)))
            pause = min(pause * 2, 60.0)

    @cached_property
    def _api(self) -> DataManager:
        settings = self._settings
        login = Http("Google", settings.base_url, judge=judge, patience=self._patience)
        where = f"{self._where}, service_account"
        access = Token(service_account(reveal(settings.service_account, where=where), login, where=where))
        limit = Limiter(300, 60.0)
        http = Http("Google", settings.base_url, access=access, judge=judge, limiters=[limit], patience=self._patience)
        account = {"accountType": settings.account_type, "accountId": settings.operating_account}
        through = settings.login_account and {"accountType": "GOOGLE_ADS", "accountId": settings.login_account}
        return DataManager(http, account, through or None)


def _members(people: pl.DataFrame) -> list[Member]:
    return [{"userData": {"userIdentifiers": _identifiers(person)}} for person in people.iter_rows(named=True)]


def _identifiers(person: Mapping[str, str | None]) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    if person["email"]:
        told.append({"emailAddress": person["email"]})
    if person["phone"]:
        told.append({"phoneNumber": person["phone"]})
    if person["postal_code"]:
        told.append({"address": {name: person[column] for column, name in _ADDRESS.items()}})
    return told


def _counted(processed: Processed) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in processed.errors.items()) or "without a reason"


def _about(audience: str, user_list: Mapping[str, Any]) -> Finding:
    what = f"list of {audience}"
    sizes = [int(size) for size in user_list.get("sizeInfo", {}).values()]
    rate = user_list.get("ingestedUserListInfo", {}).get("contactIdInfo", {}).get("matchRatePercentage")
    detail = f"{user_list.get('displayName')}, {max(sizes, default=0):,} members" + (
        f", {rate} % matched" if rate else ""
    )
    if user_list.get("membershipStatus") == "CLOSED" or user_list.get("readOnly"):
        return Finding(what, f"{detail}, closed", "problem", "Open the list in Google Ads, or name another one.")
    if max(sizes, default=0) < _SMALLEST:
        return Finding(what, detail, "warning", f"Google uses lists of {_SMALLEST} members and more.")
    return Finding(what, detail)

"""Custom audiences of Facebook, Instagram and Meta's network."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from cdp_toolkit.connectors.http import Http
from cdp_toolkit.connectors.limits import Patience
from cdp_toolkit.connectors.meta.answers import judge
from cdp_toolkit.connectors.meta.client import Graph
from cdp_toolkit.connectors.meta.keys import keys
from cdp_toolkit.connectors.moves import Moves, Roster, by_key
from cdp_toolkit.connectors.roster import batch_errors, list_ids, mapped, texts
from cdp_toolkit.destinations.definition import Destination, Mode, read_settings
from cdp_toolkit.destinations.destination import Batch, Limits, Outcome
from cdp_toolkit.findings import Finding
from cdp_toolkit.secrets import Secret, reveal

_FIELDS = ("email", "phone", "first_name", "last_name", "city", "state", "postal_code", "country", "birth_date")
_SMALLEST = 100
_FLAGGED = 471


class CustomAudienceSettings(BaseModel):
    """Settings of custom audiences.

    Parameters
    ----------
    access_token
        Token of a system user, as a reference such as ``${env:META_TOKEN}``.
    app_secret
        Secret of the token's app, as a reference; proves each call, which an app can be set to ask for.
    audience_ids
        Id of the custom audience of each audience.
    region
        Country of two letters for phone numbers and people without one.
    version
        Version of the API.
    base_url
        Address of the API.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    access_token: Secret
    app_secret: Secret | None = None
    audience_ids: dict[str, Annotated[str, Field(pattern=r"^\d+$")]]
    region: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None = None
    version: Annotated[str, Field(pattern=r"^v\d+\.\d+$")] = "v25.0"
    base_url: str = "https://graph.facebook.com"


class CustomAudienceConnection:
    """Custom audiences that receive who joined, and lose who left.

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
    limits = Limits(batch_rows=10_000, calls_per_batch=2, audience_rows=_SMALLEST)

    def __init__(self, destination: Destination, folder: Path, patience: Patience | None = None) -> None:
        del folder
        self._settings = read_settings(destination, CustomAudienceSettings)
        self._ids = list_ids(destination, self._settings.audience_ids, "audience_ids")
        self.fields: Mapping[str, str] = mapped(destination, {"email": "email"}, _FIELDS)
        self.identity = tuple(field for field in ("email", "phone") if field in self.fields)
        self._where = destination.where
        self._patience = patience
        self._roster = Roster(["EMAIL", "PHONE"])

    def deliver(self, batch: Batch) -> Sequence[Outcome]:
        """Tell Meta who left and who joined; see ``Connection.deliver``.

        Parameters
        ----------
        batch
            Rows of one audience.

        Returns
        -------
        sequence of Outcome
            Delivered is what Meta took; whom it matches, it tells nobody.
        """
        rows = texts(batch.rows, _FIELDS).with_columns(_refused=pl.lit(None, pl.String))
        moves = self._roster.moves(batch.audience, rows, self._told(rows), self._told(by_key(rows, "email", "phone")))
        with batch_errors():
            return self._send(batch, moves)

    def check(self) -> Sequence[Finding]:
        """Look at the login and at each audience; see ``Checked.check``.

        Returns
        -------
        sequence of Finding
            One an audience.
        """
        return [_about(audience, self._api.about(audience_id)) for audience, audience_id in self._ids.items()]

    def _told(self, rows: pl.DataFrame) -> pl.DataFrame:
        return keys(rows, self._settings.region)

    def _send(self, batch: Batch, moves: Moves) -> list[Outcome]:
        outcomes = list(moves.outcomes)
        steps: tuple[tuple[Literal["DELETE", "POST"], pl.DataFrame], ...]
        steps = (("DELETE", moves.leaving), ("POST", moves.joining))
        for method, people in steps:
            if not len(people):
                continue
            schema = [key for key in people.columns if key != "_row" and people[key].null_count() < len(people)]
            told = people.select(schema).fill_null("").rows()
            session_id = _session_id(f"{batch.key}-{method}")
            received = self._api.users(method, self._ids[batch.audience], schema, told, session_id=session_id)
            if received.invalid:
                for row, values in zip(people["_row"], told, strict=True):
                    if not received.samples.isdisjoint(values):
                        outcomes[row] = Outcome("refused", "Meta cannot use what it was told")
        return outcomes

    @cached_property
    def _api(self) -> Graph:
        settings = self._settings
        http = Http("Meta", settings.base_url, judge=judge, patience=self._patience)
        token = partial(reveal, settings.access_token, where=f"{self._where}, access_token")
        secret = settings.app_secret
        proof = partial(reveal, secret, where=f"{self._where}, app_secret") if secret else None
        return Graph(http, settings.version, token, proof)


def _session_id(name: str) -> int:
    """Return the same number of 63 bits for the same name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1


def _about(audience: str, told: Mapping[str, Any]) -> Finding:
    what, size = f"audience of {audience}", int(told.get("approximate_count_lower_bound", 0))
    detail = f"{told.get('name')}, {max(size, 0):,} people or more"
    if told.get("operation_status", {}).get("code") == _FLAGGED:
        return Finding(what, f"{detail}, flagged", "problem", "Appeal in the Audience Manager, or make a new audience.")
    if told.get("subtype") != "CUSTOM":
        return Finding(
            what, f"{detail}, {told.get('subtype')}", "problem", "Name an audience made from a customer list."
        )
    if size < _SMALLEST:
        return Finding(what, detail, "warning", f"Meta asks for lists of {_SMALLEST} people and more.")
    return Finding(what, detail)

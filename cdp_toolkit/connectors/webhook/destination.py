"""Signed JSON to an address of your own."""

import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any

import httpx
from pydantic import BaseModel, ConfigDict, Field, field_validator

from cdp_toolkit.connectors.address import Network, allowed_networks, check_address
from cdp_toolkit.connectors.http import Http, RefusedError
from cdp_toolkit.connectors.limits import Limiter, Patience
from cdp_toolkit.connectors.verdict import Verdict, by_status, retry_after
from cdp_toolkit.connectors.webhook.template import check, filled
from cdp_toolkit.destinations.definition import Destination, Mode, keyed_fields, read_settings
from cdp_toolkit.destinations.destination import DELIVERED, Batch, Limits, Outcome
from cdp_toolkit.errors import ActivationError
from cdp_toolkit.findings import Finding
from cdp_toolkit.secrets import Secret, reveal, reveal_address

_OF_ROW = ("action", "key")
_OF_BODY = ("destination", "audience", "batch", "rows")
# What a repetition would not help, and what is about these rows and not about the address.
_DEAD = {"400", "413", "415", "422"}


class WebhookSettings(BaseModel):
    """Settings of a webhook.

    Parameters
    ----------
    url
        Where batches are sent by POST; secrets in it are references.
    secret
        Key of the signature, as a reference such as ``${env:WEBHOOK_SECRET}``.
    headers
        Further headers; secrets in them are references.
    key
        Field by which the receiver knows a row.
    row
        JSON of a row, with ``{action}``, ``{key}`` and the mapped fields in their places.
    body
        JSON of a batch, with ``{destination}``, ``{audience}``, ``{batch}`` and ``{rows}`` in their places.
    batch_rows
        Rows of a batch at the most.
    concurrency
        Batches at once.
    calls_per_second
        How fast at the most; no limit by default.
    allow
        Networks such as ``10.0.0.0/8`` that the address may lie in; public ones only by default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str
    secret: Secret
    headers: dict[str, str] = {}
    key: str = "profile_id"
    row: dict[str, Any] | None = None
    body: dict[str, Any] = {name: f"{{{name}}}" for name in _OF_BODY}
    batch_rows: Annotated[int, Field(ge=1, le=10_000)] = 100
    concurrency: Annotated[int, Field(ge=1, le=50)] = 1
    calls_per_second: Annotated[float, Field(gt=0)] | None = None
    allow: tuple[Network, ...] = ()

    @field_validator("allow", mode="before")
    @classmethod
    def _are_networks(cls, names: Sequence[str]) -> tuple[Network, ...]:
        return tuple(ip_network(name) for name in names)


class WebhookConnection:
    """A receiver of signed JSON.

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

    entities = ("person", "account")
    modes: tuple[Mode, ...] = ("mirror", "add_only")
    requires_source = None
    requires_instance = None

    def __init__(self, destination: Destination, folder: Path, patience: Patience | None = None) -> None:
        del folder
        self._settings = settings = read_settings(destination, WebhookSettings)
        self._where = destination.where
        self._patience = patience
        self.fields: Mapping[str, str] = keyed_fields(destination, settings.key, taken=_OF_ROW)
        self.identity = (settings.key,)
        self._row = settings.row or {name: f"{{{name}}}" for name in (*_OF_ROW, *self.fields)}
        check(self._row, (*_OF_ROW, *self.fields), where=f"{self._where}, row")
        check(settings.body, _OF_BODY, where=f"{self._where}, body")
        rate = settings.calls_per_second
        self.limits = Limits(
            settings.batch_rows, settings.concurrency, calls=1 if rate else None, window_s=1 / rate if rate else 1.0
        )

    def deliver(self, batch: Batch) -> Sequence[Outcome]:
        """Send a batch; see ``Connection.deliver``.

        Parameters
        ----------
        batch
            Rows of one audience.

        Returns
        -------
        sequence of Outcome
            Delivered if the answer is 2xx, but for rows whose keys it names under ``refused``.
        """
        keys = batch.rows["_row_key"].to_pylist()
        body = json.dumps(self._body(batch), ensure_ascii=False, separators=(",", ":")).encode()
        try:
            answer = self._http.call("POST", self._url, content=body, headers=self._headers(batch, body))
        except RefusedError as error:
            if error.code in _DEAD:
                return [Outcome("refused", error.message)] * len(keys)
            raise ActivationError(error.message, where=self._where, hint=error.hint) from error
        refused = _refused(answer)
        return [Outcome("refused", refused[key]) if key in refused else DELIVERED for key in keys]

    def check(self) -> Sequence[Finding]:
        """Look at the address and the secret, and call nobody; see ``Checked.check``.

        Returns
        -------
        sequence of Finding
            One for both.
        """
        check_address(httpx.URL(self._url), allowed_networks(self._settings.allow), where=f"{self._where}, url")
        reveal(self._settings.secret, where=f"{self._where}, secret")
        return [Finding("address and secret", "the receiver itself was not asked")]

    def _body(self, batch: Batch) -> Any:
        rows = [
            filled(self._row, row | {"action": row["_action"], "key": row["_row_key"]})
            for row in batch.rows.to_pylist()
        ]
        said = {"destination": batch.destination, "audience": batch.audience, "batch": batch.key, "rows": rows}
        return filled(self._settings.body, said)

    def _headers(self, batch: Batch, body: bytes) -> dict[str, str]:
        settings = self._settings
        own = {name: reveal(text, where=f"{self._where}, headers") for name, text in settings.headers.items()}
        at = str(int(time.time()))
        secret = reveal(settings.secret, where=f"{self._where}, secret")
        return {
            **own,
            "Content-Type": "application/json",
            "Idempotency-Key": batch.key,
            "Cdp-Timestamp": at,
            "Cdp-Signature": f"sha256={signature(secret, at, body)}",
        }

    @property
    def _url(self) -> str:
        return reveal_address(self._settings.url, where=f"{self._where}, url")

    @cached_property
    def _http(self) -> Http:
        settings = self._settings
        rate = settings.calls_per_second
        return Http(
            "The webhook",
            self._url,
            judge=judge,
            limiters=[Limiter(1, 1 / rate)] if rate else [],
            concurrency=settings.concurrency,
            patience=self._patience,
            timeout_s=30.0,
            allowed=settings.allow,
        )


def signature(secret: str, at: str, body: bytes) -> str:
    """Return what a receiver compares to know who sent a body, and when.

    Parameters
    ----------
    secret
        Known to both.
    at
        The header ``Cdp-Timestamp``: seconds since 1970. A receiver refuses what is older than it trusts.
    body
        As it was received.

    Returns
    -------
    str
        HMAC-SHA256 of timestamp, a dot and the body, in hexadecimal.

    Examples
    --------
    >>> signature("key", "1", b"{}")[:16]
    '1ba6b8171186efc6'
    """
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


def judge(answer: httpx.Response) -> Verdict | None:
    """Return what an answer of a receiver means.

    Parameters
    ----------
    answer
        The answer.

    Returns
    -------
    Verdict or None
        As ``by_status``, but 409 is repeated, and what is wrong with the address, such as a redirection, stops.
    """
    verdict = by_status(answer)
    if verdict is None or verdict.code in _DEAD or verdict.kind != "refuse":
        return verdict
    if answer.status_code == 409:
        wait_s = retry_after(answer)
        return Verdict("retry" if wait_s is None else "wait", verdict.message, verdict.code, wait_s=wait_s or 0.0)
    return Verdict("stop", verdict.message, verdict.code, "Check `url`: redirections are not followed.")


def _refused(answer: httpx.Response) -> Mapping[str, str]:
    try:
        told = answer.json()
    except ValueError:
        return {}
    refused = told.get("refused") if isinstance(told, dict) else None
    return {str(key): str(reason) for key, reason in refused.items()} if isinstance(refused, dict) else {}

"""Logging in to Salesforce: the settings of the three ways, and the token that they give.

Salesforce does not say how long a token lives; it is used until it is refused.
"""

import time
from pathlib import Path
from typing import Literal, Self

import httpx
import jwt
from pydantic import BaseModel, ConfigDict, model_validator

from cdp_toolkit.connectors.http import Http
from cdp_toolkit.connectors.limits import Patience
from cdp_toolkit.connectors.token import Token
from cdp_toolkit.connectors.verdict import Verdict, by_status
from cdp_toolkit.secrets import Secret, reveal

_ASSERTION_S = 180  # help.salesforce.com, "OAuth 2.0 JWT Bearer Flow": the assertion must expire within minutes
_NEEDED = {
    "jwt": ("username", "private_key"),
    "client_credentials": ("client_secret", "base_url"),
    "password": ("username", "password", "client_secret"),
}
_HINTS = {
    "invalid_client_id": "Check `client_id`: the consumer key of the connected app.",
    "invalid_client": "Check `client_id` and `client_secret`, and that the app allows this flow.",
    "invalid_grant": "Check the user, that the app is approved for it, the certificate and `sandbox`.",
    "unsupported_grant_type": "Allow this flow in the connected app.",
}


class LoginSettings(BaseModel):
    """Who logs in, and how.

    Parameters
    ----------
    login
        ``jwt`` (a certificate, no password), ``client_credentials`` (the app's run-as user, at My Domain) or
        ``password`` (blocked in newer organisations).
    client_id
        Consumer key of the connected app.
    client_secret
        Consumer secret, for all but ``jwt``.
    username
        The user, for all but ``client_credentials``.
    private_key
        For ``jwt``: reference to the key as PEM text, or to the path of its file.
    password
        Password with the security token behind it.
    sandbox
        Whether the organisation is a sandbox.
    base_url
        Where to log in, such as My Domain; Salesforce's common address by default.
    version
        Version of the API.
    api_share
        Share of the organisation's API calls of 24 hours, by all its users, after which nothing more is called.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    login: Literal["jwt", "client_credentials", "password"] = "jwt"
    client_id: str
    client_secret: Secret | None = None
    username: str | None = None
    private_key: Secret | None = None
    password: Secret | None = None
    sandbox: bool = False
    base_url: str | None = None
    version: str = "62.0"
    api_share: float = 0.8

    @model_validator(mode="after")
    def _has_what_the_login_needs(self) -> Self:
        missing = [name for name in _NEEDED[self.login] if getattr(self, name) is None]
        if missing:
            raise ValueError(f"the login {self.login} needs {' and '.join(missing)}")
        return self

    @property
    def host(self) -> str:
        """Salesforce's common address, which an assertion is for whatever the organisation's own is."""
        return f"https://{'test' if self.sandbox else 'login'}.salesforce.com"


class Login:
    """A way to a token, and to the address that it is good for.

    Parameters
    ----------
    settings
        Who logs in.
    where
        Where the settings stand, for errors.
    patience
        How often a call is repeated.
    """

    def __init__(self, settings: LoginSettings, *, where: str, patience: Patience) -> None:
        self._settings, self._where = settings, where
        self._http = Http("Salesforce", settings.base_url or settings.host, judge=_judge, patience=patience)
        self.token = Token(self._fetch)
        self._instance_url = ""

    @property
    def instance_url(self) -> str:
        """The organisation's address, as the login told it."""
        if not self._instance_url:
            self.token.headers()
        return self._instance_url

    def _fetch(self) -> tuple[str, float]:
        told = self._http.call("POST", "/services/oauth2/token", is_login=True, data=self._form()).json()
        self._instance_url = told["instance_url"].rstrip("/")
        return told["access_token"], float("inf")

    def _form(self) -> dict[str, str]:
        own = self._settings
        match own.login:
            case "jwt":
                return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": self._assertion()}
            case "client_credentials":
                return {
                    "grant_type": "client_credentials",
                    "client_id": own.client_id,
                    "client_secret": self._revealed(own.client_secret),
                }
            case "password":
                return {
                    "grant_type": "password",
                    "client_id": own.client_id,
                    "client_secret": self._revealed(own.client_secret),
                    "username": own.username or "",
                    "password": self._revealed(own.password),
                }

    def _assertion(self) -> str:
        told = {"iss": self._settings.client_id, "sub": self._settings.username, "aud": self._settings.host}
        key = self._revealed(self._settings.private_key)
        if "-----BEGIN" not in key:
            key = Path(key).read_text("utf-8")
        return jwt.encode(told | {"exp": int(time.time()) + _ASSERTION_S}, key, algorithm="RS256")

    def _revealed(self, secret: str | None) -> str:
        return reveal(secret or "", where=self._where)


def _judge(answer: httpx.Response) -> Verdict | None:
    if not answer.is_client_error or answer.status_code in {408, 429}:
        return by_status(answer)
    told = answer.json() if "json" in answer.headers.get("Content-Type", "") else {}
    code = told.get("error", str(answer.status_code))
    message = f"The login was refused: {told.get('error_description', answer.reason_phrase)} ({code})."
    return Verdict("stop", message, code, _HINTS.get(code, ""))

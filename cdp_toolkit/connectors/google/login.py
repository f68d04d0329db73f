"""A service account's login: a signed claim for a token, as RFC 7523 has it.

Source: developers.google.com/identity/protocols/oauth2/service-account.
"""

import json
import time
from collections.abc import Callable
from functools import partial

from cdp_toolkit.connectors.http import Http
from cdp_toolkit.errors import ConfigError

SCOPE = "https://www.googleapis.com/auth/datamanager"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFE_S = 3600
_PARTS = ("client_email", "private_key", "token_uri")


def service_account(key: str, http: Http, *, where: str) -> Callable[[], tuple[str, float]]:
    """Return the login of a service account.

    Parameters
    ----------
    key
        The account's key, as Google gives it: a JSON object.
    http
        Makes the call.
    where
        Setting that the key is from, for errors.

    Returns
    -------
    callable
        Gives a token and the seconds that it lives.

    Raises
    ------
    ConfigError
        If it is no key of a service account; never shows it.
    """
    return partial(_token, _read(key, where), http, where)


def _token(parts: dict[str, str], http: Http, where: str) -> tuple[str, float]:
    form = {"grant_type": _GRANT, "assertion": _claim(parts, where)}
    answer = http.call("POST", parts["token_uri"], is_login=True, data=form).json()
    return answer["access_token"], float(answer.get("expires_in", _LIFE_S))


def _read(key: str, where: str) -> dict[str, str]:
    try:
        parts = json.loads(key)
    except ValueError:
        parts = None
    if not isinstance(parts, dict) or not all(isinstance(parts.get(part), str) for part in _PARTS):
        raise ConfigError(
            "This is no key of a service account.",
            where=where,
            hint="Refer to the whole JSON that Google gave with the key, such as ${env:GOOGLE_SERVICE_ACCOUNT}.",
        )
    return parts


def _claim(parts: dict[str, str], where: str) -> str:
    import jwt

    now = int(time.time())
    claims = {"iss": parts["client_email"], "scope": SCOPE, "aud": parts["token_uri"], "iat": now, "exp": now + _LIFE_S}
    try:
        return jwt.encode(claims, parts["private_key"], "RS256", headers={"kid": parts.get("private_key_id", "")})
    except (ValueError, TypeError, jwt.PyJWTError):
        raise ConfigError(
            "The private key of the service account cannot be read.", where=where, hint="Create a new key."
        ) from None

"""What Meta's answers mean.

Sources: developers.facebook.com/documentation/ads-commerce/marketing-api/error-reference and
…/docs/graph-api/overview/rate-limiting.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from cdp_toolkit.connectors.verdict import Verdict, by_status

# Of the app, the user, the page, a custom limit, and (from 80000) the business's use cases; 80003 is custom audiences.
_TOO_OFTEN = {4, 17, 32, 613, *range(80000, 80015)}
_FOR_NOW = {1, 2}
_LOGIN = {102, 104, 190}
_NOT_ALLOWED = {10, *range(200, 300)}
_WAIT_S = 60.0
_CURES = {
    (190, None): "Put a new access token in its place: of a system user, it does not end.",
    (104, None): "Check `app_secret`: it must be of the app that the token was made for.",
    (200, 1870034): "Accept the Custom Audience terms for the advertising account, in the Ads Manager.",
    (200, 1870047): "The audience would get too small to be used: remove fewer, or stop the ads that use it.",
    (294, None): "The token needs the permission `ads_management`, and the app access to the Marketing API.",
    (100, 33): "Check `audience_ids`, and make the token's system user an admin of the advertising account.",
    (100, 1713230): "Meta has flagged the audience: appeal in the Audience Manager, or make a new one.",
}
_ALLOW = "Give the token's user access to the advertising account, with the permission `ads_management`."


def judge(answer: httpx.Response) -> Verdict | None:
    """Return what an answer asks for.

    Parameters
    ----------
    answer
        Of the Graph API; an answer to several calls at once is a success, whatever they came to.

    Returns
    -------
    Verdict or None
        By the code of the error, which tells more than the status.
    """
    if answer.is_success:
        return None
    error = _error(answer)
    return told(error, answer.headers) if error else by_status(answer)


def told(error: Mapping[str, Any], headers: Mapping[str, str]) -> Verdict:
    """Return what an error asks for.

    Parameters
    ----------
    error
        Object under ``error``.
    headers
        Of the answer.

    Returns
    -------
    Verdict
        With the cure that is known for it.
    """
    code, subcode = int(error.get("code", 0)), error.get("error_subcode")
    message = str(error.get("error_user_msg") or error.get("message", ""))
    name = f"{code}/{subcode}" if subcode else str(code)
    hint = _CURES.get((code, subcode)) or _CURES.get((code, None), "")
    if code in _TOO_OFTEN:
        return Verdict("wait", message, name, wait_s=_regained_s(headers))
    if error.get("is_transient") or code in _FOR_NOW:
        return Verdict("retry", message, name)
    if subcode == 1870047:
        return Verdict("refuse", message, name, hint)
    if code in _LOGIN:
        return Verdict("stop", message, name, hint or _CURES[190, None])
    if code in _NOT_ALLOWED:
        return Verdict("stop", message, name, hint or _ALLOW)
    return Verdict("refuse", message, name, hint)


def _error(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    error: Mapping[str, Any] = body.get("error", {}) if isinstance(body, dict) else {}
    return error


def _regained_s(headers: Mapping[str, str]) -> float:
    """Return the seconds until calls are taken again; the header tells minutes, for each business and use case."""
    return max(_minutes(headers.get("X-Business-Use-Case-Usage", "")), default=0) * 60.0 or _WAIT_S


def _minutes(told: str) -> Iterator[float]:
    try:
        cases = json.loads(told or "{}").values()
    except ValueError:
        return
    for case in cases:
        yield from (float(each.get("estimated_time_to_regain_access", 0)) for each in case)

"""What HubSpot's answers ask for.

Rule: developers.hubspot.com/docs, "Error handling" and "API usage guidelines".
"""

from datetime import UTC, datetime, timedelta

import httpx

from cdp_toolkit.connectors.verdict import Verdict, by_status, retry_after

_WAITS = {423, 429, 477}
_SECOND = 1.0
_TEN_SECONDS = 10.0


def judge(answer: httpx.Response) -> Verdict | None:
    """Return what an answer of HubSpot asks for.

    Parameters
    ----------
    answer
        Errors have ``category``, ``message`` and, for limits, ``policyName``.

    Returns
    -------
    Verdict or None
        A token that is not valid stops; a missing scope refuses what needs it; limits of seconds are waited for, the
        one of a day is not.
    """
    if answer.is_success:
        return None
    told = answer.json() if "json" in answer.headers.get("Content-Type", "") else {}
    message = told.get("message") or f"It answered {answer.status_code} {answer.reason_phrase}."
    code = told.get("policyName") or told.get("category") or str(answer.status_code)
    if answer.status_code == 401:
        return Verdict(
            "stop", message, code, "Check `access_token`: the token of a private app that is not rotated away."
        )
    if answer.status_code == 403:
        return Verdict("refuse", message, code, f"Give the private app the scopes {_scopes(told)}.")
    if answer.status_code == 429 and "DAILY" in code:
        return Verdict("quota", message, code, resume_at=datetime.now(UTC) + timedelta(hours=1))
    if answer.status_code in _WAITS:
        usual = _TEN_SECONDS if "TEN" in code else _SECOND
        return Verdict("wait", message, code, wait_s=retry_after(answer) or usual)
    return (
        by_status(answer) if answer.status_code == 408 or answer.is_server_error else Verdict("refuse", message, code)
    )


def _scopes(told: dict[str, list[dict[str, dict[str, list[str]]]]]) -> str:
    contexts = [error.get("context", {}) for error in told.get("errors", [])]
    scopes = [scope for context in contexts for each in context.values() for scope in each]
    return ", ".join(scopes) or "that the page of this source names"

"""What Salesforce's answers ask for.

Rule: developer.salesforce.com, "REST API Developer Guide", Status Codes and Error Responses.
"""

from datetime import UTC, datetime, timedelta

import httpx

from cdp_toolkit.connectors.verdict import Verdict, by_status

_BUSY = {"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "QUERY_TIMEOUT"}
_STOPS = {"API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED", "INACTIVE_USER", "PASSWORD_LOCKOUT"}
_SPENT = {"EXCEEDED_QUOTA", "REQUEST_LIMIT_EXCEEDED"}
_HINTS = {
    "API_DISABLED_FOR_ORG": "Give the user the permission API Enabled.",
    "INSUFFICIENT_ACCESS": "Give the user read access to the object in its permission set.",
    "INVALID_TYPE": "Check the object's name, and give the user read access to it in its permission set.",
    "NOT_FOUND": "Check the object's name, and give the user read access to it in its permission set.",
    "INVALID_FIELD": "Check the field's name, and give the user access to it in its permission set.",
}
# Usage counts the 24 hours behind now, so that it falls bit by bit: an hour later there is something again.
_LATER = timedelta(hours=1)


def judge(answer: httpx.Response) -> Verdict | None:
    """Return what an answer of Salesforce asks for.

    Parameters
    ----------
    answer
        Errors are a list of ``errorCode`` and ``message``.

    Returns
    -------
    Verdict or None
        A session that is over asks for another login, locked rows and too many calls at once for patience, spent calls
        for a later day; what one object or query lacks is a refusal of that one.
    """
    if answer.is_success:
        return None
    try:
        told = answer.json()[0]
    except (ValueError, LookupError, TypeError):
        return by_status(answer)
    code, message = told["errorCode"], f"{told['message']} ({told['errorCode']})"
    if code == "INVALID_SESSION_ID":
        return Verdict("renew", message, code, "Log in again: check the login in `cdp.yaml`.")
    if code in _SPENT and "Concurrent" not in message:
        return Verdict("quota", message, code, resume_at=later())
    if code in _BUSY | _SPENT or answer.is_server_error:
        return Verdict("retry", message, code)
    return Verdict("stop" if code in _STOPS else "refuse", message, code, _HINTS.get(code, ""))


def later() -> datetime:
    """Return when calls that are spent may be tried again.

    Returns
    -------
    datetime
        In an hour: usage counts the 24 hours behind now, so that it falls bit by bit.
    """
    return datetime.now(UTC) + _LATER

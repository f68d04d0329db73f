"""What Marketo's answers mean: its errors stand in the body of an HTTP 200, and one code can mean three things.

Source: https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/error-codes
"""

import json
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from cdp_toolkit.connectors.verdict import Verdict, by_status

CENTRAL = "America/Chicago"
"""Where Marketo's day begins: calls and bytes of extracts are counted from midnight there."""

QUEUE_FULL, ALREADY_QUEUED, CRM_SYNC, UNSUPPORTED_FILTER = "1029-queue", "1029-queued", "1018", "1035"
TOO_MANY_MATCHES, NO_PERMISSION, NOT_FOUND = "1003", "603", "404"

_RENEW = {"600", "601", "602"}
_RETRY = {"500", "502", "503", "604", "608", "611", "614", "615", "713", "719", "1016", "1019"}
_HINTS = {
    NO_PERMISSION: "Ask the Marketo administrator for the permissions of docs/sources/marketo.md.",
    "610": "Check `base_url`: the REST endpoint of Admin > Web Services, without a path.",
    "703": "The subscription lacks this feature: leave the object out of `objects`.",
    CRM_SYNC: "A native CRM sync is on: connect the CRM itself for this object.",
    UNSUPPORTED_FILTER: "Ask Marketo's support to switch this filter on for the subscription.",
}


class MarketoJudge:
    """Tells what an answer of Marketo asks for.

    Parameters
    ----------
    window_s
        Length of the window in which calls are counted.
    """

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s

    def __call__(self, answer: httpx.Response) -> Verdict | None:
        """Return what the answer asks for.

        Parameters
        ----------
        answer
            An answer, read.

        Returns
        -------
        Verdict or None
            None for a success.
        """
        if answer.status_code == 404:  # of a file: the job is not done, or not known
            return Verdict("refuse", answer.text.strip()[:200] or "There is no such file.", NOT_FOUND)
        body = _body(answer)
        if answer.status_code == 401 and "error_description" in body:
            hint = "Check `client_id` and `client_secret`: Admin > LaunchPoint > View Details."
            return Verdict("stop", f"The login is refused: {body['error_description']}.", "401", hint)
        errors = body.get("errors") or []
        if errors and not body.get("success"):
            return self._of_code(str(errors[0].get("code", "")), str(errors[0].get("message", "")))
        return by_status(answer)

    def _of_code(self, code: str, message: str) -> Verdict:
        told = f"{message.rstrip('.')} (error {code})."
        if code in _RENEW:
            return Verdict("renew", told, code, "Check `client_id` and `client_secret`.")
        if code == "606":
            return Verdict("wait", told, code, wait_s=self._window_s)
        if code == "607" or (code == "1029" and "quota" in message.lower()):
            return Verdict("quota", told, code, resume_at=next_midnight(datetime.now(UTC)))
        if code == "1029":
            which = ALREADY_QUEUED if "already" in message.lower() else QUEUE_FULL
            return Verdict("refuse", told, which)
        if code in _RETRY:
            return Verdict("retry", told, code)
        return Verdict("refuse", told, code, _HINTS.get(code, ""))


def next_midnight(now: datetime) -> datetime:
    """Return when Marketo counts anew.

    Parameters
    ----------
    now
        A time with its zone.

    Returns
    -------
    datetime
        The next midnight of US Central Time, in UTC.

    Examples
    --------
    >>> next_midnight(datetime(2026, 7, 1, 12, tzinfo=UTC)).isoformat()
    '2026-07-02T05:00:00+00:00'
    """
    zone = ZoneInfo(CENTRAL)
    return datetime.combine(now.astimezone(zone).date() + timedelta(days=1), time(), zone).astimezone(UTC)


def _body(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = json.loads(answer.content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}

"""What Google's answers mean.

Sources: developers.google.com/data-manager/api/devguides/concepts/understand-errors, …/reference/rest/v1/ErrorReason
and …/devguides/limits.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from cdp_toolkit.connectors.verdict import Verdict, by_status

_MEMBER = re.compile(r"audience_?[mM]embers(?:\.audience_?[mM]embers)?\[(\d+)\]")
_QUOTA_ZONE = ZoneInfo("America/Los_Angeles")  # daily quotas of Google's APIs begin at midnight, Pacific time
_CURES = {
    "invalid_grant": "Check the service account's key, and this machine's clock.",
    "PERMISSION_DENIED": "Give the service account access to the advertising account, or name the manager account "
    "through which it has it as `login_account`.",
    "SERVICE_DISABLED": "Enable the Data Manager API in the service account's project.",
    "TERMS_AND_CONDITIONS_NOT_SIGNED": "Accept the Customer Match terms in the advertising account.",
    "EU_POLITICAL_ADVERTISING_DECLARATION_REQUIRED": "Declare in the advertising account whether its campaigns are "
    "political advertising in the EU.",
    "INVALID_USER_LIST_ID": "Check `audience_ids`: the id of a Customer Match list of this account.",
    "NOT_FOUND": "Check `audience_ids`: the list is not there.",
    "INVALID_USER_LIST_TYPE": "Name a list that takes contact information (CONTACT_ID).",
    "INVALID_DESTINATION": "Check `operating_account`, `account_type` and `audience_ids`.",
    "NOT_ALLOWLISTED": "The account may not use Customer Match yet: see Google's policy.",
}
_STOPS = {"SERVICE_DISABLED", "TERMS_AND_CONDITIONS_NOT_SIGNED", "NOT_ALLOWLISTED",
          "EU_POLITICAL_ADVERTISING_DECLARATION_REQUIRED"}  # fmt: skip


def judge(answer: httpx.Response) -> Verdict | None:
    """Return what an answer asks for.

    Parameters
    ----------
    answer
        Of the API or of the login.

    Returns
    -------
    Verdict or None
        None also for an error that names members of the request: see ``violations``.
    """
    if answer.is_success or violations(answer):
        return None
    error = _error(answer)
    if isinstance(error, str):
        told = f"{error}: {answer.json().get('error_description', '')}"
        return Verdict("stop", told, error, _CURES.get(error, "Check the service account."))
    reason = _reason(error)
    message, hint = str(error.get("message") or f"It answered {answer.status_code}."), _CURES.get(reason, "")
    if reason in _STOPS or answer.status_code == 403:
        return Verdict("stop", message, reason, hint or _CURES["PERMISSION_DENIED"])
    if answer.status_code == 429 and "PerDay" in str(_info(error).get("metadata", {}).get("quota_limit", "")):
        return Verdict("quota", message, reason, resume_at=_midnight())
    plain = by_status(answer)
    return plain and Verdict(plain.kind, message, reason, hint or plain.hint, plain.wait_s)


def violations(answer: httpx.Response) -> dict[int, str]:
    """Return which members of a request are wrong.

    Parameters
    ----------
    answer
        Of the API.

    Returns
    -------
    dict
        Reason by place in ``audienceMembers``; empty where the error is another.
    """
    if answer.status_code != 400:
        return {}
    details = _details(_error(answer))
    fields = [violation for each in details for violation in each.get("fieldViolations", [])]
    found = [(_MEMBER.search(each.get("field", "")), each) for each in fields]
    if not all(place for place, _ in found):
        return {}
    return {int(place[1]): each.get("reason") or each.get("description", "") for place, each in found if place}


def _error(answer: httpx.Response) -> Any:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body.get("error", {}) if isinstance(body, dict) else {}


def _details(error: Any) -> list[Mapping[str, Any]]:
    return error.get("details", []) if isinstance(error, dict) else []


def _info(error: Any) -> Mapping[str, Any]:
    return next((each for each in _details(error) if str(each.get("@type", "")).endswith("ErrorInfo")), {})


def _reason(error: Any) -> str:
    fields = [each for detail in _details(error) for each in detail.get("fieldViolations", [])]
    told = [each["reason"] for each in [*fields, _info(error)] if each.get("reason") in _CURES]
    return str(next(iter(told), _info(error).get("reason") or error.get("status", "")))


def _midnight() -> datetime:
    tomorrow = datetime.now(_QUOTA_ZONE).date() + timedelta(days=1)
    return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=_QUOTA_ZONE).astimezone(UTC)

"""What LinkedIn's answers mean.

Sources: learn.microsoft.com/en-us/linkedin/shared/api-guide/concepts/error-handling and …/rate-limits.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from cdp_toolkit.connectors.verdict import Verdict, by_status

_LOGIN = "Make a new access token; it ends after 60 days, unless `refresh_token` is set too."
_ALLOW = "The token needs `rw_dmp_segments`, and its member a role above VIEWER in the advertising account."
_VERSION = "Set `version` to a newer one, as YYYYMM: LinkedIn switches each off after about a year."

_NOT_THERE = "The segment is not there: run again, and the next activation finds or makes it."


def judge(answer: httpx.Response) -> Verdict | None:  # noqa: PLR0911 - a case an answer
    """Return what an answer asks for.

    Parameters
    ----------
    answer
        Of the API or of the login.

    Returns
    -------
    Verdict or None
        By its status and code.
    """
    if answer.is_success:
        return None
    told = _told(answer)
    message = str(told.get("error_description") or told.get("message") or f"It answered {answer.status_code}.")
    is_login = isinstance(told.get("error"), str)
    code = str((is_login and told["error"]) or told.get("code") or told.get("serviceErrorCode") or answer.status_code)
    plain = by_status(answer) or Verdict("refuse", message)
    match answer.status_code:
        case _ if is_login:
            return Verdict("stop", message, code, _LOGIN)
        case 401:
            return Verdict("renew", message, code, _LOGIN)
        case 403:
            return Verdict("stop", message, code, _VERSION if "VERSION" in code else _ALLOW)
        case 426:
            return Verdict("stop", message, code, _VERSION)
        case 404 if answer.request.url.path.endswith(("/users", "/companies")):
            return Verdict("retry", message, code, _NOT_THERE)  # a new segment takes nobody for some seconds
        case 429 if " DAY " in message:
            return Verdict("quota", message, code, resume_at=_midnight())
        case _:
            return Verdict(plain.kind, message, code, plain.hint, plain.wait_s)


def _told(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _midnight() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)

"""What the answers of Dataverse and Microsoft Entra ask for.

Rules: learn.microsoft.com/power-apps/developer/data-platform, "Compose HTTP requests and handle errors" and "Service
protection API limits".
"""

from dataclasses import replace
from typing import Any

import httpx

from cdp_toolkit.connectors.verdict import Verdict, by_status

EXPIRED = "0x80044352"
"""Code of changes that are asked for too late, or behind a change of the table itself."""

_HINTS = {
    "0x80040220": "Give the application user's security role read access to the table, for the whole organization.",
    "0x80060888": "Check the table's logical name.",
    "0x80041102": "Check the table's logical name.",
}


def judge(answer: httpx.Response) -> Verdict | None:
    """Return what an answer of Dataverse asks for.

    Parameters
    ----------
    answer
        Errors have ``error.code`` and ``error.message``.

    Returns
    -------
    Verdict or None
        Of the limits of five minutes and of busy servers as ``by_status`` says, with ``Retry-After``; a table that may not
        be read is refused, and the others are read.
    """
    verdict = by_status(answer)
    if verdict is None:
        return None
    told = _json(answer).get("error", {})
    code, message = str(told.get("code") or verdict.code), told.get("message") or verdict.message
    kind = "refuse" if answer.status_code == 403 else verdict.kind
    return replace(verdict, kind=kind, message=message, code=code, hint=_HINTS.get(code, verdict.hint))


def judge_login(answer: httpx.Response) -> Verdict | None:
    """Return what an answer of Microsoft Entra asks for.

    Parameters
    ----------
    answer
        Errors have ``error`` and ``error_description``.

    Returns
    -------
    Verdict or None
        A refused login stops.
    """
    verdict = by_status(answer)
    if verdict is None or verdict.kind in {"retry", "wait"}:
        return verdict
    told = _json(answer)
    message = str(told.get("error_description", verdict.message)).splitlines()[0]
    hint = "Check `tenant_id`, `client_id` and `client_secret`, and whether the secret has expired."
    return Verdict("stop", f"The login was refused: {message}", str(told.get("error", verdict.code)), hint)


def _json(answer: httpx.Response) -> dict[str, Any]:
    told = answer.json() if "json" in answer.headers.get("Content-Type", "") else {}
    return told if isinstance(told, dict) else {}

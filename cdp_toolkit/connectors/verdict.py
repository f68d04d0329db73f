"""What an answer of a vendor asks for."""

import email.utils
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import httpx

Kind = Literal["retry", "wait", "renew", "refuse", "stop", "quota"]


@dataclass(frozen=True)
class Verdict:
    """What an answer that is no success asks for.

    Parameters
    ----------
    kind
        ``retry`` after a pause that grows, ``wait`` for ``wait_s`` and repeat, ``renew`` the token and repeat, ``refuse``
        this call (others may work), ``stop`` the connector, or ``quota``: stop until ``resume_at``.
    message
        What the vendor says, as a sentence.
    code
        The vendor's code of it.
    hint
        What the user can do.
    wait_s
        How long to wait.
    resume_at
        When the quota begins anew.
    """

    kind: Kind
    message: str
    code: str = ""
    hint: str = ""
    wait_s: float = 0.0
    resume_at: datetime | None = None


Judge = Callable[[httpx.Response], Verdict | None]
"""Tells what an answer asks for; None for a success. The body of the answer has been read."""


def by_status(answer: httpx.Response) -> Verdict | None:
    """Return what an answer means by its status alone.

    Parameters
    ----------
    answer
        The answer.

    Returns
    -------
    Verdict or None
        As RFC 9110 and RFC 6585 define the statuses: 401 asks for a new token, 403 stops, 429 asks to wait, 408, 425 and
        5xx are repeated, other errors are refusals. ``Retry-After`` is obeyed wherever it stands.
    """
    if answer.is_success:
        return None
    message, code = f"It answered {answer.status_code} {answer.reason_phrase}.", str(answer.status_code)
    if answer.status_code == 401:
        return Verdict("renew", message, code, "Check the login in `cdp.yaml`.")
    if answer.status_code == 403:
        return Verdict("stop", message, code, "Ask the vendor's administrator for the permissions of the README.")
    if answer.status_code in {408, 425, 429} or answer.status_code >= 500:
        wait_s = retry_after(answer)
        return Verdict("retry" if wait_s is None else "wait", message, code, wait_s=wait_s or 0.0)
    return Verdict("refuse", message, code)


def retry_after(answer: httpx.Response) -> float | None:
    """Return how long a vendor asks to wait.

    Parameters
    ----------
    answer
        An answer with or without ``Retry-After``.

    Returns
    -------
    float or None
        Seconds, also where a date was told; None where nothing was.
    """
    told = answer.headers.get("Retry-After", "").strip()
    if not told:
        return None
    try:
        return max(float(told), 0.0)
    except ValueError:
        pass
    try:
        at = email.utils.parsedate_to_datetime(told)
    except ValueError:
        return None
    return max((at - datetime.now(UTC)).total_seconds(), 0.0)

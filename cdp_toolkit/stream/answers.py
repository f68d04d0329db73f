"""What senders are told: never more than they need, and never a traceback."""

from typing import Any

from starlette.responses import JSONResponse

_PROBLEM = "about:blank"


class Refused(Exception):  # noqa: N818 - what happened to the request
    """A request that is not taken.

    Parameters
    ----------
    status
        Status of the answer.
    title
        Why, for the sender.
    retry_after_s
        When to try again, if that may help.
    report
        Details for the sender.
    """

    def __init__(
        self, status: int, title: str, *, retry_after_s: int | None = None, report: dict[str, Any] | None = None
    ) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.retry_after_s = retry_after_s
        self.report = report

    def answer(self) -> JSONResponse:
        """Return the answer.

        Returns
        -------
        starlette.responses.JSONResponse
            A problem as RFC 9457 writes it.
        """
        told = {"type": _PROBLEM, "status": self.status, "title": self.title}
        headers = {"Retry-After": str(self.retry_after_s)} if self.retry_after_s is not None else None
        return JSONResponse(told | ({"report": self.report} if self.report else {}), self.status, headers)


def busy(title: str = "The endpoint is busy.") -> Refused:
    """Return the refusal of what can be taken later.

    Parameters
    ----------
    title
        Why, for the sender.

    Returns
    -------
    Refused
        With 503 and a time to try again.
    """
    return Refused(503, title, retry_after_s=5)

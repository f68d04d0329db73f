"""Word of a failure, to a webhook and by e-mail."""

import datetime as dt
import smtplib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

from cdp_toolkit.errors import CdpError
from cdp_toolkit.secrets import redact, reveal, reveal_address
from cdp_toolkit.settings import Notify

_TIMEOUT_S = 20


@dataclass(frozen=True)
class Failure:
    """A notebook that failed.

    Parameters
    ----------
    workspace, notebook
        Where, and which.
    problem
        The cell that failed, and why.
    at
        When it started.
    parameters
        What it was given.
    folder
        Where its copy lies.
    """

    workspace: str
    notebook: str
    problem: str
    at: dt.datetime
    parameters: dict[str, Any]
    folder: str

    @property
    def text(self) -> str:
        """Everything, for people."""
        given = ", ".join(f"{name}={value}" for name, value in self.parameters.items()) or "none"
        return redact(
            f"{self.problem}\n\nWorkspace: {self.workspace}\nNotebook: {self.notebook}\nStarted: {self.at:%Y-%m-%d %H:%M} UTC\n"
            f"Parameters: {given}\nIts executed copy: {self.folder}\n"
        )


def notify(settings: Notify, failure: Failure) -> Iterable[str]:
    """Tell of a failure.

    Parameters
    ----------
    settings
        Whom to tell.
    failure
        What failed.

    Returns
    -------
    iterable of str
        A sentence for each who could not be told; that ends nothing.
    """
    return [*_posted(settings, failure), *_mailed(settings, failure)]


def _posted(settings: Notify, failure: Failure) -> Iterator[str]:
    if settings.webhook is None:
        return
    import httpx

    body = {name: str(value) if name == "at" else value for name, value in asdict(failure).items()}
    try:
        # `text` is what chat systems show of a message.
        answer = httpx.post(reveal(settings.webhook), json=body | {"text": failure.text}, timeout=_TIMEOUT_S)
        answer.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL, CdpError) as error:
        yield f"No word was sent to the webhook: {redact(str(error)).splitlines()[0]}"


def _mailed(settings: Notify, failure: Failure) -> Iterator[str]:
    if not settings.email:
        return
    message = EmailMessage()
    message["Subject"] = f"{failure.notebook} failed in {failure.workspace}"
    message["From"] = settings.sender or settings.email[0]
    message["To"] = ", ".join(settings.email)
    message.set_content(failure.text)
    try:
        _send(message, reveal_address(settings.smtp))
    except (OSError, smtplib.SMTPException, CdpError) as error:
        yield f"No e-mail was sent: {(redact(str(error)) or type(error).__name__).splitlines()[0]}"


def _send(message: EmailMessage, address: str) -> None:
    """Send a message by ``smtp://user:password@host:587`` or ``smtps://…``."""
    server = urlsplit(address)
    kind = smtplib.SMTP_SSL if server.scheme == "smtps" else smtplib.SMTP
    with kind(server.hostname or "localhost", server.port or 0, timeout=_TIMEOUT_S) as connection:
        if server.username:
            if server.scheme != "smtps":
                connection.starttls()
            connection.login(unquote(server.username), unquote(server.password or ""))
        connection.send_message(message)

"""What a look at a connection finds: whether it works, what is left of its quota, and what to fix."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from cdp_toolkit.errors import CdpError
from cdp_toolkit.secrets import redact


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Parameters
    ----------
    what
        What was looked at: ``login``, ``permission to read leads``, ``API calls left today``.
    detail
        What was found, such as ``41,200 of 50,000``.
    status
        ``ok``; ``warning`` for what works and soon may not; ``problem`` for what must be fixed.
    hint
        What to do; only where it is not ``ok``.
    """

    what: str
    detail: str = ""
    status: Literal["ok", "warning", "problem"] = "ok"
    hint: str = ""


@runtime_checkable
class Checked(Protocol):
    """A source or a destination that can look at its connection."""

    def check(self) -> Sequence[Finding]:
        """Look at login, permissions and what is left of the quota; change nothing outside.

        Returns
        -------
        sequence of Finding
            One a thing that was looked at. An error that is raised becomes a problem with its hint, so that a check ends
            at the first thing without which the others make no sense.
        """
        ...


def look_at(connection: object) -> list[Finding]:
    """Look at a connection.

    Parameters
    ----------
    connection
        A source or a destination; one that is not ``Checked`` has nothing but its settings, which are right by now.

    Returns
    -------
    list of Finding
        At least one.
    """
    if not isinstance(connection, Checked):
        return [Finding("settings")]
    try:
        return list(connection.check())
    except CdpError as error:
        return [problem(error)]


def problem(error: CdpError, what: str = "connection") -> Finding:
    """Return what an error tells of a connection.

    Parameters
    ----------
    error
        What was raised.
    what
        What was looked at.

    Returns
    -------
    Finding
        A problem, with the error's hint.
    """
    return Finding(what, redact(error.message), "problem", redact(error.hint))

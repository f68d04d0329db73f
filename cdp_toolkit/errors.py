"""Every error that the toolkit raises on purpose.

::

    CdpError
    ├── ConfigError             a definition or a setting is wrong
    │   ├── PqlError            a segment's text is wrong (line, column, caret)
    │   └── UnknownNameError    a name that nothing carries (with the nearest ones)
    ├── DataError               data that cannot be used as it is
    │   └── NotYetError         a table that no run has written yet
    ├── LakeError               the lake cannot do what was asked
    │   └── LakeBusyError       another run is writing
    ├── SourceError             an object could not be read; the run goes on and ends partial
    ├── ActivationError         a batch could not be delivered; the run goes on and ends partial
    └── ConnectorStopped        the connector cannot go on at all (login, account)
        └── QuotaExhausted      it may not go on before a time that it names

A message has three parts: what is wrong, where, and what to do about it.
"""

from collections.abc import Iterable
from datetime import datetime
from difflib import get_close_matches


class CdpError(Exception):
    """An error with what is wrong, where, and what to do.

    Parameters
    ----------
    message
        What is wrong, as a sentence.
    where
        File, line, table or name that it is about.
    hint
        What the user can do.
    """

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        """Return the three parts, one a line."""
        return "\n".join(part for part in (self.message, self.where and f"Where: {self.where}", self.hint) if part)


class ConfigError(CdpError):
    """A definition or a setting is wrong."""


class PqlError(ConfigError):
    """A segment's text is wrong.

    Parameters
    ----------
    message
        What is wrong, as a sentence.
    text
        The whole text of the segment.
    line, column
        Where in the text, both from 1.
    hint
        What the user can do.
    """

    def __init__(self, message: str, *, text: str = "", line: int = 1, column: int = 1, hint: str = "") -> None:
        lines = text.splitlines() or [""]
        shown = lines[line - 1] if 0 < line <= len(lines) else ""
        super().__init__(message, where=f"line {line}, column {column}\n  {shown}\n  {' ' * (column - 1)}^", hint=hint)
        self.line = line
        self.column = column


class UnknownNameError(ConfigError):
    """A name that nothing carries.

    Parameters
    ----------
    kind
        What was looked for, such as ``"segment"``.
    name
        The name as given.
    known
        The names that exist.
    where
        File, line, table or name that it is about.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], *, where: str = "") -> None:
        self.nearest = nearest(name, known)
        hint = f"Did you mean {' or '.join(repr(near) for near in self.nearest)}?" if self.nearest else ""
        super().__init__(f"There is no {kind} {name!r}.", where=where, hint=hint)


class DataError(CdpError):
    """Data that cannot be used as it is."""


class NotYetError(DataError):
    """A table that no run has written yet."""


class LakeError(CdpError):
    """The lake cannot do what was asked."""


class LakeBusyError(LakeError):
    """Another run is writing to the lake."""


class SourceError(CdpError):
    """An object of a source could not be read; the run goes on and ends partial."""


class ActivationError(CdpError):
    """A batch could not be delivered; the run goes on and ends partial."""


class ConnectorStopped(CdpError):  # noqa: N818 - it says what happened, as in the contract of connectors
    """The connector cannot go on at all, such as after a refused login."""


class QuotaExhausted(ConnectorStopped):
    """The connector may not go on before a time, such as when the calls of a day are spent.

    Parameters
    ----------
    message
        What is wrong, as a sentence.
    resume_at
        When it may go on, in UTC.
    where
        What it is about.
    """

    def __init__(self, message: str, *, resume_at: datetime, where: str = "") -> None:
        super().__init__(
            message, where=where, hint=f"Run again after {resume_at:%Y-%m-%d %H:%M} UTC: it goes on there."
        )
        self.resume_at = resume_at


def nearest(name: str, known: Iterable[str], *, most: int = 3) -> list[str]:
    """Return the known names that look most like ``name``, best first.

    Parameters
    ----------
    name
        The name as given.
    known
        The names that exist.
    most
        How many at the most.

    Returns
    -------
    list of str
        At most ``most`` names; empty where none is near.

    Examples
    --------
    >>> nearest("acount", ["account", "person"])
    ['account']
    """
    folded = {each.casefold(): each for each in known}
    return [folded[match] for match in get_close_matches(name.casefold(), folded, n=most, cutoff=0.6)]

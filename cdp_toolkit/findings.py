"""What a look at a connection finds: whether it works, what is left of its quota, and what to fix."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Literal, Protocol, runtime_checkable

from cdp_toolkit.errors import CdpError
from cdp_toolkit.secrets import redact

_SIGNS = {"ok": "✓", "warning": "!", "problem": "✗"}


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


@dataclass(frozen=True, repr=False)
class Health:
    """What a look at all connections found.

    Parameters
    ----------
    found
        Findings by connection, such as ``source crm``.
    notes
        What is well beside them.
    """

    found: Mapping[str, Sequence[Finding]]
    notes: tuple[str, ...] = ()

    @property
    def outcome(self) -> Literal["done", "partial"]:
        """``partial`` if anything must be fixed."""
        return "partial" if any(each.status == "problem" for found in self.found.values() for each in found) else "done"

    def to_json(self) -> str:
        """Return everything as JSON.

        Returns
        -------
        str
            One object, one line.
        """
        found = {name: [asdict(each) for each in findings] for name, findings in self.found.items()}
        return json.dumps({"outcome": self.outcome, "found": found, "notes": self.notes})

    def __str__(self) -> str:
        """Return a line for each thing that was looked at, with what to do below what is not well."""
        lines = []
        for name, findings in self.found.items():
            for each in findings:
                told = f": {each.detail}" if each.detail else ""
                lines.append(f"{_SIGNS[each.status]} {name}, {each.what}{told}")
                lines += [f"    → {each.hint}"] if each.hint else []
        return "\n".join([*lines, *self.notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "".join(f"<div>{escape(line)}</div>" for line in str(self).splitlines())


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

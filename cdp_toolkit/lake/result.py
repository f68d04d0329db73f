"""What a verb did: the one result type of the toolkit."""

import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any, Literal

Outcome = Literal["done", "unchanged", "partial", "failed"]


@dataclass(frozen=True)
class Run:
    """What a verb did.

    Parameters
    ----------
    verb
        What ran.
    outcome
        ``done``, ``unchanged`` (nothing to do), ``partial`` (some of it failed) or ``failed``.
    counts
        Numbers by what they count, in the order in which they are told.
    problems
        What was refused or failed, a sentence each.
    notes
        What the user should know besides, such as columns that nothing reads.
    seconds
        How long it took.
    next_step
        What to do now.
    details
        Further numbers by group, such as the size of each audience.
    run_id
        Identifier in the table ``runs``.
    started_at
        When it began.
    read, written
        Version by table.
    """

    verb: str
    outcome: Outcome
    counts: dict[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    next_step: str = ""
    details: dict[str, dict[str, Any]] = field(default_factory=dict)
    run_id: str = ""
    started_at: dt.datetime | None = None
    read: dict[str, int] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return everything as JSON.

        Returns
        -------
        str
            One object, one line.
        """
        return json.dumps(asdict(self), default=str)

    def __str__(self) -> str:
        """Return one line, then what was refused and the next step."""
        told = ", ".join(f"{number:,} {what}" for what, number in self.counts.items())
        head = f"{self.verb}: {self.outcome}" + (f" ({told})" if told else "") + f", {self.seconds:.1f} s"
        tail = [f"  ! {problem}" for problem in self.problems] + [f"  · {note}" for note in self.notes]
        return "\n".join([head, *tail, *([f"  → {self.next_step}"] if self.next_step else [])])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        told = [*self.problems, *self.notes]
        groups = "".join(
            f"<details><summary>{escape(group)}</summary>{_table(numbers)}</details>"
            for group, numbers in self.details.items()
            if numbers
        )
        notes = f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in told)}</ul>" if told else ""
        after = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(self.next_step))
        head = f"<b>{escape(self.verb)}</b>: {self.outcome}, {self.seconds:.1f} s"
        return f"<div>{head}{_table(self.counts)}{groups}{notes}<i>{after}</i></div>"


def _table(numbers: Mapping[str, Any]) -> str:
    rows = "".join(f"<tr><td>{escape(what)}</td><td>{_number(number)}</td></tr>" for what, number in numbers.items())
    return f"<table>{rows}</table>"


def _number(number: Any) -> str:
    if isinstance(number, Mapping):
        return escape(", ".join(f"{each:,} {what}" for what, each in number.items() if each) or "nothing new")
    return f"{number:,}" if isinstance(number, int) else escape(str(number))

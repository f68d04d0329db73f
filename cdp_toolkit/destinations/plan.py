"""What an activation would do, as data: made, shown, stored and then delivered as it is."""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from html import escape
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Group
from rich.table import Table

from cdp_toolkit.destinations.definition import Mode

PLAN_COLUMNS = ("_audience", "_profile_id", "_row_key", "_known_as", "_action", "_reason", "_digest", "_is_change",
                "_repeats", "_repeats_rows")  # fmt: skip
_ACTIONS = ("add", "update", "keep", "remove", "refuse")


@dataclass(frozen=True, repr=False)
class Plan:
    """What an activation would do at one destination.

    Parameters
    ----------
    id
        Digest of the destination, the ledger and the changes: the same until one of them is another.
    destination
        Name of the destination.
    mode
        What is sent at a change.
    as_of
        When it was made.
    rows
        One row per audience and identity: ``_audience``, ``_profile_id``, ``_row_key``, ``_known_as`` (the id that
        the destination gave it), ``_action`` (``add``, ``update``, ``keep``, ``remove``, ``refuse``, ``clear``),
        ``_reason``, ``_digest``, ``_is_change``, ``_repeats`` and ``_repeats_rows`` (the batch in doubt that it would
        repeat, and its size), then the destination's fields. Who is kept is there in full mode only.
    counts
        One row per ``audience``, ``action``, ``reason`` and ``is_change``, with the number of ``rows``.
    calls
        Calls that carrying it out takes.
    seconds
        How long these take at least, by the destination's limits; 0 where it states none.
    notes
        What the user should know besides, such as audiences too small to be used.
    """

    id: str
    destination: str
    mode: Mode
    as_of: datetime
    rows: pa.Table
    counts: pa.Table
    calls: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be sent and nobody is newly refused."""
        return not pc.any(self.rows["_is_change"]).as_py()

    @cached_property
    def audiences(self) -> dict[str, dict[str, int]]:
        """Rows by action, by audience; ``members`` is all but the removed."""
        totals: dict[str, dict[str, int]] = {}
        for row in self._counts:
            if row["action"] in _ACTIONS:
                total = totals.setdefault(row["audience"], dict.fromkeys(("members", *_ACTIONS), 0))
                total[row["action"]] += row["rows"]
                total["members"] += row["rows"] if row["action"] != "remove" else 0
        return totals

    @cached_property
    def totals(self) -> dict[str, int]:
        """Rows by action, over all audiences."""
        each = self.audiences.values()
        return {action: sum(total[action] for total in each) for action in ("members", *_ACTIONS)}

    @cached_property
    def refused(self) -> dict[str, int]:
        """Refused members by reason, over all audiences, the most frequent reason first."""
        reasons: dict[str, int] = {}
        for row in self._counts:
            if row["action"] == "refuse":
                reasons[row["reason"]] = reasons.get(row["reason"], 0) + row["rows"]
        return dict(sorted(reasons.items(), key=lambda reason: (-reason[1], reason[0])))

    @property
    def refusals(self) -> pa.Table:
        """Who is not sent and why: ``audience``, ``profile_id``, ``reason``, one row each."""
        rows = self.rows.filter(pc.field("_action") == "refuse").select(["_audience", "_profile_id", "_reason"])
        return rows.rename_columns(["audience", "profile_id", "reason"])

    def sample(self, most: int = 5) -> list[dict[str, str]]:
        """Return some of the changes as they would be sent, with every value masked.

        Parameters
        ----------
        most
            How many.

        Returns
        -------
        list of dict
            ``audience``, ``action``, then the first letter of each value of the destination's fields.
        """
        is_sent = pc.field("_is_change") & pc.field("_action").isin(["add", "update", "remove"])
        some = self.rows.filter(is_sent).slice(0, most)
        fields = [name for name in some.column_names if not name.startswith("_")]
        return [
            {"audience": row["_audience"], "action": row["_action"]} | {name: _masked(row[name]) for name in fields}
            for row in some.to_pylist()
        ]

    def to_json(self) -> str:
        """Return the plan without its rows, for machines.

        Returns
        -------
        str
            A JSON object on one line.
        """
        told = {"id": self.id, "destination": self.destination, "mode": self.mode, "as_of": self.as_of.isoformat()}
        numbers: dict[str, Any] = {"totals": self.totals, "refused": self.refused, "audiences": self.audiences}
        numbers |= {"calls": self.calls, "seconds": self.seconds, "notes": self.notes, "sample": self.sample()}
        return json.dumps({**told, "is_empty": self.is_empty, **numbers})

    def __str__(self) -> str:
        """Return the plan as one sentence."""
        steps = ("add", "update", "remove")
        told = [f"{self.totals[action]:,} to {action}" for action in steps if self.totals[action]]
        reasons = ", ".join(f"{rows:,} {reason}" for reason, rows in self.refused.items())
        refused = [f"{self.totals['refuse']:,} refused ({reasons})"] if reasons else []
        return f"{self.destination}: {', '.join([*(told or ['nothing to send']), *refused])}"

    __repr__ = __str__

    def __rich__(self) -> Group:
        """Return the plan as a table for the terminal."""
        table = Table("Audience")
        for heading in self._headings:
            table.add_column(heading, justify="right")
        for audience, total in self.audiences.items():
            table.add_row(audience, *(f"{number:,}" for number in total.values()))
        shown: list[str | Table] = [str(self), table, *self._further]
        if sample := self.sample():
            samples = Table(*sample[0], title="For example")
            for row in sample:
                samples.add_row(*row.values())
            shown.append(samples)
        return Group(*shown)

    def _repr_html_(self) -> str:
        headings = "".join(f"<th>{heading}</th>" for heading in ("Audience", *self._headings))
        body = "".join(
            f"<tr><td>{escape(audience)}</td>{''.join(f'<td>{number:,}</td>' for number in total.values())}</tr>"
            for audience, total in self.audiences.items()
        )
        further = "".join(f"<p>{escape(each)}</p>" for each in self._further)
        return f"<div><b>{escape(str(self))}</b><table><tr>{headings}</tr>{body}</table>{further}{self._sample_html()}</div>"

    def _sample_html(self) -> str:
        sample = self.sample()
        if not sample:
            return ""
        head = "".join(f"<th>{escape(name)}</th>" for name in sample[0])
        body = "".join(f"<tr>{''.join(f'<td>{escape(value)}</td>' for value in row.values())}</tr>" for row in sample)
        return f"<details><summary>For example</summary><table><tr>{head}</tr>{body}</table></details>"

    @property
    def _further(self) -> list[str]:
        cost = f"{self.calls:,} calls" + (f", at least {self.seconds:,.0f} s" if self.seconds >= 1 else "")
        return [*([f"Takes {cost}."] if self.calls else []), *self.notes]

    @property
    def _headings(self) -> tuple[str, ...]:
        return ("Members", *(action.capitalize() for action in _ACTIONS))

    @cached_property
    def _counts(self) -> list[dict[str, Any]]:
        counts: list[dict[str, Any]] = self.counts.to_pylist()
        return counts


def _masked(value: Any) -> str:
    return "" if value is None else f"{str(value)[:1]}•••"

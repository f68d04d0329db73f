"""Where each destination stands: what it has, what it refused, what it was not told yet, and since when."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from html import escape

import narwhals as nw
from rich.table import Table

from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.engines import Engine, Frame

_OWN = ["audience", "profile_id"]


@dataclass(frozen=True)
class Standing:
    """Where a destination stands.

    Parameters
    ----------
    destination, type, schedule
        From its definition.
    is_due
        Whether the next activation tells it.
    told_at
        When it was last told, or tried.
    sent
        Rows handed over by the last activation that told it: ``confirmed`` and ``failed``, and those that it refused.
    confirmed, failed, refused
        Rows of that activation: delivered; not delivered, to be tried again; refused, here or there.
    members
        Members that it has.
    match_rate
        Of the members that it was ever told to add, the share that it took; None before the first.
    undelivered
        Members that it does not have and was not refused, and those who left and are still there.
    oldest_at
        When the oldest of these changes came about.
    """

    destination: str
    type: str
    schedule: str
    is_due: bool
    told_at: datetime | None
    sent: int
    confirmed: int
    failed: int
    refused: int
    members: int
    match_rate: float | None
    undelivered: int
    oldest_at: datetime | None


class Standings(tuple[Standing, ...]):
    """All destinations, one ``Standing`` each; a table in a terminal and in a notebook."""

    __slots__ = ()

    def to_json(self) -> str:
        """Return all of it for machines.

        Returns
        -------
        str
            A JSON list on one line.
        """
        return json.dumps([asdict(each) for each in self], default=str)

    def __str__(self) -> str:
        """Return one line a destination."""
        return "\n".join(f"{row[0]}: {', '.join(row[1:])}" for row in self._rows()) or "There are no destinations."

    __repr__ = __str__

    def __rich__(self) -> Table:
        """Return the table for the terminal."""
        table = Table(*_HEADINGS)
        for row in self._rows():
            table.add_row(*row)
        return table

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(heading)}</th>" for heading in _HEADINGS)
        body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in self._rows())
        return f"<table><tr>{head}</tr>{body}</table>"

    def _rows(self) -> Iterator[tuple[str, ...]]:
        for each in self:
            due = "due" if each.is_due else "told" if each.told_at else "not yet"
            yield (
                each.destination,
                f"{each.schedule}, {due}",
                f"{each.told_at:%Y-%m-%d %H:%M}" if each.told_at else "-",
                f"{each.sent:,} sent",
                f"{each.confirmed:,} confirmed",
                f"{each.failed:,} failed",
                f"{each.refused:,} refused",
                f"{each.members:,} there",
                f"{each.match_rate:.0%} taken" if each.match_rate is not None else "-",
                f"{each.undelivered:,} waiting since {each.oldest_at:%Y-%m-%d %H:%M}" if each.oldest_at else "-",
            )


_HEADINGS = ("Destination", "Schedule", "Last told", "Sent", "Confirmed", "Failed", "Refused", "Members", "Match rate",
             "Undelivered")  # fmt: skip


def count(destination: Destination, history: Frame, members: Frame, engine: Engine) -> dict[str, int]:
    """Count what a destination has and what it does not have yet.

    Parameters
    ----------
    destination
        Its definition.
    history
        What became of all that it was told, see ``ledger.of_destination``.
    members
        ``segments/membership``, with those who left.
    engine
        Runs it.

    Returns
    -------
    dict
        ``members``, ``taken`` and ``declined`` (identities that it took, or refused, by its newest answer to an
        addition), ``undelivered``, and ``oldest_at`` in microseconds since 1970, 0 if nothing is undelivered.
    """
    answered = _newest(history.filter(nw.col("outcome").is_in(["delivered", "refused"]), nw.col("action") != "clear"))
    is_sent = (nw.col("outcome") == "delivered") & (nw.col("action") != "remove")
    is_own = nw.col("segment").is_in(destination.audiences)
    asked = members.filter(is_own).select(
        "profile_id", _is_in=nw.col("status") == "realized", audience="segment",
        _since=nw.when(nw.col("status") == "realized").then(nw.col("last_qualified_at")).otherwise(nw.col("exited_at")),
    )  # fmt: skip
    both = asked.join(answered.select(*_OWN, "outcome", "action", "at"), on=_OWN, how="full", suffix="_told")
    has = is_sent.fill_null(False)
    is_refused = (nw.col("outcome") == "refused").fill_null(False)
    is_in = nw.col("_is_in").fill_null(False)
    waits = (is_in & ~has & ~is_refused) | (~is_in & has)
    was_asked = (~nw.col("action").is_null() & ~nw.col("action").is_in(["refuse", "remove"])).fill_null(False)
    counted = both.select(
        members=_counted(has),
        taken=_counted(was_asked & has),
        declined=_counted(was_asked & is_refused),
        undelivered=_counted(waits),
        oldest_at=nw.when(waits).then(nw.coalesce("_since", "at")).min(),
    )
    found = engine.collect(counted.with_columns(oldest_at=nw.col("oldest_at").dt.timestamp("us"))).to_pylist()[0]
    return {name: int(value or 0) for name, value in found.items()}


def _newest(rows: Frame) -> Frame:
    return rows.with_columns(_last=nw.col("entry").max().over(*_OWN)).filter(nw.col("entry") == nw.col("_last"))


def _counted(holds: nw.Expr) -> nw.Expr:
    return holds.cast(nw.Int64).sum()

"""Batches whose answer was lost, cleared up by asking the destination."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from cdp_toolkit.destinations.answers import Answers
from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.deliver import Record
from cdp_toolkit.destinations.destination import Asks, Batch, Connection, Outcome
from cdp_toolkit.destinations.ledger import LEDGER_TABLE
from cdp_toolkit.errors import CdpError

_NOT_THERE = Outcome("retry", "not there after a run that ended early")


def clear_up(
    unclear: pa.Table, destination: Destination, connection: Connection, record: Record, *, entry: int, at: datetime
) -> list[str]:
    """Ask a destination what it has of the batches in doubt, and write it down.

    Parameters
    ----------
    unclear
        See ``ledger.unclear``.
    destination, connection
        Its definition, and the way to it; one that cannot ask leaves all as it is.
    record
        Writes what was found.
    entry
        Number of the next entry.
    at
        When.

    Returns
    -------
    list of str
        What went wrong; those batches stay in doubt.
    """
    if not isinstance(connection, Asks):
        return []
    problems = []
    answers = Answers(destination.name, "", entry, at)
    for batch in _batches(unclear, destination, at):
        try:
            found = connection.confirm(batch)
        except CdpError as error:
            problems.append(error.message)
        else:
            answers.add(batch, [each or _NOT_THERE for each in found])
    rows = answers.take()
    if len(rows):
        record(LEDGER_TABLE, rows)
    return problems


def _batches(unclear: pa.Table, destination: Destination, at: datetime) -> Sequence[Batch]:
    own = {"audience", "row_key", "profile_id", "action", "digest", "known_as"}
    whole = Batch("", "", destination.name, "", destination.mode or "mirror", at, unclear, unclear.slice(0, 0))
    found = []
    for key, audience in sorted(set(zip(*(unclear[name].to_pylist() for name in ("batch", "audience")), strict=True))):
        rows = unclear.filter((pc.field("batch") == key) & (pc.field("audience") == audience)).select(sorted(own))
        named = rows.rename_columns([f"_{name}" for name in rows.column_names])
        is_change = pa.repeat(pa.scalar(True), len(named))
        found.append(replace(whole, key=key, audience=audience, rows=named.append_column("_is_change", is_change)))
    return found

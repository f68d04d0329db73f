"""What each destination was last told, and every row that was sent, refused or failed.

Invariant: an entry is written after the destination has the row, never before. A run that dies in between leaves the
ledger as it was, so the next plan is the same plan with the same id, and a connection may not act twice on one id:
files are written to a temporary name and renamed, and a file of that plan is written again under its first name.
"""

from datetime import datetime

import narwhals as nw
import pyarrow as pa

from cdp_toolkit.destinations.changes import KEYS
from cdp_toolkit.engines import Frame
from cdp_toolkit.lake.tables import TABLES

_ARROW = {"text": pa.string(), "integer": pa.int64(), "timestamp": pa.timestamp("us", "UTC")}
LEDGER = pa.schema([(name, _ARROW[kind]) for name, kind in TABLES["activation/ledger"].columns.items()])
DELIVERIES = pa.schema([(name, _ARROW[kind]) for name, kind in TABLES["activation/deliveries"].columns.items()])
_ENTRY_KEY = ["destination", "audience", "row_key"]


def told(ledger: Frame, destination: str) -> Frame:
    """Return what a destination believes.

    Parameters
    ----------
    ledger
        ``activation/ledger``.
    destination
        Name of the destination.

    Returns
    -------
    Frame
        One row per audience and identity that was sent or refused, as ``changes.compare`` takes it. Audiences that
        the destination no longer names are among them, so that they are emptied.
    """
    is_current = (nw.col("destination") == destination) & (nw.col("state") != "removed")
    return ledger.filter(is_current).select(
        nw.col("audience").alias(KEYS[0]),
        nw.col("row_key").alias(KEYS[1]),
        nw.col("state").alias("_told_state"),
        nw.col("digest").alias("_told_digest"),
        nw.col("profile_id").alias("_told_profile_id"),
    )


def entries(attempted: pa.Table, *, destination: str, plan_id: str, at: datetime) -> pa.Table:
    """Return what is to be written into the ledger after a delivery.

    Parameters
    ----------
    attempted
        One row per changed row of a plan: ``audience``, ``profile_id``, ``row_key``, ``digest``, ``action``,
        ``status`` (``delivered``, ``refused``, ``retry``) and ``reason``.
    destination
        Name of the destination.
    plan_id
        Plan that was delivered.
    at
        When.

    Returns
    -------
    pyarrow.Table
        Columns of ``activation/ledger``, one row per entry to insert or replace; ``state`` is ``sent``,
        ``removed``, ``refused`` or ``cleared`` (to be deleted). What is to be tried again has no entry.
    """
    done = nw.col("action").replace_strict(
        ["add", "update", "remove", "refuse", "clear"], ["sent", "sent", "removed", "refused", "cleared"]
    )
    state = nw.when(nw.col("status") == "refused").then(nw.lit("refused")).otherwise(done)
    settled = nw.from_native(attempted, eager_only=True).filter(nw.col("status") != "retry")
    rows = settled.with_columns(
        state=state, destination=nw.lit(destination), plan_id=nw.lit(plan_id), sent_at=nw.lit(at)
    )
    return rows.select(LEDGER.names).to_native().cast(LEDGER)


def deliveries(attempted: pa.Table, *, destination: str, plan_id: str, at: datetime) -> pa.Table:
    """Return the record of a delivery.

    Parameters
    ----------
    attempted
        As for ``entries``.
    destination
        Name of the destination.
    plan_id
        Plan that was delivered.
    at
        When.

    Returns
    -------
    pyarrow.Table
        Columns of ``activation/deliveries``, one row per row that was delivered, refused or failed.
    """
    shown = nw.from_native(attempted, eager_only=True).filter(nw.col("action") != "clear")
    outcome = nw.when(nw.col("status") == "retry").then(nw.lit("failed")).otherwise(nw.col("status"))
    rows = shown.with_columns(outcome=outcome, destination=nw.lit(destination), plan_id=nw.lit(plan_id), at=nw.lit(at))
    return rows.select(DELIVERIES.names).to_native().cast(DELIVERIES)


def next_ledger(ledger: Frame, changed: Frame) -> Frame:
    """Return the ledger after a delivery.

    Parameters
    ----------
    ledger
        ``activation/ledger`` as it was, of all destinations.
    changed
        Entries, see ``entries``.

    Returns
    -------
    Frame
        ``activation/ledger`` as it is to be: each entry once, the changed ones replaced.
    """
    untouched = ledger.join(changed.select(_ENTRY_KEY), on=_ENTRY_KEY, how="anti")
    kept = changed.filter(nw.col("state") != "cleared")
    return nw.concat([untouched.select(LEDGER.names), kept.select(LEDGER.names)])

"""The ledger as older versions wrote it: one row per identity with its ``state``, replaced at each change."""

import narwhals as nw

from cdp_toolkit.destinations.ledger import LEDGER
from cdp_toolkit.engines import Frame

_REASON = "refused before the ledger kept reasons"


def is_older(ledger: Frame) -> bool:
    """Tell whether an older version wrote a ledger.

    Parameters
    ----------
    ledger
        ``activation/ledger`` as it is on disk.

    Returns
    -------
    bool
        Whether it holds states instead of what was done.
    """
    return "state" in ledger.collect_schema().names()


def from_states(ledger: Frame) -> Frame:
    """Return an older ledger as it is written now, so that nobody is told again what they were told.

    Parameters
    ----------
    ledger
        One row per destination, audience and ``row_key``: ``profile_id``, ``digest``, ``state`` (``sent``, ``removed``
        or ``refused``), ``plan_id`` and ``sent_at``.

    Returns
    -------
    Frame
        Columns of ``activation/ledger``, all of the entry 0, before any other.
    """
    is_refused = nw.col("state") == "refused"
    is_by_the_gate = nw.col("row_key").str.starts_with("profile:")
    action = (
        nw.when(nw.col("state") == "removed")
        .then(nw.lit("remove"))
        .otherwise(nw.when(is_refused & is_by_the_gate).then(nw.lit("refuse")).otherwise(nw.lit("add")))
    )
    nothing = nw.lit(None, dtype=nw.String)
    rows = ledger.with_columns(
        action=action,
        outcome=nw.when(is_refused).then(nw.lit("refused")).otherwise(nw.lit("delivered")),
        reason=nw.when(is_refused).then(nw.lit(_REASON)),
        known_as=nothing,
        batch=nothing,
        entry=nw.lit(0, dtype=nw.Int64),
        at=nw.col("sent_at"),
    )
    return rows.select(*LEDGER.names)

"""What each destination was told, row by row, as it happened.

Two tables, both only ever appended to, whose rows count as soon as they are written:

- ``activation/attempts`` gets the rows of a batch before it is handed over,
- ``activation/ledger`` gets what became of them after.

Invariant: no row goes out that is not in ``attempts`` first. So a batch of which the ledger says nothing is in doubt: it
may have arrived or not. Its rows count as *unclear*: whoever is still a member is sent again, under the same key if
nothing changed, and whoever is not is removed, so that nobody is forgotten on either side.
"""

import narwhals as nw
import pyarrow as pa

from cdp_toolkit.engines import Frame
from cdp_toolkit.lake.tables import TABLES

KEYS = ("_audience", "_row_key")
ATTEMPTS_TABLE, LEDGER_TABLE = "activation/attempts", "activation/ledger"
_ARROW = {"text": pa.string(), "integer": pa.int64(), "timestamp": pa.timestamp("us", "UTC")}
ATTEMPTS, LEDGER = (
    pa.schema([(name, _ARROW[kind]) for name, kind in TABLES[table].columns.items()])
    for table in (ATTEMPTS_TABLE, LEDGER_TABLE)
)
_OWN_KEYS = ("audience", "row_key")


def of_destination(attempts: Frame, ledger: Frame, destination: str) -> Frame:
    """Return what became of all that a destination was told, with what is in doubt as unclear.

    Parameters
    ----------
    attempts, ledger
        ``activation/attempts`` and ``activation/ledger``.
    destination
        Name of the destination.

    Returns
    -------
    Frame
        Columns of ``activation/ledger``. Rows of a batch that was attempted and never answered have the outcome
        ``unclear``.
    """
    answered = ledger.filter(nw.col("destination") == destination)
    attempted = attempts.filter(nw.col("destination") == destination)
    open_rows = attempted.join(answered.select("batch").unique(), on="batch", how="anti")
    nothing = nw.lit(None, dtype=nw.String)
    doubts = open_rows.with_columns(
        outcome=nw.lit("unclear"), reason=nw.lit("the run ended before the answer"), known_as=nothing
    )
    return nw.concat([answered.select(LEDGER.names), doubts.select(LEDGER.names)])


def told(history: Frame) -> Frame:
    """Return what a destination believes.

    Parameters
    ----------
    history
        See ``of_destination``.

    Returns
    -------
    Frame
        One row per audience and identity that the destination has, may have or refused, as ``changes.compare`` takes
        it: ``_told_state`` (``sent``, ``refused``, or null), ``_told_digest``, ``_told_profile_id``,
        ``_told_known_as``; where the newest attempt is unclear, its ``_open_batch``, ``_open_rows``, ``_open_action``
        and ``_open_digest``, else null. Audiences that the destination no longer names are among them, so that they
        are emptied.
    """
    heard = _heard(history)
    settled = _newest(heard.filter(nw.col("outcome") != "unclear"))
    is_refused = nw.col("outcome") == "refused"
    state = nw.when(is_refused).then(nw.lit("refused")).otherwise(nw.lit("sent"))
    believed = settled.filter(is_refused | nw.col("action").is_in(["add", "update"])).with_columns(_told_state=state)
    both = believed.select(
        *_keys(), "_told_state", _told_digest="digest", _told_profile_id="profile_id", _told_known_as="known_as"
    ).join(_open(heard), on=list(KEYS), how="full", suffix="_open")
    return both.with_columns(
        _audience=nw.coalesce("_audience", "_audience_open"),
        _row_key=nw.coalesce("_row_key", "_row_key_open"),
        _told_profile_id=nw.coalesce("_told_profile_id", "_open_profile_id"),
    ).drop("_audience_open", "_row_key_open", "_open_profile_id")


def unclear(history: Frame) -> Frame:
    """Return the rows of which nobody knows whether the destination has them.

    Parameters
    ----------
    history
        See ``of_destination``.

    Returns
    -------
    Frame
        Columns of ``activation/ledger``, one row per audience and identity whose newest attempt is unclear.
    """
    return _newest(_heard(history)).filter(nw.col("outcome") == "unclear")


def dead_letters(history: Frame) -> Frame:
    """Return the rows that the destination itself refused and that are not sent again unless their values change.

    Parameters
    ----------
    history
        See ``of_destination``.

    Returns
    -------
    Frame
        Columns of ``activation/ledger``, with the destination's ``reason``.
    """
    is_dead = (nw.col("outcome") == "refused") & nw.col("action").is_in(["add", "update"])
    return _newest(_heard(history)).filter(is_dead)


def next_entry(attempts: Frame, ledger: Frame) -> Frame:
    """Return the number that the next entry has.

    Parameters
    ----------
    attempts, ledger
        ``activation/attempts`` and ``activation/ledger``.

    Returns
    -------
    Frame
        One row with ``entry``: higher than any there is, of any destination.
    """
    numbers = nw.concat([attempts.select("entry"), ledger.select("entry")])
    return numbers.select(entry=nw.col("entry").max().fill_null(0) + 1)


def _heard(history: Frame) -> Frame:
    # A row that was not taken changes nothing, nor does a removal that was refused: it is tried again.
    is_removal = nw.col("action") == "remove"
    return history.filter((nw.col("outcome") != "failed") & ~((nw.col("outcome") == "refused") & is_removal))


def _open(heard: Frame) -> Frame:
    return (
        unclear(heard)
        .with_columns(_open_rows=nw.len().over("batch", "entry"))
        .select(
            *_keys(), "_open_rows", _open_batch="batch", _open_action="action", _open_digest="digest",
            _open_profile_id="profile_id",
        )
    )  # fmt: skip


def _newest(rows: Frame) -> Frame:
    return rows.with_columns(_last=nw.col("entry").max().over(*_OWN_KEYS)).filter(nw.col("entry") == nw.col("_last"))


def _keys() -> list[nw.Expr]:
    return [nw.col(own).alias(name) for own, name in zip(_OWN_KEYS, KEYS, strict=True)]

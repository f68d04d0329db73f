"""What is true now against what the destination was last told."""

import narwhals as nw

from cdp_toolkit.destinations.definition import Mode
from cdp_toolkit.destinations.ledger import KEYS
from cdp_toolkit.engines import Frame

_LEFT = ("_is_now", "_is_same", "_audience_told", "_row_key_told", "_told_state", "_told_digest", "_told_profile_id",
         "_told_known_as", "_open_batch", "_open_rows", "_open_action", "_open_digest")  # fmt: skip


def compare(now: Frame, told: Frame, *, mode: Mode) -> Frame:
    """Say what must happen to each identity in each audience.

    Parameters
    ----------
    now
        One row per audience and member, see ``gate.refuse``, with ``_digest`` of the values or of the reason.
    told
        See ``ledger.told``.
    mode
        With ``add_only`` nobody is removed.

    Returns
    -------
    Frame
        The rows of both, with ``_action`` and ``_is_change``. ``add``, ``update``, ``keep`` and ``refuse`` are
        members; ``remove`` was sent, or may have been, and is not to stay; ``clear`` was refused and is no longer of
        interest. Who is kept, and known to the destination by the same id as one who is removed, is an ``update``. ``_repeats`` is the batch of an unclear attempt that the row would repeat exactly, and
        ``_repeats_rows`` the size of that batch.
    """
    both = (
        now.with_columns(_is_now=nw.lit(True))
        .join(told, on=list(KEYS), how="full", suffix="_told")
        .with_columns(
            _audience=nw.coalesce("_audience", "_audience_told"),
            _row_key=nw.coalesce("_row_key", "_row_key_told"),
            _profile_id=nw.coalesce("_profile_id", "_told_profile_id"),
            _known_as=nw.col("_told_known_as"),
        )
    )
    is_same = (nw.col("_digest") == nw.col("_told_digest")).fill_null(False)
    is_open = ~nw.col("_open_batch").is_null()
    is_gone = nw.col("_is_now").is_null()
    # What the destination itself refused is tried again once its values change.
    is_hopeless = nw.col("_reason").is_null() & (nw.col("_told_state") == "refused") & is_same & ~is_open
    reason = nw.when(is_hopeless).then(nw.lit("refused by the destination, unchanged since"))
    action = _choose(
        (is_gone & ((nw.col("_told_state") == "sent") | is_open), "remove"),
        (is_gone, "clear"),
        (~nw.col("_reason").is_null() | is_hopeless, "refuse"),
        (nw.col("_told_state").is_null() | (nw.col("_told_state") == "refused"), "add"),
        (~is_same | is_open, "update"),
    )
    is_change = ~nw.col("_action").is_in(["keep", "refuse"]) | ((nw.col("_action") == "refuse") & ~nw.col("_is_same"))
    rows = both.with_columns(_action=action, _is_same=is_same, _reason=reason.otherwise(nw.col("_reason")))
    kept = rows.filter(nw.col("_action") != "remove") if mode == "add_only" else _stay(rows)
    return kept.with_columns(_is_change=is_change, **_repeated()).drop(*_LEFT)


def _stay(rows: Frame) -> Frame:
    """Tell again of whom the removal of another key would take out: a lead with a new address, whose old one lingers."""
    is_removed = nw.col("_action") == "remove"
    lost = rows.filter(is_removed, ~nw.col("_known_as").is_null()).select("_audience", "_known_as").unique()
    both = rows.join(lost.with_columns(_is_lost=nw.lit(True)), on=["_audience", "_known_as"], how="left")
    is_lost = (nw.col("_action") == "keep") & ~nw.col("_is_lost").is_null()
    action = nw.when(is_lost).then(nw.lit("update")).otherwise(nw.col("_action"))
    return both.with_columns(_action=action).drop("_is_lost")


def _repeated() -> dict[str, nw.Expr]:
    digest, before = nw.col("_digest"), nw.col("_open_digest")
    is_alike = (digest == before).fill_null(False) | (digest.is_null() & before.is_null())
    repeats = (nw.col("_action") == nw.col("_open_action")).fill_null(False) & is_alike
    return {
        "_repeats": nw.when(repeats).then(nw.col("_open_batch")),
        "_repeats_rows": nw.when(repeats).then(nw.col("_open_rows")),
    }


def _choose(*cases: tuple[nw.Expr, str]) -> nw.Expr:
    chosen: nw.Expr = nw.lit("keep")
    for holds, action in reversed(cases):
        chosen = nw.when(holds).then(nw.lit(action)).otherwise(chosen)
    return chosen

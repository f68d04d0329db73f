"""A plan, cut into what a destination takes at once."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from cdp_toolkit.destinations.destination import Batch, Limits
from cdp_toolkit.destinations.plan import Plan

_SENT = ["add", "update", "remove"]
_WAVE_ROWS = 10_000


def batches(plan: Plan, limits: Limits) -> Iterator[Batch]:
    """Cut a plan into what a destination takes at once.

    Parameters
    ----------
    plan
        What to do.
    limits
        Of the destination.

    Yields
    ------
    Batch
        Rows of one audience. An audience without a change has none; one whose only change is a new refusal has an
        empty one in full mode, where the connection lists the refused. A batch in doubt of which no row has changed
        since comes again as it was, under its own key.
    """
    for audience, rows in _by_audience(plan.rows):
        if not pc.any(rows["_is_change"]).as_py():
            continue
        refused = where(rows, pc.equal(rows["_action"], "refuse")).select(["_profile_id", "_reason"])
        sent = where(rows, pc.is_in(rows["_action"], pa.array([*_SENT, "keep"])))
        if len(sent) == 0 and plan.mode != "full":
            continue
        for key, part in _parts(plan, audience, sent, limits):
            yield Batch(key, plan.id, plan.destination, audience, plan.mode, plan.as_of, part, refused)


def waves(cut: Iterable[Batch], limits: Limits) -> Iterator[list[Batch]]:
    """Group batches whose attempts are written together.

    Parameters
    ----------
    cut
        See ``batches``.
    limits
        Of the destination.

    Yields
    ------
    list of Batch
        As many as are worth a write to the lake, and as many as the destination takes at a time.
    """
    wave: list[Batch] = []
    for batch in cut:
        wave.append(batch)
        if len(wave) >= limits.concurrency and sum(len(each.rows) for each in wave) >= _WAVE_ROWS:
            yield wave
            wave = []
    if wave:
        yield wave


def priced(plan: Plan, limits: Limits) -> Plan:
    """Return a plan with what it costs.

    Parameters
    ----------
    plan
        What to do.
    limits
        Of the destination.

    Returns
    -------
    Plan
        With ``calls`` and ``seconds``, and a note on each audience that is too small to be used.
    """
    told: dict[str, int] = {}
    for row in plan.counts.to_pylist():
        is_told = row["action"] in _SENT if plan.mode != "full" else row["action"] != "clear"
        if row["is_change"] and is_told:
            told[row["audience"]] = told.get(row["audience"], 0) + row["rows"]
    batches_each = [max(-(-rows // limits.batch_rows), 1) if limits.batch_rows else 1 for rows in told.values()]
    calls = sum(batches_each) * limits.calls_per_batch + len(told) * limits.calls_per_audience
    windows = (calls - 1) // limits.calls if limits.calls and calls else 0
    notes = tuple(
        f"{audience}: {total['members'] - total['refuse']:,} members, and the destination uses an audience of "
        f"{limits.audience_rows:,} or more."
        for audience, total in plan.audiences.items()
        if total["members"] - total["refuse"] < limits.audience_rows
    )
    return replace(plan, calls=calls, seconds=windows * limits.window_s, notes=notes)


def where(rows: pa.Table, holds: pa.ChunkedArray) -> pa.Table:
    """Return the rows for which something holds, without a copy where it holds for all.

    Parameters
    ----------
    rows
        Any table.
    holds
        True or false for each row.

    Returns
    -------
    pyarrow.Table
        Those rows.
    """
    return rows if pc.all(holds, min_count=0).as_py() else rows.filter(holds)


def _by_audience(rows: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    # The rows of a plan lie in the order of their audiences: a slice copies nothing.
    start = 0
    for each in pc.value_counts(rows["_audience"]).to_pylist():
        yield each["values"], rows.slice(start, each["counts"])
        start += each["counts"]


def _parts(plan: Plan, audience: str, sent: pa.Table, limits: Limits) -> Iterator[tuple[str, pa.Table]]:
    whole = _repeats(sent) if sent["_repeats"].null_count < len(sent) else {}
    if plan.mode == "full" and limits.batch_rows is None:
        # A whole audience repeats a batch if all that changed is what that batch was to change.
        is_repeat = len(whole) == 1 and pc.sum(sent["_is_change"]).as_py() == next(iter(whole.values()))
        yield (next(iter(whole)) if is_repeat else f"{plan.id}-{audience}-0"), sent
        return
    for key in whole:
        yield key, sent.filter(pc.field("_repeats") == key)
    fresh = sent.filter(~pc.field("_repeats").isin(list(whole))) if whole else sent
    size = limits.batch_rows or max(len(fresh), 1)
    for start in range(0, len(fresh), size):
        yield f"{plan.id}-{audience}-{start}", fresh.slice(start, size)


def _repeats(sent: pa.Table) -> dict[str, int]:
    """Return the size of each batch in doubt that would come again whole."""
    found = sent.filter(pc.field("_repeats").is_valid()).group_by(["_repeats", "_repeats_rows"])
    counted = found.aggregate([([], "count_all")]).sort_by("_repeats").to_pylist()
    return {each["_repeats"]: each["count_all"] for each in counted if each["count_all"] == each["_repeats_rows"]}

"""One audience on a page: how large, who came and went, whom else it holds, what sets it apart, and what was sent."""

from collections.abc import Sequence
from functools import partial

import polars as pl

from cdp_toolkit.errors import UnknownNameError
from cdp_toolkit.explore import audience_charts as draw
from cdp_toolkit.explore import audience_numbers as count
from cdp_toolkit.explore import charts, numbers
from cdp_toolkit.explore.cards import Card, Page, Section
from cdp_toolkit.workspace import Workspace

TRAITS = {"person": ("job_title", "country", "person_source"), "account": ("industry", "billing_country", "rating")}
"""Columns in which an audience is compared with everybody, by what its members are."""


def audience_page(ws: Workspace, segment: str, traits: Sequence[str] | None = None) -> Page:
    """Return the page of an audience.

    Parameters
    ----------
    ws
        The workspace, evaluated.
    segment
        Name of the segment.
    traits
        Columns in which members are compared with everybody; ``TRAITS`` by default.

    Returns
    -------
    Page
        Its charts are in ``page.charts``, and ``page.save("audience.html")`` keeps it.

    Raises
    ------
    UnknownNameError
        If there is no such segment.
    """
    known = ws.segments
    if segment not in known:
        raise UnknownNameError("segment", segment, known)
    chosen, lake = known[segment], ws.lake
    moves, sent = count.moves(lake, segment), count.sent(lake, segment)
    combined = count.intersections(lake, segment, chosen.entity)
    columns = traits or TRAITS[chosen.entity]
    lifts = {name: count.lift(lake, segment, chosen.entity, name) for name in columns} if not moves.is_empty() else {}
    return Page(
        segment,
        chosen.description,
        (
            Section("Size", "Since its first evaluation.", (
                Card("Size over time", moves, draw.size, "It was not evaluated yet."),
                Card("Entered and left", moves, draw.moves, "It was not evaluated yet."),
            )),
            Section("Who they are", "Compared with everybody, and across what they are related to.", (
                *(Card(f"What sets its {name} apart", frame, partial(draw.lift, what=name.replace("_", " ")),
                       "Too few members to compare.") for name, frame in lifts.items()),
                Card("From members to open deals", count.reach(lake, segment, chosen.entity), draw.reach),
            )),
            Section("Overlap", "Members by the combination of other audiences that they are in, each counted once.", (
                Card("Also in exactly these audiences", combined, draw.upset, "Nobody is in it.", is_wide=True),
            )),
            Section("Activation", "What destinations were told, and who was refused and why.", (
                Card("Deliveries", sent, charts.deliveries, "It was sent nowhere."),
                Card("By reason", sent, None, "It was sent nowhere."),
            )),
            Section("Rule", "What its file says.", (Card("In the Profile Query Language", _rule(chosen.rule), is_wide=True),)),
        ),
        {"members": moves["members"].to_list()[-1] if moves.height else 0, **_shares(ws, chosen.entity, moves)},
    )  # fmt: skip


def _shares(ws: Workspace, entity: str, moves: pl.DataFrame) -> dict[str, str]:
    if moves.is_empty():
        return {}
    everybody = numbers.profiles(ws.lake)[ws.model.entity(entity).plural]
    last = moves.to_dicts()[-1]
    return {
        f"of all {ws.model.entity(entity).plural}": f"{100 * last['members'] / max(everybody, 1):.1f} %",
        "entered last": f"{last['entered']:,}",
        "left last": f"{last['exited']:,}",
    }


def _rule(text: str) -> pl.DataFrame:
    return pl.DataFrame({"rule": text.strip().splitlines()})

"""The graph of one profile: its records, what they share, and what was not allowed to tie them."""

from typing import Literal

import altair as alt
import polars as pl

from cdp_toolkit.explore import offline  # noqa: F401 - sets the renderer
from cdp_toolkit.explore.theme import BAD, INK, PEOPLE, QUIET, ROW, WIDTH
from cdp_toolkit.identity.explain import IdentityExplanation
from cdp_toolkit.model.personal import mask_identity

_SHARED, _REFUSED = "ties the records", "was refused"


def draw(explanation: IdentityExplanation, *, is_masked: bool = True) -> alt.LayerChart:
    """Draw why the records of a profile are one.

    Parameters
    ----------
    explanation
        As ``Workspace.explain_identity`` returns it.
    is_masked
        Whether of a value only the first letter, and of an address also its domain, is shown.

    Returns
    -------
    altair.LayerChart
        Records on the left, shared values on the right; a line a link, dashed where it was refused, with the reason.
    """
    edges = _edges(explanation)
    if is_masked:
        pairs = edges.select("namespace", "value").rows()
        edges = edges.with_columns(value=pl.Series([mask_identity(*pair) for pair in pairs], dtype=pl.String))
    named = pl.format("{} {}", "namespace", "value")
    edges = edges.with_columns(
        label=pl.when(pl.col("reason").is_null()).then(named).otherwise(named + ": " + pl.col("reason"))
    )
    left, right = _placed([*explanation.records]), _placed(edges["label"].unique(maintain_order=True).to_list())
    records = {name.removesuffix(" (deleted)"): place for name, place in left.items()}
    ends = edges.with_columns(
        y=pl.col("record").replace_strict(records, return_dtype=pl.Float64),
        y2=pl.col("label").replace_strict(right, return_dtype=pl.Float64),
        x=pl.lit(0),
        x2=pl.lit(1),
    )
    lines = alt.Chart(ends).mark_rule(strokeWidth=1.6, opacity=0.75).encode(
        x=_x("x"), x2="x2:Q", y=_y("y"), y2="y2:Q",
        color=alt.Color("state:N", title=None, scale=alt.Scale(domain=[_SHARED, _REFUSED], range=[PEOPLE, BAD])),
        strokeDash=alt.StrokeDash("state:N", title=None, scale=alt.Scale(domain=[_SHARED, _REFUSED], range=[[1, 0], [4, 4]])),
        tooltip=["record:N", "label:N", "reason:N"],
    )  # fmt: skip
    title = f"Profile {explanation.profile_id}: {len(explanation.records)} records and what ties them"
    chart = alt.LayerChart(layer=[lines, _nodes(left, 0, "right", -10), _nodes(right, 1, "left", 10)])
    return chart.properties(title=title, width=WIDTH, height=ROW * 1.3 * max(len(left), len(right), 3))


def _edges(explanation: IdentityExplanation) -> pl.DataFrame:
    known = {record.removesuffix(" (deleted)") for record in explanation.records}
    kept = [
        {"record": end, "namespace": link["namespace"], "value": link["value"], "state": _SHARED, "reason": None}
        for link in explanation.links
        for end in (link["hub"], link["source_key"])
        if end in known
    ]
    refused = [
        {"record": link["source_key"], "namespace": link["namespace"], "value": link["value"], "state": _REFUSED,
         "reason": link["reason"]}
        for link in explanation.refused
    ]  # fmt: skip
    names = ("record", "namespace", "value", "state", "reason")
    return pl.DataFrame([*kept, *refused], schema=dict.fromkeys(names, pl.String)).unique(maintain_order=True)


def _placed(names: list[str]) -> dict[str, float]:
    return {name: (place + 0.5) / len(names) for place, name in enumerate(names)}


def _nodes(places: dict[str, float], x: int, align: Literal["left", "right"], dx: int) -> alt.LayerChart:
    frame = pl.DataFrame({"name": [*places], "y": [*places.values()], "x": [x] * len(places)},
                         schema={"name": pl.String, "y": pl.Float64, "x": pl.Int64})  # fmt: skip
    base = alt.Chart(frame).encode(x=_x("x"), y=_y("y"), tooltip=["name:N"])
    dots = base.mark_circle(size=90, color=PEOPLE if x == 0 else QUIET, opacity=1)
    return alt.LayerChart(layer=[dots, base.mark_text(align=align, dx=dx, color=INK).encode(text="name:N")])


def _x(name: str) -> alt.X:
    return alt.X(f"{name}:Q", axis=None, scale=alt.Scale(domain=[0, 1]))


def _y(name: str) -> alt.Y:
    return alt.Y(f"{name}:Q", axis=None, scale=alt.Scale(domain=[0, 1], reverse=True))

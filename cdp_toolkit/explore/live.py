"""What streams in now: how much, how far audiences are behind, and who moves; from the lake, and from the endpoint if it answers."""

import datetime as dt
import threading
from collections import deque
from collections.abc import Mapping
from html import escape
from typing import Any

import altair as alt
import httpx
import narwhals as nw
import polars as pl

from cdp_toolkit.explore.cards import Card, Page, Section
from cdp_toolkit.explore.charts import titled
from cdp_toolkit.explore.theme import BAD, GOOD, INK, PEOPLE
from cdp_toolkit.lake import Lake
from cdp_toolkit.secrets import redact
from cdp_toolkit.workspace import Workspace

_SAMPLES = 600
_TIME = pl.Datetime("us", "UTC")
_AXIS = alt.Axis(grid=False, tickCount=5, format="%H:%M:%S")


def rounds(lake: Lake, *, since: dt.datetime) -> pl.DataFrame:
    """Tell what the runs of load, stitch and evaluate did.

    Parameters
    ----------
    lake
        Tables of the workspace.
    since
        Only runs that began later.

    Returns
    -------
    polars.DataFrame
        One row per run, oldest first: ``at`` (when it ended), ``verb``, ``seconds``, ``messages`` landed, ``entered`` and
        ``exited``.
    """
    counted = {"messages": "rows landed", "entered": "entered", "exited": "exited"}
    schema = {"at": _TIME, "verb": pl.String(), "seconds": pl.Float64(), **dict.fromkeys(counted, pl.Int64())}
    head = lake.head("runs")
    if head < 0:
        return pl.DataFrame(schema=schema)
    recent = lake.packed("runs", head).filter(nw.col("started_at") > since)
    told = pl.DataFrame(lake.engine.collect(recent)).filter(pl.col("verb").is_in(["load", "stitch", "evaluate"]))
    values = {name: pl.col("counts").str.json_path_match(f"$['{said}']") for name, said in counted.items()}
    return told.sort("started_at").select(
        at=pl.col("started_at") + pl.duration(microseconds=pl.col("seconds") * 1_000_000),
        verb="verb",
        seconds="seconds",
        **{name: value.cast(pl.Int64).fill_null(0) for name, value in values.items()},
    )


def counts_of(address: str) -> dict[str, float]:
    """Ask an endpoint for its counts.

    Parameters
    ----------
    address
        Such as ``http://127.0.0.1:8787``.

    Returns
    -------
    dict
        Numbers by name, added up over inlets; empty if it does not answer.
    """
    try:
        text = httpx.get(f"{address}/metrics", timeout=2).raise_for_status().text
    except httpx.HTTPError:
        return {}
    found: dict[str, float] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[name.partition("{")[0]] = found.get(name.partition("{")[0], 0.0) + float(value)
    return found


def live_page(ws: Workspace, counts: Mapping[str, float], lags: pl.DataFrame, *, minutes: float = 15) -> Page:
    """Return the page of what streams in.

    Parameters
    ----------
    ws
        The workspace.
    counts
        As ``counts_of`` gives them.
    lags
        One row per look at the endpoint: ``at``, ``lag`` in seconds.
    minutes
        How far back the charts reach.

    Returns
    -------
    Page
        Throughput, lag and changes of membership.
    """
    told = rounds(ws.lake, since=dt.datetime.now(dt.UTC) - dt.timedelta(minutes=minutes))
    tiles = {
        "messages taken": counts.get("cdp_messages_total", 0),
        "messages waiting": counts.get("cdp_messages_waiting", 0),
        "seconds of lag": round(counts.get("cdp_lag_seconds", 0), 1),
        "requests refused": counts.get("cdp_requests_refused_total", 0),
    }
    return Page(
        f"Stream of {ws.settings.name}",
        "What came in, how far audiences are behind, and who moved."
        + ("" if counts else " The endpoint does not answer: this is what the lake says."),
        (
            Section("Throughput", "Messages as loads landed them, and how long the steps of a round took.", (
                Card("Messages landed", told.filter(pl.col("messages") > 0), _landed, "No message was landed."),
                Card("Seconds a step", told, _seconds, "No round was carried out."),
            )),
            Section("Audiences", "Age of the oldest message of a round when audiences knew it, and who moved.", (
                Card("Lag", lags, _lag, "The endpoint was not asked while this page was open."),
                Card("Membership changes", told.filter(pl.col("entered") + pl.col("exited") > 0), _moves, "Nobody moved."),
            )),
        ),
        {what: int(number) if float(number).is_integer() else number for what, number in tiles.items()} if counts else {},
        "It holds no personal data.",
    )  # fmt: skip


class Live:
    """The page of what streams in, which reads itself again every few seconds in a notebook that is open.

    It stops when asked to, when its time is over, or with the kernel; a notebook that is only executed has the page as it
    was.

    Parameters
    ----------
    ws
        The workspace.
    address
        Where its endpoint listens; as ``cdp.yaml`` says by default.
    every_s
        Seconds between two looks.
    minutes
        How far back the charts reach, and after how long it stops.
    """

    def __init__(self, ws: Workspace, address: str = "", *, every_s: float = 2, minutes: float = 15) -> None:
        # A workspace of its own, since it is read beside what the cells of the notebook read.
        self.ws, self.every_s, self.minutes = Workspace(ws.folder), every_s, minutes
        stream = ws.settings.stream
        kind = "https" if stream.certificate else "http"
        self.address = address or f"{kind}://{stream.host}:{stream.port}"
        self._lags: deque[tuple[dt.datetime, float]] = deque(maxlen=_SAMPLES)
        self._view: Any = None
        self.stopped = threading.Event()
        self.following = threading.Thread(target=self._follow, name="live", daemon=True)
        self.look()

    def look(self) -> Page:
        """Read the page again.

        Returns
        -------
        Page
            As things are now.
        """
        counts = counts_of(self.address)
        if "cdp_lag_seconds" in counts:
            self._lags.append((dt.datetime.now(dt.UTC), counts["cdp_lag_seconds"]))
        lags = pl.DataFrame(list(self._lags), schema={"at": _TIME, "lag": pl.Float64()}, orient="row")
        self.page = live_page(self.ws, counts, lags, minutes=self.minutes)
        return self.page

    def stop(self) -> None:
        """Read the page no more."""
        self.stopped.set()

    def _follow(self) -> None:
        ends = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=self.minutes)
        problem = ""
        while not self.stopped.wait(self.every_s) and dt.datetime.now(dt.UTC) < ends:
            try:
                self.look()
                problem = ""
            except Exception as error:  # noqa: BLE001 - such as files that are replaced now: the next look may go well
                problem = f"<p>This is the page as it was: {escape(redact(str(error)) or type(error).__name__)}</p>"
            self._show(problem)
        self.stopped.set()
        self._show(problem)

    def _show(self, problem: str) -> None:
        stop, page = self._view.children
        page.value = problem + self.page._repr_html_()
        stop.disabled, stop.description = self.stopped.is_set(), "Stopped" if self.stopped.is_set() else "Stop"

    def __repr__(self) -> str:
        """Return the page as text."""
        return repr(self.page)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Return the live view for a notebook that is open, and the page for one that is read."""
        if self._view is None:
            self._view = _view(self)
            self.following.start()
        live = self._view._repr_mimebundle_()
        bundle = live[0] if isinstance(live, tuple) else live or {}
        return bundle | {"text/html": self.page._repr_html_(), "text/plain": repr(self)}


def _view(live: Live) -> Any:
    import ipywidgets as w

    stop = w.Button(description="Stop", icon="stop", layout=w.Layout(width="100px"))
    stop.on_click(lambda _: live.stop())
    return w.VBox([stop, w.HTML(live.page._repr_html_())])


def _landed(told: pl.DataFrame) -> alt.LayerChart:
    base = alt.Chart(told).encode(
        x=alt.X("at:T", title="landed at (UTC)", axis=_AXIS),
        y=alt.Y("messages:Q", title="messages", axis=alt.Axis(grid=True, format=",d", tickCount=4)),
        tooltip=[alt.Tooltip("at:T", format="%H:%M:%S"), alt.Tooltip("messages:Q", format=",d")],
    )
    return titled(base.mark_area(color=PEOPLE, opacity=0.18) + base.mark_line(color=PEOPLE), "Messages landed")


def _seconds(told: pl.DataFrame) -> alt.LayerChart:
    base = alt.Chart(told).encode(
        x=alt.X("at:T", title="ended at (UTC)", axis=_AXIS),
        y=alt.Y("seconds:Q", title="seconds", axis=alt.Axis(grid=True, tickCount=4)),
        color=alt.Color("verb:N", title=None, sort=["load", "stitch", "evaluate"]),
        tooltip=["verb:N", alt.Tooltip("at:T", format="%H:%M:%S"), alt.Tooltip("seconds:Q", format=".2f")],
    )
    return titled(base.mark_line() + base.mark_point(filled=True), "Seconds a step")


def _lag(lags: pl.DataFrame) -> alt.LayerChart:
    base = alt.Chart(lags).encode(
        x=alt.X("at:T", title="asked at (UTC)", axis=_AXIS),
        y=alt.Y("lag:Q", title="seconds", axis=alt.Axis(grid=True, tickCount=4)),
        tooltip=[alt.Tooltip("at:T", format="%H:%M:%S"), alt.Tooltip("lag:Q", format=".1f")],
    )
    return titled(base.mark_line(color=PEOPLE) + base.mark_point(color=PEOPLE, filled=True), "Lag")


def _moves(told: pl.DataFrame) -> alt.LayerChart:
    moved = told.select("at", "entered", left=-pl.col("exited")).unpivot(
        index="at", variable_name="what", value_name="people"
    )
    base = alt.Chart(moved).encode(
        x=alt.X("at:T", title="evaluated at (UTC)", axis=_AXIS),
        y=alt.Y("people:Q", title="entered, and left", axis=alt.Axis(grid=True, format=",d", tickCount=4)),
        color=alt.Color("what:N", title=None, scale=alt.Scale(domain=["entered", "left"], range=[GOOD, BAD])),
        tooltip=["what:N", alt.Tooltip("at:T", format="%H:%M:%S"), alt.Tooltip("people:Q", format=",d")],
    )
    zero = alt.Chart(pl.DataFrame({"people": [0]})).mark_rule(color=INK).encode(y="people:Q")
    return titled(zero + base.mark_bar(size=5), "Membership changes")

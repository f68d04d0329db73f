"""The data of a workspace on a page: what sources bring and how fresh, what was kept out, how whole, and what ran."""

import altair as alt
import narwhals as nw
import polars as pl

from cdp_toolkit.explore import charts, numbers
from cdp_toolkit.explore.cards import Card, Page, Section
from cdp_toolkit.lake import Lake
from cdp_toolkit.workspace import Workspace

_RUNS = 12


def data_page(ws: Workspace) -> Page:
    """Return the page of a workspace's data.

    Parameters
    ----------
    ws
        The workspace.

    Returns
    -------
    Page
        Sources, freshness, rejects, drift, quality, identity and runs.
    """
    lake = ws.lake
    return Page(
        f"Data of {ws.settings.name}",
        "What sources bring and how fresh it is, what was kept out, how whole profiles are, and what ran.",
        (
            Section("Sources", "Records that are not deleted, and when each source was last heard of.", (
                Card("Records by entity and source", numbers.records(lake), charts.records),
                Card("Freshness", freshness(lake)),
            )),
            Section("Rejects and drift", "What could not be read, and fields that came, went or changed.", (
                Card("Rejected values by reason", numbers.rejects(lake), charts.rejects, "Nothing was rejected."),
                Card("Fields that changed", drift(lake), empty="No source changed its fields."),
            )),
            Section("Quality", "A segment can only find what is filled in.", (
                Card("Completeness of people", numbers.filled(lake, "person", most=18), _people),
                Card("Completeness of accounts", numbers.filled(lake, "account", most=18), _accounts),
            )),
            Section("Identity", "How many records make one person, what links them, and what was not allowed to.", (
                Card("Records a person", numbers.records_per_person(lake), charts.records_per_person),
                Card("Links by identity", numbers.links(lake), charts.links),
                Card("Refused links by reason", numbers.refused_links(lake), charts.refused_links, "No link was refused."),
            )),
            Section("Runs", "What ran last, how long it took, and what went wrong.", (
                Card("Runs", runs(lake), empty="Nothing ran yet.", is_wide=True),
            )),
        ),
        numbers.profiles(lake),
        "It holds no personal data.",
    )  # fmt: skip


def freshness(lake: Lake) -> pl.DataFrame:
    """Tell how fresh each source's records are.

    Parameters
    ----------
    lake
        Tables of the workspace.

    Returns
    -------
    polars.DataFrame
        One row per ``source`` and ``entity``: when the newest record was ``last_changed`` there, and ``last_loaded``.
    """
    time = pl.Datetime("us", "UTC")
    schema = {"source": pl.String(), "entity": pl.String(), "last_changed": time, "last_loaded": time}
    found = []
    for entity in lake.model.recorded.values():
        if not lake.exists(f"entities/{entity.name}"):
            continue
        rows = lake.scan(f"entities/{entity.name}")
        changed = next(
            (name for name in ("updated_at", "timestamp") if name in rows.collect_schema().names()), "loaded_at"
        )
        counted = rows.group_by("source_type").agg(
            last_changed=nw.col(changed).max(), last_loaded=nw.col("loaded_at").max()
        )
        frame = pl.DataFrame(lake.engine.collect(counted))
        named = frame.select(
            source="source_type", entity=pl.lit(entity.plural), last_changed="last_changed", last_loaded="last_loaded"
        )
        found.append(named.cast(schema))  # type: ignore[arg-type]  # of polars' own types
    return pl.concat([pl.DataFrame(schema=schema), *found]).sort("last_changed", descending=True, nulls_last=True)


def drift(lake: Lake) -> pl.DataFrame:
    """List the fields that a source got, lost or changed.

    Parameters
    ----------
    lake
        Tables of the workspace.

    Returns
    -------
    polars.DataFrame
        One row per ``source``, ``object``, ``field`` and ``seen_at``: the ``change``; the latest first.
    """
    columns = ("source", "object", "field", "change", "seen_at")
    if not lake.exists("landing/_fields"):
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    rows = lake.scan("landing/_fields").select(*columns)
    return pl.DataFrame(lake.engine.collect(rows)).sort("seen_at", descending=True).head(20)


def runs(lake: Lake) -> pl.DataFrame:
    """List the last runs.

    Parameters
    ----------
    lake
        Tables of the workspace.

    Returns
    -------
    polars.DataFrame
        One row per run, the latest first: ``verb``, ``outcome``, ``started_at``, ``seconds``, ``what`` and ``problems``.
    """
    told = [
        {"verb": row["verb"], "outcome": row["outcome"], "started_at": row["started_at"], "seconds": row["seconds"],
         "what": ", ".join(f"{number:,} {what}" for what, number in row["counts"].items() if number),
         "problems": "; ".join(each.splitlines()[0] for each in row["problems"])}
        for row in lake.log.rows()
    ]  # fmt: skip
    schema = pl.Schema({"verb": pl.String(), "outcome": pl.String(), "started_at": pl.Datetime("us", "UTC"),
                        "seconds": pl.Float64(), "what": pl.String(), "problems": pl.String()})  # fmt: skip
    return pl.DataFrame(told, schema=schema).sort("started_at", descending=True).head(_RUNS)


def _people(shares: pl.DataFrame) -> alt.LayerChart:
    return charts.filled(shares, "Completeness of people")


def _accounts(shares: pl.DataFrame) -> alt.LayerChart:
    return charts.filled(shares, "Completeness of accounts")

"""The line from records to deliveries: how far it reached, what was sent, and what ran."""

import narwhals as nw
import polars as pl

from cdp_toolkit.explore.numbers.reading import TIME, count_by, count_of, count_rows
from cdp_toolkit.lake import Lake


def funnel(lake: Lake) -> pl.DataFrame:
    """Follow people from records to deliveries.

    Parameters
    ----------
    lake
        Tables of the workspace.

    Returns
    -------
    polars.DataFrame
        One row per ``stage``, in the order of the line: its ``count``; stages that have not run are missing.
    """
    stages: list[tuple[str, int]] = []
    if lake.exists("entities/person"):
        stages.append(("Records of people", count_rows(lake, "entities/person", ~nw.col("is_deleted"))))
    if lake.exists("profiles/person"):
        stages.append(("People", count_rows(lake, "profiles/person")))
        stages.append(("With an e-mail address", count_rows(lake, "profiles/person", ~nw.col("email").is_null())))
    if lake.exists("segments/membership"):
        is_member = {"status": ["realized"], "entity": ["person"]}
        members = lake.scan("segments/membership", only=is_member).select("profile_id").unique()
        stages.append(("In an audience", count_of(lake, members)))
    if lake.exists("activation/ledger"):
        is_sent = (nw.col("outcome") == "delivered") & ~nw.col("profile_id").is_null()
        sent = lake.scan("activation/ledger").filter(is_sent).select("profile_id").unique()
        stages.append(("Sent to a destination", count_of(lake, sent)))
    return pl.DataFrame(stages, schema={"stage": pl.String, "count": pl.Int64}, orient="row")


def deliveries(lake: Lake) -> pl.DataFrame:
    """Count what destinations were sent, and who was refused and why.

    Parameters
    ----------
    lake
        Tables of the workspace.

    Returns
    -------
    polars.DataFrame
        One row per ``destination``, ``audience``, ``action``, ``outcome`` and ``reason``: ``rows``, most first.
    """
    keys = ("destination", "audience", "action", "outcome", "reason")
    return count_by(lake, "activation/ledger", keys, "rows")


def runs(lake: Lake, *verbs: str, most: int = 12) -> pl.DataFrame:
    """List the last runs.

    Parameters
    ----------
    lake
        Tables of the workspace.
    *verbs
        What ran; all verbs by default.
    most
        How many.

    Returns
    -------
    polars.DataFrame
        One row per run, the latest first: ``verb``, ``outcome``, ``started_at``, ``seconds``, ``what`` and ``problems``.
    """
    told = [
        {"verb": row["verb"], "outcome": row["outcome"], "started_at": row["started_at"], "seconds": row["seconds"],
         "what": ", ".join(f"{number:,} {what}" for what, number in row["counts"].items() if number),
         "problems": "; ".join(each.splitlines()[0] for each in row["problems"])}
        for row in lake.log.rows(*verbs, most=most)
    ]  # fmt: skip
    schema = pl.Schema({"verb": pl.String(), "outcome": pl.String(), "started_at": TIME,
                        "seconds": pl.Float64(), "what": pl.String(), "problems": pl.String()})  # fmt: skip
    return pl.DataFrame(told, schema=schema).sort("started_at", descending=True).head(most)

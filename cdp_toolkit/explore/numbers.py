"""The numbers behind the charts: small frames read from the lake, with no personal data in them.

Each function reads committed tables and returns as many rows as fit on a page, in an order that is promised. A table
that no run has written gives no rows.
"""

from typing import Any

import narwhals as nw
import polars as pl

from cdp_toolkit.engines import Frame
from cdp_toolkit.lake import Lake

COUNTED = ("person", "account", "opportunity", "campaign", "event")
"""Entities whose records and profiles are told apart in an overview."""


def records(lake: Lake) -> pl.DataFrame:
    """Count the records of each source.

    Parameters
    ----------
    lake
        Tables of the workspace.

    Returns
    -------
    polars.DataFrame
        One row per ``source`` and ``entity``: ``records`` that are not deleted, most first.
    """
    found = []
    for entity in lake.model.recorded.values():
        if lake.exists(f"entities/{entity.name}"):
            live = lake.scan(f"entities/{entity.name}").filter(~nw.col("is_deleted"))
            counted = live.group_by("source_type").agg(records=nw.len().cast(nw.Int64))
            found.append(_read(lake, counted).select(pl.col("source_type").alias("source"),
                                                     pl.lit(entity.plural).alias("entity"), "records"))  # fmt: skip
    schema = pl.Schema({"source": pl.String, "entity": pl.String, "records": pl.Int64})
    return pl.concat([pl.DataFrame(schema=schema), *found]).sort(
        "records", "source", "entity", descending=[True, False, False]
    )


def profiles(lake: Lake) -> dict[str, int]:
    """Count the profiles of each entity.

    Parameters
    ----------
    lake
        Tables of the workspace.

    Returns
    -------
    dict
        Number by plural name, such as ``people``; what was never stitched is missing.
    """
    return {
        lake.model.entities[entity].plural: _rows(lake, f"profiles/{entity}")
        for entity in COUNTED
        if entity in lake.model.entities and lake.exists(f"profiles/{entity}")
    }


def audiences(lake: Lake) -> pl.DataFrame:
    """Count who is in each segment.

    Parameters
    ----------
    lake
        Tables of the workspace.

    Returns
    -------
    polars.DataFrame
        One row per ``segment`` and ``entity``: ``members`` now and ``exited`` ever, largest first.
    """
    schema = pl.Schema({"segment": pl.String, "entity": pl.String, "members": pl.Int64, "exited": pl.Int64})
    if not lake.exists("segments/membership"):
        return pl.DataFrame(schema=schema)
    is_member = nw.col("status") == "realized"
    counted = (
        lake.packed("segments/membership")
        .with_columns(is_in=nw.when(is_member).then("profiles"), is_out=nw.when(~is_member).then("profiles"))
        .group_by("segment", "entity")
        .agg(members=nw.col("is_in").sum(), exited=nw.col("is_out").sum())
    )
    found = _read(lake, counted).with_columns(pl.col("members", "exited").fill_null(0))
    return found.cast(schema).sort("members", "segment", descending=[True, False])


def trends(lake: Lake) -> pl.DataFrame:
    """Follow the size of each segment from its first evaluation.

    Parameters
    ----------
    lake
        Tables of the workspace.

    Returns
    -------
    polars.DataFrame
        One row per ``segment`` and ``changed_at``, a time at which any segment changed, from its own first entry on:
        who ``entered`` and ``exited`` then, ``members`` from then on.
    """
    schema = pl.Schema({"segment": pl.String(), "changed_at": pl.Datetime("us", "UTC"), "entered": pl.Int64(), "exited": pl.Int64(),
              "members": pl.Int64()})  # fmt: skip
    if not lake.exists("segments/history"):
        return pl.DataFrame(schema=schema)
    is_entry = nw.col("change") == "entered"
    changes = (
        lake.packed("segments/history")
        .with_columns(came=nw.when(is_entry).then("profiles"), went=nw.when(~is_entry).then("profiles"))
        .group_by("segment", "changed_at")
        .agg(entered=nw.col("came").sum(), exited=nw.col("went").sum())
    )
    found = _read(lake, changes)
    everywhen = found.select("segment").unique().join(found.select("changed_at").unique(), how="cross")
    filled = everywhen.join(found, on=["segment", "changed_at"], how="left").sort("segment", "changed_at")
    filled = filled.with_columns(pl.col("entered", "exited").fill_null(0))
    size = (pl.col("entered") - pl.col("exited")).cum_sum().over("segment")
    has_begun = pl.col("entered").cum_sum().over("segment") > 0
    return filled.filter(has_begun).with_columns(members=size).select(schema.names()).cast(schema)


def overlaps(lake: Lake, *, entity: str = "person", most: int = 15) -> pl.DataFrame:
    """Compare segments by the members that they share.

    Parameters
    ----------
    lake
        Tables of the workspace.
    entity
        Whose segments.
    most
        How many segments, the largest first.

    Returns
    -------
    polars.DataFrame
        One row per pair ``segment`` and ``other``, both orders and each with itself: members of ``both``, and
        ``jaccard``, the share of both in either (0 to 1).
    """
    schema = pl.Schema({"segment": pl.String, "other": pl.String, "both": pl.Int64, "jaccard": pl.Float64})
    sizes = audiences(lake).filter((pl.col("entity") == entity) & (pl.col("members") > 0)).head(most)
    if sizes.is_empty():
        return pl.DataFrame(schema=schema)
    largest = {"segment": sizes["segment"].to_list(), "status": ["realized"]}
    members = lake.scan("segments/membership", only=largest).select("segment", "profile_id")
    shared = members.join(members.rename({"segment": "other"}), on="profile_id").group_by("segment", "other")
    both = _read(lake, shared.agg(both=nw.len().cast(nw.Int64)))
    size = sizes.select("segment", "members")
    pairs = (
        size.join(size.rename({"segment": "other", "members": "others"}), how="cross")
        .join(both, on=["segment", "other"], how="left")
        .with_columns(pl.col("both").fill_null(0))
    )
    either = pl.col("members") + pl.col("others") - pl.col("both")
    return pairs.with_columns(jaccard=pl.col("both") / either).select(schema.names()).cast(schema)


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
        stages.append(("Records of people", _rows(lake, "entities/person", ~nw.col("is_deleted"))))
    if lake.exists("profiles/person"):
        stages.append(("People", _rows(lake, "profiles/person")))
        stages.append(("With an e-mail address", _rows(lake, "profiles/person", ~nw.col("email").is_null())))
    if lake.exists("segments/membership"):
        is_member = {"status": ["realized"], "entity": ["person"]}
        members = lake.scan("segments/membership", only=is_member).select("profile_id").unique()
        stages.append(("In an audience", _count(lake, members)))
    if lake.exists("activation/ledger"):
        is_sent = (nw.col("outcome") == "delivered") & ~nw.col("profile_id").is_null()
        sent = lake.scan("activation/ledger").filter(is_sent).select("profile_id").unique()
        stages.append(("Sent to a destination", _count(lake, sent)))
    return pl.DataFrame(stages, schema={"stage": pl.String, "count": pl.Int64}, orient="row")


def rejects(lake: Lake) -> pl.DataFrame:
    """Count the values that kept their row out of the entity tables.

    Parameters
    ----------
    lake
        Tables of the workspace.

    Returns
    -------
    polars.DataFrame
        One row per ``source``, ``object``, ``column`` and ``reason``: ``values``, most first.
    """
    keys = ("source", "object", "column", "reason")
    return _counted(lake, "entities/_rejected", keys, "values")


def records_per_person(lake: Lake) -> pl.DataFrame:
    """Count people by the number of their records.

    Parameters
    ----------
    lake
        Tables of the workspace.

    Returns
    -------
    polars.DataFrame
        One row per number of ``records``, rising: ``people`` who have so many.
    """
    counted = _counted(lake, "profiles/person", ("records",), "people")
    return counted.cast({"records": pl.Int64}).sort("records")


def most_records(lake: Lake) -> int:
    """Find the person who is stitched from the most records.

    Parameters
    ----------
    lake
        Tables of the workspace.

    Returns
    -------
    int
        Profile id; of several the smallest. -1 where there is nobody.
    """
    people = lake.scan("profiles/person").select("profile_id", "records")
    first = people.sort("records", "profile_id", descending=[True, False]).head(1)
    return next(iter(lake.engine.collect(first)["profile_id"].to_pylist()), -1)


def most_open(lake: Lake) -> int:
    """Find the account with the most open deals.

    Parameters
    ----------
    lake
        Tables of the workspace.

    Returns
    -------
    int
        Profile id; of several the one with the largest pipeline. -1 where there is none.
    """
    accounts = lake.scan("profiles/account").select("profile_id", "open_opportunities", "open_pipeline")
    known = accounts.filter(~nw.col("open_opportunities").is_null())
    ranked = known.sort("open_opportunities", "open_pipeline", "profile_id", descending=[True, True, False]).head(1)
    return next(iter(lake.engine.collect(ranked)["profile_id"].to_pylist()), -1)


def links(lake: Lake) -> pl.DataFrame:
    """Count links by what made them.

    Parameters
    ----------
    lake
        Tables of the workspace.

    Returns
    -------
    polars.DataFrame
        One row per ``entity`` and ``namespace``: ``links``, most first.
    """
    return _counted(lake, "identity/links", ("entity", "namespace"), "links")


def refused_links(lake: Lake) -> pl.DataFrame:
    """Count the identities that were not allowed to link.

    Parameters
    ----------
    lake
        Tables of the workspace.

    Returns
    -------
    polars.DataFrame
        One row per ``entity``, ``namespace`` and ``reason``: ``links``, most first.
    """
    return _counted(lake, "identity/refused_links", ("entity", "namespace", "reason"), "links")


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
    return _counted(lake, "activation/ledger", keys, "rows")


def growth(lake: Lake) -> pl.DataFrame:
    """Follow how many people were known at the end of each month.

    Parameters
    ----------
    lake
        Tables of the workspace.

    Returns
    -------
    polars.DataFrame
        One row per ``month`` of the last three years, rising: ``people`` created until then.
    """
    if not lake.exists("profiles/person"):
        return pl.DataFrame(schema={"month": pl.Datetime("us", "UTC"), "people": pl.Int64()})
    created = lake.scan("profiles/person").filter(~nw.col("created_at").is_null())
    monthly = created.with_columns(month=nw.col("created_at").dt.truncate("1mo")).group_by("month")
    counted = _read(lake, monthly.agg(new=nw.len().cast(nw.Int64))).sort("month")
    return counted.select("month", people=pl.col("new").cum_sum()).tail(36)


def values(lake: Lake, entity: str, column: str, *, most: int = 10) -> pl.DataFrame:
    """Count the values of a column over all profiles.

    Parameters
    ----------
    lake
        Tables of the workspace.
    entity
        Whose profiles, such as ``person``.
    column
        A column of theirs that names nobody, such as ``country``.
    most
        How many values, the most frequent first.

    Returns
    -------
    polars.DataFrame
        One row per ``value``, as text: ``profiles`` that have it.
    """
    counted = _counted(lake, f"profiles/{entity}", (column,), "profiles").drop_nulls().head(most)
    return counted.select(pl.col(column).cast(pl.String).alias("value"), "profiles")


def filled(lake: Lake, entity: str, *, most: int = 25) -> pl.DataFrame:
    """Measure how complete profiles are.

    Parameters
    ----------
    lake
        Tables of the workspace.
    entity
        Whose profiles, such as ``person``.
    most
        How many columns, the fullest first; those without any value are left out.

    Returns
    -------
    polars.DataFrame
        One row per ``column`` of the model: ``percent`` of the profiles that have a value.
    """
    schema = pl.Schema({"column": pl.String(), "percent": pl.Float64()})
    if not lake.exists(f"profiles/{entity}"):
        return pl.DataFrame(schema=schema)
    profiles = lake.scan(f"profiles/{entity}")
    columns = [field for field in lake.model.entities[entity].fields if field in profiles.collect_schema().names()]
    counted = _read(lake, profiles.select(nw.len().alias("_all"), nw.col(*columns).count()))
    shares = counted.select(pl.col(columns) / pl.col("_all") * 100).unpivot(
        variable_name="column", value_name="percent"
    )
    return (
        shares.filter(pl.col("percent") > 0).sort("percent", "column", descending=[True, False]).head(most).cast(schema)
    )


def runs(lake: Lake) -> pl.DataFrame:
    """List the last run of each verb.

    Parameters
    ----------
    lake
        Tables of the workspace.

    Returns
    -------
    polars.DataFrame
        One row per ``verb``, in the order in which they ran: ``outcome``, ``started_at`` and ``seconds``.
    """
    schema = pl.Schema(
        {"verb": pl.String(), "outcome": pl.String(), "started_at": pl.Datetime("us", "UTC"), "seconds": pl.Float64()}
    )
    last = {row["verb"]: {name: row[name] for name in schema.names()} for row in lake.log.rows()}
    return pl.DataFrame(list(last.values()), schema=schema).sort("started_at")


def _counted(lake: Lake, table: str, keys: tuple[str, ...], count: str) -> pl.DataFrame:
    if not lake.exists(table):
        return pl.DataFrame(schema=dict.fromkeys(keys, pl.String) | {count: pl.Int64})
    counted = lake.scan(table).group_by(*keys).agg(nw.len().cast(nw.Int64).alias(count))
    return _read(lake, counted).sort(count, *keys, descending=[True, *(False for _ in keys)])


def _rows(lake: Lake, table: str, *only: Any) -> int:
    frame = lake.scan(table)
    return _count(lake, frame.filter(*only) if only else frame)


def _count(lake: Lake, frame: Frame) -> int:
    return int(lake.engine.collect(frame.select(nw.len()))[0][0].as_py())


def _read(lake: Lake, frame: Frame) -> pl.DataFrame:
    return pl.DataFrame(lake.engine.collect(frame))

"""People and accounts: how many there are, how completely they are known, who stands out."""

import narwhals as nw
import polars as pl

from cdp_toolkit.explore.numbers.reading import TIME, count_by, count_rows, made_of, read
from cdp_toolkit.lake import Lake

COUNTED = ("person", "account", "opportunity", "campaign", "event")
"""Entities whose records and profiles are told apart in an overview."""


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
        lake.model.entities[entity].plural: count_rows(lake, f"profiles/{entity}")
        for entity in COUNTED
        if entity in lake.model.entities and lake.exists(f"profiles/{entity}")
    }


@made_of("profiles/person", month=TIME, people=pl.Int64())
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
    created = lake.scan("profiles/person").filter(~nw.col("created_at").is_null())
    monthly = created.with_columns(month=nw.col("created_at").dt.truncate("1mo")).group_by("month")
    counted = read(lake, monthly.agg(new=nw.len().cast(nw.Int64))).sort("month")
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
    counted = count_by(lake, f"profiles/{entity}", (column,), "profiles").drop_nulls().head(most)
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
        How many columns, the emptiest first; those without any value are left out.

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
    counted = read(lake, profiles.select(nw.len().alias("_all"), nw.col(*columns).count()))
    shares = counted.select(pl.col(columns) / pl.col("_all") * 100).unpivot(
        variable_name="column", value_name="percent"
    )
    return shares.filter(pl.col("percent") > 0).sort("percent", "column").head(most).cast(schema)


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

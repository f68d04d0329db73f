"""Sources: what they brought, how fresh it is, what was kept out, and fields that came and went."""

import narwhals as nw
import polars as pl

from cdp_toolkit.explore.numbers.reading import TIME, count_by, made_of, read
from cdp_toolkit.lake import Lake


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
            found.append(read(lake, counted).select(pl.col("source_type").alias("source"),
                                                     pl.lit(entity.plural).alias("entity"), "records"))  # fmt: skip
    schema = pl.Schema({"source": pl.String, "entity": pl.String, "records": pl.Int64})
    return pl.concat([pl.DataFrame(schema=schema), *found]).sort(
        "records", "source", "entity", descending=[True, False, False]
    )


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
    schema = pl.Schema({"source": pl.String(), "entity": pl.String(), "last_changed": TIME, "last_loaded": TIME})
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
        named = read(lake, counted).select(
            source="source_type", entity=pl.lit(entity.plural), last_changed="last_changed", last_loaded="last_loaded"
        )
        found.append(named.cast(schema))
    return pl.concat([pl.DataFrame(schema=schema), *found]).sort(
        "last_changed", "source", "entity", descending=[True, False, False], nulls_last=True
    )


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
    return count_by(lake, "entities/_rejected", keys, "values")


@made_of("landing/_fields", source=pl.String(), object=pl.String(), field=pl.String(), change=pl.String(), seen_at=TIME)
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
    rows = read(lake, lake.scan("landing/_fields"))
    return rows.sort("seen_at", "source", "object", "field", descending=[True, False, False, False]).head(20)

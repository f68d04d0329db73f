"""Audiences: how large they are and were, and what they share."""

import narwhals as nw
import polars as pl

from cdp_toolkit.explore.numbers.reading import TIME, made_of, read
from cdp_toolkit.lake import Lake


@made_of("segments/membership", segment=pl.String(), entity=pl.String(), members=pl.Int64(), exited=pl.Int64())
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
    is_member = nw.col("status") == "realized"
    counted = (
        lake.packed("segments/membership")
        .with_columns(is_in=nw.when(is_member).then("profiles"), is_out=nw.when(~is_member).then("profiles"))
        .group_by("segment", "entity")
        .agg(members=nw.col("is_in").sum(), exited=nw.col("is_out").sum())
    )
    found = read(lake, counted).with_columns(pl.col("members", "exited").fill_null(0))
    return found.sort("members", "segment", descending=[True, False])


@made_of(
    "segments/history", segment=pl.String(), changed_at=TIME, entered=pl.Int64(), exited=pl.Int64(), members=pl.Int64()
)
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
    is_entry = nw.col("change") == "entered"
    changes = (
        lake.packed("segments/history")
        .with_columns(came=nw.when(is_entry).then("profiles"), went=nw.when(~is_entry).then("profiles"))
        .group_by("segment", "changed_at")
        .agg(entered=nw.col("came").sum(), exited=nw.col("went").sum())
    )
    found = read(lake, changes)
    everywhen = found.select("segment").unique().join(found.select("changed_at").unique(), how="cross")
    filled = everywhen.join(found, on=["segment", "changed_at"], how="left").sort("segment", "changed_at")
    filled = filled.with_columns(pl.col("entered", "exited").fill_null(0))
    size = (pl.col("entered") - pl.col("exited")).cum_sum().over("segment")
    has_begun = pl.col("entered").cum_sum().over("segment") > 0
    return filled.filter(has_begun).with_columns(members=size)


@made_of("segments/membership", segment=pl.String(), other=pl.String(), both=pl.Int64(), jaccard=pl.Float64())
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
    sizes = audiences(lake).filter((pl.col("entity") == entity) & (pl.col("members") > 0)).head(most)
    largest = {"segment": sizes["segment"].to_list(), "status": ["realized"]}
    members = lake.scan("segments/membership", only=largest).select("segment", "profile_id")
    shared = members.join(members.rename({"segment": "other"}), on="profile_id").group_by("segment", "other")
    both = read(lake, shared.agg(both=nw.len().cast(nw.Int64)))
    size = sizes.select("segment", "members")
    pairs = (
        size.join(size.rename({"segment": "other", "members": "others"}), how="cross")
        .join(both, on=["segment", "other"], how="left")
        .with_columns(pl.col("both").fill_null(0))
    )
    either = pl.col("members") + pl.col("others") - pl.col("both")
    return pairs.with_columns(jaccard=pl.col("both") / either)

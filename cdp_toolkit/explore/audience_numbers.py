"""The numbers of one audience: who came and went, what sets its members apart, how far they reach, what was sent."""

import narwhals as nw
import polars as pl

from cdp_toolkit.engines import Frame
from cdp_toolkit.explore import numbers
from cdp_toolkit.explore.numbers.reading import count_of, read
from cdp_toolkit.lake import Lake

_LEAST = 5  # members with a trait; of fewer, a share says nothing


def moves(lake: Lake, segment: str) -> pl.DataFrame:
    """Follow who entered and who left.

    Parameters
    ----------
    lake
        Tables of the workspace.
    segment
        Name of the segment.

    Returns
    -------
    polars.DataFrame
        One row per ``changed_at``, rising: ``entered``, ``exited``, and ``members`` from then on.
    """
    own = numbers.trends(lake).filter(pl.col("segment") == segment).sort("changed_at")
    return own.select("changed_at", "entered", "exited", "members")


def intersections(lake: Lake, segment: str, entity: str, *, most: int = 5) -> pl.DataFrame:
    """Count members by exactly which other audiences they are in.

    Parameters
    ----------
    lake
        Tables of the workspace.
    segment
        Name of the segment.
    entity
        What its members are.
    most
        How many other audiences are told apart, those with the most of the members.

    Returns
    -------
    polars.DataFrame
        One row per combination, largest first: ``others``, a sorted list that is empty for members of no other, and
        ``members``.
    """
    schema = pl.Schema({"others": pl.List(pl.String()), "members": pl.Int64()})
    if not lake.exists("segments/membership"):
        return pl.DataFrame(schema=schema)
    is_in: dict[str, list[str | int]] = {"status": ["realized"], "entity": [entity]}
    rows = lake.scan("segments/membership", only=is_in).select("segment", "profile_id")
    own = rows.filter(nw.col("segment") == segment).select("profile_id")
    frame = read(lake, rows.join(own, on="profile_id", how="semi"))
    others = frame.filter(pl.col("segment") != segment)
    largest = others["segment"].value_counts().sort("count", "segment", descending=[True, False]).head(most)["segment"]
    shown = others.filter(pl.col("segment").is_in(largest.implode()))
    combined = shown.group_by("profile_id").agg(pl.col("segment").sort().alias("others"))
    every = frame.select("profile_id").unique().join(combined, on="profile_id", how="left")
    every = every.with_columns(pl.col("others").fill_null(pl.lit([], dtype=pl.List(pl.String))))
    counted = every.group_by("others").agg(members=pl.len()).cast(schema)
    return counted.sort("members", pl.col("others").list.join(","), descending=[True, False])


def lift(lake: Lake, segment: str, entity: str, column: str, *, most: int = 8) -> pl.DataFrame:
    """Compare how frequent the values of a column are in an audience and among all.

    Parameters
    ----------
    lake
        Tables of the workspace.
    segment
        Name of the segment.
    entity
        What its members are.
    column
        A column that names nobody, such as ``country``.
    most
        How many values, those that differ most.

    Returns
    -------
    polars.DataFrame
        One row per ``value``: ``inside`` and ``everywhere``, the shares in per cent, and ``lift``, how many times as
        frequent it is in the audience; the largest first.
    """
    profiles = lake.scan(f"profiles/{entity}").select("profile_id", value=nw.col(column).cast(nw.String))
    own = lake.scan("segments/membership", only={"segment": [segment], "status": ["realized"]}).select("profile_id")
    inside = _counted(lake, profiles.join(own, on="profile_id", how="semi"), "inside")
    everywhere = _counted(lake, profiles, "everywhere")
    both = everywhere.join(inside, on="value", how="left").with_columns(pl.col("inside").fill_null(0))
    shares = both.with_columns(pl.col("inside", "everywhere") / pl.col("inside", "everywhere").sum() * 100, _n="inside")
    told = shares.filter(pl.col("_n") >= _LEAST).drop("_n").drop_nulls("value")
    told = told.with_columns(lift=pl.col("inside") / pl.col("everywhere"))
    chosen = told.top_k(most, by=(pl.col("lift").log().abs() * pl.col("inside").sqrt()))
    return chosen.sort("lift", "value", descending=[True, False])


def reach(lake: Lake, segment: str, entity: str) -> pl.DataFrame:
    """Follow members over what they are related to.

    Parameters
    ----------
    lake
        Tables of the workspace.
    segment
        Name of the segment.
    entity
        What its members are.

    Returns
    -------
    polars.DataFrame
        One row per ``stage``, each a part of the one before: its ``count``.
    """
    own = lake.scan("segments/membership", only={"segment": [segment], "status": ["realized"]}).select("profile_id")
    stages = _of_people(lake) if entity == "person" else _of_accounts(lake)
    rows, left = [("Members", own)], own
    for stage, ids in stages.items():
        left = left.join(ids, left_on="profile_id", right_on="_id", how="semi")
        rows.append((stage, left))
    counted = [(stage, count_of(lake, each)) for stage, each in rows]
    return pl.DataFrame(counted, schema={"stage": pl.String, "count": pl.Int64}, orient="row")


def sent(lake: Lake, segment: str) -> pl.DataFrame:
    """Count what destinations were sent of an audience.

    Parameters
    ----------
    lake
        Tables of the workspace.
    segment
        Name of the segment.

    Returns
    -------
    polars.DataFrame
        One row per ``destination``, ``action``, ``outcome`` and ``reason``: ``rows``, most first.
    """
    return numbers.deliveries(lake).filter(pl.col("audience") == segment).drop("audience")


def _counted(lake: Lake, rows: Frame, name: str) -> pl.DataFrame:
    counted = rows.group_by("value").agg(nw.len().cast(nw.Int64).alias(name))
    return read(lake, counted)


def _of_people(lake: Lake) -> dict[str, Frame]:
    people, roles = lake.scan("profiles/person"), lake.scan("profiles/opportunity_person")
    return {
        "With an e-mail address": people.filter(~nw.col("email").is_null()).select(_id="profile_id"),
        "At an account": lake.scan("profiles/person_account").select(_id="profile_id"),
        "With a role on a deal": roles.select(_id="profile_id"),
        "On an open deal": roles.join(_open(lake), left_on="opportunity_id", right_on="_deal", how="semi").select(
            _id="profile_id"
        ),
    }


def _of_accounts(lake: Lake) -> dict[str, Frame]:
    deals, pairs = lake.scan("profiles/opportunity"), lake.scan("profiles/person_account")
    reachable = lake.scan("profiles/person").filter(~nw.col("email").is_null()).select("profile_id")
    return {
        "With people": pairs.select(_id="account_id"),
        "With an e-mail address": pairs.join(reachable, on="profile_id", how="semi").select(_id="account_id"),
        "With a deal": deals.select(_id="account_id"),
        "With an open deal": deals.filter(~nw.col("is_closed")).select(_id="account_id"),
    }


def _open(lake: Lake) -> Frame:
    return lake.scan("profiles/opportunity").filter(~nw.col("is_closed")).select(_deal="profile_id")

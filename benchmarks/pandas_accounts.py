"""What accounts add up to, whom they belong to and what relates them, in pandas; part of ``pandas_profiles``."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from cdp_toolkit.model.companies import company_domain, company_family
from cdp_toolkit.profiles import hierarchy, related, rollups

Frame = Any  # a pandas DataFrame
Column = Any  # a pandas Series
Array = Any  # a NumPy array


def add_up(tables: Mapping[str, Frame], stated: Frame, as_of: datetime) -> dict[str, Frame]:
    """Return accounts and people with what is worked out of others, and the tables that are made of accounts."""
    events, deals, ties = tables["event"], tables["opportunity"], tables["person_account"]
    pipelines, accounts = account_pipelines(deals), add_places(tables["account"])
    people = tables["person"].assign(visits_30d=lambda rows: visits_of(events, rows["profile_id"], as_of))
    visits = ties.merge(people[["profile_id", "visits_30d"]]).groupby("account_id")["visits_30d"].sum()
    pairs, left_out = related_accounts(accounts, stated)
    rolled_up = roll_up(accounts, pipelines, ties, events)
    return {
        "person": people,
        "account": rolled_up.assign(visits_30d_of_people=_laid(visits.astype("float64"), rolled_up["profile_id"])),
        "account_pipeline": pipelines,
        "account_role": account_roles(tables["account_person"], tables["opportunity_person"], deals),
        "account_descendant": list_descendants(accounts),
        "account_cycle": list_cycles(accounts),
        "account_account": pairs,
        "large_account_group": left_out,
    }


def person_accounts(records: Frame, ties: Frame) -> Frame:
    """Return which accounts people work for: those that their records name, and those of ties that are not inactive."""
    told = pd.concat([records, ties[ties["is_active"].fillna(value=True)]])[["profile_id", "account_id"]]
    return told.dropna().drop_duplicates().sort_values("profile_id")


def account_pipelines(deals: Frame) -> Frame:
    """Add up the opportunities of each account, a currency at a time."""
    deals = deals[deals["account_id"].notna()]
    is_open, is_won, is_lost = ~deals["is_closed"], deals["is_won"], deals["is_closed"] & ~deals["is_won"]
    flags = {"open_opportunities": is_open, "won_opportunities": is_won, "lost_opportunities": is_lost}
    flags = {name: flag.fillna(value=False).astype("bool") for name, flag in flags.items()}
    amounts = {"open_pipeline": flags["open_opportunities"], "won_revenue": flags["won_opportunities"]}
    amounts = {name: deals["amount"].fillna(0).where(flag, 0) for name, flag in amounts.items()}
    summed = deals.assign(**flags, **amounts).groupby(["account_id", "currency"], dropna=False, as_index=False).agg(
        opportunities=("profile_id", "size"), **{name: (name, "sum") for name in (*flags, *amounts)},
        first_opportunity_at=("created_at", "min"), last_opportunity_at=("created_at", "max"),
    )  # fmt: skip
    key = summed["account_id"].astype("str") + ":" + summed["currency"].fillna("")
    return summed.assign(profile_id=summed["account_id"], source_key=key)


def account_roles(ties: Frame, on_deals: Frame, deals: Frame) -> Frame:
    """Count the people of each account by their role."""
    columns = ["account_id", "role", "profile_id"]
    active = ties[ties["is_active"].fillna(value=True)]
    listed = active.drop(columns="role").explode("roles").rename(columns={"roles": "role"}).astype({"role": "str"})
    accounts = deals[["account_id"]].assign(opportunity_id=deals["profile_id"])
    told = pd.concat([rows[columns] for rows in (active, listed, on_deals.merge(accounts, on="opportunity_id"))])
    counted = told.dropna().drop_duplicates().groupby(columns[:2], as_index=False).agg(people=("profile_id", "size"))
    key = counted["account_id"].astype("str") + ":" + counted["role"]
    return counted.assign(profile_id=counted["account_id"], source_key=key)


def roll_up(accounts: Frame, pipelines: Frame, ties: Frame, events: Frame) -> Frame:
    """Give accounts what their deals and people add up to."""
    counts = ["opportunities", "open_opportunities", "won_opportunities", "lost_opportunities"]
    first_last = {"first_opportunity_at": "min", "last_opportunity_at": "max"}
    totals = pipelines.groupby("account_id").agg(dict.fromkeys(counts, "sum") | first_last)
    weight = pipelines["opportunities"].where(pipelines["currency"].notna(), 0)
    main = pipelines.assign(weight=weight).sort_values(["weight", "currency"], ascending=[False, True])
    main = main.drop_duplicates("account_id").set_index("account_id")
    main = main[["currency", "open_pipeline", "won_revenue"]].rename(columns={"currency": "pipeline_currency"})
    kinds = events["event_type"].cat.categories
    is_own = ~kinds.str.startswith(rollups.NO_ENGAGEMENT) | (kinds == rollups._ENGAGEMENT)  # noqa: SLF001 - counted alike
    last = events[events["event_type"].isin(kinds[is_own])].groupby("profile_id")["timestamp"].max()
    met = ties.merge(last.rename("last_engagement_at"), left_on="profile_id", right_index=True)
    people = ties.groupby("account_id").agg(people_count=("profile_id", "size"))
    parts = totals.join([main, people, met.groupby("account_id")[["last_engagement_at"]].max()], how="outer")
    rows = accounts.merge(parts, left_on="profile_id", right_index=True, how="left")
    whole = dict.fromkeys([*counts, "people_count"], "Int64")
    rows = rows.fillna(dict.fromkeys([*whole, "open_pipeline", "won_revenue"], 0)).astype(whole)
    return rows.rename(columns={"opportunities": "opportunities_count"})


def visits_of(events: Frame, people: Column, as_of: datetime) -> Any:
    """Count the pages that people saw in the last 30 days."""
    is_visit = events["event_type"] == "web.webpagedetails.pageViews"
    is_recent = events["timestamp"].between(as_of - timedelta(days=30), as_of)
    return _laid(events.loc[is_visit & is_recent, "profile_id"].value_counts(), people)


def _laid(values: Column, ids: Column) -> Any:
    return values.reindex(ids, fill_value=0).array


def add_places(accounts: Frame) -> Frame:
    """Say where each account stands among its parents; nowhere if these go round in a circle."""
    ids, own, parent, has_parent = _parents(accounts)
    top, depth = _tops(parent, has_parent)
    is_known = ~has_parent[top][own]
    places = {"ultimate_parent_id": ids[top][own], "hierarchy_depth": depth[own]}
    return accounts.assign(**{name: pd.Series(place, dtype="Int64").where(is_known) for name, place in places.items()})


def _parents(accounts: Frame) -> tuple[Array, Array, Array, Array]:
    """Return the ids of accounts and parents, the place of each account among them, each one's parent (itself without one)."""
    told = accounts[["profile_id", "parent_id"]].to_numpy("int64", na_value=-1)
    places, ids = pd.factorize(told.T.ravel())
    own, parent, has_parent = places[: len(told)], np.arange(len(ids)), np.zeros(len(ids), np.bool_)
    is_told = told[:, 1] >= 0
    parent[own[is_told]], has_parent[own[is_told]] = places[len(told) :][is_told], True
    return ids, own, parent, has_parent


def _tops(parent: Array, has_parent: Array) -> tuple[Array, Array]:
    """Return the furthest ancestor of each and how far up it is, looking twice as far each time.

    One that has a parent so far up goes round in a circle.
    """
    top, depth = parent, has_parent.astype(np.int64)
    for _ in range(len(parent).bit_length() + 1):
        top, depth = top[top], depth + depth[top]
    return top, depth


def list_cycles(accounts: Frame) -> Frame:
    """Return the accounts that are their own ancestors."""
    ids, own, parent, has_parent = _parents(accounts)
    top, _ = _tops(parent, has_parent)
    members = np.unique(top[has_parent[top]])  # looked up far enough, every member of a circle is seen by one
    least, step = ids, parent
    for _ in range(len(ids).bit_length() + 1):
        least, step = np.minimum(least, least[step]), step[step]
    rows = accounts[["profile_id", "account_name", "parent_id"]].assign(cycle_id=least[own])
    return rows[np.isin(own, members)]


def list_descendants(accounts: Frame) -> Frame:
    """Return who is below whom, a level at a time."""
    below = accounts.loc[accounts["hierarchy_depth"] > 0, ["parent_id", "profile_id"]]
    level, up = (below.set_axis(names, axis=1) for names in (["account_id", "descendant_id"], ["above", "account_id"]))
    levels = [level.assign(levels=1)]
    while len(level) and len(levels) < hierarchy.MAX_LEVELS:
        level = level.merge(up, on="account_id").drop(columns="account_id").rename(columns={"above": "account_id"})
        levels.append(level.assign(levels=len(levels) + 1))
    return pd.concat(levels)[["account_id", "descendant_id", "levels"]]


def related_accounts(accounts: Frame, stated: Frame) -> tuple[Frame, Frame]:
    """Return pairs of related accounts with the reasons, both ways, and the groups that are too large to pair."""
    groups = _groups(accounts)
    groups["accounts"] = groups.groupby(["reason", "value"])["account_id"].transform("size")
    left_out = groups[groups["accounts"] > related.MAX_GROUP].drop(columns="account_id").drop_duplicates()
    paired = groups[groups["accounts"].between(2, related.MAX_GROUP)]
    paired = paired.merge(paired.rename(columns={"account_id": "related_id"}), on=["reason", "value"])
    parents = accounts.rename(columns={"profile_id": "account_id", "parent_id": "related_id"})
    told = {"stated": stated, "parent": parents} | dict(tuple(paired.groupby("reason")))
    flags = {reason: 1 << place for place, reason in enumerate(related.REASONS)}
    one_way = pd.concat([rows[["account_id", "related_id"]].assign(reason=flags[why]) for why, rows in told.items()])
    back = one_way.rename(columns={"account_id": "related_id", "related_id": "account_id"})
    both = pd.concat([one_way, back]).dropna().drop_duplicates().query("account_id != related_id")
    pairs = both.groupby(["account_id", "related_id"], as_index=False)["reason"].sum()
    words = [", ".join(why for why, flag in flags.items() if told & flag) for told in range(1 << len(flags))]
    return pairs.assign(reason=pd.array(words, "str").take(pairs["reason"])), left_out


def _groups(accounts: Frame) -> Frame:
    """Return one row per account and group that it is in."""
    told = [
        ("family", accounts["parent_id"].astype("str")),
        ("family", accounts["ultimate_parent_id"].astype("str")),
        ("domain", _asked(accounts["domain"], company_domain).fillna(_asked(accounts["website"], company_domain))),
        ("name", _asked(accounts["account_name"], company_family)),
    ]
    rows = [pd.DataFrame({"account_id": accounts["profile_id"], "reason": why, "value": value}) for why, value in told]
    return pd.concat(rows).dropna().drop_duplicates()


def _asked(column: Column, answer: Callable[[str], str | None]) -> Column:
    """Return what a function says of each text, asked once for each that occurs."""
    codes, texts = pd.factorize(column)
    return pd.Series(pd.array([answer(text) for text in texts], "str").take(codes, allow_fill=True), column.index)

"""Campaigns and static lists, with their members.

A campaign is one thing that Salesforce keeps as a campaign and Marketo as a program; some are in one system only.
"""

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from cdp_toolkit.demo.dice import Dice, days_before, lasting, only
from cdp_toolkit.demo.words import CHANNELS, LISTS

ANSWERS = {"Invited": 0.5, "Clicked": 0.2, "Registered": 0.15, "Attended": 0.15}


def campaign_count(persons: int) -> int:
    """Return how many campaigns a world of so many people has.

    Parameters
    ----------
    persons
        Number of people.

    Returns
    -------
    int
        From 24 to 2,000.
    """
    return min(24 + persons // 250, 2000)


def make_campaigns(persons: int, as_of: datetime, dice: Dice) -> pl.DataFrame:
    """Make the campaigns; three in ten cost more than their budget.

    Parameters
    ----------
    persons
        Number of people in the world.
    as_of
        Some campaigns end later.
    dice
        Chance of this part.

    Returns
    -------
    polars.DataFrame
        One row a campaign: ``campaign``, ``campaign_name``, ``channel``, ``budget`` and ``cost`` (dollars),
        ``parent`` (or null), ``starts_at``, ``ends_at``, ``is_active``, ``in_crm``, ``in_marketo``.
    """
    rows = campaign_count(persons)
    number = np.arange(rows)
    budget = np.round(dice.lognormal(80, 0.8, rows=rows)) * 100
    started = dice.whole(5, 540, rows=rows)
    lasts = dice.whole(1, 60, rows=rows)
    in_crm = dice.chance(0.8, rows=rows)
    return (
        pl.DataFrame({"campaign": number, "budget": budget})
        .with_columns(
            dice.pick(list(CHANNELS), rows=rows, weights=list(CHANNELS.values())).alias("channel"),
            cost=np.round(budget * (0.7 + 0.45 * dice.share(rows=rows)), 2),
            parent=only(number // 6 * 6, dice.chance(0.5, rows=rows) & pl.Series(number % 6 > 0)),
            starts_at=days_before(as_of, started.astype(np.float64)),
            ends_at=days_before(as_of, (started - lasts).astype(np.float64)),
            is_active=pl.Series(started < lasts),
            in_crm=in_crm | pl.Series(number % 6 == 0),
            in_marketo=~in_crm | dice.chance(0.85, rows=rows),
        )
        .with_columns(
            campaign_name=pl.format("{} {} {}", pl.col("starts_at").dt.strftime("%Y-%m"), "channel", "campaign")
        )
    )


def make_campaign_members(campaigns: pl.DataFrame, records: pl.DataFrame, mean: float, dice: Dice) -> pl.DataFrame:
    """Make records members of campaigns, some of many, most of few.

    Parameters
    ----------
    campaigns
        The campaigns of one system: ``campaign``, ``starts_at``.
    records
        Records of the same system; the first column is their id.
    mean
        Memberships per record.
    dice
        Chance of this part.

    Returns
    -------
    polars.DataFrame
        One row a campaign and record: ``member`` (number), ``campaign``, the record's id, ``status``,
        ``has_responded``, ``joined_at``, ``responded_at`` (or null).
    """
    record = np.repeat(np.arange(records.height), dice.counts(mean, dice.power(rows=records.height)))
    chosen = campaigns["campaign"].gather(dice.whole(0, campaigns.height - 1, rows=record.size))
    pairs = pl.DataFrame({"campaign": chosen, "record": record}).unique(maintain_order=True)
    rows = pairs.height
    status = dice.pick(list(ANSWERS), rows=rows, weights=list(ANSWERS.values()))
    waited = lasting(3600 * dice.whole(1, 200, rows=rows))
    return (
        pairs.with_row_index("member")
        .join(campaigns.select("campaign", joined_at="starts_at"), on="campaign", how="left", maintain_order="left")
        .with_columns(
            records.to_series(0).gather(pairs["record"]),
            status.alias("status"),
            has_responded=status.is_in(["Registered", "Attended"]),
            joined_at=pl.col("joined_at") + lasting(60 * dice.whole(0, 2000, rows=rows)),
        )
        .with_columns(responded_at=pl.when("has_responded").then(pl.col("joined_at") + waited))
        .drop("record")
    )


def make_lists(as_of: datetime, dice: Dice) -> pl.DataFrame:
    """Make the static lists.

    Parameters
    ----------
    as_of
        All lists are older.
    dice
        Chance of this part.

    Returns
    -------
    polars.DataFrame
        One row a list: ``list``, ``list_name``, ``created_at``.
    """
    created_at = dice.before(as_of, (200, 800), rows=len(LISTS))
    return pl.DataFrame({"list": np.arange(len(LISTS)) + 1001, "list_name": LISTS, "created_at": created_at})


def make_list_members(lists: pl.DataFrame, leads: pl.DataFrame, as_of: datetime, dice: Dice) -> pl.DataFrame:
    """Put leads on lists and take some off again.

    Parameters
    ----------
    lists
        The lists.
    leads
        Marketo's leads: ``lead``, ``created_at``.
    as_of
        Nobody is put on a list later.
    dice
        Chance of this part.

    Returns
    -------
    polars.DataFrame
        One row a list and lead: ``member`` (number), ``list``, ``lead``, ``is_deleted`` (taken off again),
        ``created_at``, ``updated_at``.
    """
    rows = int(leads.height * 0.45)
    place = dice.whole(0, leads.height - 1, rows=rows)
    pairs = pl.DataFrame({
        "list": lists["list"].gather(dice.index(list(range(3, 3 + lists.height)), rows=rows)),
        "lead": leads["lead"].gather(place),
        "known_at": leads["created_at"].gather(place),
    }).unique(["list", "lead"], keep="first", maintain_order=True)  # fmt: skip
    is_deleted = dice.chance(0.12, rows=pairs.height)
    since_s = (pl.lit(as_of) - pl.col("known_at")).dt.total_seconds() * pl.Series(dice.share(rows=pairs.height))
    created_at = pl.col("known_at") + pl.duration(seconds=since_s.cast(pl.Int64))
    removed_at = pl.min_horizontal(pl.col("created_at") + timedelta(days=9), pl.lit(as_of))
    return (
        pairs.with_row_index("member")
        .with_columns(created_at=created_at, is_deleted=is_deleted)
        .with_columns(updated_at=pl.when("is_deleted").then(removed_at).otherwise("created_at"))
        .drop("known_at")
    )

"""What happened to leads in the system: new, on and off lists, in programs, opted out, merged, deleted."""

from datetime import datetime, timedelta

import polars as pl

from cdp_toolkit.demo.activities import VARIANT, Activities, variants
from cdp_toolkit.demo.behaviour import MONTHS_18
from cdp_toolkit.demo.campaigns import ANSWERS
from cdp_toolkit.demo.words import LEAD_SOURCES, SITE


def lifecycle(
    leads: pl.DataFrame,
    *,
    programs: pl.DataFrame,
    program_members: pl.DataFrame,
    lists: pl.DataFrame,
    list_members: pl.DataFrame,
    as_of: datetime,
) -> list[Activities]:
    """Log what happened to leads.

    Parameters
    ----------
    leads
        Marketo's leads, also those merged away: ``person``, ``lead``, ``kind``, ``is_opted_out``, times.
    programs, program_members
        Programs and who is in them.
    lists, list_members
        Lists and who is or was on them.
    as_of
        Nothing happens later.

    Returns
    -------
    list of Activities
        Types 9, 12, 24, 25, 32, 37 and 104; merges and deletions all, the others of the last 18 months.
    """
    is_recent = pl.col("at").is_between(pl.lit(as_of - MONTHS_18), pl.lit(as_of))
    recent = [
        _new(leads),
        _opted_out(leads.filter("is_opted_out", pl.col("kind") == "primary")),
        _listed(24, lists, list_members.rename({"created_at": "at"})),
        _listed(25, lists, list_members.filter("is_deleted").rename({"updated_at": "at"})),
        _progressed(programs, program_members),
    ]
    kept = [Activities(each.actions.filter(is_recent), each.variants) for each in recent]
    return [*kept, _merged(leads, as_of), _deleted(leads, as_of)]


def _new(leads: pl.DataFrame) -> Activities:
    table = variants((12, None, n, "New lead", {"Lead Source": name}, 1.0) for n, name in enumerate(LEAD_SOURCES))
    variant = pl.col("lead") % table.height
    return Activities(leads.filter("is_exported").select("lead", at="created_at", variant=variant), table)


def _opted_out(leads: pl.DataFrame) -> Activities:
    table = variants([(9, None, 2000, "Newsletter", {"Webpage ID": 9099, "Referrer URL": f"{SITE}/unsubscribe"}, 1.0)])
    return Activities(leads.select("lead", at="updated_at", variant=pl.lit(0)), table)


def _listed(kind: int, lists: pl.DataFrame, members: pl.DataFrame) -> Activities:
    table = variants((kind, None, number, name, {}, 1.0) for number, name in lists.select("list", "list_name").rows())
    return Activities(members.select("lead", "at", variant=pl.col("list") - lists["list"][0]), table)


def _progressed(programs: pl.DataFrame, members: pl.DataFrame) -> Activities:
    table = variants(
        (104, None, program, name, {"New Status": status, "Old Status": "Not in Program", "Success": False}, 1.0)
        for program, name in programs.select("program", "campaign_name").rows()
        for status in ANSWERS
    )
    place = pl.DataFrame({"campaign": programs["campaign"], "place": pl.arange(0, programs.height, eager=True)})
    status = pl.col("status").replace_strict({name: n for n, name in enumerate(ANSWERS)}, return_dtype=pl.Int64)
    placed = members.join(place, on="campaign", how="left", maintain_order="left")
    return Activities(placed.select("lead", at="joined_at", variant=pl.col("place") * len(ANSWERS) + status), table)


def _merged(leads: pl.DataFrame, as_of: datetime) -> Activities:
    """Say of each winner which lead it took in; the loser's id is all that links what came with it."""
    winners = leads.filter(pl.col("kind") == "primary").select("person", "lead", "updated_at")
    losers = leads.filter(pl.col("kind") == "merged").select("person", loser="lead")
    merges = losers.join(winners, on="person", how="left", maintain_order="left")
    attributes = (
        '{"Merge IDs": "[' + pl.col("loser").cast(pl.String) + ']", "Master Updated": true, "Merge Source": "ui"}'
    )
    return _each(merges, 32, attributes, as_of)


def _deleted(leads: pl.DataFrame, as_of: datetime) -> Activities:
    return _each(leads.filter(pl.col("kind") == "deleted"), 37, pl.lit('{"Campaign": ""}'), as_of)


def _each(rows: pl.DataFrame, kind: int, attributes: pl.Expr, as_of: datetime) -> Activities:
    """Give every row a variant of its own."""
    at = pl.max_horizontal("updated_at", pl.lit(as_of - MONTHS_18)) + timedelta(minutes=1)
    last = pl.lit(as_of - timedelta(minutes=1))
    actions = rows.select("lead", at=pl.min_horizontal(at, last), variant=pl.int_range(pl.len()))
    table = rows.select(
        activityTypeId=pl.lit(kind), campaignId=None, primaryAttributeValueId="lead",
        primaryAttributeValue=pl.format("Lead {}", "lead"), attributes=attributes, weight=1.0,
    )  # fmt: skip
    return Activities(actions, table.cast(VARIANT))

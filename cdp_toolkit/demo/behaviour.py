"""What leads do by themselves: visits, forms, links, e-mails, scores."""

from datetime import datetime, timedelta
from itertools import product

import numpy as np
import polars as pl

from cdp_toolkit.demo.activities import Activities, variants
from cdp_toolkit.demo.dice import Dice, Whole, lasting
from cdp_toolkit.demo.words import BROWSERS, FORMS, PAGES, QUERIES, REFERRERS, SITE

MONTHS_18 = timedelta(days=548)


def browse(leads: pl.DataFrame, buyers: pl.Series, as_of: datetime, dice: Dice) -> list[Activities]:
    """Let leads visit pages, fill out forms and click links; those about to buy have read the prices lately.

    Parameters
    ----------
    leads
        Marketo's leads: ``lead``, ``created_at``.
    buyers
        Leads of people about to buy.
    as_of
        Nothing happens later.
    dice
        Chance of this part.

    Returns
    -------
    list of Activities
        Visits (1), forms (2) and links (3).
    """
    agents = list(BROWSERS.items())
    pages = variants(
        (1, None, 9000 + n, SITE.removeprefix("https://") + page,
         {"Webpage URL": SITE + page, "Query Parameters": query, "Referrer URL": referrer, "User Agent": agent},
         PAGES[page] * QUERIES[query] * REFERRERS[referrer] * often)
        for (n, page), query, referrer, (agent, often) in product(enumerate(PAGES), QUERIES, REFERRERS, agents)
    )  # fmt: skip
    forms = variants(
        (2, None, 300 + n, form, {"Webpage ID": 9011, "Query Parameters": "", "User Agent": agent}, FORMS[form] * often)
        for (n, form), (agent, often) in product(enumerate(FORMS), agents)
    )
    links = variants(
        (3, None, 500 + n, f"{SITE}/files/{name}.pdf", {"Webpage ID": 9005, "Query Parameters": ""}, 1.0)
        for n, name in enumerate(("guide", "datasheet", "case-study"))
    )
    found = [_scattered(leads, table, mean, as_of, dice) for table, mean in ((pages, 2.9), (forms, 0.25), (links, 0.3))]
    return [*found, _burst(buyers, pages, as_of, dice)]


def mail(leads: pl.DataFrame, campaigns: pl.DataFrame, as_of: datetime, dice: Dice) -> list[Activities]:
    """Send e-mails, of which some bounce and some are opened and clicked.

    Parameters
    ----------
    leads
        Marketo's leads: ``lead``, ``created_at``.
    campaigns
        Marketo's programs: ``campaign``, ``campaign_name``.
    as_of
        Nothing happens later.
    dice
        Chance of this part.

    Returns
    -------
    list of Activities
        Sent (6), delivered (7), bounced (8), opened (10) and clicked (11).
    """
    mailings = campaigns.select("campaign", "campaign_name").rows()
    more: dict[int, dict[str, object]] = {
        6: {"Campaign Run ID": 1, "Step ID": 1},
        7: {"Campaign Run ID": 1, "Step ID": 1},
        8: {"Category": "2", "Details": "550 5.1.1 mailbox unavailable", "Subcategory": "2001"},
        10: {"Device": "unknown", "Is Mobile Device": False, "Platform": "unknown", "User Agent": "unknown"},
        11: {"Link": f"{SITE}/webinars", "Device": "unknown", "Is Mobile Device": False, "Platform": "unknown"},
    }
    tables = {
        kind: variants((kind, 4000 + n, 2000 + n, f"{name}.E-mail", extra, 1.0) for n, name in mailings)
        for kind, extra in more.items()
    }
    sent = _scattered(leads, tables[6], 1.05, as_of, dice)
    is_bounced = dice.chance(0.03, rows=sent.actions.height)
    delivered, bounced = (_later(sent.actions.filter(is_it), 1, 60, dice) for is_it in (~is_bounced, is_bounced))
    opened = _later(delivered.filter(dice.chance(0.36, rows=delivered.height)), 60, 90_000, dice)
    clicked = _later(opened.filter(dice.chance(0.25, rows=opened.height)), 5, 600, dice)
    stages = {7: delivered, 8: bounced, 10: opened, 11: clicked}
    return [sent, *(Activities(rows.filter(pl.col("at") < as_of), tables[kind]) for kind, rows in stages.items())]


def score(leads: pl.DataFrame, as_of: datetime, dice: Dice) -> list[Activities]:
    """Change scores and fields, and note interesting moments.

    Parameters
    ----------
    leads
        Marketo's leads: ``lead``, ``created_at``.
    as_of
        Nothing happens later.
    dice
        Chance of this part.

    Returns
    -------
    list of Activities
        Changes of fields (13) and scores (22), interesting moments (46).
    """
    scores = variants(
        (
            22,
            None,
            21,
            "Lead Score",
            {"Change Value": f"+{n}", "Old Value": old, "New Value": old + n, "Reason": "Web"},
            1,
        )
        for n, old in product((1, 5, 10), range(0, 90, 5))
    )
    changes = variants(
        (13, None, 40, "Lead Status", {"Old Value": old, "New Value": new, "Reason": "Sync", "Source": "CRM"}, 1.0)
        for old, new in (("Open", "Working"), ("Working", "Qualified"), ("Working", "Disqualified"))
    )
    moments = variants(
        (46, None, n, kind, {"Description": text, "Source": "Campaign"}, 1.0)
        for n, (kind, text) in enumerate((("Web", "Visited the pricing page"), ("Email", "Clicked an e-mail")), start=1)
    )
    means = ((scores, 0.6), (changes, 0.15), (moments, 0.1))
    return [_scattered(leads, table, mean, as_of, dice) for table, mean in means]


def _scattered(leads: pl.DataFrame, table: pl.DataFrame, mean: float, as_of: datetime, dice: Dice) -> Activities:
    """Let few leads do much and most little, since they are known, rather lately than long ago."""
    counts = dice.counts(mean, dice.power(rows=leads.height))
    chosen = leads.select("lead", "created_at")[np.repeat(np.arange(leads.height), counts)]
    rows = chosen.height
    start = pl.max_horizontal("created_at", pl.lit(as_of - MONTHS_18))
    ago_s = (pl.lit(as_of) - start).dt.total_seconds() * pl.Series(dice.early(1.4, rows=rows))
    at = pl.lit(as_of) - pl.duration(seconds=ago_s.cast(pl.Int64) + 1)
    return Activities(chosen.select("lead", at=at, variant=pl.Series(_which(table, rows, dice))), table)


def _burst(buyers: pl.Series, pages: pl.DataFrame, as_of: datetime, dice: Dice) -> Activities:
    """Let buyers read the prices three to seven times in the last twelve days."""
    lead = buyers.gather(np.repeat(np.arange(buyers.len()), dice.whole(3, 7, rows=buyers.len())))
    at = dice.before(as_of, (0.01, 12), rows=lead.len())
    prices = pages.filter(pl.col("primaryAttributeValue").str.contains("/pricing"))
    return Activities(pl.DataFrame({"lead": lead, "at": at, "variant": _which(prices, lead.len(), dice)}), prices)


def _which(table: pl.DataFrame, rows: int, dice: Dice) -> Whole:
    return dice.index(table["weight"].to_numpy(), rows=rows)


def _later(actions: pl.DataFrame, low_s: int, high_s: int, dice: Dice) -> pl.DataFrame:
    waited = lasting(dice.whole(low_s, high_s, rows=actions.height))
    return actions.with_columns(at=pl.col("at") + waited)

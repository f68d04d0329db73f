"""Visits to the website as the web analytics exports them: XDM events that know a browser, not a name."""

from datetime import datetime
from itertools import product

import numpy as np
import polars as pl

from cdp_toolkit.demo.dice import Dice, Real, lasting
from cdp_toolkit.demo.keys import REGISTRY, SALESFORCE
from cdp_toolkit.demo.people import make_ecids
from cdp_toolkit.demo.words import BROWSERS, PAGES, REFERRERS, SITE

PAGE_VIEW = "web.webpagedetails.pageViews"
LINK_CLICK = "web.webinteraction.linkClicks"
ANONYMOUS = 0.25  # of the browsers belong to nobody we know


def make_web_events(devices: pl.DataFrame, buyers: pl.Series, as_of: datetime, dice: Dice) -> pl.DataFrame:
    """Make the visits of all browsers.

    Parameters
    ----------
    devices
        Browsers of people: ``person``, ``ecid``.
    buyers
        People about to buy: they visit twice as often.
    as_of
        Nothing happens later.
    dice
        Chance of this part.

    Returns
    -------
    polars.DataFrame
        One row an event, as XDM: ``_id``, ``eventType``, ``timestamp``, ``identityMap``, ``web``, ``environment``.
    """
    known = devices.with_columns(is_buyer=pl.col("person").is_in(buyers.implode()))
    strangers = make_ecids(int(devices.height * ANONYMOUS), dice)
    ecids = pl.concat([known["ecid"], strangers])
    eager = np.concatenate([1.0 + known["is_buyer"].to_numpy(), np.full(strangers.len(), 0.6)])
    ecid = ecids.gather(np.repeat(np.arange(ecids.len()), dice.counts(1.3, dice.power(rows=ecids.len()) * eager)))
    ago: Real = 540 * dice.early(1.3, rows=ecid.len())
    at = (pl.lit(as_of) - lasting(ago * 86_400 + 1)).alias("timestamp")
    views = _views()
    chosen = views.drop("weight")[dice.index(views["weight"].to_numpy(), rows=ecid.len())]
    identity = pl.concat_list(pl.struct(id=ecid, primary=pl.lit(True)))  # fmt: skip
    events = chosen.with_columns(at, identityMap=pl.struct(ECID=identity)).sort("timestamp", maintain_order=True)
    return events.select(
        pl.format("web-{}", pl.int_range(pl.len()) + 1).alias("_id"),
        "eventType", pl.col("timestamp").dt.strftime("%Y-%m-%dT%H:%M:%S.000Z"), "identityMap", "web", "environment",
    )  # fmt: skip


def make_related_accounts(companies: pl.DataFrame, account_ids: pl.Series, as_of: datetime) -> pl.DataFrame:
    """Say which accounts of the CRM are related otherwise than by parent.

    Parameters
    ----------
    companies
        The companies.
    account_ids
        Id in the CRM by company number, null where it is not there.
    as_of
        Time of the statement.

    Returns
    -------
    polars.DataFrame
        One row an account with a related one, as XDM: ``accountKey``, ``relatedAccountKeys``, ``extSourceSystemAudit``.
    """
    pairs = companies.filter(pl.col("related").is_not_null()).select(
        own=account_ids.gather(companies.filter(pl.col("related").is_not_null())["company"]),
        other=account_ids.gather(companies["related"].drop_nulls()),
    ).drop_nulls()  # fmt: skip
    own, other = (pl.format("{}@{}", name, pl.lit(SALESFORCE)) for name in ("own", "other"))
    return pairs.select(
        accountKey=pl.struct(
            sourceType=pl.lit(REGISTRY.split(".")[1]), sourceInstanceID=pl.lit(REGISTRY.split(".")[0]), sourceID="own",
            sourceKey=pl.format("{}@{}", "own", pl.lit(REGISTRY)),
        ),
        relatedAccountKeys=pl.concat_list(pl.struct(sourceKey=other)),
        extSourceSystemAudit=pl.struct(
            externalKey=pl.struct(sourceKey=own), lastUpdatedDate=pl.lit(as_of.strftime("%Y-%m-%dT%H:%M:%SZ"))
        ),
    )  # fmt: skip


def _views() -> pl.DataFrame:
    """Make every kind of event once; the events are picks from it."""
    rows = [
        {
            "eventType": kind,
            "web": {
                "webPageDetails": {"name": page.strip("/").replace("/", " ") or "home", "URL": SITE + page},
                "webReferrer": {"URL": referrer or None},
                "webInteraction": {"linkURL": f"{SITE}/files/guide.pdf" if kind == LINK_CLICK else None},
            },
            "environment": {"browserDetails": {"userAgent": agent}},
            "weight": PAGES[page] * REFERRERS[referrer] * BROWSERS[agent] * often,
        }
        for page, referrer, agent, (kind, often) in product(
            PAGES, REFERRERS, BROWSERS, ((PAGE_VIEW, 0.9), (LINK_CLICK, 0.1))
        )
    ]
    return pl.DataFrame(rows)

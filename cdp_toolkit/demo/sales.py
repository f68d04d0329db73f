"""Opportunities with the people who have a role on them, and the ties of contacts to accounts."""

from datetime import datetime

import numpy as np
import polars as pl

from cdp_toolkit.demo.companies import ACME
from cdp_toolkit.demo.dice import Dice, Whole, days_before, only
from cdp_toolkit.demo.words import ACCOUNT_ROLES, DEAL_ROLES, LEAD_SOURCES, STAGES


def make_opportunities(companies: pl.DataFrame, campaigns: int, as_of: datetime, dice: Dice) -> pl.DataFrame:
    """Make about one deal for each company of the CRM, more for the large ones.

    Parameters
    ----------
    companies
        The companies.
    campaigns
        How many campaigns there are; some deals name one.
    as_of
        Closed deals closed before it, most open ones are to close after it.
    dice
        Chance of this part.

    Returns
    -------
    polars.DataFrame
        One row a deal: ``opportunity``, ``company``, ``stage``, ``amount`` (dollars), ``is_closed``, ``is_won``,
        ``probability`` (percent), ``category``, ``campaign`` (or null), ``lead_source``, ``created_at``, ``closes_at``.
    """
    known = companies.filter("in_crm")
    deals = dice.counts(0.9, np.sqrt(known["weight"].to_numpy()))
    company = known["company"].gather(np.repeat(np.arange(known.height), deals))
    rows = company.len()
    size = (companies["revenue"].gather(company) / 2e7) ** 0.3
    age = 3 + 540 * dice.share(rows=rows)
    campaign = only(dice.whole(0, campaigns - 1, rows=rows), dice.chance(0.4, rows=rows))
    stage = dice.pick(list(STAGES), rows=rows, weights=[weight for weight, _, _ in STAGES.values()])
    is_closed = stage.str.starts_with("Closed")
    took = np.where(is_closed.to_numpy(), age * (1 - 0.9 * dice.share(rows=rows)), 45 - 150 * dice.share(rows=rows))
    return pl.DataFrame({"opportunity": np.arange(rows), "company": company, "stage": stage}).with_columns(
        amount=(dice.lognormal(1500, 1.3, rows=rows) * size).round() * 100,
        is_closed=is_closed,
        is_won=pl.col("stage") == "Closed Won",
        probability=pl.col("stage").replace_strict({name: STAGES[name][1] for name in STAGES}),
        category=pl.col("stage").replace_strict({name: STAGES[name][2] for name in STAGES}),
        campaign=campaign,
        lead_source=dice.pick(list(LEAD_SOURCES), rows=rows, weights=list(LEAD_SOURCES.values())),
        created_at=days_before(as_of, age),
        closes_at=days_before(as_of, np.minimum(took, age - 1)),
    )


def make_deal_roles(opportunities: pl.DataFrame, contacts: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """Give each deal up to five contacts of its company, no contact twice.

    Parameters
    ----------
    opportunities
        The deals.
    contacts
        Live contacts: ``person``, ``company``, ``contact_id``.
    dice
        Chance of this part.

    Returns
    -------
    polars.DataFrame
        One row a deal and contact: ``opportunity``, ``person``, ``contact_id``, ``role``, ``is_primary``,
        ``created_at``.
    """
    sized = opportunities.select("opportunity", "company", "created_at").join(
        contacts.group_by("company").agg(size=pl.len()), on="company", how="inner", maintain_order="left"
    )
    wanted = np.minimum(dice.whole(1, 5, rows=sized.height), sized["size"].to_numpy())
    seats = sized.with_columns(seat=dice.whole(0, 10**6, rows=sized.height))[np.repeat(np.arange(sized.height), wanted)]
    rows = seats.height
    nth = pl.int_range(pl.len()).over("opportunity")
    return (
        seats.with_columns(is_primary=nth == 0, seat=(pl.col("seat") + nth) % pl.col("size"))
        .join(_seats(contacts), on=["company", "seat"], how="left", maintain_order="left")
        .with_columns(dice.pick(list(DEAL_ROLES), rows=rows, weights=list(DEAL_ROLES.values())).alias("role"))
        .select("opportunity", "person", "contact_id", "role", "is_primary", "created_at")
    )


def make_account_ties(
    people: pl.DataFrame, contacts: pl.DataFrame, companies: pl.DataFrame, dice: Dice
) -> pl.DataFrame:
    """Tie each contact to its account, some to a second one, and former staff to the previous one.

    Parameters
    ----------
    people, contacts, companies
        Who there is; contacts are live ones.
    dice
        Chance of this part.

    Returns
    -------
    polars.DataFrame
        One row a contact and account: ``contact_id``, ``company``, ``roles`` (text with semicolons), ``is_direct``,
        ``is_active``, ``created_at``.
    """
    own = contacts.select("person", "contact_id", "company", "created_at")
    known = companies.filter("in_crm")["company"]
    advisers = own.filter(dice.chance(0.06, rows=own.height))
    elsewhere = known.gather(dice.whole(0, known.len() - 1, rows=advisers.height))
    former = own.drop("company").join(people.select("person", company="previous_company"), on="person", how="inner")
    ties = pl.concat([
        own.with_columns(is_direct=pl.lit(True), is_active=pl.lit(True)),
        advisers.with_columns(elsewhere.alias("company"), is_direct=pl.lit(False), is_active=pl.lit(True)),
        former.filter(pl.col("company").is_in(known.implode()))
        .select("person", "contact_id", "company", "created_at")
        .with_columns(is_direct=pl.lit(False), is_active=pl.lit(False)),
    ]).unique(["contact_id", "company"], keep="first", maintain_order=True)  # fmt: skip
    roles = dice.pick(list(ACCOUNT_ROLES), rows=ties.height, weights=list(ACCOUNT_ROLES.values()))
    is_acme = pl.col("is_direct") & (pl.col("company") == ACME)
    is_chosen = is_acme & (is_acme.cum_sum() <= 2)  # so that Acme has managers in the smallest world
    return ties.with_columns(roles=pl.when(is_chosen).then(pl.lit("Manager")).otherwise(roles))


def _seats(contacts: pl.DataFrame) -> pl.DataFrame:
    return contacts.select("company", "person", "contact_id", seat=pl.int_range(pl.len()).over("company"))


def interested(roles: pl.DataFrame, people: pl.DataFrame, dice: Dice) -> Whole:
    """Return who is about to buy: some of those with a role on a deal, and some vice presidents.

    Parameters
    ----------
    roles
        Roles on deals.
    people
        The people.
    dice
        Chance of this part.

    Returns
    -------
    numpy.ndarray
        Numbers of people, each once, in order.
    """
    on_deals = roles["person"].unique().sort()
    vice_presidents = people.filter(pl.col("level") == "vice president")["person"]
    buyers = on_deals.filter(dice.chance(0.4, rows=on_deals.len()))
    callers = vice_presidents.filter(dice.chance(0.2, rows=vice_presidents.len()))
    return pl.concat([buyers, callers]).unique().sort().to_numpy()

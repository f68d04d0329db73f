"""What the deals and the people of an account add up to.

Amounts of different currencies are never added: ``account_pipeline`` has a row a currency, and the columns of an account
are those of its main currency, the one of most of its opportunities (of two with equally many the first by name; an
amount without a currency counts only where no opportunity of the account has one).
"""

from functools import reduce
from operator import or_

import narwhals as nw

from cdp_toolkit.engines import Frame

# Events that were done to a person or to their record; all others are engagement.
NO_ENGAGEMENT = (
    "directMarketing.emailSent", "directMarketing.emailDelivered", "directMarketing.emailBounced", "leadOperation.",
    "listOperation.", "opportunityEvent.",
)  # fmt: skip
_ENGAGEMENT = "leadOperation.interestingMoment"

_COUNTS = ("opportunities", "open_opportunities", "won_opportunities", "lost_opportunities")
_AMOUNTS = ("open_pipeline", "won_revenue")


def account_pipelines(opportunities: Frame) -> Frame:
    """Add up the opportunities of each account, a currency at a time.

    Parameters
    ----------
    opportunities
        One row per opportunity, with ``account_id``. One that is neither open nor closed by its flags is only counted.

    Returns
    -------
    Frame
        One row per ``account_id`` (also ``profile_id``) and ``currency``, which may be null: number of opportunities,
        open, won and lost; the sums of the open and the won amounts; creation of the first and of the last opportunity.
    """
    is_open, is_won = ~nw.col("is_closed"), nw.col("is_won")
    is_lost = nw.col("is_closed") & ~nw.col("is_won")
    flags = {"opportunities": nw.lit(True), "open_opportunities": is_open, "won_opportunities": is_won,
             "lost_opportunities": is_lost}  # fmt: skip
    amounts = {"open_pipeline": is_open, "won_revenue": is_won}
    known = opportunities.filter(~nw.col("account_id").is_null()).select(
        "account_id", "currency", "created_at",
        **{name: flag.fill_null(False).cast(nw.Int64) for name, flag in flags.items()},
        **{name: nw.when(flag).then(nw.col("amount")).fill_null(0.0) for name, flag in amounts.items()},
    )  # fmt: skip
    summed = known.group_by("account_id", "currency").agg(
        *(nw.col(name).sum() for name in (*_COUNTS, *_AMOUNTS)),
        nw.col("created_at").min().alias("first_opportunity_at"),
        nw.col("created_at").max().alias("last_opportunity_at"),
    )
    key = nw.concat_str(nw.col("account_id").cast(nw.String), nw.coalesce("currency", nw.lit("")), separator=":")
    return summed.select(
        nw.col("account_id").alias("profile_id"), key.alias("source_key"), "currency",
        *(nw.col(name).cast(nw.Int64) for name in _COUNTS), *_AMOUNTS, "first_opportunity_at", "last_opportunity_at",
        "account_id",
    )  # fmt: skip


def account_roles(ties: Frame, opportunity_roles: Frame, opportunities: Frame) -> Frame:
    """Count the people of each account by their role.

    Parameters
    ----------
    ties
        One row per account person relation, re-keyed; those that are not inactive count, with all their roles.
    opportunity_roles
        One row per opportunity person relation, re-keyed.
    opportunities
        One row per opportunity, with ``account_id``.

    Returns
    -------
    Frame
        One row per ``account_id`` (also ``profile_id``) and ``role``: ``people`` who have it at the account or on one
        of its opportunities, each once.
    """
    active = ties.filter(nw.col("is_active").fill_null(value=True))
    listed = active.select("profile_id", "account_id", role="roles").explode("role")
    accounts = opportunities.select("account_id", _opportunity="profile_id")
    on_deals = opportunity_roles.select("profile_id", "opportunity_id", "role").join(
        accounts, left_on="opportunity_id", right_on="_opportunity", how="inner"
    )
    columns = ("profile_id", "account_id", "role")
    roles = nw.concat([rows.select(*columns).drop_nulls() for rows in (active, listed, on_deals)]).unique(list(columns))
    counted = roles.group_by("account_id", "role").agg(people=nw.len())
    key = nw.concat_str(nw.col("account_id").cast(nw.String), nw.col("role"), separator=":")
    return counted.select(
        nw.col("account_id").alias("profile_id"), key.alias("source_key"), "role", nw.col("people").cast(nw.Int64),
        "account_id",
    )  # fmt: skip


def roll_up(accounts: Frame, *, pipelines: Frame, person_accounts: Frame, events: Frame) -> Frame:
    """Give accounts what their deals and people add up to.

    Parameters
    ----------
    accounts
        One row per account.
    pipelines
        As ``account_pipelines`` makes it.
    person_accounts
        One row per person and account they work for.
    events
        One row per event, with the ``profile_id`` of its person.

    Returns
    -------
    Frame
        With the derived columns of ``account.yaml``. Counts and sums are 0 where there is nothing to add, dates null.
    """
    totals = pipelines.group_by("account_id").agg(
        *(nw.col(name).sum() for name in _COUNTS),
        nw.col("first_opportunity_at").min(),
        nw.col("last_opportunity_at").max(),
    )
    people = person_accounts.group_by("account_id").agg(people_count=nw.len())
    parts = (totals, _main_currency(pipelines), people, _last_engagement(person_accounts, events))
    for part in parts:
        accounts = accounts.join(part, left_on="profile_id", right_on="account_id", how="left")
    accounts = accounts.rename({"opportunities": "opportunities_count"})
    return accounts.with_columns(
        *(nw.col(name).cast(nw.Int64).fill_null(0) for name in ("opportunities_count", *_COUNTS[1:], "people_count")),
        *(nw.col(name).fill_null(0.0) for name in _AMOUNTS),
    )


def _main_currency(pipelines: Frame) -> Frame:
    weighed = pipelines.with_columns(
        _weight=nw.when(~nw.col("currency").is_null()).then(nw.col("opportunities")).otherwise(nw.lit(0))
    )
    heaviest = weighed.filter(nw.col("_weight") == nw.col("_weight").max().over("account_id"))
    first = heaviest.with_columns(_first=nw.col("currency").min().over("account_id"))
    main = first.filter(nw.col("currency").is_null() | (nw.col("currency") == nw.col("_first")))
    return main.select("account_id", nw.col("currency").alias("pipeline_currency"), *_AMOUNTS)


def _last_engagement(person_accounts: Frame, events: Frame) -> Frame:
    # Events are reduced to one row a person before any join: a person with 50,000 of them is one row like another.
    kind = nw.col("event_type")
    is_done_to = reduce(or_, (kind.str.starts_with(prefix) for prefix in NO_ENGAGEMENT))
    employed = events.join(person_accounts.select("profile_id").unique(), on="profile_id", how="semi")
    own = employed.filter(~is_done_to | (kind == _ENGAGEMENT))
    last = own.group_by("profile_id").agg(last_engagement_at=nw.col("timestamp").max())
    seen = person_accounts.join(last, on="profile_id", how="inner")
    return seen.group_by("account_id").agg(nw.col("last_engagement_at").max())

"""What belongs to one profile, a few rows of each kind: for people to read, however many there are."""

from collections.abc import Callable
from typing import Any

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame

MOST = 50
"""Rows of each kind that are read."""

Rows = list[dict[str, Any]]
Scan = Callable[[str], Frame]


def neighbours(scan: Scan, engine: Engine, entity: str, profile_id: int) -> dict[str, Rows]:
    """Return what belongs to a person or an account.

    Parameters
    ----------
    scan
        Gives ``profiles/<name>``.
    engine
        Reads the rows.
    entity
        ``person`` or ``account``.
    profile_id
        The profile.

    Returns
    -------
    dict
        Rows by kind, at most ``MOST`` of each: ``components``, ``identities`` and ``accounts`` of a person, ``people``,
        ``opportunities``, ``pipelines`` and ``roles`` of an account.
    """
    kinds = _of_person(scan, profile_id) if entity == "person" else _of_account(scan, profile_id)
    return {kind: engine.collect(rows.head(MOST)).to_pylist() for kind, rows in kinds.items()}


def _of_person(scan: Scan, profile_id: int) -> dict[str, Frame]:
    own = nw.col("profile_id") == profile_id
    ids = scan("person_account").filter(own).select("account_id")
    accounts = scan("account").join(ids, left_on="profile_id", right_on="account_id", how="semi")
    return {
        "components": scan("person_component").filter(own).drop("profile_id", "account_id").sort("source_key"),
        "identities": scan("person_identity").filter(own).select("namespace", "value").sort("namespace", "value"),
        "accounts": accounts.select(
            "profile_id", "account_name", "industry", "billing_country", "open_opportunities", "open_pipeline"
        ).sort("profile_id"),
    }


def _of_account(scan: Scan, profile_id: int) -> dict[str, Frame]:
    own = nw.col("account_id") == profile_id
    ids = scan("person_account").filter(own).select("profile_id")
    people = scan("person").join(ids, on="profile_id", how="semi")
    deals = scan("opportunity").filter(own)
    return {
        "people": people.select("profile_id", "first_name", "last_name", "job_title", "email").sort("profile_id"),
        "opportunities": deals.select(
            "profile_id",
            "opportunity_name",
            "stage",
            "amount",
            "currency",
            "is_closed",
            "is_won",
            "expected_close_date",
        ).sort("expected_close_date", "profile_id", descending=True),
        "pipelines": scan("account_pipeline")
        .filter(own)
        .drop("profile_id", "account_id", "source_key")
        .sort("currency"),
        "roles": scan("account_role").filter(own).select("role", "people").sort("role"),
    }

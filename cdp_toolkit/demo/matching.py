"""How well people without an account were matched to the company that they truly work for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import narwhals as nw


@dataclass(frozen=True)
class MatchQuality:
    """How well people were matched to accounts.

    Parameters
    ----------
    precision
        Share of the matches that name the true company.
    recall
        Share of the people without a stated account, whose company is an account, who were matched to it.
    matches
        How many were matched.
    people
        How many have no stated account and work for a company that is one.
    """

    precision: float
    recall: float
    matches: int
    people: int


def evaluate_matching(scan: Callable[[str], Any], truth: Any, employers: Any) -> MatchQuality:
    """Compare the matches of people to accounts with the truth.

    Parameters
    ----------
    scan
        Gives a table of the lake, as ``Workspace.scan`` does.
    truth, employers
        ``truth/records.parquet`` and ``truth/employers.parquet``, as frames of the same engine.

    Returns
    -------
    MatchQuality
        Precision and recall. A person's true company is that of the present job if a record is of it.
    """
    names = ("identity/account_matches", "profiles/person_account", "identity/person_ids", "identity/account_ids")
    tables = (*(scan(name) for name in names), truth, employers)
    matched, stated, people, accounts, known, jobs = (nw.from_native(table).lazy() for table in tables)
    matched = matched.filter(nw.col("is_matched")).select("profile_id", "account_id")
    of_account = known.filter(nw.col("entity") == "account").join(accounts, on="source_key", how="inner")
    companies = (
        of_account.select("true_id", account_id="profile_id").group_by("account_id").agg(found=nw.col("true_id").min())
    )
    stated = stated.join(matched, on=["profile_id", "account_id"], how="anti").select("profile_id").unique()
    true = _true_companies(people, jobs).join(stated, on="profile_id", how="anti")
    sought = true.join(companies.select(company="found").unique(), on="company", how="semi")
    judged = matched.join(companies, on="account_id", how="inner").join(true, on="profile_id", how="inner")
    right, found, all_sought = (
        _rows(frame) for frame in (judged.filter(nw.col("found") == nw.col("company")), judged, sought)
    )
    return MatchQuality(
        precision=right / found if found else 1.0,
        recall=right / all_sought if all_sought else 1.0,
        matches=found,
        people=all_sought,
    )


def _true_companies(people: nw.LazyFrame[Any], jobs: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    live = people.filter(~nw.col("is_deleted")).select("source_key", "profile_id")
    held = jobs.join(live, on="source_key", how="inner").with_columns(rank=nw.col("is_current").cast(nw.Int64()))
    present = held.filter(nw.col("rank") == nw.col("rank").max().over("profile_id"))
    return present.group_by("profile_id").agg(company=nw.col("company").min())


def _rows(frame: nw.LazyFrame[Any]) -> int:
    return int(frame.select(nw.len()).collect().item())

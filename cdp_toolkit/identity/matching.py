"""People whom no source gives an account → the account that they most probably work for, with the evidence.

A stated account is never overridden: only people without one are matched, and never to an account that they have left.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import narwhals as nw
import pyarrow as pa

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.identity.definition import IdentityRules
from cdp_toolkit.identity.lead_to_account import LeadToAccount
from cdp_toolkit.identity.signals import describe_employers, describe_seekers, find_candidates, owned_by

MATCHED_FROM = (
    "entities/person", "entities/account", "entities/account_person", "identity/person_ids", "identity/account_ids",
    "identity/identities",
)  # fmt: skip
"""Tables that ``match_accounts`` reads."""

# The best account is beyond doubt if the next one is in doubt by a third more.
_MARGIN = 1.3
_COLUMNS = pa.schema({
    "profile_id": pa.int64(), "account_id": pa.int64(), "score": pa.float64(), "evidence": pa.string(),
    "runner_up_id": pa.int64(), "runner_up_score": pa.float64(), "is_matched": pa.bool_(), "reason": pa.string(),
    "matched_at": pa.timestamp("us", "UTC"),
})  # fmt: skip


def match_accounts(
    tables: Mapping[str, Frame], previous: Frame | None, rules: IdentityRules, engine: Engine, *, as_of: dt.datetime
) -> Frame:
    """Find the account of each person who has none.

    Parameters
    ----------
    tables
        Those of ``MATCHED_FROM``.
    previous
        What this function returned last time; None the first time.
    rules
        ``lead_to_account`` says what counts how much.
    engine
        Reads distinct names and domains.
    as_of
        Time of this run, in UTC.

    Returns
    -------
    Frame
        One row per person without an account for whom anything speaks: ``profile_id``, ``account_id`` (the best),
        ``score`` (0 to 1), ``evidence``, ``runner_up_id``, ``runner_up_score``, ``is_matched``, ``reason`` (why not),
        ``matched_at`` (when the pair was first matched).
    """
    if not rules.lead_to_account.enabled:
        return engine.load(_COLUMNS.empty_table())
    live = {name: tables[f"identity/{name}_ids"].filter(~nw.col("is_deleted")) for name in ("person", "account")}
    account_ids = live["account"].select("source_key", account_id="profile_id")
    stated, left = _stated(tables, live["person"], engine)
    people = live["person"].join(stated.select("profile_id").unique(), on="profile_id", how="anti")
    seekers = engine.materialise(describe_seekers(tables["entities/person"], people, rules.placeholders, engine))
    if not engine.collect(seekers.select("profile_id").head(1)).num_rows:
        return engine.load(_COLUMNS.empty_table())
    employers = describe_employers(tables["entities/account"], account_ids, engine)
    pairs = find_candidates(seekers, employers, engine)
    open_pairs = pairs.join(left, on=["profile_id", "account_id"], how="anti")
    scored = engine.materialise(_scored(open_pairs, rules.lead_to_account))
    parents = _parents(tables["entities/account"], account_ids, tables["identity/identities"], engine)
    best = _with_runner_up(_best(scored, parents, engine), scored)
    return _judged(best, previous, rules.lead_to_account, as_of)


def _stated(tables: Mapping[str, Frame], people: Frame, engine: Engine) -> tuple[Frame, Frame]:
    """Return the accounts that sources name of people, and those that they say people have left."""
    identities, ids = tables["identity/identities"], ["profile_id", "account_id"]
    records = owned_by(tables["entities/person"].select("source_key", "account_key"), people, engine)
    direct = _meant(records, "account_key", "account", into="account_id", identities=identities, engine=engine)
    rows = tables["entities/account_person"].filter(~nw.col("is_deleted"))
    ties = _meant(rows, "account_key", "account", into="account_id", identities=identities, engine=engine)
    ties = _meant(ties, "person_key", "person", into="profile_id", identities=identities, engine=engine)
    pairs = ties.select(*ids, is_active=nw.col("is_active").fill_null(value=True)).drop_nulls()
    active, left = (pairs.filter(each).select(*ids) for each in (nw.col("is_active"), ~nw.col("is_active")))
    return nw.concat([direct.select(*ids).drop_nulls(), active]), left.unique()


def _meant(rows: Frame, column: str, entity: str, *, into: str, identities: Frame, engine: Engine) -> Frame:
    """Add the profile whose key a column holds: by its hash, which touches no text of the identities."""
    is_key = (nw.col("entity") == entity) & (nw.col("namespace") == f"{entity}_key")
    known = identities.filter(is_key).select("value_key", **{into: "profile_id"})
    spelt = rows.with_columns(_text=nw.concat_str([nw.lit(f"{entity}_key:"), nw.col(column)]))
    hashed = engine.key64(spelt, {"_key": "_text"}).drop("_text")
    return engine.look_up(hashed, known, on="_key", by="value_key").drop("_key")


def _parents(accounts: Frame, ids: Frame, identities: Frame, engine: Engine) -> Frame:
    owned = accounts.select("source_key", "parent_key").join(ids, on="source_key", how="inner")
    pairs = _meant(owned, "parent_key", "account", into="parent_id", identities=identities, engine=engine).select(
        "account_id", "parent_id"
    )
    return pairs.drop_nulls().filter(nw.col("account_id") != nw.col("parent_id")).unique()


def _scored(pairs: Frame, rules: LeadToAccount) -> Frame:
    """Add the ``doubt`` that remains: each sign that agrees leaves a share of it."""
    weigh = rules.weight
    is_home = nw.col("is_home").fill_null(value=False)
    is_abroad = ~nw.col("is_home").fill_null(value=True)
    by_domain = (nw.col("email_domain") > 0) | (nw.col("website") > 0)
    # A name in another country may be that of another company.
    near = nw.when(nw.col("name") > 0).then(nw.lit(1.0)).otherwise(nw.col("near_name")) * weigh("near_name")
    named = nw.when((nw.col("name") > 0) & ~is_abroad).then(nw.lit(weigh("name"))).otherwise(near)
    doubt = (
        (1 - nw.col("email_domain") * weigh("email_domain"))
        * (1 - nw.col("website") * weigh("website"))
        * (1 - named)
        * (1 - nw.when(is_home).then(nw.lit(weigh("country"))).otherwise(nw.lit(0.0)))
    )
    abroad = nw.when(is_abroad & ~by_domain).then(1 - (1 - doubt) * (1 - weigh("country"))).otherwise(doubt)
    scored = pairs.select("profile_id", "account_id", doubt=abroad, evidence=_evidence(is_home))
    return scored.filter(nw.col("doubt") < 1)


def _evidence(is_home: nw.Expr) -> nw.Expr:
    has_name, has_near = nw.col("name") > 0, nw.col("near_name") > 0
    said = [
        (nw.col("email_domain") > 0, "e-mail domain ", "mail_domain"),
        (nw.col("website") > 0, "website ", "site_domain"),
        (has_name, "company name ", "stem"),
        (has_near & ~has_name, "company name nearly ", "stem"),
        (is_home, "country ", "land"),
    ]
    parts = [nw.when(holds).then(nw.concat_str(nw.lit(text), nw.col(column))) for holds, text, column in said]
    return nw.concat_str(parts, separator=", ", ignore_nulls=True)


def _best(scored: Frame, parents: Frame, engine: Engine) -> Frame:
    """Return the best account of each person; of several equally good ones the one above all others, if there is one."""
    tied = engine.materialise(scored.filter(nw.col("doubt") <= nw.col("doubt").min().over("profile_id") * _MARGIN))
    above = tied.select("profile_id", parent_id="account_id")
    below = tied.join(parents, on="account_id", how="inner").join(above, on=["profile_id", "parent_id"], how="semi")
    tops = tied.join(below.select("profile_id", "account_id"), on=["profile_id", "account_id"], how="anti")
    clear = tops.filter(nw.len().over("profile_id") == 1)
    unclear = tied.join(clear.select("profile_id"), on="profile_id", how="anti")
    # One of them is shown, always the same.
    shown = unclear.filter(nw.col("doubt") == nw.col("doubt").min().over("profile_id"))
    shown = shown.filter(nw.col("account_id") == nw.col("account_id").min().over("profile_id"))
    return engine.materialise(
        nw.concat([clear.with_columns(is_clear=nw.lit(True)), shown.with_columns(is_clear=nw.lit(False))])
    )


def _with_runner_up(best: Frame, scored: Frame) -> Frame:
    others = scored.join(best.select("profile_id", "account_id"), on=["profile_id", "account_id"], how="anti")
    next_ones = others.filter(nw.col("doubt") == nw.col("doubt").min().over("profile_id"))
    runner_up = next_ones.group_by("profile_id").agg(
        runner_up_id=nw.col("account_id").min(), runner_up_score=1 - nw.col("doubt").min()
    )
    return best.join(runner_up, on="profile_id", how="left")


def _judged(best: Frame, previous: Frame | None, rules: LeadToAccount, as_of: dt.datetime) -> Frame:
    score = 1 - nw.col("doubt")
    is_enough = score >= rules.threshold
    no_reason = nw.lit(None, nw.String)
    unclear = nw.when(nw.col("is_clear")).then(no_reason).otherwise(nw.lit("other accounts are as likely"))
    now = nw.lit(as_of).cast(nw.Datetime("us", "UTC"))
    first_at = now
    if previous is not None:
        known = previous.filter(nw.col("is_matched")).select("profile_id", "account_id", _first_at="matched_at")
        best = best.join(known, on=["profile_id", "account_id"], how="left")
        first_at = nw.coalesce(nw.col("_first_at"), now)
    is_matched = is_enough & nw.col("is_clear")
    return best.select(
        "profile_id", "account_id", "evidence", "runner_up_id", "runner_up_score",
        score=score, is_matched=is_matched,
        reason=nw.when(is_enough).then(unclear).otherwise(nw.lit("below the threshold")),
        matched_at=nw.when(is_matched).then(first_at),
    ).select(*_COLUMNS.names)  # fmt: skip


def tell_match(match: Mapping[str, Any], account: str) -> str:
    """Return a match as a sentence.

    Parameters
    ----------
    match
        A row of ``identity/account_matches``.
    account
        Name of the account.

    Returns
    -------
    str
        Which account was matched or not, how surely, by what.
    """
    sure = f"{match['score']:.2f} by {match['evidence']}"
    if match["is_matched"]:
        return f"No source names an account; matched to {account}: {sure}."
    return f"No source names an account; {account} is not matched, {match['reason']}: {sure}."

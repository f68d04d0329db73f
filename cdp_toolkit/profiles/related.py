"""Accounts that are related, and by what."""

from collections.abc import Callable
from typing import NamedTuple

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.engines.distinct import ask_once
from cdp_toolkit.model.companies import company_domain, company_family
from cdp_toolkit.profiles.relations import Keys

# A group of related accounts larger than this is a conglomerate, not a relation: all pairs of it would drown the rest.
MAX_GROUP = 50

# What relates two accounts, the most telling first.
REASONS = ("stated", "parent", "family", "domain", "name")


class Related(NamedTuple):
    """Pairs of related accounts, and the groups that were too large to pair."""

    pairs: Frame
    left_out: Frame


def related_accounts(accounts: Frame, records: Frame, ids: Frame, keys: Keys, engine: Engine) -> Related:
    """Say which accounts are related, and by what.

    Parameters
    ----------
    accounts
        One row per account, with ``parent_id`` and ``ultimate_parent_id``.
    records
        One row per account record, as in ``entities/account``.
    ids
        One row per account record: ``source_key``, ``profile_id``.
    keys
        Finds the ids.
    engine
        Reads the distinct names and domains.

    Returns
    -------
    Related
        ``pairs`` has one row per account and related account, both ways, never an account with itself:
        ``account_id``, ``related_id``, ``reason``, such as ``parent, domain``: ``stated`` by a source, ``parent`` or
        child, of one ``family`` (one parent or ultimate parent), one registered ``domain``, one ``name`` but for legal
        form and place. ``left_out`` has one row per group of more than ``MAX_GROUP`` accounts: ``reason``, ``value``,
        ``accounts``.
    """
    owned = records.join(ids.select("source_key", "profile_id"), on="source_key", how="inner")
    stated = owned.select("profile_id", "related_keys").explode("related_keys")
    stated = keys.resolve(stated, "related_keys", "account", into="related_id")
    parents = accounts.select("profile_id", related_id="parent_id")
    groups = _groups(accounts, engine)
    sized = groups.with_columns(accounts=nw.len().over("reason", "value"))
    one_way = nw.concat([_told(stated, "stated"), _told(parents, "parent"), _pairs(sized)]).drop_nulls()
    left_out = sized.filter(nw.col("accounts") > MAX_GROUP).select(
        "reason", "value", accounts=nw.col("accounts").cast(nw.Int64())
    )
    return Related(_once(one_way), left_out.unique(["reason", "value"]))


def _groups(accounts: Frame, engine: Engine) -> Frame:
    """Return one row per account and group: ``profile_id``, ``reason``, ``value``."""
    named = _asked(accounts, "account_name", "_family", company_family, engine)
    named = _asked(named, "domain", "_stated", company_domain, engine)
    named = _asked(named, "website", "_visited", company_domain, engine)
    values = {
        "family": [nw.col("parent_id").cast(nw.String()), nw.col("ultimate_parent_id").cast(nw.String())],
        "domain": [nw.coalesce("_stated", "_visited")],
        "name": [nw.col("_family")],
    }
    rows = [
        named.select("profile_id", reason=nw.lit(reason), value=value) for reason in values for value in values[reason]
    ]
    return engine.materialise(nw.concat(rows).drop_nulls().unique())


def _asked(
    frame: Frame, column: str, into: str, answer: Callable[[str], str | None], engine: Engine
) -> Frame:  # fmt: skip
    return ask_once(frame, [column], into, answer, engine, where=~nw.col(column).is_null())


def _told(pairs: Frame, reason: str) -> Frame:
    return pairs.select(account_id="profile_id", related_id="related_id", reason=nw.lit(reason))


def _pairs(sized: Frame) -> Frame:
    groups = sized.filter((nw.col("accounts") > 1) & (nw.col("accounts") <= MAX_GROUP))
    others = groups.select("reason", "value", related_id="profile_id")
    return groups.join(others, on=["reason", "value"], how="inner").select(
        "related_id", "reason", account_id="profile_id"
    ).select("account_id", "related_id", "reason")  # fmt: skip


def _once(one_way: Frame) -> Frame:
    """Return each pair once, both ways, with all its reasons."""
    back = one_way.select("reason", account_id="related_id", related_id="account_id")
    both = nw.concat([one_way, back.select("account_id", "related_id", "reason")])
    told = both.filter(nw.col("account_id") != nw.col("related_id"))
    # A reason is told by its place in REASONS: the largest of a flag a reason is whether any row says it.
    flags = {reason: (nw.col("reason") == reason).cast(nw.Int64()) for reason in REASONS}
    pairs = told.with_columns(**flags).group_by("account_id", "related_id").agg(nw.col(*REASONS).max())
    said = [nw.when(nw.col(reason) == 1).then(nw.lit(reason)) for reason in REASONS]
    return pairs.select("account_id", "related_id", reason=nw.concat_str(said, separator=", ", ignore_nulls=True))

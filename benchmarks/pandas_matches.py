"""People whom no source gives an account, and the account that they most probably work for: ``account_matches`` in pandas.

The weights, what plain Python says of names, domains and countries, and the search for names that are nearly the same are
the toolkit's own.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from pandas_evidence import Frame, Read, Text, asked

from cdp_toolkit.identity import IdentityRules
from cdp_toolkit.identity.companies import read_country
from cdp_toolkit.identity.lead_to_account import LeadToAccount
from cdp_toolkit.identity.matching import _COLUMNS, _MARGIN
from cdp_toolkit.identity.signals import _MAX_ACCOUNTS, _NOBODY, _SIGNALS, _stem, near_names
from cdp_toolkit.model.companies import company_domain, company_family, company_stem

_ORDER = ["updated_at", "loaded_at", "source_key"]
_PAIR = ["profile_id", "account_id"]
_OF_PEOPLE = (*_ORDER, "account_key", "email", "company_website", "country", "company_name")
_OF_ACCOUNTS = (*_ORDER, "parent_key", "account_name", "domain", "website", "billing_country", "primary_email_domain")


def match_accounts(read: Read, tables: Mapping[str, Frame], rules: IdentityRules, as_of: dt.datetime) -> Frame:
    """Return the account of each person who has none, as far as anything speaks for one.

    ``read`` gives some columns of a table of ``entities/``, ``tables`` are those of ``identity/`` so far.
    """
    people, accounts = (
        read(name, columns).merge(_live(tables[f"{name}_ids"], into), on="source_key")
        for name, columns, into in (("person", _OF_PEOPLE, "profile_id"), ("account", _OF_ACCOUNTS, "account_id"))
    )
    means = {name: _meanings(tables["identities"], name) for name in ("person", "account")}
    stated, left = _ties(read, means)
    direct = people["profile_id"][people["account_key"].map(means["account"]).notna()]
    seekers = _seekers(people[~people["profile_id"].isin(pd.concat([stated, direct]))], rules.placeholders)
    pairs = _candidates(seekers, accounts).merge(left, on=_PAIR, how="left_anti")
    scored = pairs.assign(doubt=_doubt(pairs, rules.lead_to_account))
    scored = scored[scored["doubt"] < 1]
    parents = accounts[["account_id"]].assign(parent_id=accounts["parent_key"].map(means["account"]))
    best = _best(scored, parents.dropna().drop_duplicates().astype(np.int64))
    return _judged(_with_runner_up(best, scored), rules.lead_to_account, as_of)


def _live(ids: Frame, into: str) -> Frame:
    return ids.loc[~ids["is_deleted"], ["source_key", "profile_id"]].rename(columns={"profile_id": into})


def _meanings(identities: Frame, entity: str) -> Any:
    """Return the profiles that keys of records mean, by key."""
    own = identities[(identities["entity"] == entity) & (identities["namespace"] == f"{entity}_key")]
    return own.set_index("value")["profile_id"].astype("Int64")


def _ties(read: Read, means: Mapping[str, Any]) -> tuple[Text, Frame]:
    """Return the people of whom a relation names an account, and the pairs that are no more."""
    rows = read("account_person", ("account_key", "person_key", "is_active", "is_deleted"))
    rows = rows[~rows["is_deleted"].astype(bool)]
    ids = {
        "profile_id": rows["person_key"].map(means["person"]),
        "account_id": rows["account_key"].map(means["account"]),
    }
    pairs = pd.DataFrame(ids | {"is_active": rows["is_active"].fillna(value=True).astype(bool)}).dropna()
    pairs = pairs.astype(dict.fromkeys(_PAIR, np.int64))
    return pairs.loc[pairs["is_active"], "profile_id"], pairs.loc[~pairs["is_active"], _PAIR].drop_duplicates()


def _seekers(people: Frame, placeholders: Sequence[str]) -> Frame:
    """Return a row per person with what was told last of the employer."""
    told = people[["profile_id", *_ORDER]].assign(
        mail_domain=asked(people["email"].str.replace("^.*@", "", regex=True), company_domain),
        site_domain=asked(people["company_website"], company_domain),
        stem=asked(people["company_name"], partial(_stem, nothing=_NOBODY.union(placeholders))),
        land=asked(people["country"], read_country),
    )
    return _latest(told, "profile_id")


def _latest(rows: Frame, by: str) -> Frame:
    ordered = rows.sort_values(_ORDER, na_position="first").drop(columns=_ORDER)
    return ordered.groupby(by, as_index=False).last()


def _candidates(seekers: Frame, accounts: Frame) -> Frame:
    """Return the pairs of a person and an account that something speaks for, with what agrees."""
    stated, visited, mailed = (
        asked(accounts[name], company_domain) for name in ("domain", "website", "primary_email_domain")
    )
    owner = accounts["account_id"]
    land = asked(accounts["billing_country"], read_country)
    places = _latest(accounts[["account_id", *_ORDER]].assign(account_land=land), "account_id")
    names = {
        "stem": asked(accounts["account_name"], company_stem),
        "family": asked(accounts["account_name"], company_family),
    }
    domains = pd.concat(
        [pd.DataFrame({"account_id": owner, "domain": each}) for each in (stated.fillna(visited), mailed)]
    )
    domains, names = _telling(domains, "domain"), _telling(pd.DataFrame({"account_id": owner} | names), "stem")
    stems = names[["account_id", "stem"]].drop_duplicates()
    local = names[names["family"] != names["stem"]].merge(places, on="account_id").dropna()
    local = local[["account_id", "family", "account_land"]].drop_duplicates()
    wanted = seekers["stem"].dropna().unique()
    near = pd.DataFrame(near_names(wanted, stems["stem"].unique())).merge(
        stems.rename(columns={"stem": "other"}), on="other"
    )
    found = [
        ("email_domain", _agree(seekers, domains, ["mail_domain"], ["domain"])),
        ("website", _agree(seekers, domains, ["site_domain"], ["domain"])),
        ("name", _agree(seekers, stems, ["stem"], ["stem"])),
        ("name", _agree(seekers, local, ["stem", "land"], ["family", "account_land"])),
        ("near_name", _agree(seekers, near, ["stem"], ["stem"])),
    ]
    signs = [pairs[_PAIR].assign(**{signal: pairs.get("similarity", 1.0)}) for signal, pairs in found]
    pairs = pd.concat(signs, ignore_index=True).fillna(0.0).groupby(_PAIR, as_index=False)[list(_SIGNALS)].max()
    pairs = pairs.merge(seekers, on="profile_id").merge(places, on="account_id", how="left")
    is_known = pairs["land"].notna() & pairs["account_land"].notna()
    is_same = pairs["land"] == pairs["account_land"]
    return pairs.assign(is_home=is_known & is_same, is_abroad=is_known & ~is_same)


def _telling(rows: Frame, column: str) -> Frame:
    told = rows[rows[column].notna()].drop_duplicates()
    return told[told.groupby(column)["account_id"].transform("size") <= _MAX_ACCOUNTS]


def _agree(seekers: Frame, known: Frame, left: list[str], right: list[str]) -> Frame:
    return seekers[["profile_id", *left]].dropna().merge(known, left_on=left, right_on=right)


def _doubt(pairs: Frame, rules: LeadToAccount) -> Text:
    """Return the doubt that remains: each sign that agrees leaves a share of it."""
    weigh, is_abroad = rules.weight, pairs["is_abroad"]
    by_domain = (pairs["email_domain"] > 0) | (pairs["website"] > 0)
    near = pairs["near_name"].where(pairs["name"] <= 0, 1.0) * weigh("near_name")
    named = near.where((pairs["name"] <= 0) | is_abroad, weigh("name"))
    doubt = (
        (1 - pairs["email_domain"] * weigh("email_domain"))
        * (1 - pairs["website"] * weigh("website"))
        * (1 - named)
        * (1 - pairs["is_home"] * weigh("country"))
    )
    return doubt.where(~is_abroad | by_domain, 1 - (1 - doubt) * (1 - weigh("country")))


def _best(scored: Frame, parents: Frame) -> Frame:
    """Return the best account of each person; of several equally good ones the one above all others, if there is one."""
    least = scored.groupby("profile_id")["doubt"].transform("min")
    tied = scored[scored["doubt"] <= least * _MARGIN]
    up = parents[parents["account_id"] != parents["parent_id"]]
    above = tied[_PAIR].rename(columns={"account_id": "parent_id"})
    below = tied[_PAIR].merge(up, on="account_id").merge(above, on=["profile_id", "parent_id"])
    tops = tied.merge(below[_PAIR].drop_duplicates(), on=_PAIR, how="left_anti")
    clear = tops[~tops.duplicated("profile_id", keep=False)]
    unclear = tied[~tied["profile_id"].isin(clear["profile_id"])]
    shown = unclear.sort_values(["doubt", "account_id"]).drop_duplicates("profile_id")
    return pd.concat([clear.assign(is_clear=True), shown.assign(is_clear=False)])


def _with_runner_up(best: Frame, scored: Frame) -> Frame:
    others = scored[["profile_id", "account_id", "doubt"]].merge(best[_PAIR], on=_PAIR, how="left_anti")
    first = others.sort_values(["doubt", "account_id"]).drop_duplicates("profile_id")
    runner_up = pd.DataFrame({
        "profile_id": first["profile_id"], "runner_up_id": first["account_id"].astype("Int64"),
        "runner_up_score": 1 - first["doubt"],
    })  # fmt: skip
    return best.merge(runner_up, on="profile_id", how="left")


def _judged(best: Frame, rules: LeadToAccount, as_of: dt.datetime) -> Frame:
    score = 1 - best["doubt"]
    is_enough = score >= rules.threshold
    is_matched = is_enough & best["is_clear"]
    reason = pd.Series("other accounts are as likely", index=best.index, dtype="str").where(~best["is_clear"])
    at = pd.Series(pd.Timestamp(as_of).as_unit("us"), index=best.index)
    told = best.assign(
        score=score, is_matched=is_matched, reason=reason.where(is_enough, "below the threshold"),
        matched_at=at.where(is_matched), evidence=_evidence(best),
    )  # fmt: skip
    return told[_COLUMNS.names]


def _evidence(best: Frame) -> Text:
    has_name = best["name"] > 0
    said = [
        (best["email_domain"] > 0, "e-mail domain ", "mail_domain"),
        (best["website"] > 0, "website ", "site_domain"),
        (has_name, "company name ", "stem"),
        ((best["near_name"] > 0) & ~has_name, "company name nearly ", "stem"),
        (best["is_home"], "country ", "land"),
    ]
    parts = [(f"{text}" + best[column] + ", ").where(holds, "") for holds, text, column in said]
    return (parts[0] + parts[1] + parts[2] + parts[3] + parts[4]).str.removesuffix(", ")

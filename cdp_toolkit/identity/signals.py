"""What ties a person to an account that no source names: domains, names and countries that agree.

Names that are nearly the same are looked for among names that begin or end alike, never among all pairs.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import narwhals as nw
import pyarrow as pa

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.identity.companies import describe_companies, read_country, read_texts
from cdp_toolkit.model.companies import company_domain, company_family, company_stem

# A domain or a name of more accounts than this says nothing about one of them.
_MAX_ACCOUNTS = 20
# Names are compared with those that share this many letters at one end, if these are not too many.
_LETTERS = 5
_MAX_BLOCK = 5_000
_LEAST_SIMILARITY = 0.85
_ORDER = ("updated_at", "loaded_at", "source_key")
# What people write who have no employer, or do not want to name one.
_NOBODY = frozenset({"freelance", "freelancer", "home", "myself", "private", "privat", "retired", "self", "self employed",
                     "selfemployed", "student", "individual", "personal", "consultant", "company", "not applicable"})  # fmt: skip


class Employers(NamedTuple):
    """What can be known of accounts: a row a domain, a row a name, one row an account."""

    domains: Frame
    names: Frame
    places: Frame


def describe_employers(accounts: Frame, ids: Frame, engine: Engine) -> Employers:
    """Say by what accounts can be recognised.

    Parameters
    ----------
    accounts
        One row per account record, as in ``entities/account``.
    ids
        One row per live account record: ``source_key``, ``account_id``.
    engine
        Reads the distinct values.

    Returns
    -------
    Employers
        ``domains``: ``account_id``, ``domain``. ``names``: ``account_id``, ``stem``, ``family``. ``places``:
        ``account_id``, ``account_land``.
    """
    owned = describe_companies(accounts.join(ids, on="source_key", how="inner"), engine)
    owned = read_texts(owned, "account_name", "family", company_family, engine)
    owned = engine.materialise(read_texts(owned, "primary_email_domain", "_mailed", company_domain, engine))
    domains = nw.concat([owned.select("account_id", domain=column) for column in ("company_domain", "_mailed")])
    land = engine.latest(owned, by="account_id", order=_ORDER, columns=["land"])
    return Employers(
        engine.materialise(_telling(domains, "domain")),
        engine.materialise(_telling(owned.select("account_id", "stem", "family"), "stem")),
        engine.materialise(land.select("account_id", account_land="land")),
    )


def describe_seekers(people: Frame, ids: Frame, placeholders: Sequence[str], engine: Engine) -> Frame:
    """Say what people tell of their employer, each the latest that says anything.

    Parameters
    ----------
    people
        One row per person record, as in ``entities/person``.
    ids
        One row per live record of the people to describe: ``record_key``, ``profile_id``.
    placeholders
        Texts, in lower case, that stand for nothing.
    engine
        Reads the distinct values.

    Returns
    -------
    Frame
        One row per person: ``profile_id``, ``mail_domain``, ``site_domain``, ``stem``, ``land``.
    """
    said = people.select(
        *_ORDER, "company_website", "country", "company_name", _host=nw.col("email").str.replace_all("^.*@", "")
    )
    own = engine.materialise(owned_by(said, ids, engine))  # each answer asks it anew
    own = read_texts(own, "_host", "mail_domain", company_domain, engine)
    own = read_texts(own, "company_website", "site_domain", company_domain, engine)
    own = read_texts(own, "country", "land", read_country, engine)
    named = partial(_stem, nothing=_NOBODY.union(placeholders))
    own = read_texts(own, "company_name", "stem", named, engine)
    told = ["mail_domain", "site_domain", "stem", "land"]
    return engine.latest(own, by="profile_id", order=_ORDER, columns=told).select("profile_id", *told)


def owned_by(records: Frame, ids: Frame, engine: Engine) -> Frame:
    """Return the records of some profiles.

    Parameters
    ----------
    records
        Any rows with the ``source_key`` of a record.
    ids
        One row per record: ``record_key``, ``profile_id``.
    engine
        Hashes the keys, which are distinct as stitching has checked.

    Returns
    -------
    Frame
        The rows of these records, with ``profile_id``.
    """
    keyed = engine.key64(records, {"_record": "source_key"})
    found = engine.look_up(keyed, ids.select("record_key", "profile_id"), on="_record", by="record_key")
    return found.filter(~nw.col("profile_id").is_null()).drop("_record")


def find_candidates(seekers: Frame, employers: Employers, engine: Engine) -> Frame:
    """Pair people with the accounts that something speaks for.

    Parameters
    ----------
    seekers
        As ``describe_seekers`` returns them.
    employers
        As ``describe_employers`` returns them.
    engine
        Reads the distinct names.

    Returns
    -------
    Frame
        One row per person and account: ``profile_id``, ``account_id``, what agrees (``email_domain``, ``website``,
        ``name``: 1.0 or 0.0), ``near_name`` (similarity of the names, 0.0 if they are not alike), ``is_home`` (whether
        the countries agree, null if one is unknown), and what the person tells, as in ``seekers``.
    """
    domains = employers.domains.select("account_id", "domain")
    stems = employers.names.select("account_id", "stem").unique()
    near = near_names(_texts(seekers, "stem", engine), _texts(stems, "stem", engine))
    alike = engine.load(pa.table(near, schema=_NEAR))
    found = nw.concat([
        _agree(seekers.join(domains, left_on="mail_domain", right_on="domain", how="inner"), "email_domain"),
        _agree(seekers.join(domains, left_on="site_domain", right_on="domain", how="inner"), "website"),
        _agree(seekers.join(stems, on="stem", how="inner"), "name"),
        _agree(_at_the_place(seekers, employers), "name"),
        _agree(seekers.join(alike, on="stem", how="inner").join(
            stems.select("account_id", other="stem"), on="other", how="inner"), "near_name", nw.col("similarity")),
    ])  # fmt: skip
    pairs = found.group_by("profile_id", "account_id").agg(nw.col(*_SIGNALS).max())
    placed = pairs.join(seekers, on="profile_id", how="left").join(employers.places, on="account_id", how="left")
    return placed.with_columns(is_home=nw.col("land") == nw.col("account_land"))


_SIGNALS = ("email_domain", "website", "name", "near_name")
_NEAR = pa.schema({"stem": pa.string(), "other": pa.string(), "similarity": pa.float64()})


def near_names(wanted: Iterable[str], known: Iterable[str]) -> dict[str, list[str | float]]:
    """Find the known names that are nearly the wanted ones.

    Parameters
    ----------
    wanted, known
        Stems of names, each once.

    Returns
    -------
    dict of list
        Columns ``stem``, ``other`` and ``similarity`` (at most 1.0); a wanted name that is known is not looked for. A
        name that is the beginning of another, word by word, is near to it.

    Examples
    --------
    >>> near_names(["nortwind systems"], ["northwind systems", "southwind systems"])["other"]
    ['northwind systems']
    """
    from rapidfuzz import fuzz, process

    names = set(known)
    blocks: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        for key in _ends(name):
            blocks[key].append(name)
    near: dict[str, list[str | float]] = {"stem": [], "other": [], "similarity": []}
    for stem in sorted(set(wanted) - names):
        found: dict[str, float] = {}
        for key in _ends(stem):
            block = blocks.get(key, [])
            if block and len(block) <= _MAX_BLOCK:
                cut = 100 * _LEAST_SIMILARITY
                hits = process.extract(stem, block, scorer=fuzz.ratio, score_cutoff=cut, limit=_MAX_ACCOUNTS)
                found |= {other: score / 100 for other, score, _ in hits}
                longer = block[bisect_left(block, f"{stem} ") : bisect_left(block, f"{stem}!")]  # "!" comes after " "
                found |= {each: _LEAST_SIMILARITY for each in longer if each not in found}
        for other, similarity in found.items():
            near["stem"].append(stem)
            near["other"].append(other)
            near["similarity"].append(similarity)
    return near


def _stem(name: str, nothing: Container[str]) -> str | None:
    stem = company_stem(name)
    return None if stem in nothing or name.strip().lower() in nothing else stem


def _ends(name: str) -> list[str]:
    letters = name.replace(" ", "")
    return [f"{letters[:_LETTERS]}…", f"…{letters[-_LETTERS:]}"]


def _texts(frame: Frame, column: str, engine: Engine) -> list[str]:
    texts: list[str] = engine.collect(frame.select(column).drop_nulls().unique())[column].to_pylist()
    return texts


def _telling(rows: Frame, column: str) -> Frame:
    told = rows.filter(~nw.col(column).is_null()).unique()
    return told.filter(nw.len().over(column) <= _MAX_ACCOUNTS)


def _agree(pairs: Frame, signal: str, value: nw.Expr | None = None) -> Frame:
    one = nw.lit(1.0) if value is None else value
    columns = {name: one if name == signal else nw.lit(0.0) for name in _SIGNALS}
    return pairs.select("profile_id", "account_id", **columns)


def _at_the_place(seekers: Frame, employers: Employers) -> Frame:
    """Pair who names a family of companies with its company in their country."""
    local = employers.names.filter(nw.col("family") != nw.col("stem")).join(
        employers.places, on="account_id", how="inner"
    )
    named = local.select("account_id", stem="family", land="account_land").unique()
    return seekers.join(named, on=["stem", "land"], how="inner")

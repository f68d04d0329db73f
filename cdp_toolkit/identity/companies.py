"""Identities that the fields of an account give: its number, and its domain, name and country taken together.

A domain alone links nobody, since subsidiaries share the one of their parent: see ``docs/decisions/020-accounts.md``.
"""

from collections.abc import Callable

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.engines.distinct import ask_once
from cdp_toolkit.identity.claims import claimed, joined
from cdp_toolkit.identity.countries import country_code
from cdp_toolkit.model.companies import company_domain, company_stem, duns_number


def claim_companies(accounts: Frame, engine: Engine) -> list[Frame]:
    """Work identities out of the fields of accounts.

    Parameters
    ----------
    accounts
        One row per record, as in ``entities/account``; deleted ones say nothing.
    engine
        Reads the distinct names, domains, countries and numbers.

    Returns
    -------
    list of Frame
        As ``claimed``: ``duns`` (D-U-N-S number), ``domain`` (the registered one, never that of a provider),
        ``name_domain``, ``name_country`` and ``domain_country`` (not of a subsidiary). Names are without legal form.
    """
    known = describe_companies(accounts, engine)
    domain, country = nw.col("company_domain"), nw.col("land")
    is_top = nw.col("parent_key").is_null()
    identities = {
        "duns": nw.col("duns"),
        "domain": domain,
        "name_domain": joined(nw.col("stem"), domain),
        "name_country": joined(nw.col("stem"), country),
        "domain_country": nw.when(is_top).then(joined(domain, country)),
    }
    return claimed(known, "account", identities)


def describe_companies(accounts: Frame, engine: Engine) -> Frame:
    """Add what the name, the domain, the country and the number of accounts mean.

    Parameters
    ----------
    accounts
        One row per record, as in ``entities/account``.
    engine
        Reads the distinct values.

    Returns
    -------
    Frame
        With ``stem``, ``company_domain`` (as stated, else of the website), ``land`` and ``duns``.
    """
    known = read_texts(accounts, "account_name", "stem", company_stem, engine)
    known = read_texts(known, "domain", "_stated", company_domain, engine)
    known = read_texts(known, "website", "_visited", company_domain, engine)
    known = read_texts(known, "billing_country", "land", read_country, engine)
    known = read_texts(known, "duns_number", "duns", duns_number, engine)
    return known.with_columns(company_domain=nw.coalesce("_stated", "_visited")).drop("_stated", "_visited")


def read_texts(
    frame: Frame, column: str, into: str, answer: Callable[[str], str | None], engine: Engine
) -> Frame:  # fmt: skip
    """Add what a function says of a text column.

    Parameters
    ----------
    frame
        Any rows.
    column
        The text column.
    into
        New column; null where the text is null or says nothing.
    answer
        Gives a text or None.
    engine
        Reads the distinct texts.

    Returns
    -------
    Frame
        The same rows.
    """
    return ask_once(frame, [column], into, answer, engine, where=~nw.col(column).is_null())


def read_country(name: str) -> str | None:
    """Return a country's code, or its name as it is written where it is not known.

    Parameters
    ----------
    name
        As a record has it.

    Returns
    -------
    str or None
        Null where nothing is written.
    """
    return country_code(name) or name.strip().lower() or None

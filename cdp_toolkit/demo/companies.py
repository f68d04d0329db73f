"""The companies of the world: sizes by a power law, parents, subsidiaries and related companies."""

import numpy as np
import polars as pl

from cdp_toolkit.demo.dice import Dice, only
from cdp_toolkit.demo.words import COMPANY_ENDS, COMPANY_KINDS, COMPANY_STARTS, COUNTRIES, INDUSTRIES, LEGAL_FORMS

PEOPLE_PER_COMPANY = 12
ACME = 2  # a large company, so that it has people of every kind


def make_companies(persons: int, dice: Dice) -> pl.DataFrame:
    """Make a company for about every twelve people.

    Parameters
    ----------
    persons
        Number of people in the world.
    dice
        Chance of this part.

    Returns
    -------
    polars.DataFrame
        One row a company: ``company`` (its number; the first are the largest), ``weight`` (share of the people),
        ``company_name``, ``legal_name`` (as its papers say), ``domain``, ``industry``, ``company_country``, ``company_city``, ``revenue`` (a year, in
        dollars), ``employees``, ``parent`` and ``related`` (numbers, or null), ``in_crm``, ``in_marketo`` and
        ``is_synced`` (Marketo knows the CRM's id).
    """
    rows = max(PEOPLE_PER_COMPANY, persons // PEOPLE_PER_COMPANY)
    weight = (np.arange(rows) + 3.0) ** -0.75
    countries = list(COUNTRIES)
    companies = pl.DataFrame({"company": np.arange(rows), "weight": weight}).with_columns(
        dice.pick(list(INDUSTRIES), rows=rows, weights=list(INDUSTRIES.values())).alias("industry"),
        dice.pick(countries, rows=rows, weights=[COUNTRIES[name][0] for name in countries]).alias("company_country"),
        revenue=np.round(dice.lognormal(2000, 1.5, rows=rows) * (1 + 8 * weight / weight[0])) * 10_000,
        employees=dice.lognormal(120, 1.2, rows=rows).astype(np.int64) + 3,
        city=dice.whole(0, 4, rows=rows),
        parent=_parents(rows, dice),
        related=_related(rows, dice),
        in_crm=dice.chance(0.75, rows=rows),
        in_marketo=dice.chance(0.9, rows=rows),
        is_synced=dice.chance(0.85, rows=rows),
    )
    return _legal(_name(_known_parents(companies), dice).pipe(_acme).drop("city"), dice)


def _parents(rows: int, dice: Dice) -> pl.Series:
    """Give every sixth company a larger one as parent, so that nobody is their own ancestor."""
    parent = (np.arange(rows) * dice.share(rows=rows) ** 2).astype(np.int64)
    return only(parent, dice.chance(0.17, rows=rows) & pl.Series(np.arange(rows) > ACME + 3))


def _related(rows: int, dice: Dice) -> pl.Series:
    return only((np.arange(rows) + 1) % rows, dice.chance(0.08, rows=rows))


def _known_parents(companies: pl.DataFrame) -> pl.DataFrame:
    """Let every system know the companies that others hang on."""
    is_known = pl.col("company").is_in(companies["parent"].drop_nulls().implode()) | (pl.col("company") == ACME)
    return companies.with_columns(pl.col("in_crm", "in_marketo", "is_synced") | is_known)


def _name(companies: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """Name a company by three words and a subsidiary by its parent and its country."""
    starts, ends, kinds = len(COMPANY_STARTS), len(COMPANY_ENDS), len(COMPANY_KINDS)
    code = dice.order(max(companies.height, starts * ends * kinds))[: companies.height]
    number = pl.Series(code // (starts * ends * kinds))
    first = pl.Series(COMPANY_STARTS).gather(code % starts) + pl.Series(COMPANY_ENDS).gather(code // starts % ends)
    kind = pl.Series(COMPANY_KINDS).gather(code // (starts * ends) % kinds)
    numbered = pl.when(number > 0).then(pl.format(" {}", number + 1)).otherwise(pl.lit(""))
    own = companies.with_columns(company_name=pl.format("{} {}{}", first, kind, numbered)).with_columns(
        domain=pl.col("company_name").str.to_lowercase().str.replace_all(r"[^a-z0-9]+", "-") + ".example"
    )
    shares_domain = dice.chance(0.7, rows=companies.height) & own["parent"].is_not_null()
    parent_name = own["company_name"].gather(own["parent"])
    cities = pl.Series([city for country in COUNTRIES for city in COUNTRIES[country][2]])
    country_number = own["company_country"].replace_strict({name: n for n, name in enumerate(COUNTRIES)})
    return own.with_columns(
        company_name=pl.when(pl.col("parent").is_not_null())
        .then(pl.format("{} {}", parent_name, "company_country"))
        .otherwise("company_name"),
        domain=pl.when(shares_domain).then(own["domain"].gather(own["parent"])).otherwise("domain"),
        company_city=cities.gather(country_number * 5 + own["city"]),
    )


def _acme(companies: pl.DataFrame) -> pl.DataFrame:
    """Call one company Acme."""
    acme: dict[str, object] = {
        "company_name": "Acme", "domain": "acme.example", "industry": "Manufacturing", "revenue": 250e6,
        "company_country": "United States", "company_city": "Chicago",
    }  # fmt: skip
    is_acme = pl.col("company") == ACME
    return companies.with_columns(
        pl.when(is_acme).then(pl.lit(value)).otherwise(name).alias(name) for name, value in acme.items()
    )


def _legal(companies: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """Give six in ten companies the legal form of their country behind their name."""
    form = companies["company_country"].replace_strict(LEGAL_FORMS)
    has_form = dice.chance(0.6, rows=companies.height) & (companies["company"] != ACME)
    full = pl.select(pl.format("{} {}", companies["company_name"], form)).to_series()
    return companies.with_columns(legal_name=full.zip_with(has_form, companies["company_name"]))

"""The people of the world: who they truly are, where they work and worked, on what devices they browse."""

from datetime import datetime

import numpy as np
import polars as pl

from cdp_toolkit.demo.dice import Dice, Real, only
from cdp_toolkit.demo.slips import lost
from cdp_toolkit.demo.words import CHIEFS, COUNTRIES, DEPARTMENTS, FIRST_NAMES, LAST_NAMES, LEVELS, STREETS


def make_people(persons: int, companies: pl.DataFrame, as_of: datetime, dice: Dice) -> pl.DataFrame:
    """Make the people.

    Parameters
    ----------
    persons
        How many.
    companies
        The companies they work for.
    as_of
        Nobody is known later than this.
    dice
        Chance of this part.

    Returns
    -------
    polars.DataFrame
        One row a person: ``person`` (the true id), ``company``, ``previous_company`` (null unless they changed jobs),
        names, ``title``, ``department``, ``level``, address, ``phone``, ``email``, ``previous_email``, ``mailbox``
        (address shared with others that they give as their own, or null), ``is_opted_out``, ``score``, ``known_at``,
        where they were reached before: ``previous_phone``, ``previous_street``, ``previous_postal_code``; and, of those
        who married, ``former_last_name`` and ``former_email``.
    """
    weights = companies["weight"].to_numpy()
    people = pl.DataFrame({"person": np.arange(persons), "company": dice.index(weights, rows=persons)}).with_columns(
        dice.pick(FIRST_NAMES, rows=persons).alias("first_name"),
        dice.pick(LAST_NAMES, rows=persons).alias("last_name"),
        lost(dice.pick(LAST_NAMES, rows=persons), 0.985, dice).alias("former_last_name"),
        dice.pick(list(DEPARTMENTS), rows=persons, weights=list(DEPARTMENTS.values())).alias("department"),
        dice.pick(list(LEVELS), rows=persons, weights=[weight for weight, _ in LEVELS.values()]).alias("level"),
        _previous(persons, weights, dice).alias("previous_company"),
        dice.before(as_of, (2, 900), rows=persons).alias("known_at"),
        is_opted_out=dice.chance(0.07, rows=persons),
        score=np.minimum(dice.lognormal(22, 0.9, rows=persons), 180).astype(np.int64),
    )
    placed = _address(people.with_columns(_titles(people)), companies, dice)
    reached = _at_the_office(_previous_office(placed, dice), companies, dice)
    return _emails(reached, companies, dice)


def as_employed(who: pl.DataFrame, company: pl.Series) -> pl.DataFrame:
    """Return people as they were reached at a company: the office of a former job had another phone and address.

    Parameters
    ----------
    who
        People, one row a record.
    company
        The company of each record.

    Returns
    -------
    polars.DataFrame
        With the ``phone``, ``street`` and ``postal_code`` of that job.
    """
    is_former = who["company"] != company
    return who.with_columns(
        pl.when(is_former).then(f"previous_{name}").otherwise(name).alias(name)
        for name in ("phone", "street", "postal_code")
    )


def make_devices(people: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """Make the browsers that people use; a few are used by two people.

    Parameters
    ----------
    people
        The people.
    dice
        Chance of this part.

    Returns
    -------
    polars.DataFrame
        One row a person and device: ``person`` and ``ecid`` (38 digits), in the order of the companies.
    """
    owners = people.select("person", "company").sort("company", "person")["person"].to_numpy()
    person = np.repeat(owners, dice.index([0.40, 0.35, 0.18, 0.07], rows=people.height))
    own = make_ecids(person.size, dice)
    borrowed = dice.chance(0.004, rows=person.size) & (pl.arange(0, person.size, eager=True) > 0)
    return pl.DataFrame({"person": person, "ecid": own.shift(1, fill_value="").zip_with(borrowed, own)})


def make_ecids(rows: int, dice: Dice) -> pl.Series:
    """Make Experience Cloud ids.

    Parameters
    ----------
    rows
        How many.
    dice
        Chance of this part.

    Returns
    -------
    polars.Series
        Texts of 38 digits.
    """
    halves = [pl.Series(dice.whole(0, 9 * 10**18, rows=rows)).cast(pl.String).str.zfill(19) for _ in range(2)]
    return halves[0] + halves[1]


def _previous(persons: int, weights: Real, dice: Dice) -> pl.Series:
    return only(dice.index(weights, rows=persons), dice.chance(0.05, rows=persons))


def _titles(people: pl.DataFrame) -> pl.Series:
    titles = {
        f"{level}/{department}": form.format(department=department, chief=CHIEFS[department])
        for level, (_, form) in LEVELS.items()
        for department in DEPARTMENTS
    }
    return (people["level"] + "/" + people["department"]).replace_strict(titles).alias("title")


def _address(people: pl.DataFrame, companies: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """Let most people live in the country of their company."""
    rows = people.height
    names = list(COUNTRIES)
    abroad = dice.pick(names, rows=rows, weights=[COUNTRIES[name][0] for name in names])
    home = companies["company_country"].gather(people["company"])
    country = abroad.zip_with(dice.chance(0.1, rows=rows), home)
    number = country.replace_strict({name: n for n, name in enumerate(names)})
    cities = pl.Series([city for name in names for city in COUNTRIES[name][2]])
    prefix = pl.Series([COUNTRIES[name][1] for name in names]).gather(number)
    return people.with_columns(
        country.alias("country"),
        cities.gather(number * 5 + dice.whole(0, 4, rows=rows)).alias("city"),
        pl.format("{} {}", pl.Series(dice.whole(1, 400, rows=rows)), dice.pick(STREETS, rows=rows)).alias("street"),
        pl.Series(dice.whole(10_000, 99_999, rows=rows)).cast(pl.String).alias("postal_code"),
        pl.format("{} {}", prefix, pl.Series(dice.whole(1000, 9999, rows=rows))).alias("phone"),
    )


def _at_the_office(people: pl.DataFrame, companies: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """Let every fifth give the switchboard and the address of the office, as many others of the company do."""
    prefixes = {country: prefix for country, (_, prefix, _) in COUNTRIES.items()}
    rows, prefix = companies.height, companies["company_country"].replace_strict(prefixes)
    offices = companies.select(
        phone=pl.format("{} {}", prefix, pl.Series(dice.whole(1000, 9999, rows=rows))),
        street=pl.format("{} {}", pl.Series(dice.whole(1, 400, rows=rows)), dice.pick(STREETS, rows=rows)),
        postal_code=pl.Series(dice.whole(10_000, 99_999, rows=rows)).cast(pl.String),
    )
    is_there = people["country"] == companies["company_country"].gather(people["company"])
    is_plain = is_there & dice.chance(0.2, rows=people.height)
    office = offices[people["company"]]
    return people.with_columns(office[name].zip_with(is_plain, people[name]).alias(name) for name in office.columns)


def _previous_office(people: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    rows = people.height
    return people.with_columns(
        previous_phone=pl.concat_str(pl.col("phone").str.head(-4), pl.Series(dice.whole(1000, 9999, rows=rows))),
        previous_street=pl.format("{} {}", pl.Series(dice.whole(1, 400, rows=rows)), dice.pick(STREETS, rows=rows)),
        previous_postal_code=pl.Series(dice.whole(10_000, 99_999, rows=rows)).cast(pl.String),
    )


def _emails(people: pl.DataFrame, companies: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """Give everyone an address of their own, one at the previous job, and to some a shared mailbox."""
    rows = people.height
    domain, previous_domain = (companies["domain"].gather(people[name]) for name in ("company", "previous_company"))
    private = dice.pick(["gmail.example", "webmail.example"], rows=rows)
    own_domain = private.zip_with(dice.chance(0.04, rows=rows), domain)
    names = pl.format("{}.{}", _letters("first_name"), _letters("last_name"))
    same = pl.int_range(pl.len()).over("local", own_domain)
    numbered = pl.when(same > 0).then(pl.format("{}{}", "local", same + 1)).otherwise("local")
    box = pl.format("{}@{}", dice.pick(["info", "sales", "office"], rows=rows), domain)
    is_boxed = dice.chance(0.06, rows=rows) & (people["company"] < max(8, companies.height // 10))
    agency = dice.chance(0.002, rows=rows)
    return (
        people.with_columns(local=names)
        .with_columns(local=numbered)
        .with_columns(
            email=pl.format("{}@{}", "local", own_domain),
            previous_email=pl.format(
                "{}{}@{}", pl.col("local").str.replace(".", "_", literal=True), "person", previous_domain
            ),
            former_email=pl.format(
                "{}.{}{}@{}", _letters("first_name"), _letters("former_last_name"), "person", own_domain
            ),
            mailbox=pl.when(agency).then(pl.lit("info@agency.example")).when(is_boxed).then(box),
        )
        .drop("local")
    )


def _letters(name: str) -> pl.Expr:
    """Return a name in the letters of an e-mail address."""
    plain = pl.col(name).str.to_lowercase().str.normalize("NFKD").str.replace_many(["ø", "ł"], ["o", "l"])
    return plain.str.replace_all("[^a-z]", "")

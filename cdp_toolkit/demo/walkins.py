"""People who came in by a form: no system gives them an account, and their company is what they typed."""

import polars as pl

from cdp_toolkit.demo.dice import Dice

_NOTHING = ("n/a", "self-employed", "private", "Freelancer", "-")
_FORMS = ("GmbH", "Inc", "Ltd.", "LLC", "S.A.", "AG")


def let_walk_in(people: pl.DataFrame, companies: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """Let every seventh person be one of whom only forms tell, and decide what they typed.

    Parameters
    ----------
    people
        The people: ``company``, ``previous_company``, ``email``.
    companies
        The companies: ``company_name``, ``legal_name``, ``domain``, ``parent``.
    dice
        Chance of this part.

    Returns
    -------
    polars.DataFrame
        With ``is_walk_in``, ``typed_company`` and ``typed_website`` (both of people who walked in only, and null where
        nothing was typed). Every sixth of them gives a private address.
    """
    rows = people.height
    is_walk_in = dice.chance(0.14, rows=rows)
    is_private = is_walk_in & dice.chance(0.16, rows=rows)
    private = people["email"].str.replace("@.*$", "") + "." + people["person"].cast(pl.String) + "@gmail.example"
    return people.with_columns(
        is_walk_in,
        private.zip_with(is_private, people["email"]).alias("email"),
        _typed_names(people, companies, dice).zip_with(is_walk_in, _nothing(rows)).alias("typed_company"),
        _typed_sites(people, companies, dice).zip_with(is_walk_in, _nothing(rows)).alias("typed_website"),
    ).rename({is_walk_in.name: "is_walk_in"})


def typed(who: pl.DataFrame, firm: pl.DataFrame, company: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return company and website as records have them: those who walked in typed them.

    Parameters
    ----------
    who
        People, one row a record.
    firm
        The company of each record.
    company
        Its number.

    Returns
    -------
    tuple of polars.Series
        Names and websites, one a record.
    """
    is_typed = who["is_walk_in"] & (who["company"] == company)
    site = pl.select(pl.format("https://www.{}", firm["domain"])).to_series()
    return who["typed_company"].zip_with(is_typed, firm["company_name"]), who["typed_website"].zip_with(is_typed, site)


def _nothing(rows: int) -> pl.Series:
    return pl.Series([None], dtype=pl.String).extend_constant(None, rows - 1)


def _typed_names(people: pl.DataFrame, companies: pl.DataFrame, dice: Dice) -> pl.Series:
    """Write a company by hand: its parent's name, its first word, another legal form, slips, no capitals, nothing."""
    rows, firm = people.height, companies[people["company"]]
    parent = companies["company_name"].gather(firm["parent"]).fill_null(firm["company_name"])
    name = firm["legal_name"].zip_with(dice.chance(0.25, rows=rows), firm["company_name"])
    name = parent.zip_with(dice.chance(0.4, rows=rows), name)
    name = name.str.extract(r"^(\S+)").zip_with(dice.chance(0.06, rows=rows), name)
    name = (name + " " + dice.pick(_FORMS, rows=rows)).zip_with(dice.chance(0.08, rows=rows), name)
    name = _slipped(name, dice)
    name = name.str.to_lowercase().zip_with(dice.chance(0.2, rows=rows), name)
    name = name.str.to_uppercase().zip_with(dice.chance(0.05, rows=rows), name)
    name = dice.pick(_NOTHING, rows=rows).zip_with(dice.chance(0.03, rows=rows), name)
    return name.set(dice.chance(0.06, rows=rows), None)


def _slipped(names: pl.Series, dice: Dice) -> pl.Series:
    """Drop a letter of every eighth name, and swap two letters of every fifteenth."""
    rows = names.len()
    place = pl.Series(dice.whole(1, 6, rows=rows))
    frame = pl.DataFrame({"name": names, "place": place})
    head, letter, rest = (
        pl.col("name").str.slice(0, pl.col("place")), pl.col("name").str.slice(pl.col("place"), 1),
        pl.col("name").str.slice(pl.col("place") + 1),
    )  # fmt: skip
    dropped = frame.select(head + rest).to_series()
    swapped = frame.select(head + rest.str.slice(0, 1) + letter + rest.str.slice(1)).to_series()
    found = dropped.zip_with(dice.chance(0.12, rows=rows), names)
    return swapped.zip_with(dice.chance(0.07, rows=rows), found)


def _typed_sites(people: pl.DataFrame, companies: pl.DataFrame, dice: Dice) -> pl.Series:
    """Write a website, which six in ten leave out, and a few answer with a page elsewhere."""
    rows, domain = people.height, companies["domain"].gather(people["company"])
    forms = ("{}", "www.{}", "http://{}/contact", "HTTPS://WWW.{}/")
    form = dice.index([1.0] * len(forms), rows=rows)
    sites = pl.select(
        pl.coalesce(
            pl.when(pl.Series(form) == number).then(pl.format(text, domain)) for number, text in enumerate(forms)
        )
    ).to_series()
    elsewhere = pl.select(pl.format("https://www.linkedin.com/company/{}", people["company"])).to_series()
    sites = elsewhere.zip_with(dice.chance(0.05, rows=rows), sites)
    return sites.set(dice.chance(0.6, rows=rows), None)

"""Identifiers as Customer Match takes them.

Rules: developers.google.com/data-manager/api/devguides/concepts/formatting.
"""

import polars as pl

from cdp_toolkit.connectors.hashing import address, countries, hashed, phones, trimmed

# "Don't include prefixes such as Mrs." and "suffixes such as Jr."; which there are, the page does not say.
_PREFIX = r"^(mrs|mr|ms|miss|mx|dr|prof)\b\.?\s+"
_SUFFIX = r",?\s+(jr|sr|ii|iii|iv|phd|md)\.?$"
_GMAIL = r"@(gmail|googlemail)\.com$"


def email(value: pl.Expr) -> pl.Expr:
    """Clean an e-mail address as Google does.

    Parameters
    ----------
    value
        The address as it is stored.

    Returns
    -------
    polars.Expr
        Lower case and without white space anywhere; at Gmail also without the dots and the plus that do not matter
        there, at every other domain with them. Null where it is no address.

    Examples
    --------
    >>> given = pl.DataFrame({"email": ["cloudy.sanfrancisco+shopping@gmail.com", "user.name+NYC@Example.com"]})
    >>> given.select(email(pl.col("email")))["email"].to_list()
    ['cloudysanfrancisco@gmail.com', 'user.name+nyc@example.com']
    """
    lower = value.str.replace_all(r"[\s\u00a0\u200b\ufeff]", "").str.to_lowercase()
    local = lower.str.replace(r"@.*$", "").str.replace(r"\+.*$", "").str.replace_all(".", "", literal=True)
    gmail = pl.concat_str(local, lower.str.extract(f"({_GMAIL})", 1))
    return address(pl.when(lower.str.contains(_GMAIL)).then(gmail).otherwise(lower))


def identifiers(rows: pl.DataFrame, region: str | None) -> pl.DataFrame:
    """Return what Google is told of each person.

    Parameters
    ----------
    rows
        A row a person: ``email``, ``phone``, ``first_name``, ``last_name``, ``postal_code`` and ``country``, all text.
    region
        Country of two letters for phone numbers and addresses without one.

    Returns
    -------
    polars.DataFrame
        A row a person, in the same order: ``email``, ``phone``, ``given_name``, ``family_name`` (digests),
        ``region_code`` and ``postal_code`` (plain). The four of an address are all there or all null.
    """
    known = rows.with_columns(country=countries(rows["country"], region), e164=phones(rows, region))
    told = known.select(
        email=hashed(pl.col("email"), email(pl.col("email"))),
        phone=hashed(pl.col("phone"), pl.col("e164")),
        given_name=hashed(pl.col("first_name"), _name("first_name").str.replace(_PREFIX, "")),
        family_name=hashed(pl.col("last_name"), _name("last_name").str.replace(_SUFFIX, "")),
        region_code=pl.col("country"),
        postal_code=_filled(trimmed(pl.col("postal_code"))),
    )
    parts = ("given_name", "family_name", "region_code", "postal_code")
    is_whole = pl.all_horizontal(pl.col(part).is_not_null() for part in parts)
    return told.with_columns(pl.when(is_whole).then(pl.col(part)).alias(part) for part in parts)


def _name(column: str) -> pl.Expr:
    return trimmed(pl.col(column)).str.to_lowercase()


def _filled(text: pl.Expr) -> pl.Expr:
    return pl.when(text != "").then(text)

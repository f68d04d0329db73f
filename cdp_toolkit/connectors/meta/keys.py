"""Keys of people as Custom Audiences take them.

Rules: developers.facebook.com/documentation/ads-commerce/marketing-api/audiences/guides/custom-audiences, "Hashing and
normalization".
"""

import polars as pl

from cdp_toolkit.connectors.hashing import address, countries, hashed, phones, trimmed

_NO_LETTER = r"[^\p{L}\p{M}]"


def keys(rows: pl.DataFrame, region: str | None) -> pl.DataFrame:
    """Return what Meta is told of each person.

    Parameters
    ----------
    rows
        A row a person: ``email``, ``phone``, ``first_name``, ``last_name``, ``city``, ``state``, ``postal_code``,
        ``country`` and ``birth_date``, all text.
    region
        Country of two letters for phone numbers and people without one.

    Returns
    -------
    polars.DataFrame
        A row a person, in the same order, with a column a key: digests, or null where there is none to give.
    """
    known = rows.with_columns(code=countries(rows["country"], region), e164=phones(rows, region))
    # Digits with the country's code, without the plus and without zeros in front.
    digits = pl.col("e164").str.strip_prefix("+")
    plain = {
        "EMAIL": ("email", address(_lower("email"))),
        "PHONE": ("phone", digits),
        "FN": ("first_name", _letters("first_name")),
        "LN": ("last_name", _letters("last_name")),
        "CT": ("city", _letters("city")),
        "ST": ("state", _letters("state")),
        "ZIP": ("postal_code", _postal_code()),
        "COUNTRY": ("country", pl.col("code").str.to_lowercase()),
        "DOBY": ("birth_date", _date_part(r"^(\d{4})-")),
        "DOBM": ("birth_date", _date_part(r"^\d{4}-(\d{2})")),
        "DOBD": ("birth_date", _date_part(r"^\d{4}-\d{2}-(\d{2})")),
    }
    return known.select(**{key: hashed(pl.col(column), clean) for key, (column, clean) in plain.items()})


def _lower(column: str) -> pl.Expr:
    return trimmed(pl.col(column)).str.to_lowercase()


def _letters(column: str) -> pl.Expr:
    """Take everything off a name that is no letter of any script, as is asked of names, towns and states."""
    return _lower(column).str.normalize("NFC").str.replace_all(_NO_LETTER, "")


def _postal_code() -> pl.Expr:
    # Of ZIP+4 the first five; a code with letters or another length keeps all but blanks and dashes.
    bare = _lower("postal_code").str.replace_all(r"\s", "")
    return bare.str.replace(r"^(\d{5})-\d{4}$", "$1").str.replace_all("-", "", literal=True)


def _date_part(pattern: str) -> pl.Expr:
    return pl.col("birth_date").str.extract(pattern, 1)

"""Identifiers of people as advertising platforms take them: cleaned, then SHA-256 in lower-case hexadecimal.

What all of them ask for is here; what each asks besides is in its folder. A value that cannot be what it should be is
null, never the digest of an empty text and never an error: the other values of its batch are fine.
"""

import narwhals as nw
import polars as pl
import polars_hash as plh

from cdp_toolkit.engines import open_engine
from cdp_toolkit.identity.countries import country_code
from cdp_toolkit.identity.phones import add_e164

_HASHED = "^[0-9a-fA-F]{64}$"
_BLANKS = " \t\r\n\f\v\u00a0\u200b\ufeff\x00"
_ADDRESS = r"^[^@\s]+@[^@\s]+\.[^@\s.]+$"


def sha256(clean: pl.Expr) -> pl.Expr:
    """Give the digest of a clean text.

    Parameters
    ----------
    clean
        Text as the platform wants it hashed; composed and decomposed letters count as the same.

    Returns
    -------
    polars.Expr
        64 hexadecimal digits in lower case; null where the text is null or empty.

    Examples
    --------
    >>> pl.DataFrame({"email": ["mary@example.com", ""]}).select(sha256(pl.col("email")).str.head(8))["email"].to_list()
    ['f1904cf1', None]
    """
    composed = clean.str.normalize("NFC")
    return pl.when(composed != "").then(plh.concat_str(composed).chash.sha2_256())


def hashed(given: pl.Expr, clean: pl.Expr) -> pl.Expr:
    """Give the digest of a value that may be one already.

    Parameters
    ----------
    given
        The value as it is stored.
    clean
        The same value as the platform wants it hashed.

    Returns
    -------
    polars.Expr
        ``given`` in lower case where it is 64 hexadecimal digits, else the digest of ``clean``.
    """
    bare = trimmed(given)
    return pl.when(bare.str.contains(_HASHED)).then(bare.str.to_lowercase()).otherwise(sha256(clean))


def is_hashed(value: pl.Expr) -> pl.Expr:
    """Tell whether a value is a digest already.

    Parameters
    ----------
    value
        Any text.

    Returns
    -------
    polars.Expr
        True for 64 hexadecimal digits.
    """
    return trimmed(value).str.contains(_HASHED)


def trimmed(value: pl.Expr) -> pl.Expr:
    """Take the blanks off both ends of a text, those that only look like none too.

    Parameters
    ----------
    value
        Any text.

    Returns
    -------
    polars.Expr
        The text without them.
    """
    return value.str.strip_chars(_BLANKS)


def address(clean: pl.Expr) -> pl.Expr:
    """Keep what can be an e-mail address.

    Parameters
    ----------
    clean
        A text without blanks around it.

    Returns
    -------
    polars.Expr
        The text, or null where it is no address.
    """
    return pl.when(clean.str.contains(_ADDRESS)).then(clean)


def countries(country: pl.Series, region: str | None) -> pl.Series:
    """Read countries as people write them.

    Parameters
    ----------
    country
        Names or codes.
    region
        Country of two letters where there is none.

    Returns
    -------
    polars.Series
        Codes of two letters, in upper case; null where a country is written that is not known.
    """
    names = country.unique().to_list()  # few, however many rows
    codes = {name: country_code(name) if name else region for name in names}
    return country.replace_strict(list(codes), list(codes.values()), return_dtype=pl.String)


def phones(rows: pl.DataFrame, region: str | None) -> pl.Series:
    """Read phone numbers as people write them.

    Parameters
    ----------
    rows
        A row a person: ``phone`` and ``country``, both text.
    region
        Country of two letters for numbers without one.

    Returns
    -------
    polars.Series
        Numbers in E.164, in the order of the rows; null where a number cannot be read.
    """
    asked = rows.select("phone", "country").with_row_index("_row").lazy()
    read = add_e164(nw.from_native(asked), "phone", "country", "e164", open_engine("polars"), region=region)
    numbers: pl.Series = read.to_native().sort("_row").collect()["e164"]
    return numbers

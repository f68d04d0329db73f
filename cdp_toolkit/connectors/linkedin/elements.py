"""People and companies as Matched Audiences takes them.

Rules: learn.microsoft.com/en-us/linkedin/marketing/matched-audiences/create-and-manage-segment-users and
…/create-and-manage-segment-companies.
"""

import polars as pl

from cdp_toolkit.connectors.hashing import address, countries, hashed, trimmed

PERSON_FIELDS = ("email", "first_name", "last_name", "job_title", "company", "country")
COMPANY_FIELDS = ("domain", "website", "email_domain", "name", "page_url", "industry", "city", "state", "postal_code", "country",
                  "stock_symbol")  # fmt: skip
_HOST = r"^(?:[a-z]+://)?(?:www\.)?([^/?#:\s]+\.[^/?#:\s]+)"
# Of people: what is matched besides the address, and how long it may be.
_LONGEST = {"first_name": 35, "last_name": 35, "job_title": 50, "company": 50}


def people(rows: pl.DataFrame) -> pl.DataFrame:
    """Return what LinkedIn is told of each person.

    Parameters
    ----------
    rows
        A row a person: ``PERSON_FIELDS``, all text.

    Returns
    -------
    polars.DataFrame
        A row a person, in the same order: ``email`` (a digest), ``firstName``, ``lastName``, ``title``, ``company``
        and ``country`` (plain), null where there is none to give.
    """
    bare = pl.col("email").str.replace_all(r"[\s\u00a0\u200b\ufeff]", "").str.to_lowercase()
    return rows.select(
        email=hashed(pl.col("email"), address(bare)),
        firstName=_text("first_name"),
        lastName=_text("last_name"),
        title=_text("job_title"),
        company=_text("company"),
        country=countries(rows["country"], None),
    )


def companies(rows: pl.DataFrame) -> pl.DataFrame:
    """Return what LinkedIn is told of each company.

    Parameters
    ----------
    rows
        A row a company: ``COMPANY_FIELDS``, all text.

    Returns
    -------
    polars.DataFrame
        A row a company, in the same order and plain, by the names that LinkedIn has for it; null where there is none
        to give. The domain is that of the website where no other is known.
    """
    website = _text("website").str.to_lowercase().str.extract(_HOST, 1)
    return rows.select(
        companyWebsiteDomain=pl.coalesce(_text("domain").str.to_lowercase(), website),
        companyEmailDomain=_text("email_domain").str.to_lowercase(),
        companyName=_text("name"),
        companyPageUrl=_text("page_url"),
        industries=_text("industry"),
        city=_text("city"),
        state=_text("state"),
        postalCode=_text("postal_code"),
        country=countries(rows["country"], None),
        stockSymbol=_text("stock_symbol"),
    )


def _text(column: str) -> pl.Expr:
    text = trimmed(pl.col(column)).str.head(_LONGEST.get(column, 10_000))
    return pl.when(text != "").then(text)

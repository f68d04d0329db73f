"""What real exports look like: mixed notations, older versions of rows, and values that cannot be read.

Bad values stand in rows of their own (copies with new ids), so that refusing them loses nobody.
"""

from datetime import timedelta

import polars as pl

from cdp_toolkit.demo.dice import Dice

Tables = dict[str, dict[str, pl.DataFrame]]

# Source, object, column, value, rows.
BAD_VALUES = (
    ("marketo", "leads", "leadScore", "high", 2),
    ("marketo", "leads", "createdAt", "31.02.2024", 1),
    ("marketo", "leads", "id", None, 1),
    ("marketo", "companies", "annualRevenue", "a lot", 2),
    ("marketo", "list_members", "isDeleted", "maybe", 1),
    ("marketo", "activities", "activityDate", "last Tuesday", 3),
    ("salesforce", "Contact", "CreatedDate", "unknown", 1),
    ("salesforce", "Opportunity", "Amount", "TBD", 2),
    ("salesforce", "Opportunity", "CloseDate", "Q3", 1),
)
_TIME_FORMS = (
    "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S.000", "%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%S+00:00",
)  # fmt: skip
_TRUTHS = (("true", "false"), ("TRUE", "FALSE"), ("1", "0"))


def dirty(tables: Tables, dice: Dice) -> Tables:
    """Return the exports as they would really come.

    Parameters
    ----------
    tables
        Clean rows by source and object.
    dice
        Chance of this part.

    Returns
    -------
    dict of dict of polars.DataFrame
        The same with mixed notations, older versions and bad values.
    """
    marketo, salesforce = dict(tables["marketo"]), dict(tables["salesforce"])
    marketo["leads"] = _mixed(_with_older(marketo["leads"], "updatedAt", "leadScore", dice), dice)
    marketo["companies"] = marketo["companies"].with_columns(annualRevenue=_grouped("annualRevenue"))
    salesforce["Contact"] = _with_older(salesforce["Contact"], "SystemModstamp", "Title", dice)
    spoilt = {**tables, "marketo": marketo, "salesforce": salesforce}
    for source, name, column, value, rows in BAD_VALUES:
        spoilt[source][name] = _with_bad(spoilt[source][name], column, value, rows)
    return spoilt


def bad_rows() -> dict[str, int]:
    """Return how many rows are to be refused, by source and object.

    Returns
    -------
    dict of int
        Such as ``{"marketo/leads": 4}``.

    Examples
    --------
    >>> bad_rows()["salesforce/Opportunity"]
    3
    """
    names = dict.fromkeys(f"{source}/{name}" for source, name, *_ in BAD_VALUES)
    return {key: sum(each[-1] for each in BAD_VALUES if f"{each[0]}/{each[1]}" == key) for key in names}


def _with_older(rows: pl.DataFrame, changed: str, column: str, dice: Dice) -> pl.DataFrame:
    """Put the version of three weeks ago of some rows before the present ones."""
    chosen = rows.filter(dice.chance(0.04, rows=rows.height))
    older = chosen.with_columns(
        pl.col(changed) - timedelta(days=21),
        pl.lit(None).cast(rows.schema[column]).alias(column),
    )
    return pl.concat([older, rows])


def _mixed(leads: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """Write times and truths of a row in one of several notations."""
    form = pl.Series(dice.whole(0, len(_TIME_FORMS) - 1, rows=leads.height))
    truth = pl.Series(dice.whole(0, len(_TRUTHS) - 1, rows=leads.height))
    times = [
        pl.coalesce(pl.when(form == n).then(pl.col(name).dt.strftime(text)) for n, text in enumerate(_TIME_FORMS))
        for name in ("createdAt", "updatedAt")
    ]
    words = [pl.when("unsubscribed").then(pl.lit(yes)).otherwise(pl.lit(no)) for yes, no in _TRUTHS]
    said = pl.coalesce(pl.when(truth == n).then(word) for n, word in enumerate(words))
    return leads.with_columns(*times, unsubscribed=said)


def _grouped(column: str) -> pl.Expr:
    """Write a whole number with a comma between thousands."""
    digits = pl.col(column).cast(pl.Int64).cast(pl.String)
    return digits.str.reverse().str.replace_all(r"(\d{3})", "${1},").str.reverse().str.strip_chars(",")


def _with_bad(rows: pl.DataFrame, column: str, value: str | None, count: int) -> pl.DataFrame:
    """Add copies of some rows with ids of their own and a value that cannot be read."""
    key = rows.columns[0]
    # Of activities page visits only: a merge that cannot be read would be refused twice, as event and as merge.
    plain = rows.filter(activityTypeId=1) if "activityTypeId" in rows.columns else rows
    copies = plain.head(count).with_columns(_unused(rows[key], count)).cast({column: pl.String})
    return pl.concat([rows.cast({column: pl.String}), copies.with_columns(pl.lit(value, pl.String).alias(column))])


def _unused(ids: pl.Series, count: int) -> pl.Series:
    if ids.dtype == pl.String:
        return ("x" + ids.head(count)).alias(ids.name)
    return (pl.arange(1, min(count, ids.len()) + 1, eager=True) + ids.max()).alias(ids.name)

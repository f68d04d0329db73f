"""What an audience is made of: a few columns by which its members are counted, each of which can be asked for in a rule."""

import math
from calendar import monthrange
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import narwhals as nw
import polars as pl

from cdp_toolkit.engines import Frame
from cdp_toolkit.model import Model
from cdp_toolkit.segments.breakdown import values_of

_MONTHS = 12
_BANDS = 6


@dataclass(frozen=True)
class Facet:
    """A column by which members are counted.

    Parameters
    ----------
    label
        What it is called.
    path
        Relations and the column, such as ``accounts.industry``.
    kind
        ``values``, ``bands`` of a number, or ``months`` of a time.
    """

    label: str
    path: str
    kind: str = "values"

    @property
    def ways(self) -> list[tuple[str, ...]]:
        """The relations to its column, from none on."""
        names = self.path.split(".")[:-1]
        return [tuple(names[:many]) for many in range(len(names) + 1)]


FACETS: Final = {
    "person": (
        Facet("Industry", "accounts.industry"),
        Facet("Country", "country"),
        Facet("Job title", "job_title"),
        Facet("Score", "person_score", "bands"),
        Facet("Deal stage", "opportunityRoles.opportunity.stage"),
        Facet("Active in", "xEvent.timestamp", "months"),
    ),
    "account": (
        Facet("Industry", "industry"),
        Facet("Country", "billing_country"),
        Facet("Titles of its people", "people.job_title"),
        Facet("Employees", "employees", "bands"),
        Facet("Deal stage", "opportunities.stage"),
        Facet("Active in", "people.xEvent.timestamp", "months"),
    ),
}


def values(facet: Facet, entity: str, ids: Frame, scan: Callable[[str], Frame], model: Model) -> pl.DataFrame:
    """Return the values of a facet for each profile.

    Parameters
    ----------
    facet
        The facet.
    entity
        What the profiles are.
    ids
        One row per profile: ``profile_id``.
    scan
        Gives ``profiles/<name>``.
    model
        Entities, fields and relations.

    Returns
    -------
    polars.DataFrame
        One row per profile and value: ``profile_id``, ``value``, and ``order`` to sort values by; null where there is none.
    """
    found = values_of(ids, entity, facet.path, scan, model)
    if facet.kind == "months":  # before rows are told apart, or there would be one an event
        found = found.with_columns(value=nw.col("value").str.slice(0, 7)).unique()
    rows: pl.DataFrame = found.collect("polars").to_native()
    if facet.kind == "bands":
        return _banded(rows)
    order = pl.col("value").rank("dense", descending=True) if facet.kind == "months" else pl.lit(0)
    return rows.with_columns(order=order.cast(pl.Float64))


def shown(facet: Facet, rows: pl.DataFrame, *, most: int = 8) -> pl.DataFrame:
    """Count profiles by value.

    Parameters
    ----------
    facet
        The facet.
    rows
        As ``values`` returns them, of the profiles that are counted.
    most
        How many values.

    Returns
    -------
    polars.DataFrame
        One row per ``value``: ``count``; the most frequent first, bands and months in their order.
    """
    counted = rows.group_by("value", "order").agg(count=pl.len())
    if facet.kind == "values":
        return counted.sort("count", "value", descending=[True, False], nulls_last=True).head(most)
    kept = counted.sort("order", nulls_last=True).head(_MONTHS if facet.kind == "months" else most)
    return kept.drop_nulls("value").sort("order", descending=facet.kind == "months")


def asked(facet: Facet, chosen: Sequence[str], entity: str, model: Model) -> str:
    """Return the rule that a profile has one of some values.

    Parameters
    ----------
    facet
        The facet.
    chosen
        Values, as they are shown.
    entity
        What the profiles are.
    model
        Entities, fields and relations.

    Returns
    -------
    str
        In the Profile Query Language.

    Examples
    --------
    >>> asked(FACETS["person"][0], ["Finance", "Retail"], "person", Model.standard())
    'accounts.exists(industry in ["Finance", "Retail"])'
    >>> asked(FACETS["person"][5], ["2026-02"], "person", Model.standard())
    'xEvent.exists(timestamp occurs between date(2026, 2, 1) and date(2026, 2, 28))'
    """
    *way, column = facet.path.split(".")
    read: list[str] = []
    opened, here = "", entity
    for name in way:
        relation = model.entity(here).relations[name]
        read, here = [*read, name], relation.to
        if relation.many:
            opened, read = f"{opened}{'.'.join(read)}.exists(", []
    condition = _condition(facet.kind, ".".join((*read, column)), chosen)
    return f"{opened}{condition}{')' * opened.count('(')}"


def _condition(kind: str, path: str, chosen: Sequence[str]) -> str:
    if kind == "values":
        from cdp_toolkit.segments.pql import nodes as n

        return f"{path} in {n.Array(tuple(n.Literal(each) for each in chosen))}"
    each = [_month(path, one) if kind == "months" else _band(path, one) for one in chosen]
    return each[0] if len(each) == 1 else f"({' or '.join(each)})"


def _month(path: str, month: str) -> str:
    year, number = (int(part) for part in month.split("-"))
    last = monthrange(year, number)[1]
    return f"{path} occurs between date({year}, {number}, 1) and date({year}, {number}, {last})"


def _band(path: str, band: str) -> str:
    low, high = band.replace(",", "").split(" to under ")
    return f"({path} >= {low} and {path} < {high})"


def _banded(rows: pl.DataFrame) -> pl.DataFrame:
    """Cut numbers into bands of a round width."""
    number = rows["value"].cast(pl.Float64, strict=False)
    width = _round_width(number)
    low = (number / width).floor() * width
    bands = pl.DataFrame({"profile_id": rows["profile_id"], "order": low})
    text = pl.col("order").map_elements(lambda at: f"{at:,.0f} to under {at + width:,.0f}", return_dtype=pl.String)
    return bands.with_columns(value=text)


def _round_width(number: pl.Series) -> float:
    high: Any = number.quantile(0.98) or 1.0
    low: Any = number.quantile(0.02) or 0.0
    rough = max((high - low) / _BANDS, 1.0)
    power = 10 ** math.floor(math.log10(rough))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= rough))

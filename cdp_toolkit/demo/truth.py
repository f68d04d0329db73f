"""Which record is truly whom, what else is true of the world, and how well a stitching found it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import polars as pl

from cdp_toolkit.demo.dirt import Tables, bad_rows
from cdp_toolkit.demo.keys import MARKETO, SALESFORCE, source_keys
from cdp_toolkit.demo.marketo import FIRST_PROGRAM
from cdp_toolkit.demo.records import PLACEHOLDER, Records


@dataclass(frozen=True)
class Ids:
    """The ids that the systems gave to what exists, by its true number; null where a system does not know it.

    Parameters
    ----------
    accounts, opportunities, campaigns
        Salesforce's.
    companies
        Marketo's.
    """

    accounts: pl.Series
    companies: pl.Series
    opportunities: pl.Series
    campaigns: pl.Series


@dataclass(frozen=True)
class StitchQuality:
    """How well records were stitched, over pairs of records.

    Parameters
    ----------
    precision
        Share of the pairs put together that belong together.
    recall
        Share of the pairs that belong together that were put together.
    records
        Records judged.
    left_out
        Records of the truth that have no profile, such as deleted ones.
    """

    precision: float
    recall: float
    records: int
    left_out: int

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def evaluate_stitching(person_ids: Any, truth: Any, *, entity: str = "person") -> StitchQuality:
    """Compare a stitching with the truth.

    Pairs are counted by the sizes of groups (n records make n(n-1)/2 pairs), never listed.

    Parameters
    ----------
    person_ids
        One row a record: ``source_key``, ``profile_id``; a frame of any engine.
    truth
        One row a record: ``entity``, ``source_key``, ``true_id``; a frame of the same engine.
    entity
        Which records of the truth to judge.

    Returns
    -------
    StitchQuality
        Precision, recall, and how many records they rest on.

    Examples
    --------
    >>> truth = pl.DataFrame({"entity": ["person"] * 4, "source_key": ["a", "b", "c", "d"], "true_id": [1, 1, 1, 2]})
    >>> evaluate_stitching(pl.DataFrame({"source_key": ["a", "b", "c", "d"], "profile_id": [1, 1, 2, 2]}), truth)
    StitchQuality(precision=0.5, recall=0.3333333333333333, records=4, left_out=0)
    """
    known = nw.from_native(truth).lazy().filter(nw.col("entity") == entity).select("source_key", "true_id")
    found = nw.from_native(person_ids).lazy().select("source_key", "profile_id")
    judged = known.join(found, on="source_key", how="inner").select("true_id", "profile_id")
    right, put, belong = (_pairs(judged, *by) for by in (("true_id", "profile_id"), ("profile_id",), ("true_id",)))
    records = _rows(judged)
    return StitchQuality(
        precision=right / put if put else 1.0,
        recall=right / belong if belong else 1.0,
        records=records,
        left_out=_rows(known) - records,
    )


def _pairs(judged: nw.LazyFrame[Any], *by: str) -> int:
    sizes = judged.group_by(*by).agg(size=nw.len()).select(size=nw.col("size").cast(nw.Int64()))
    total = sizes.select(pairs=(nw.col("size") * (nw.col("size") - 1) // 2).sum()).collect()
    return int(total.item() or 0)


def _rows(frame: nw.LazyFrame[Any]) -> int:
    return int(frame.select(nw.len()).collect().item())


def list_records(records: Records, campaigns: pl.DataFrame, opportunities: pl.DataFrame, ids: Ids) -> pl.DataFrame:
    """Say of every exported record whom or what it truly is.

    Parameters
    ----------
    records
        Records of people.
    campaigns
        The campaigns.
    opportunities
        The deals that Marketo exports.
    ids
        The systems' ids.

    Returns
    -------
    polars.DataFrame
        One row a record: ``entity``, ``source_key``, ``true_id``.
    """
    return pl.concat(
        pl.DataFrame({"source_key": source_keys(keys, instance), "true_id": true.cast(pl.Int64)})
        .filter(keys.is_not_null())
        .select(pl.lit(entity).alias("entity"), "source_key", "true_id")
        for entity, keys, true, instance in _exported(records, campaigns, opportunities, ids)
    )


def _exported(
    records: Records, campaigns: pl.DataFrame, opportunities: pl.DataFrame, ids: Ids
) -> Iterator[tuple[str, pl.Series, pl.Series, str]]:
    leads, sf_leads, contacts = records.leads.filter("is_exported"), records.sf_leads, records.contacts
    yield "person", leads["lead"], leads["person"], MARKETO
    yield "person", sf_leads["sf_lead_id"], sf_leads["person"], SALESFORCE
    yield "person", contacts["contact_id"], contacts["person"], SALESFORCE
    yield "account", ids.companies, _numbers(ids.companies), MARKETO
    yield "account", ids.accounts, _numbers(ids.accounts), SALESFORCE
    yield "opportunity", ids.opportunities, _numbers(ids.opportunities), SALESFORCE
    yield "opportunity", opportunities["id"], opportunities["id"] - 1, MARKETO
    programs = campaigns.filter("in_marketo")["campaign"]
    yield "campaign", programs + FIRST_PROGRAM, programs, MARKETO
    yield "campaign", ids.campaigns, _numbers(ids.campaigns), SALESFORCE


def _numbers(ids: pl.Series) -> pl.Series:
    return pl.arange(0, ids.len(), eager=True)


def list_facts(
    people: pl.DataFrame, devices: pl.DataFrame, records: Records, sources: Tables
) -> dict[str, dict[str, int]]:
    """Count what is in the world.

    Parameters
    ----------
    people, devices
        Who truly exists, and their browsers.
    records
        Records of people.
    sources
        Rows of every source, dirt included.

    Returns
    -------
    dict of dict of int
        ``rows`` and ``bad_rows`` by source and object; ``difficulties`` by name.
    """
    leads = records.leads
    kinds = {f"{kind}_leads": leads.filter(pl.col("kind") == kind).height for kind in leads["kind"].unique().sort()}
    return {
        "rows": {f"{source}/{name}": frame.height for source in sources for name, frame in sources[source].items()},
        "bad_rows": bad_rows(),
        "difficulties": {
            **kinds,
            "converted_leads": records.sf_leads["converted_contact_id"].drop_nulls().len(),
            "deleted_contacts": records.contacts["is_deleted"].sum(),
            "job_changes": people["previous_company"].drop_nulls().len(),
            "leads_without_email": leads["email"].null_count(),
            "opted_out_people": people["is_opted_out"].sum(),
            "people_on_shared_devices": devices.filter(pl.col("ecid").is_duplicated())["person"].n_unique(),
            "placeholder_emails": leads.filter(pl.col("email") == PLACEHOLDER).height,
            "shared_mailbox_people": people["mailbox"].drop_nulls().len(),
        },
    }

"""Which record is truly whom, and what else is true of the world."""

from collections.abc import Iterator

import polars as pl

from cdp_toolkit.demo.dirt import Tables, bad_rows
from cdp_toolkit.demo.keys import MARKETO, REGISTRY, SALESFORCE, source_keys
from cdp_toolkit.demo.marketo import FIRST_PROGRAM
from cdp_toolkit.demo.reality import Reality
from cdp_toolkit.demo.records import PLACEHOLDER


def list_records(real: Reality, opportunities: pl.DataFrame) -> pl.DataFrame:
    """Say of every exported record whom or what it truly is.

    Parameters
    ----------
    real
        The true world.
    opportunities
        The deals that Marketo exports.

    Returns
    -------
    polars.DataFrame
        One row a record: ``entity``, ``source_key``, ``true_id``, and ``linkable_id``: of the records of one person
        those have the same that the exports tie together. A lead of a former job has another phone, address and e-mail;
        where no CRM id and no browser leads from it to the present, nothing in the exports says that it is the same
        person, and it has a negative ``linkable_id``.
    """
    records = pl.concat(
        pl.DataFrame({"source_key": source_keys(keys, instance), "true_id": true.cast(pl.Int64)})
        .filter(keys.is_not_null())
        .select(pl.lit(entity).alias("entity"), "source_key", "true_id")
        for entity, keys, true, instance in _exported(real, opportunities)
    )
    is_apart = (pl.col("entity") == "person") & pl.col("source_key").is_in(_untied(real).implode())
    return records.with_columns(linkable_id=pl.when(is_apart).then(-1 - pl.col("true_id")).otherwise("true_id"))


def _untied(real: Reality) -> pl.Series:
    """Return the keys of the records of former jobs from which nothing leads to the present one."""
    records, now = real.records, real.people.select("person", present="company")
    leads = records.leads.filter("is_exported")
    browsing = leads.filter((pl.col("kind") == "primary") & pl.col("ecids").is_not_null())
    in_marketo = leads.select(
        "person", "company", source_key=source_keys(leads["lead"], MARKETO),
        is_bridge=pl.col("contact_id").is_not_null()
        | (pl.col("ecids").is_not_null() & pl.col("person").is_in(browsing["person"].implode())),
    )  # fmt: skip
    in_crm = records.sf_leads.select(
        "person", "company", source_key=source_keys(records.sf_leads["sf_lead_id"], SALESFORCE),
        is_bridge=pl.col("converted_contact_id").is_not_null(),
    )  # fmt: skip
    former = pl.concat([in_marketo, in_crm]).join(now, on="person").filter(pl.col("company") != pl.col("present"))
    return former.filter(~pl.col("is_bridge").any().over("person"))["source_key"]


def _exported(real: Reality, opportunities: pl.DataFrame) -> Iterator[tuple[str, pl.Series, pl.Series, str]]:
    records, companies, deals = real.records, real.companies["company"], real.deals
    leads, programs = records.leads.filter("is_exported"), real.campaigns.filter("in_marketo")["campaign"]
    yield "person", leads["lead"], leads["person"], MARKETO
    yield "person", records.sf_leads["sf_lead_id"], records.sf_leads["person"], SALESFORCE
    yield "person", records.contacts["contact_id"], records.contacts["person"], SALESFORCE
    yield "account", real.company_ids, companies, MARKETO
    yield "account", real.accounts, companies, SALESFORCE
    is_related = real.accounts.gather(real.companies["related"]).is_not_null()
    yield "account", real.accounts.filter(is_related), companies.filter(is_related), REGISTRY
    yield "opportunity", deals["opportunity_id"], deals["opportunity"], SALESFORCE
    yield "opportunity", opportunities["id"], opportunities["id"] - 1, MARKETO
    yield "campaign", programs + FIRST_PROGRAM, programs, MARKETO
    yield "campaign", real.campaign_ids, real.campaigns["campaign"], SALESFORCE


def list_facts(real: Reality, sources: Tables) -> dict[str, dict[str, int]]:
    """Count what is in the world.

    Parameters
    ----------
    real
        The true world.
    sources
        Rows of every source, dirt included.

    Returns
    -------
    dict of dict of int
        ``rows`` and ``bad_rows`` by source and object; ``difficulties`` by name.
    """
    return {
        "rows": {f"{source}/{name}": frame.height for source in sources for name, frame in sources[source].items()},
        "bad_rows": bad_rows(),
        "difficulties": _difficulties(real),
    }


def _difficulties(real: Reality) -> dict[str, int]:
    people, leads = real.people, real.records.leads
    shared = real.devices.filter(pl.col("ecid").is_duplicated())
    return {
        **{f"{kind}_leads": leads.filter(pl.col("kind") == kind).height for kind in leads["kind"].unique().sort()},
        "converted_leads": real.records.sf_leads["converted_contact_id"].drop_nulls().len(),
        "deleted_contacts": real.records.contacts.filter("is_deleted").height,
        "former_jobs_tied_by_nothing": _untied(real).len(),
        "job_changes": people["previous_company"].drop_nulls().len(),
        "leads_without_email": leads["email"].null_count(),
        "opted_out_people": people.filter("is_opted_out").height,
        "people_on_shared_devices": shared["person"].n_unique(),
        "placeholder_emails": leads.filter(pl.col("email") == PLACEHOLDER).height,
        "shared_mailbox_people": people["mailbox"].drop_nulls().len(),
    }

"""Which record is truly whom, and what else is true of the world."""

from collections.abc import Iterator

import polars as pl

from cdp_toolkit.demo.dirt import Tables, bad_rows
from cdp_toolkit.demo.keys import MARKETO, REGISTRY, SALESFORCE, source_keys
from cdp_toolkit.demo.marketo import FIRST_PROGRAM
from cdp_toolkit.demo.reality import Reality
from cdp_toolkit.demo.records import PLACEHOLDER, REMARK
from cdp_toolkit.demo.ties import tied_ids
from cdp_toolkit.demo.words import FIRST_NAMES


def list_records(real: Reality, exports: Tables) -> pl.DataFrame:
    """Say of every exported record whom or what it truly is.

    Parameters
    ----------
    real
        The true world.
    exports
        Clean rows of every source.

    Returns
    -------
    polars.DataFrame
        One row a record: ``entity``, ``source_key``, ``true_id``, and ``linkable_id``: of the records of one person
        those have the same that the exports tie together by any value. A lead of a former job has another phone,
        address and e-mail; where no CRM id and no browser leads from it to the present, nothing in the exports says
        that it is the same person, and it has a negative ``linkable_id``.
    """
    records = pl.concat(
        pl.DataFrame({"source_key": source_keys(keys, instance), "true_id": true.cast(pl.Int64)})
        .filter(keys.is_not_null())
        .select(pl.lit(entity).alias("entity"), "source_key", "true_id")
        for entity, keys, true, instance in _exported(real, exports["marketo"]["opportunities"])
    )
    is_person = records["entity"] == "person"
    people, others = records.filter(is_person), records.filter(~is_person)
    return pl.concat([
        people.with_columns(linkable_id=tied_ids(people, exports)), others.with_columns(linkable_id="true_id")
    ])  # fmt: skip


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


def list_employers(real: Reality) -> pl.DataFrame:
    """Say at which company each record of a person has them.

    Parameters
    ----------
    real
        The true world.

    Returns
    -------
    polars.DataFrame
        One row a record: ``source_key``, ``company`` (the true id of an account) and ``is_current`` (whether they still
        work there).
    """
    records = real.records
    leads = records.leads.filter("is_exported")
    held = pl.concat(
        pl.DataFrame({"source_key": source_keys(rows[key], instance), "company": rows["company"], "person": rows["person"]})
        for rows, key, instance in (
            (leads, "lead", MARKETO), (records.sf_leads, "sf_lead_id", SALESFORCE),
            (records.contacts, "contact_id", SALESFORCE),
        )
    )  # fmt: skip
    present = real.people["company"].gather(held["person"])
    return held.select("source_key", pl.col("company").cast(pl.Int64), is_current=held["company"] == present)


def list_facts(real: Reality, exports: Tables, sources: Tables, truth: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Count what is in the world.

    Parameters
    ----------
    real
        The true world.
    exports
        Clean rows of every source.
    sources
        Rows of every source, dirt included.
    truth
        Of ``list_records``.

    Returns
    -------
    dict of dict of int
        ``rows`` and ``bad_rows`` by source and object; ``difficulties`` by name.
    """
    return {
        "rows": {f"{source}/{name}": frame.height for source in sources for name, frame in sources[source].items()},
        "bad_rows": bad_rows(),
        "difficulties": dict(sorted((_of_records(real) | _of_people(real) | _of_rows(exports, truth)).items())),
    }


def _of_records(real: Reality) -> dict[str, int]:
    leads = real.records.leads
    return {
        **{f"{kind}_leads": leads.filter(pl.col("kind") == kind).height for kind in leads["kind"].unique().sort()},
        "converted_leads": real.records.sf_leads["converted_contact_id"].drop_nulls().len(),
        "deleted_contacts": real.records.contacts.filter("is_deleted").height,
        "leads_without_email": leads["email"].null_count(),
        "placeholder_emails": leads.filter(pl.col("email") == PLACEHOLDER).height,
        "remarks_for_emails": leads.filter("is_exported", pl.col("email") == REMARK).height,
        "tagged_emails": leads.filter(pl.col("email").str.contains("+", literal=True)).height,
    }


def _of_people(real: Reality) -> dict[str, int]:
    people = real.people
    shared = real.devices.filter(pl.col("ecid").is_duplicated())
    return {
        "companies_typed_by_hand": people["typed_company"].drop_nulls().len(),
        "people_who_walked_in": int(people["is_walk_in"].sum()),
        "job_changes": people["previous_company"].drop_nulls().len(),
        "name_twins_at_one_company": int(people.select("company", "first_name", "last_name").is_duplicated().sum()),
        "opted_out_people": people.filter("is_opted_out").height,
        "people_on_shared_devices": shared["person"].n_unique(),
        "people_who_took_another_name": people["former_last_name"].drop_nulls().len(),
        "shared_mailbox_people": people["mailbox"].drop_nulls().len(),
        "switchboard_people": int(people.select("company", "phone", "postal_code").is_duplicated().sum()),
    }


def _of_rows(exports: Tables, truth: pl.DataFrame) -> dict[str, int]:
    leads, contacts = exports["marketo"]["leads"], exports["salesforce"]["Contact"]
    known = set(FIRST_NAMES)
    return {
        "leads_without_phone": leads["phone"].null_count(),
        "national_phones": int((~contacts["Phone"].str.starts_with("+")).sum()),
        "records_tied_by_nothing": truth.filter(pl.col("linkable_id") < 0).height,
        "swapped_names": leads.filter(pl.col("lastName").is_in(known), ~pl.col("firstName").is_in(known)).height,
    }

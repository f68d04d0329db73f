"""Which records the systems hold of each person, and by what they can be linked.

Every frame here has one row a record. Columns that link records: ``email``, ``contact_id`` and ``sf_lead_id`` (the
CRM's id on a Marketo lead), ``converted_contact_id`` (on a Salesforce lead), ``ecids``.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from cdp_toolkit.demo.dice import Dice
from cdp_toolkit.demo.keys import salesforce_ids
from cdp_toolkit.demo.slips import tagged

FIRST_LEAD = 1_000_001
PLACEHOLDER = "unknown@none.example"
REMARK = "call him first"


@dataclass(frozen=True)
class Records:
    """The records of all people.

    Parameters
    ----------
    contacts
        Salesforce contacts: ``person``, ``contact_id``, ``company``, ``email``, ``is_deleted``, ``master_id``, times.
    sf_leads
        Salesforce leads: ``person``, ``sf_lead_id``, ``company``, ``email``, ``converted_contact_id``,
        ``is_former_name``, times.
    leads
        Marketo leads: ``person``, ``lead``, ``kind`` (primary, duplicate, previous, merged, deleted), ``company``,
        ``email``, ``contact_id``, ``sf_lead_id``, ``ecids``, ``is_former_name``, ``is_exported``, times.
    """

    contacts: pl.DataFrame
    sf_leads: pl.DataFrame
    leads: pl.DataFrame

    @property
    def live_contacts(self) -> pl.DataFrame:
        """The contacts that were not merged away."""
        return self.contacts.filter(~pl.col("is_deleted"))


def make_records(
    people: pl.DataFrame, companies: pl.DataFrame, devices: pl.DataFrame, as_of: datetime, seed: int
) -> Records:
    """Decide which records exist.

    Parameters
    ----------
    people, companies, devices
        The true world.
    as_of
        No record is newer.
    seed
        Seed of the world.

    Returns
    -------
    Records
        Contacts, Salesforce leads and Marketo leads.
    """
    owners = people.with_columns(
        in_crm=companies["in_crm"].gather(people["company"]), is_synced=companies["is_synced"].gather(people["company"])
    ).with_columns(updated_at=_touched(people["known_at"], as_of, Dice(seed, "touched")))
    contacts = _contacts(owners, Dice(seed, "contacts"))
    sf_leads = _sf_leads(owners, contacts, Dice(seed, "sf leads"))
    leads = _leads(owners, contacts, sf_leads, devices, Dice(seed, "leads"))
    return Records(contacts, sf_leads, leads)


def _touched(known_at: pl.Series, as_of: datetime, dice: Dice) -> pl.Series:
    """Return when a record was last changed: between its creation and the end of time."""
    age_s = (pl.Series([as_of]).dt.timestamp("us")[0] - known_at.dt.timestamp("us")) // 1_000_000
    since_s = (age_s * dice.share(rows=known_at.len())).cast(pl.Int64)
    return known_at + pl.select(pl.duration(seconds=since_s)).to_series()


def _contacts(owners: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """Make a contact for four in ten people of known companies who did not walk in, and a few that were merged away in Salesforce."""
    chosen = owners.filter(pl.col("in_crm") & dice.chance(0.42, rows=owners.height) & ~pl.col("is_walk_in"))
    live = chosen.select(
        "person", "company", "email", "is_synced", created_at="known_at", updated_at="updated_at",
        contact_id=salesforce_ids("003", np.arange(chosen.height)),
        master_id=pl.lit(None, pl.String), is_deleted=pl.lit(False),
    )  # fmt: skip
    folded = live.filter(dice.chance(0.015, rows=live.height))
    return pl.concat([
        live,
        folded.with_columns(
            contact_id=salesforce_ids("003", np.arange(live.height, live.height + folded.height)),
            master_id="contact_id", is_deleted=pl.lit(True),
        ),
    ])  # fmt: skip


def _sf_leads(owners: pl.DataFrame, contacts: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """Make a lead for every third person; those of contacts were mostly converted, some at a previous job."""
    chosen = owners.filter(dice.chance(0.34, rows=owners.height))
    rows = chosen.height
    live = contacts.filter(~pl.col("is_deleted")).select("person", "contact_id")
    joined = chosen.join(live, on="person", how="left", maintain_order="left")
    is_previous = pl.col("previous_company").is_not_null() & dice.chance(0.4, rows=rows)
    is_former = pl.col("former_last_name").is_not_null() & dice.chance(0.7, rows=rows)
    present = pl.when(is_former & dice.chance(0.5, rows=rows)).then("former_email").otherwise("email")
    return joined.select(
        "person",
        pl.when(is_previous).then("previous_company").otherwise("company").alias("company"),
        pl.when(is_previous).then("previous_email").otherwise(present).alias("email"),
        is_former_name=is_former,
        converted_contact_id=pl.when(dice.chance(0.85, rows=rows)).then("contact_id"),
        sf_lead_id=salesforce_ids("00Q", np.arange(rows)),
        created_at=pl.col("known_at") - timedelta(days=1),
        updated_at="updated_at",
    )


def _leads(
    owners: pl.DataFrame, contacts: pl.DataFrame, sf_leads: pl.DataFrame, devices: pl.DataFrame, dice: Dice
) -> pl.DataFrame:
    """Make Marketo's leads and number them by age."""
    linked = _with_crm_ids(owners, contacts, sf_leads, devices, dice)
    has_none = pl.col("contact_id").is_null() & pl.col("sf_lead_id").is_null()
    primary = _primary(linked.filter(has_none | dice.chance(0.88, rows=linked.height)), dice)
    twins = [
        _twin(primary, "duplicate", 0.03, dice),
        _twin(primary, "merged", 0.03, dice),
        _twin(primary, "deleted", 0.012, dice),
    ]
    every = pl.concat([primary, _previous(linked, dice), *twins])
    exported = (pl.col("kind") != "merged") | dice.chance(0.5, rows=every.height)
    return (
        every.with_columns(is_exported=exported)
        .sort("created_at", "person", "kind")
        .with_columns(lead=pl.int_range(pl.len()) + FIRST_LEAD)
    )


def _with_crm_ids(
    owners: pl.DataFrame, contacts: pl.DataFrame, sf_leads: pl.DataFrame, devices: pl.DataFrame, dice: Dice
) -> pl.DataFrame:
    """Add what the systems could know of each person: CRM ids, all browsers, one browser."""
    live = contacts.filter(~pl.col("is_deleted")).select("person", "contact_id")
    open_leads = sf_leads.filter(pl.col("converted_contact_id").is_null()).select("person", "sf_lead_id")
    seen = (
        devices.filter(dice.chance(0.9, rows=devices.height))
        .group_by("person", maintain_order=True)
        .agg(ecids=pl.col("ecid").str.join(";"), first_ecid=pl.col("ecid").first())
    )
    for known in (live, open_leads, seen):
        owners = owners.join(known, on="person", how="left", maintain_order="left")
    return owners


def _primary(linked: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """Make the lead that a person has; the sync has written the CRM's id on most, but not where the e-mail was new."""
    rows = linked.height
    is_synced = dice.chance(0.88, rows=rows) & pl.col("previous_company").is_null()
    has_contact = pl.col("contact_id").is_not_null()
    return linked.with_columns(
        contact_id=pl.when(is_synced).then("contact_id"),
        sf_lead_id=pl.when(is_synced & ~has_contact).then("sf_lead_id"),
        email=_given_email(dice, rows=rows, has_crm_id=is_synced & (has_contact | pl.col("sf_lead_id").is_not_null())),
    ).select(
        "person", "company", "email", "contact_id", "sf_lead_id", "ecids", "updated_at",
        created_at="known_at", kind=pl.lit("primary"), is_former_name=pl.lit(False),
    )  # fmt: skip


def _given_email(dice: Dice, *, rows: int, has_crm_id: pl.Expr) -> pl.Expr:
    """Return the address as it was typed: shared, mistyped, missing, a placeholder, a remark, with a tag."""
    mistyped = pl.concat_str(pl.col("email").str.head(2), pl.col("email").str.slice(3))
    return (
        pl.when(pl.col("mailbox").is_not_null())
        .then("mailbox")
        .when((has_crm_id & dice.chance(0.05, rows=rows)) | dice.chance(0.015, rows=rows))
        .then(mistyped)
        .when(dice.chance(0.03, rows=rows))
        .then(None)
        .when(dice.chance(0.004, rows=rows))
        .then(pl.lit(PLACEHOLDER))
        .when(dice.chance(0.003, rows=rows))
        .then(pl.lit(REMARK))
        .when(dice.chance(0.01, rows=rows))
        .then(tagged(pl.col("email"), dice, rows=rows))
        .otherwise("email")
    )


def _previous(linked: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """Make the lead of the previous job: linked by the contact's id, by a browser, or by nothing."""
    former = linked.filter(pl.col("previous_company").is_not_null())
    by_crm = dice.chance(0.7, rows=former.height)
    by_browser = dice.chance(0.5, rows=former.height) & ~by_crm
    return former.select(
        "person",
        pl.col("previous_company").alias("company"),
        pl.col("previous_email").alias("email"),
        pl.when(by_crm).then("contact_id").alias("contact_id"),
        pl.lit(None, pl.String).alias("sf_lead_id"),
        pl.when(by_browser).then("first_ecid").alias("ecids"),
        pl.col("known_at").alias("updated_at"),
        created_at=pl.col("known_at") - timedelta(days=200),
        kind=pl.lit("previous"),
        is_former_name=pl.lit(True),
    )


def _twin(primary: pl.DataFrame, kind: str, probability: float, dice: Dice) -> pl.DataFrame:
    """Make a second, older lead with the same e-mail and without a CRM id."""
    is_address = ~pl.col("email").is_in([PLACEHOLDER, REMARK])
    chosen = primary.filter(is_address & dice.chance(probability, rows=primary.height))
    return chosen.with_columns(
        pl.lit(None, pl.String).alias("contact_id"),
        pl.lit(None, pl.String).alias("sf_lead_id"),
        pl.lit(None, pl.String).alias("ecids"),
        updated_at="created_at",
        created_at=pl.col("created_at") - timedelta(days=30),
        kind=pl.lit(kind),
        is_former_name=pl.lit(True),
    )

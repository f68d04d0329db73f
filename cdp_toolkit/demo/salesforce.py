"""The world as Salesforce exports it: its objects, its field names, its ids of 18 characters."""

from datetime import datetime

import numpy as np
import polars as pl

from cdp_toolkit.demo.dice import Dice
from cdp_toolkit.demo.keys import salesforce_ids
from cdp_toolkit.demo.people import as_employed
from cdp_toolkit.demo.slips import national, written_emails, written_names
from cdp_toolkit.demo.walkins import typed
from cdp_toolkit.demo.words import LEAD_SOURCES


def account_ids(companies: pl.DataFrame) -> pl.Series:
    """Return the CRM's id by company number, null where the CRM does not know the company.

    Parameters
    ----------
    companies
        The companies.
    """
    ids = salesforce_ids("001", companies["company"].to_numpy())
    return companies.select(pl.when("in_crm").then(ids)).to_series()


def campaign_ids(campaigns: pl.DataFrame) -> pl.Series:
    """Return the CRM's id by campaign number, null where the CRM does not know the campaign.

    Parameters
    ----------
    campaigns
        The campaigns.
    """
    ids = salesforce_ids("701", campaigns["campaign"].to_numpy())
    return campaigns.select(pl.when("in_crm").then(ids)).to_series()


def numbered(rows: pl.DataFrame, prefix: str) -> pl.Series:
    """Return a new id a row.

    Parameters
    ----------
    rows
        Records of one object.
    prefix
        Three characters that tell the object.
    """
    return salesforce_ids(prefix, np.arange(rows.height))


def export_accounts(companies: pl.DataFrame, ids: pl.Series, as_of: datetime, dice: Dice) -> pl.DataFrame:
    """Write the accounts.

    Parameters
    ----------
    companies
        The companies.
    ids
        Account id by company number.
    as_of
        No record is newer.
    dice
        Chance of this part.

    Returns
    -------
    polars.DataFrame
        One row an account, in Salesforce's field names.
    """
    rows = companies.height
    created_at = dice.before(as_of, (300, 900), rows=rows)
    updated_at = created_at + pl.duration(days=200)
    return companies.select(
        ids.alias("Id"), pl.col("legal_name").alias("Name"), ids.gather(companies["parent"]).alias("ParentId"),
        pl.format("A-{}", pl.col("company").cast(pl.String).str.zfill(6)).alias("AccountNumber"),
        dice.pick(["Customer", "Prospect", "Partner"], rows=rows, weights=[3, 6, 1]).alias("Type"),
        dice.pick(["Hot", "Warm", "Cold"], rows=rows).alias("Rating"),
        dice.pick(["Public", "Private", "Subsidiary"], rows=rows).alias("Ownership"),
        pl.col("industry").alias("Industry"), pl.col("revenue").alias("AnnualRevenue"),
        pl.col("employees").alias("NumberOfEmployees"), pl.format("https://www.{}", "domain").alias("Website"),
        pl.col("company_city").alias("BillingCity"), pl.col("company_country").alias("BillingCountry"),
        pl.lit(False).alias("IsDeleted"), created_at.alias("CreatedDate"), updated_at.alias("LastModifiedDate"),
        updated_at.alias("SystemModstamp"),
    ).drop_nulls("Id")  # fmt: skip


def export_contacts(contacts: pl.DataFrame, people: pl.DataFrame, accounts: pl.Series, dice: Dice) -> pl.DataFrame:
    """Write the contacts, also those that were merged away (``IsDeleted``, ``MasterRecordId``).

    Parameters
    ----------
    contacts
        Contacts: ``person``, ``contact_id``, ``company``, ``email``, ``is_deleted``, ``master_id``, times.
    people
        Who they are.
    accounts
        Account id by company number.
    dice
        Chance of this part.

    Returns
    -------
    polars.DataFrame
        One row a contact, in Salesforce's field names.
    """
    who = people[contacts["person"]]
    never = pl.repeat(False, contacts.height, eager=True)
    first, last = written_names(who, never, dice, mistyped=0.02)
    return contacts.select(
        pl.col("contact_id").alias("Id"), accounts.gather(contacts["company"]).alias("AccountId"),
        first.alias("FirstName"), last.alias("LastName"), pl.format("{} {}", first, last).alias("Name"),
        written_emails(contacts["email"], dice).alias("Email"),
        who["title"].alias("Title"), who["department"].alias("Department"), national(who["phone"], 0.4, dice).alias("Phone"),
        who["street"].alias("MailingStreet"), who["city"].alias("MailingCity"),
        who["postal_code"].alias("MailingPostalCode"), who["country"].alias("MailingCountry"),
        (who["is_opted_out"] & dice.chance(0.8, rows=contacts.height)).alias("HasOptedOutOfEmail"),
        pl.col("is_deleted").alias("IsDeleted"), pl.col("master_id").alias("MasterRecordId"),
        *_times(),
    )  # fmt: skip


def export_leads(leads: pl.DataFrame, people: pl.DataFrame, companies: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """Write the leads; those that became contacts name them.

    Parameters
    ----------
    leads
        Leads: ``person``, ``sf_lead_id``, ``company``, ``email``, ``converted_contact_id``, ``is_former_name``, times.
    people, companies
        Who they are.
    dice
        Chance of this part.

    Returns
    -------
    polars.DataFrame
        One row a lead, in Salesforce's field names.
    """
    who, firm = as_employed(people[leads["person"]], leads["company"]), companies[leads["company"]]
    is_converted = pl.col("converted_contact_id").is_not_null()
    first, last = written_names(who, leads["is_former_name"], dice, mistyped=0.03)
    status = dice.pick(["Open - Not Contacted", "Working - Contacted", "Closed - Not Converted"], rows=leads.height)
    company, website = typed(who, firm, leads["company"])
    return leads.select(
        pl.col("sf_lead_id").alias("Id"), first.alias("FirstName"), last.alias("LastName"),
        written_emails(leads["email"], dice).alias("Email"), who["title"].alias("Title"), national(who["phone"], 0.4, dice).alias("Phone"),
        company.alias("Company"), website.alias("Website"),
        who["street"].alias("Street"), who["city"].alias("City"), who["postal_code"].alias("PostalCode"),
        who["country"].alias("Country"),
        dice.pick(list(LEAD_SOURCES), rows=leads.height, weights=list(LEAD_SOURCES.values())).alias("LeadSource"),
        pl.when(is_converted).then(pl.lit("Closed - Converted")).otherwise(status).alias("Status"),
        is_converted.alias("IsConverted"), pl.col("converted_contact_id").alias("ConvertedContactId"),
        pl.when(is_converted).then(pl.col("updated_at").dt.date()).alias("ConvertedDate"),
        (who["is_opted_out"] & dice.chance(0.5, rows=leads.height)).alias("HasOptedOutOfEmail"),
        pl.lit(False).alias("IsDeleted"), *_times(),
    )  # fmt: skip


def export_opportunities(deals: pl.DataFrame, companies: pl.DataFrame, campaigns: pl.Series) -> pl.DataFrame:
    """Write the opportunities.

    Parameters
    ----------
    deals
        Deals: the columns of ``make_opportunities``, ``opportunity_id`` and ``account_id``.
    companies
        The companies.
    campaigns
        Campaign id by campaign number.

    Returns
    -------
    polars.DataFrame
        One row an opportunity, in Salesforce's field names.
    """
    closes_on = pl.col("closes_at").dt.date()
    return deals.select(
        pl.col("opportunity_id").alias("Id"), pl.col("account_id").alias("AccountId"),
        pl.format("{} {}", companies["company_name"].gather(deals["company"]), "opportunity").alias("Name"),
        pl.col("stage").alias("StageName"), pl.col("amount").alias("Amount"), pl.col("probability").alias("Probability"),
        (pl.col("amount") * pl.col("probability") / 100).alias("ExpectedRevenue"), closes_on.alias("CloseDate"),
        pl.col("is_closed").alias("IsClosed"), pl.col("is_won").alias("IsWon"), pl.lit("New Business").alias("Type"),
        pl.col("category").alias("ForecastCategory"), pl.col("category").alias("ForecastCategoryName"),
        campaigns.gather(deals["campaign"]).alias("CampaignId"), pl.col("lead_source").alias("LeadSource"),
        closes_on.dt.year().alias("FiscalYear"), closes_on.dt.quarter().alias("FiscalQuarter"),
        pl.lit(False).alias("IsDeleted"), pl.col("created_at").alias("CreatedDate"),
        pl.col("created_at").alias("LastModifiedDate"), pl.col("created_at").alias("SystemModstamp"),
    )  # fmt: skip


def export_roles(roles: pl.DataFrame, deals: pl.DataFrame) -> pl.DataFrame:
    """Write who has which role on an opportunity.

    Parameters
    ----------
    roles
        Roles as ``make_deal_roles`` gives them, with ``role_id``.
    deals
        The deals, with ``opportunity_id``.
    """
    return roles.select(
        pl.col("role_id").alias("Id"), deals["opportunity_id"].gather(roles["opportunity"]).alias("OpportunityId"),
        pl.col("contact_id").alias("ContactId"), pl.col("role").alias("Role"), pl.col("is_primary").alias("IsPrimary"),
        pl.lit(False).alias("IsDeleted"), pl.col("created_at").alias("CreatedDate"),
        pl.col("created_at").alias("LastModifiedDate"), pl.col("created_at").alias("SystemModstamp"),
    )  # fmt: skip


def export_account_ties(ties: pl.DataFrame, accounts: pl.Series) -> pl.DataFrame:
    """Write which contacts belong to which accounts, in which roles.

    Parameters
    ----------
    ties
        Ties as ``make_account_ties`` gives them.
    accounts
        Account id by company number.
    """
    started_on = pl.col("created_at").dt.date()
    return ties.select(
        numbered(ties, "07k").alias("Id"), accounts.gather(ties["company"]).alias("AccountId"),
        pl.col("contact_id").alias("ContactId"), pl.col("roles").alias("Roles"), pl.col("is_direct").alias("IsDirect"),
        pl.col("is_active").alias("IsActive"), started_on.alias("StartDate"),
        pl.when(~pl.col("is_active")).then(started_on.dt.offset_by("1d")).alias("EndDate"),
        pl.lit(False).alias("IsDeleted"), pl.col("created_at").alias("CreatedDate"),
        pl.col("created_at").alias("LastModifiedDate"), pl.col("created_at").alias("SystemModstamp"),
    )  # fmt: skip


def export_campaigns(campaigns: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
    """Write the campaigns.

    Parameters
    ----------
    campaigns
        The campaigns.
    ids
        Campaign id by campaign number, null where it is not kept.
    """
    starts_at = pl.col("starts_at")
    return campaigns.select(
        ids.alias("Id"), pl.col("campaign_name").alias("Name"), ids.gather(campaigns["parent"]).alias("ParentId"),
        pl.col("channel").alias("Type"), starts_at.dt.date().alias("StartDate"),
        pl.col("ends_at").dt.date().alias("EndDate"),
        pl.when("is_active").then(pl.lit("In Progress")).otherwise(pl.lit("Completed")).alias("Status"),
        pl.col("is_active").alias("IsActive"), pl.col("budget").alias("BudgetedCost"),
        pl.col("cost").alias("ActualCost"), (pl.col("budget") * 5).alias("ExpectedRevenue"),
        pl.lit(2.5).alias("ExpectedResponse"), pl.lit(False).alias("IsDeleted"),
        starts_at.alias("CreatedDate"), starts_at.alias("LastModifiedDate"), starts_at.alias("SystemModstamp"),
    ).drop_nulls("Id")  # fmt: skip


def export_campaign_members(members: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
    """Write who is a member of which campaign: a contact or a lead.

    Parameters
    ----------
    members
        Members as ``make_campaign_members`` gives them, with ``record_id``.
    ids
        Campaign id by campaign number.
    """
    is_contact = pl.col("record_id").str.starts_with("003")
    changed_at = pl.coalesce("responded_at", "joined_at")
    return members.select(
        numbered(members, "00v").alias("Id"), ids.gather(members["campaign"]).alias("CampaignId"),
        pl.when(~is_contact).then("record_id").alias("LeadId"), pl.when(is_contact).then("record_id").alias("ContactId"),
        pl.col("record_id").alias("LeadOrContactId"), pl.col("status").alias("Status"),
        pl.col("has_responded").alias("HasResponded"),
        pl.col("responded_at").dt.date().alias("FirstRespondedDate"), pl.lit(False).alias("IsDeleted"),
        pl.col("joined_at").alias("CreatedDate"), changed_at.alias("LastModifiedDate"),
        changed_at.alias("SystemModstamp"),
    )  # fmt: skip


def _times() -> list[pl.Expr]:
    updated_at = pl.col("updated_at")
    return [
        pl.col("created_at").alias("CreatedDate"), updated_at.alias("LastModifiedDate"),
        updated_at.alias("SystemModstamp"), updated_at.dt.date().alias("LastActivityDate"),
    ]  # fmt: skip

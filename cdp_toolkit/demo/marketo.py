"""The world as Marketo exports it: its objects, its column names."""

from datetime import datetime

import polars as pl

from cdp_toolkit.demo.activities import TYPES
from cdp_toolkit.demo.dice import Dice
from cdp_toolkit.demo.people import as_employed
from cdp_toolkit.demo.slips import lost, written_emails, written_names
from cdp_toolkit.demo.walkins import typed
from cdp_toolkit.demo.words import LEAD_SOURCES

FIRST_COMPANY = 50_001
FIRST_PROGRAM = 1001
OPPORTUNITY_DAYS = 200  # Marketo's sync holds the deals of the last 200 days only


def company_ids(companies: pl.DataFrame) -> pl.Series:
    """Return Marketo's id by company number, null where Marketo does not know the company.

    Parameters
    ----------
    companies
        The companies.
    """
    known = pl.when("in_marketo").then(pl.col("company") + FIRST_COMPANY)
    return companies.select(known).to_series()


def export_leads(
    leads: pl.DataFrame, people: pl.DataFrame, companies: pl.DataFrame, account_ids: pl.Series, dice: Dice
) -> pl.DataFrame:
    """Write the leads, all but those that were merged away before the export.

    Parameters
    ----------
    leads
        Marketo's leads: ``person``, ``lead``, ``kind``, ``company``, ``email``, CRM ids, ``ecids``,
        ``is_former_name``, times.
    people, companies
        Who they are.
    account_ids
        The CRM's id by company number.
    dice
        Chance of this part.

    Returns
    -------
    polars.DataFrame
        One row a lead, in Marketo's column names.
    """
    rows = leads.filter("is_exported")
    who = as_employed(people[rows["person"]], rows["company"])
    firm = companies[rows["company"]]
    first, last = written_names(who, rows["is_former_name"], dice, mistyped=0.03, swapped=0.01)
    company, website = typed(who, firm, rows["company"])
    is_primary = rows["kind"] == "primary"
    score = who["score"].zip_with(is_primary, who["score"] // 2)
    return rows.select(
        pl.col("lead").alias("id"),
        first.alias("firstName"), last.alias("lastName"),
        written_emails(rows["email"], dice).alias("email"),
        lost(who["phone"], 0.05, dice).alias("phone"), who["title"].alias("title"), who["department"].alias("department"),
        company.alias("company"),
        pl.when(~who["is_walk_in"]).then(company_ids(companies).gather(rows["company"])).alias("contactCompany"),
        website.alias("website"), who["street"].alias("address"),
        who["city"].alias("city"), lost(who["postal_code"], 0.05, dice).alias("postalCode"), who["country"].alias("country"),
        score.alias("leadScore"),
        dice.pick(list(LEAD_SOURCES), rows=rows.height, weights=list(LEAD_SOURCES.values())).alias("leadSource"),
        dice.pick(["Open", "Working", "Qualified", "Disqualified"], rows=rows.height).alias("leadStatus"),
        pl.lit(1).alias("leadPartitionId"),
        (who["is_opted_out"] & is_primary).alias("unsubscribed"),
        pl.when(who["is_opted_out"] & is_primary).then(pl.lit("No longer interested")).alias("unsubscribedReason"),
        dice.chance(0.01, rows=rows.height).alias("marketingSuspended"),
        crm_type().alias("sfdcType"),
        pl.col("contact_id").alias("sfdcContactId"), pl.col("sf_lead_id").alias("sfdcLeadId"),
        pl.when(pl.col("contact_id").is_not_null()).then(account_ids.gather(rows["company"])).alias("sfdcAccountId"),
        pl.col("contact_id").is_not_null().alias("mktoCdpIsConverted"),
        "ecids",
        pl.col("created_at").alias("createdAt"), pl.col("updated_at").alias("updatedAt"),
        dice.pick(["green", "blue", ""], rows=rows.height).alias("Favorite_Color__c"),
    )  # fmt: skip


def crm_type() -> pl.Expr:
    """Return what a synced lead is in the CRM."""
    is_contact, is_lead = (pl.col(name).is_not_null() for name in ("contact_id", "sf_lead_id"))
    return pl.when(is_contact).then(pl.lit("Contact")).when(is_lead).then(pl.lit("Lead"))


def export_companies(companies: pl.DataFrame, account_ids: pl.Series, as_of: datetime, dice: Dice) -> pl.DataFrame:
    """Write the companies; of most Marketo knows the CRM's id.

    Parameters
    ----------
    companies
        The companies.
    account_ids
        The CRM's id by company number.
    as_of
        No record is newer.
    dice
        Chance of this part.

    Returns
    -------
    polars.DataFrame
        One row a company, in Marketo's column names.
    """
    ids = company_ids(companies)
    created_at = dice.before(as_of, (300, 900), rows=companies.height)
    return companies.select(
        ids.alias("id"), pl.col("company_name").alias("company"),
        pl.when("is_synced").then(account_ids).alias("mktoCdpExternalId"),
        ids.gather(companies["parent"]).alias("mktoCdpParentOrgId"),
        pl.format("https://www.{}", "domain").alias("website"), "industry",
        pl.col("employees").alias("numberOfEmployees"), pl.col("revenue").alias("annualRevenue"),
        pl.col("company_city").alias("billingCity"), pl.col("company_country").alias("billingCountry"),
        pl.Series(dice.whole(1000, 8999, rows=companies.height)).alias("sicCode"),
        created_at.alias("createdAt"), (created_at + pl.duration(days=100)).alias("updatedAt"),
    ).drop_nulls("id")  # fmt: skip


def export_programs(campaigns: pl.DataFrame, campaign_ids: pl.Series) -> pl.DataFrame:
    """Write the programs; those that are campaigns of the CRM carry its id.

    Parameters
    ----------
    campaigns
        The campaigns.
    campaign_ids
        The CRM's id by campaign number.
    """
    known = campaigns.filter("in_marketo")
    return known.select(
        pl.col("campaign").alias("id") + FIRST_PROGRAM, pl.col("campaign_name").alias("name"),
        pl.lit("A program").alias("description"), pl.col("channel").replace("Webinar", "Event").alias("type"),
        pl.when("is_active").then(pl.lit("Active")).otherwise(pl.lit("Completed")).alias("status"), "channel",
        campaign_ids.gather(known["campaign"]).alias("sfdcId"), "cost",
        pl.col("starts_at").alias("startDate"), pl.col("ends_at").alias("endDate"),
        pl.col("starts_at").alias("createdAt"), pl.col("starts_at").alias("updatedAt"),
    )  # fmt: skip


def export_program_members(members: pl.DataFrame) -> pl.DataFrame:
    """Write who is in which program.

    Parameters
    ----------
    members
        Members as ``make_campaign_members`` gives them, with ``lead``.
    """
    is_done = pl.col("status") == "Attended"
    return members.select(
        pl.col("member").cast(pl.Int64).alias("id") + 1, pl.col("campaign").alias("programId") + FIRST_PROGRAM,
        pl.col("lead").alias("leadId"), pl.col("status").alias("statusName"), is_done.alias("reachedSuccess"),
        pl.when(is_done).then("responded_at").alias("reachedSuccessDate"), pl.col("joined_at").alias("membershipDate"),
        pl.lit(False).alias("isExhausted"), pl.col("joined_at").alias("createdAt"),
        pl.coalesce("responded_at", "joined_at").alias("updatedAt"),
    )  # fmt: skip


def export_lists(lists: pl.DataFrame) -> pl.DataFrame:
    """Write the static lists.

    Parameters
    ----------
    lists
        The lists.
    """
    return lists.select(
        pl.col("list").alias("id"), pl.col("list_name").alias("name"), pl.lit("").alias("description"),
        pl.col("created_at").alias("createdAt"), pl.col("created_at").alias("updatedAt"),
    )  # fmt: skip


def export_list_members(members: pl.DataFrame) -> pl.DataFrame:
    """Write who is on which list, also those taken off again.

    Parameters
    ----------
    members
        Members as ``make_list_members`` gives them.
    """
    return members.select(
        pl.col("member").cast(pl.Int64).alias("staticListMemberID") + 1, pl.col("list").alias("staticListID"),
        pl.col("lead").alias("personID"), pl.col("is_deleted").alias("isDeleted"),
        pl.col("created_at").alias("createdAt"), pl.col("updated_at").alias("updatedAt"),
    )  # fmt: skip


def export_opportunities(opportunities: pl.DataFrame, companies: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """Write the recent deals that the sync brought from the CRM; the CRM's own export has them all.

    Parameters
    ----------
    opportunities
        Deals: the columns of ``make_opportunities`` and ``opportunity_id`` (the CRM's).
    companies
        The companies.
    as_of
        The end of time.

    Returns
    -------
    polars.DataFrame
        One row a deal, in Marketo's column names.
    """
    age = pl.lit(as_of) - pl.col("created_at")
    known = opportunities.filter(
        age < pl.duration(days=OPPORTUNITY_DAYS), companies["in_marketo"].gather(opportunities["company"])
    )
    return known.select(
        pl.col("opportunity").alias("id") + 1, pl.col("opportunity_id").alias("externalOpportunityId"),
        company_ids(companies).gather(known["company"]).alias("mktoCdpAccountOrgId"),
        pl.format("{} {}", companies["company_name"].gather(known["company"]), "opportunity").alias("name"),
        pl.col("stage"), "amount", pl.col("closes_at").dt.date().alias("closeDate"),
        pl.col("is_closed").alias("isClosed"), pl.col("is_won").alias("isWon"), "probability",
        pl.col("created_at").alias("createdAt"), pl.col("created_at").alias("updatedAt"),
    )  # fmt: skip


def export_opportunity_roles(roles: pl.DataFrame, deals: pl.DataFrame, leads: pl.DataFrame) -> pl.DataFrame:
    """Write the roles on those deals, of contacts that are synced leads.

    Parameters
    ----------
    roles
        Roles: ``role_id`` (the CRM's), ``opportunity``, ``contact_id``, ``role``, ``is_primary``, ``created_at``.
    deals
        The deals that Marketo has, as exported.
    leads
        Marketo's leads: ``lead``, ``kind``, ``contact_id``.

    Returns
    -------
    polars.DataFrame
        One row a deal and lead, in Marketo's column names.
    """
    synced = leads.filter(pl.col("kind") == "primary").select("lead", "contact_id").drop_nulls()
    known = roles.with_columns(deal=pl.col("opportunity") + 1).filter(pl.col("deal").is_in(deals["id"].implode()))
    return known.join(synced, on="contact_id", how="inner", maintain_order="left").select(
        pl.int_range(pl.len()).alias("id") + 1, pl.col("role_id").alias("mktoCdpSfdcId"),
        pl.col("deal").alias("mktoCdpOpptyId"), pl.col("lead").alias("leadId"), "role",
        pl.col("is_primary").alias("isPrimary"), pl.col("created_at").alias("createdAt"),
        pl.col("created_at").alias("updatedAt"),
    )  # fmt: skip


def activity_types() -> pl.DataFrame:
    """Write the catalogue of activity types that the source itself serves."""
    return pl.DataFrame({"id": list(TYPES), "name": list(TYPES.values())}).with_columns(description=pl.col("name"))

"""What each system knows of the world, as the tables that it exports."""

import polars as pl

from cdp_toolkit.demo import marketo, salesforce
from cdp_toolkit.demo.activities import log
from cdp_toolkit.demo.behaviour import browse, mail, score
from cdp_toolkit.demo.campaigns import make_campaign_members, make_list_members, make_lists
from cdp_toolkit.demo.dirt import Tables
from cdp_toolkit.demo.lifecycle import lifecycle
from cdp_toolkit.demo.reality import Reality
from cdp_toolkit.demo.sales import make_account_ties
from cdp_toolkit.demo.web import make_related_accounts, make_web_events


def make_exports(real: Reality) -> Tables:
    """Write what each system knows.

    Parameters
    ----------
    real
        The true world.

    Returns
    -------
    dict of dict of polars.DataFrame
        Clean rows by source and object, in the vendors' columns.
    """
    return {
        "marketo": _marketo(real),
        "salesforce": _salesforce(real),
        "web": {
            "event": make_web_events(real.devices, real.buyers, real.as_of, real.dice("web")),
            "account": make_related_accounts(real.companies, real.accounts, real.as_of),
        },
    }


def _marketo(real: Reality) -> dict[str, pl.DataFrame]:
    records, companies, as_of, dice = real.records, real.companies, real.as_of, real.dice
    leads = records.leads.with_columns(is_opted_out=real.people["is_opted_out"].gather(records.leads["person"]))
    seen = leads.filter("is_exported")
    programs = real.campaigns.filter("in_marketo").with_columns(program=pl.col("campaign") + marketo.FIRST_PROGRAM)
    program_members = make_campaign_members(programs, seen.select("lead"), 0.8, dice("programs"))
    lists = make_lists(as_of, dice("lists"))
    list_members = make_list_members(lists, seen, as_of, dice("list members"))
    opportunities = marketo.export_opportunities(real.deals, companies, as_of)
    is_buyer = (pl.col("kind") == "primary") & pl.col("person").is_in(real.buyers.implode())
    happened = [
        *browse(seen, seen.filter(is_buyer)["lead"], as_of, dice("browsing")),
        *mail(seen, programs, as_of, dice("mail")),
        *score(seen, as_of, dice("scores")),
        *lifecycle(
            leads,
            programs=programs,
            program_members=program_members,
            lists=lists,
            list_members=list_members,
            as_of=as_of,
        ),
    ]
    return {
        "leads": marketo.export_leads(leads, real.people, companies, real.accounts, dice("marketo leads")),
        "companies": marketo.export_companies(companies, real.accounts, as_of, dice("marketo companies")),
        "opportunities": opportunities,
        "opportunity_roles": marketo.export_opportunity_roles(real.roles, opportunities, leads),
        "programs": marketo.export_programs(real.campaigns, real.campaign_ids),
        "program_members": marketo.export_program_members(program_members),
        "lists": marketo.export_lists(lists),
        "list_members": marketo.export_list_members(list_members),
        "activities": log(happened),
        "activity_types": marketo.activity_types(),
    }


def _salesforce(real: Reality) -> dict[str, pl.DataFrame]:
    people, companies, records, dice = real.people, real.companies, real.records, real.dice
    live = records.live_contacts
    ties = make_account_ties(people, live, companies, dice("ties"))
    known = pl.concat([live.select(record_id="contact_id"), records.sf_leads.select(record_id="sf_lead_id")])
    members = make_campaign_members(real.campaigns.filter("in_crm"), known, 0.7, dice("campaign members"))
    return {
        "Contact": salesforce.export_contacts(records.contacts, people, real.accounts, dice("sf contacts")),
        "Lead": salesforce.export_leads(records.sf_leads, people, companies, dice("sf exported leads")),
        "Account": salesforce.export_accounts(companies, real.accounts, real.as_of, dice("sf accounts")),
        "Opportunity": salesforce.export_opportunities(real.deals, companies, real.campaign_ids),
        "OpportunityContactRole": salesforce.export_roles(real.roles, real.deals),
        "AccountContactRelation": salesforce.export_account_ties(ties, real.accounts),
        "Campaign": salesforce.export_campaigns(real.campaigns, real.campaign_ids),
        "CampaignMember": salesforce.export_campaign_members(members, real.campaign_ids),
    }

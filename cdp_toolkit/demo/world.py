"""The made-up world: people as they truly are, and what each system knows of them."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

import polars as pl

from cdp_toolkit.demo import marketo, salesforce
from cdp_toolkit.demo.activities import log
from cdp_toolkit.demo.behaviour import browse, mail, score
from cdp_toolkit.demo.campaigns import make_campaign_members, make_campaigns, make_list_members, make_lists
from cdp_toolkit.demo.companies import make_companies
from cdp_toolkit.demo.dice import Dice
from cdp_toolkit.demo.dirt import Tables, dirty
from cdp_toolkit.demo.lifecycle import lifecycle
from cdp_toolkit.demo.people import make_devices, make_people
from cdp_toolkit.demo.records import Records, make_records
from cdp_toolkit.demo.sales import interested, make_account_ties, make_deal_roles, make_opportunities
from cdp_toolkit.demo.truth import Ids, list_facts, list_records
from cdp_toolkit.demo.web import make_related_accounts, make_web_events


@dataclass(frozen=True)
class World:
    """A world with known truth.

    Parameters
    ----------
    people, companies
        Who and what truly exists, one row each.
    sources
        Rows in each vendor's own columns, dirt included, by source and object, such as
        ``sources["marketo"]["leads"]``.
    truth
        One row an exported record: ``entity``, ``source_key``, ``true_id``.
    facts
        What is in the world: settings, rows and bad rows by file, how often each difficulty occurs.
    """

    people: pl.DataFrame
    companies: pl.DataFrame
    sources: Tables
    truth: pl.DataFrame
    facts: dict[str, object]


def make_world(persons: int, seed: int, as_of: datetime) -> World:
    """Make a world; the same arguments make the same world.

    Parameters
    ----------
    persons
        Number of true people; all else grows with it.
    seed
        Seed of all chance.
    as_of
        The end of time, aware: nothing is known later.

    Returns
    -------
    World
        The truth and every source's rows.
    """
    dice = partial(Dice, seed)
    companies = make_companies(persons, dice("companies"))
    people = make_people(persons, companies, as_of, dice("people"))
    devices = make_devices(people, dice("devices"))
    records = make_records(people, companies, devices, as_of, seed)
    campaigns = make_campaigns(persons, as_of, dice("campaigns"))
    deals = make_opportunities(companies, campaigns.height, as_of, dice("opportunities"))
    roles = make_deal_roles(deals, records.live_contacts, dice("roles"))
    buyers = pl.Series(interested(roles, people, dice("interest")))
    ids = Ids(
        accounts=salesforce.account_ids(companies),
        companies=marketo.company_ids(companies),
        opportunities=salesforce.numbered(deals, "006"),
        campaigns=salesforce.campaign_ids(campaigns),
    )
    deals = deals.with_columns(opportunity_id=ids.opportunities, account_id=ids.accounts.gather(deals["company"]))
    roles = roles.with_columns(role_id=salesforce.numbered(roles, "00K"))
    clean = {
        "marketo": _marketo(people, companies, records, campaigns, deals, roles, buyers, ids, as_of, dice),
        "salesforce": _salesforce(people, companies, records, campaigns, deals, roles, ids, as_of, dice),
        "web": {
            "event": make_web_events(devices, buyers, as_of, dice("web")),
            "account": make_related_accounts(companies, ids.accounts, as_of),
        },
    }
    sources = dirty(clean, dice("dirt"))
    truth = list_records(records, campaigns, clean["marketo"]["opportunities"], ids)
    facts = {
        "persons": persons,
        "seed": seed,
        "as_of": as_of.isoformat(),
        **list_facts(people, devices, records, sources),
    }
    return World(people, companies, sources, truth, facts)


def _marketo(
    people: pl.DataFrame,
    companies: pl.DataFrame,
    records: Records,
    campaigns: pl.DataFrame,
    deals: pl.DataFrame,
    roles: pl.DataFrame,
    buyers: pl.Series,
    ids: Ids,
    as_of: datetime,
    dice: partial[Dice],
) -> dict[str, pl.DataFrame]:
    """Write what Marketo knows."""
    leads = records.leads.with_columns(is_opted_out=people["is_opted_out"].gather(records.leads["person"]))
    seen = leads.filter("is_exported")
    programs = campaigns.filter("in_marketo").with_columns(program=pl.col("campaign") + marketo.FIRST_PROGRAM)
    program_members = make_campaign_members(programs, seen.select("lead"), 0.8, dice("programs"))
    lists = make_lists(as_of, dice("lists"))
    list_members = make_list_members(lists, seen, as_of, dice("list members"))
    opportunities = marketo.export_opportunities(deals, companies, as_of)
    is_buyer = (pl.col("kind") == "primary") & pl.col("person").is_in(buyers.implode())
    happened = [
        *browse(seen, seen.filter(is_buyer)["lead"], as_of, dice("browsing")),
        *mail(seen, programs, as_of, dice("mail")),
        *score(seen, as_of, dice("scores")),
        *lifecycle(leads, programs, program_members, lists, list_members, as_of),
    ]
    return {
        "leads": marketo.export_leads(leads, people, companies, ids.accounts, dice("marketo leads")),
        "companies": marketo.export_companies(companies, ids.accounts, as_of, dice("marketo companies")),
        "opportunities": opportunities,
        "opportunity_roles": marketo.export_opportunity_roles(roles, opportunities, leads),
        "programs": marketo.export_programs(campaigns, ids.campaigns),
        "program_members": marketo.export_program_members(program_members),
        "lists": marketo.export_lists(lists),
        "list_members": marketo.export_list_members(list_members),
        "activities": log(happened),
        "activity_types": marketo.activity_types(),
    }


def _salesforce(
    people: pl.DataFrame,
    companies: pl.DataFrame,
    records: Records,
    campaigns: pl.DataFrame,
    deals: pl.DataFrame,
    roles: pl.DataFrame,
    ids: Ids,
    as_of: datetime,
    dice: partial[Dice],
) -> dict[str, pl.DataFrame]:
    """Write what Salesforce knows."""
    live = records.live_contacts
    ties = make_account_ties(people, live, companies, dice("ties"))
    known = pl.concat([live.select(record_id="contact_id"), records.sf_leads.select(record_id="sf_lead_id")])
    members = make_campaign_members(campaigns.filter("in_crm"), known, 0.7, dice("campaign members"))
    return {
        "Contact": salesforce.export_contacts(records.contacts, people, ids.accounts, dice("sf contacts")),
        "Lead": salesforce.export_leads(records.sf_leads, people, companies, dice("sf exported leads")),
        "Account": salesforce.export_accounts(companies, ids.accounts, as_of, dice("sf accounts")),
        "Opportunity": salesforce.export_opportunities(deals, companies, ids.campaigns),
        "OpportunityContactRole": salesforce.export_roles(roles, deals),
        "AccountContactRelation": salesforce.export_account_ties(ties, ids.accounts),
        "Campaign": salesforce.export_campaigns(campaigns, ids.campaigns),
        "CampaignMember": salesforce.export_campaign_members(members, ids.campaigns),
    }

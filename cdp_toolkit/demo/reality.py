"""What is true in the world, before any system writes it down: people, companies, deals, and who holds what record."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from cdp_toolkit.demo import marketo, salesforce
from cdp_toolkit.demo.campaigns import make_campaigns
from cdp_toolkit.demo.companies import make_companies
from cdp_toolkit.demo.dice import Dice
from cdp_toolkit.demo.people import make_devices, make_people
from cdp_toolkit.demo.records import Records, make_records
from cdp_toolkit.demo.sales import interested, make_deal_roles, make_opportunities
from cdp_toolkit.demo.walkins import let_walk_in


@dataclass(frozen=True)
class Reality:
    """The true world.

    Parameters
    ----------
    seed, as_of
        Seed of all chance, and the end of time.
    people, companies, campaigns, deals
        What exists, one row each; a row's number is its true id.
    devices
        Browsers of people.
    roles
        Who has a role on which deal.
    records
        Which records the systems hold of each person.
    buyers
        Numbers of the people about to buy.
    accounts, campaign_ids
        Salesforce's ids by number of company and campaign, null where it knows nothing of them.
    """

    seed: int
    as_of: datetime
    people: pl.DataFrame
    companies: pl.DataFrame
    campaigns: pl.DataFrame
    deals: pl.DataFrame
    devices: pl.DataFrame
    roles: pl.DataFrame
    records: Records
    buyers: pl.Series
    accounts: pl.Series
    campaign_ids: pl.Series

    def dice(self, part: str) -> Dice:
        """Return the chance of a part of the world.

        Parameters
        ----------
        part
            Name of the part.
        """
        return Dice(self.seed, part)

    @property
    def company_ids(self) -> pl.Series:
        """Marketo's ids by number of company, null where it does not know the company."""
        return marketo.company_ids(self.companies)


def make_reality(persons: int, seed: int, as_of: datetime) -> Reality:
    """Make the true world.

    Parameters
    ----------
    persons
        Number of people.
    seed
        Seed of all chance.
    as_of
        The end of time, aware.

    Returns
    -------
    Reality
        Who and what exists.
    """
    companies = make_companies(persons, Dice(seed, "companies"))
    people = make_people(persons, companies, as_of, Dice(seed, "people"))
    people = let_walk_in(people, companies, Dice(seed, "walk-ins"))
    devices = make_devices(people, Dice(seed, "devices"))
    records = make_records(people, companies, devices, as_of, seed)
    campaigns = make_campaigns(persons, as_of, Dice(seed, "campaigns"))
    accounts = salesforce.account_ids(companies)
    deals = make_opportunities(companies, campaigns.height, as_of, Dice(seed, "opportunities"))
    deals = deals.with_columns(
        salesforce.numbered(deals, "006").alias("opportunity_id"), accounts.gather(deals["company"]).alias("account_id")
    )
    roles = make_deal_roles(deals, records.live_contacts, Dice(seed, "roles"))
    return Reality(
        seed=seed, as_of=as_of, people=people, companies=companies, campaigns=campaigns, deals=deals, devices=devices,
        roles=roles.with_columns(salesforce.numbered(roles, "00K").alias("role_id")), records=records,
        buyers=pl.Series(interested(roles, people, Dice(seed, "interest"))),
        accounts=accounts, campaign_ids=salesforce.campaign_ids(campaigns),
    )  # fmt: skip

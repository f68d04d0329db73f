"""The connectors of CRMs, held to the contract by what others hold theirs to."""

from pathlib import Path

import pytest

from cdp_toolkit.connectors.dynamics.source import DynamicsSource
from cdp_toolkit.connectors.hubspot.destination import ListConnection
from cdp_toolkit.connectors.hubspot.source import HubSpotSource
from cdp_toolkit.connectors.salesforce.campaign import CampaignConnection
from cdp_toolkit.connectors.salesforce.field_updates import FieldConnection
from cdp_toolkit.connectors.salesforce.source import SalesforceSource
from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.testing import check_destination, check_source


@pytest.fixture
def login(salesforce):
    return {
        "base_url": salesforce.url, "client_id": "key", "username": "cdp@acme.example", "private_key": "${env:SF_KEY}",
    }  # fmt: skip


def destination(**settings):
    return Destination(name="checked", type="any", audiences=["buyers"], **settings)


def test_salesforce_as_a_source(salesforce, login):
    for i in range(8):
        salesforce.save("Contact", LastName=f"L{i}")
    settings = {"type": "salesforce", "objects": ["Account", "Contact"], "page_rows": 3, **login}

    check_source(lambda: SalesforceSource(settings, folder=Path()))


def test_hubspot_as_a_source(hubspot):
    company = hubspot.save("companies", name="Acme")
    ids = [hubspot.save("contacts", email=f"c{i}@x.example") for i in range(3)]
    hubspot.associate("contacts", ids[0], "companies", company)
    hubspot.add_list("News", *ids)
    objects = ["companies", "contacts", "contacts_companies", "list_memberships", "lists"]
    settings = {"type": "hubspot", "base_url": hubspot.url, "access_token": "${env:HUBSPOT_TOKEN}", "objects": objects}

    check_source(lambda: HubSpotSource(settings, folder=Path()))


@pytest.mark.parametrize("untracked", [set(), {"contact"}])
def test_dynamics_as_a_source(dynamics, untracked):
    dynamics.untracked = untracked
    for i in range(8):
        dynamics.save("contact", emailaddress1=f"c{i}@x.example")
    settings = {
        "type": "dynamics", "base_url": dynamics.url, "login_url": dynamics.url, "tenant_id": "tenant", "page_rows": 3,
        "client_id": "app", "client_secret": "${env:DYNAMICS_SECRET}", "objects": ["account", "contact"],
    }  # fmt: skip

    check_source(lambda: DynamicsSource(settings, folder=Path()))


def test_campaigns_of_salesforce(salesforce, login):
    campaign = salesforce.save("Campaign", Name="Fair")
    people = [{"record_id": salesforce.save("Contact", LastName=f"L{i}")} for i in range(3)]
    defined = destination(campaign_ids={"buyers": campaign}, **login)

    check_destination(
        lambda: CampaignConnection(defined, Path()),
        people,
        audience="buyers",
        held=lambda: [
            each["ContactId"] for each in salesforce.records["CampaignMember"].values() if not each["IsDeleted"]
        ],
    )


def test_fields_of_salesforce(salesforce, login):
    salesforce.fields["Contact"] |= {"Buyer__c": "boolean"}
    people = [{"record_id": salesforce.save("Contact", LastName=f"L{i}")} for i in range(3)]
    defined = destination(flags={"buyers": "Buyer__c"}, **login)

    check_destination(
        lambda: FieldConnection(defined, Path()),
        people,
        audience="buyers",
        held=lambda: [number for number, each in salesforce.records["Contact"].items() if each.get("Buyer__c")],
    )


def test_lists_of_hubspot(hubspot):
    people = [{"email": f"c{i}@x.example"} for i in range(3)]
    for person in people:
        hubspot.save("contacts", **person)
    news = hubspot.add_list("News")
    defined = destination(list_ids={"buyers": news}, access_token="${env:HUBSPOT_TOKEN}", base_url=hubspot.url)

    check_destination(
        lambda: ListConnection(defined, Path()), people, audience="buyers", held=lambda: hubspot.members[news]
    )

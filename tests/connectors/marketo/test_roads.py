"""The two ways to connect, by configuration alone: Marketo for what the CRM syncs into it, or the CRM itself."""

import polars as pl
import pytest


@pytest.fixture
def crm(salesforce):
    """Give the organisation a contact with a role on a deal, and return its settings; what else it reads goes over them."""
    account = salesforce.save("Account", Name="Acme")
    salesforce.contact = salesforce.save("Contact", Email="ann@acme.example", LastName="Lee", AccountId=account)
    deal = salesforce.save("Opportunity", Name="Big", AccountId=account, Amount=10.5)
    salesforce.save("OpportunityContactRole", OpportunityId=deal, ContactId=salesforce.contact, Role="Decision Maker")
    return {
        "type": "salesforce", "instance": "00D5g", "base_url": salesforce.url, "client_id": "key",
        "username": "cdp@acme.example", "private_key": "${env:SF_KEY}",
    }  # fmt: skip


@pytest.fixture
def synced(marketo, salesforce, settings, crm):  # noqa: ARG001 - makes the contact
    """Sync the contact into Marketo, under another address than the CRM has, and return the settings of the source."""
    marketo.world.leads = marketo.world.leads.head(0)
    marketo.world.activities = marketo.world.activities.head(0)
    marketo.has_crm_sync = True
    marketo.world.add(email="ann.lee@home.example", lastName="Lee", sfdcContactId=salesforce.contact)
    return settings(crm={"system": "salesforce", "instance": "00D5g"})


def people_and_roles(workspace):
    loaded = workspace.load()
    assert loaded.problems == ()
    workspace.stitch()
    people = workspace.scan("person").select("profile_id", "email").collect()
    roles = workspace.scan("opportunity_person").select("profile_id", "role").collect()
    return people, roles


def test_marketo_alone_brings_the_people_of_the_crm_and_the_crm_adds_its_tables(workspace_of, synced, crm):
    workspace = workspace_of(mk=synced, crm={**crm, "objects": ["Opportunity", "OpportunityContactRole"]})

    people, roles = people_and_roles(workspace)

    assert people["email"].to_list() == ["ann.lee@home.example"]
    assert roles.rows() == [(people["profile_id"][0], "Decision Maker")]


def test_without_marketo_the_crm_brings_the_same(workspace_of, crm):
    people, roles = people_and_roles(workspace_of(crm=crm))

    assert people["email"].to_list() == ["ann@acme.example"]
    assert roles.rows() == [(people["profile_id"][0], "Decision Maker")]


def test_a_record_that_arrives_by_both_roads_is_one(workspace_of, synced, crm):
    workspace = workspace_of(mk=synced, crm=crm)

    people, roles = people_and_roles(workspace)

    assert people.height == 1
    assert roles.rows() == [(people["profile_id"][0], "Decision Maker")]
    keys = (
        workspace.lake.scan("identity/person_ids").to_native().filter(pl.col("profile_id") == people["profile_id"][0])
    )
    assert sorted(key.partition("@")[2] for key in keys.collect()["source_key"]) == [
        "00D5g.Salesforce",
        "123-ABC-456.Marketo",
    ]

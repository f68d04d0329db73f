"""Campaigns and fields of Salesforce, from plan to ledger, against an organisation that keeps its rules."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cdp_toolkit.connectors.salesforce.campaign import CampaignConnection
from cdp_toolkit.connectors.salesforce.field_updates import FieldConnection
from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.errors import ConfigError, UnknownNameError
from cdp_toolkit.findings import look_at
from tests.stand_ins.salesforce import Salesforce
from tests.stand_ins.salesforce_objects import define_standard
from tests.stand_ins.serve import serving


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(65_537, 2_048)


@pytest.fixture
def org(key, monkeypatch):
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    monkeypatch.setenv("SF_KEY", pem.decode())
    served = Salesforce(public_key=key.public_key())
    define_standard(served)
    served.campaign = served.save("Campaign", Name="Fair")
    served.save("CampaignMemberStatus", CampaignId=served.campaign, Label="Sent")
    with serving(served.app()) as served.url:
        yield served


@pytest.fixture
def destination(org):
    def make(kind, **settings):
        login = {
            "client_id": "key",
            "username": "cdp@acme.example",
            "private_key": "${env:SF_KEY}",
            "base_url": org.url,
        }
        given = {"audiences": ["buyers"], "campaign_ids": {"buyers": org.campaign}} if kind == "campaign" else {}
        return Destination(
            name="crm", type=f"salesforce_{kind}", **{"audiences": ["buyers"], **login, **given, **settings}
        )

    return make


@pytest.fixture
def opened(quick):
    kinds = {"salesforce_campaign": CampaignConnection, "salesforce_fields": FieldConnection}
    return lambda destination: kinds[destination.type](destination, Path(), quick)


@pytest.fixture
def activate(world, opened):
    return lambda destination: world.activate(destination, opened(destination))


def members(org):
    live = (each for each in org.records["CampaignMember"].values() if not each["IsDeleted"])
    return {each.get("ContactId") or each["LeadId"]: each.get("Status") for each in live}


def refusals(world):
    return {row["reason"] for row in world.ledger.to_pylist() if row["outcome"] == "refused"}


def test_contacts_and_leads_join_a_campaign_and_leave_it(org, destination, world, opened, activate):
    contact, lead = org.save("Contact", LastName="A"), org.save("Lead", LastName="B")
    world.crm(1, "buyers", ids=(contact,))
    world.crm(2, "buyers", ids=(lead,))
    first = activate(destination("campaign", status="Sent"))
    joined = members(org)
    world.leave(2)

    second = activate(destination("campaign", status="Sent"))

    assert joined == {contact: "Sent", lead: "Sent"}
    assert (first.counts["added"], second.counts["removed"]) == (2, 1)
    assert members(org) == {contact: "Sent"}
    assert world.plan(destination("campaign", status="Sent"), opened(destination("campaign"))).is_empty


def test_who_is_a_member_already_is_not_created_again_and_keeps_the_status(org, destination, world, activate):
    contact = org.save("Contact", LastName="A")
    org.save("CampaignMember", CampaignId=org.campaign, ContactId=contact, Status="Responded")
    world.crm(1, "buyers", ids=(contact,))

    delivered = activate(destination("campaign", status="Sent"))

    assert (delivered.counts["added"], members(org)) == (1, {contact: "Responded"})
    assert ("POST", "/services/data/v62.0/composite/sobjects", "") not in org.received


def test_a_lead_that_was_converted_since_the_load_joins_as_the_contact_that_it_is(org, destination, world, activate):
    contact = org.save("Contact", LastName="A")
    lead = org.save("Lead", LastName="A", IsConverted=True, ConvertedContactId=contact)
    world.crm(1, "buyers", ids=(lead,))

    activate(destination("campaign"))
    world.leave(1)
    between = members(org)
    activate(destination("campaign"))

    assert (between, members(org)) == ({contact: None}, {})


def test_who_leaves_as_a_lead_and_joins_as_the_contact_stays(org, destination, world, activate):
    contact = org.save("Contact", LastName="A")
    lead = org.save("Lead", LastName="A", IsConverted=True, ConvertedContactId=contact)
    world.crm(1, "buyers", ids=(lead,))
    activate(destination("campaign"))
    world.leave(1)
    world.crm(2, "buyers", ids=(contact,))

    activate(destination("campaign"))

    assert members(org) == {contact: None}


def test_of_a_person_with_several_records_the_same_one_is_a_member_each_time(org, destination, world, opened, activate):
    ids = tuple(org.save("Contact", LastName="A") for _ in range(3))
    world.crm(1, "buyers", ids=ids)
    activate(destination("campaign"))
    world.records[0]["updated_at"] = world.now

    assert world.plan(destination("campaign"), opened(destination("campaign"))).is_empty
    assert set(members(org)) == {ids[-1]}


def test_a_record_that_is_gone_is_refused_with_what_salesforce_says_and_the_others_are_sent(
    org, destination, world, activate
):
    contact, gone = (org.save("Contact", LastName=name) for name in "AB")
    org.delete("Contact", gone)
    world.crm(1, "buyers", ids=(contact,))
    world.crm(2, "buyers", ids=(gone,))
    world.person(3, "buyers")

    delivered = activate(destination("campaign"))

    assert (delivered.counts["added"], set(members(org))) == (1, {contact})
    assert refusals(world) == {
        "Salesforce: invalid cross reference id (INVALID_CROSS_REFERENCE_KEY)", "not known to Salesforce",
    }  # fmt: skip


def test_a_member_whom_somebody_else_took_out_is_taken_out(org, destination, world, activate):
    contact = org.save("Contact", LastName="A")
    world.crm(1, "buyers", ids=(contact,))
    activate(destination("campaign"))
    [member] = org.records["CampaignMember"]
    org.delete("CampaignMember", member)
    world.leave(1)

    delivered = activate(destination("campaign"))

    assert (delivered.counts["removed"], delivered.counts["failed"]) == (1, 0)


@pytest.mark.parametrize(("locks", "sent"), [(2, 1), (9, 0)])
def test_records_that_are_locked_are_tried_again_now_and_then_with_the_next_plan(
    org, destination, world, activate, locks, sent
):
    world.crm(1, "buyers", ids=(org.save("Contact", LastName="A"),))
    org.faults.locks = locks

    delivered = activate(destination("campaign"))
    org.faults.locks = 0
    activate(destination("campaign"))

    assert (delivered.counts["added"], delivered.counts["failed"]) == (sent, 1 - sent)
    assert len(members(org)) == 1


def test_an_audience_of_hundreds_goes_in_collections_of_200(org, destination, world, activate):
    for i in range(450):
        world.crm(i, "buyers", ids=(org.save("Contact", LastName=f"L{i}"),))

    activate(destination("campaign"))

    assert len(members(org)) == 450
    assert org.counted()["/services/data/v62.0/composite/sobjects"] == 3


def test_a_run_that_died_behind_its_call_adds_nobody_twice_and_forgets_nobody(org, destination, world, activate):
    one, two = (org.save("Contact", LastName=name) for name in "AB")
    world.crm(1, "buyers", ids=(one,))
    world.crm(2, "buyers", ids=(two,))
    activate(destination("campaign"))
    world.forget_answers()
    world.leave(2)

    activate(destination("campaign"))

    assert set(members(org)) == {one}
    assert len(org.records["CampaignMember"]) == 2


def test_values_beside_the_membership_are_set_and_updated(org, destination, world, activate):
    org.fields["CampaignMember"] |= {"Score__c": "double"}
    world.crm(1, "buyers", ids=(org.save("Contact", LastName="A"),), person_score=7.0)
    activate(destination("campaign", mapping={"Score__c": "person_score"}))
    world.change(1, person_score=8.0)

    activate(destination("campaign", mapping={"Score__c": "person_score"}))

    assert [each["Score__c"] for each in org.records["CampaignMember"].values()] == [8.0]


@pytest.mark.parametrize(
    ("settings", "error", "told"),
    [
        ({"campaign_ids": {}}, ConfigError, "No list is named for buyers"),
        ({"mapping": {"LeadId": "email"}}, UnknownNameError, "LeadId"),
        ({"private_key": None}, ConfigError, "private_key"),
    ],
)
def test_settings_that_cannot_work_are_told_at_once(destination, opened, settings, error, told):
    with pytest.raises(error) as raised:
        opened(destination("campaign", **settings))

    assert told in str(raised.value)


def test_a_check_tells_campaigns_and_statuses_that_are_not_there(destination, opened):
    right = look_at(opened(destination("campaign", status="Sent")))
    no_status = look_at(opened(destination("campaign", status="Invited")))
    no_campaign = look_at(opened(destination("campaign", campaign_ids={"buyers": "701000000000000AAA"})))

    assert [each.detail for each in right] == ["Fair"]
    assert [each.detail for each in no_status] == ["Fair has no status 'Invited'"]
    assert [each.detail for each in no_campaign] == ["there is no campaign 701000000000000AAA"]


# Fields


def values(org, name, number, *fields):
    return tuple(org.records[name][number].get(field) for field in fields)


@pytest.fixture
def score(org):
    for name in ("Contact", "Lead", "Account"):
        org.fields[name] |= {"Score__c": "double", "Buyer__c": "boolean"}


@pytest.mark.usefixtures("score")
def test_fields_and_flags_of_contacts_and_leads_are_set_and_taken_back(org, destination, world, opened, activate):
    contact, lead = org.save("Contact", LastName="A"), org.save("Lead", LastName="B")
    world.crm(1, "buyers", ids=(contact,), person_score=7.5)
    world.crm(2, "buyers", ids=(lead,), person_score=3.0)
    given = {"mapping": {"Score__c": "person_score"}, "flags": {"buyers": "Buyer__c"}, "on_leaving": "empty"}
    activate(destination("fields", **given))
    before = [
        values(org, "Contact", contact, "Score__c", "Buyer__c"),
        values(org, "Lead", lead, "Score__c", "Buyer__c"),
    ]
    world.leave(1)

    activate(destination("fields", **given))

    assert before == [(7.5, True), (3.0, True)]
    assert values(org, "Contact", contact, "Score__c", "Buyer__c") == (None, False)
    assert world.plan(destination("fields", **given), opened(destination("fields", **given))).is_empty


@pytest.mark.usefixtures("score")
def test_fields_of_accounts_are_set(org, destination, world, activate):
    account = org.save("Account", Name="Acme")
    world.crm(1, "buyers", ids=(account,), entity="account", domain="acme.example")

    activate(destination("fields", mapping={"Website": "domain"}))

    assert values(org, "Account", account, "Website") == ("acme.example",)


@pytest.mark.usefixtures("score")
def test_a_row_that_salesforce_refuses_costs_no_other(org, destination, world, activate):
    contact, lead = org.save("Contact", LastName="A"), org.save("Lead", LastName="B", Status="New")
    org.fields["Contact"]["Score__c"] = "string"
    world.crm(1, "buyers", ids=(contact,), email="x")
    world.crm(2, "buyers", ids=(lead,), email="y")

    delivered = activate(destination("fields", mapping={"Score__c": "email"}))

    assert (delivered.counts["added"], delivered.counts["refused"]) == (1, 1)
    assert refusals(world) == {"Salesforce: Cannot deserialize instance of double from y (JSON_PARSER_ERROR)"}


@pytest.mark.usefixtures("score")
def test_records_of_objects_that_are_not_named_are_refused(org, destination, world, activate):
    world.crm(1, "buyers", ids=(org.save("Lead", LastName="B"),))

    activate(destination("fields", mapping={"Score__c": "person_score"}, objects=["Contact"]))

    assert refusals(world) == {"a record of Lead"}


@pytest.mark.usefixtures("score")
def test_a_check_tells_fields_that_are_not_there(org, destination, opened):
    del org.fields["Lead"]["Buyer__c"]

    found = look_at(opened(destination("fields", flags={"buyers": "Buyer__c"}, objects=["Contact", "Lead"])))

    assert [(each.what, each.status) for each in found] == [("Contact.Buyer__c", "ok"), ("Lead.Buyer__c", "problem")]


def test_a_destination_without_a_field_is_refused(destination, opened):
    with pytest.raises(ConfigError, match="No field is named"):
        opened(destination("fields"))

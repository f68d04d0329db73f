"""The made-up world is written as the vendors export it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from cdp_toolkit.demo import World, make_world, write_world

AS_OF = datetime(2026, 1, 31, tzinfo=UTC)
COLUMNS = {
    "marketo/leads/part-0001.csv": {"id", "email", "firstName", "sfdcType", "sfdcContactId", "contactCompany", "ecids"},
    "marketo/companies.csv": {"id", "company", "mktoCdpExternalId", "annualRevenue", "industry"},
    "marketo/programs.csv": {"id", "name", "channel", "sfdcId", "cost"},
    "marketo/program_members.csv": {"programId", "leadId", "statusName"},
    "marketo/lists.csv": {"id", "name"},
    "marketo/list_members.csv": {"staticListMemberID", "staticListID", "personID", "isDeleted"},
    "marketo/opportunities.csv": {"id", "externalOpportunityId", "mktoCdpAccountOrgId", "stage", "isClosed"},
    "marketo/opportunity_roles.csv": {"id", "mktoCdpOpptyId", "leadId", "role"},
    "salesforce/Contact.csv": {"Id", "AccountId", "Email", "IsDeleted", "SystemModstamp"},
    "salesforce/Lead.csv": {"Id", "Email", "IsConverted", "ConvertedContactId"},
    "salesforce/Account.csv": {"Id", "Name", "ParentId", "AnnualRevenue", "Industry"},
    "salesforce/Opportunity.csv": {"Id", "AccountId", "StageName", "Amount", "IsClosed", "IsWon"},
    "salesforce/OpportunityContactRole.csv": {"OpportunityId", "ContactId", "Role", "IsPrimary"},
    "salesforce/AccountContactRelation.csv": {"AccountId", "ContactId", "Roles", "IsActive"},
    "salesforce/Campaign.csv": {"Id", "BudgetedCost", "ActualCost"},
    "salesforce/CampaignMember.csv": {"CampaignId", "LeadOrContactId", "Status"},
}


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(300, 3, AS_OF)


@pytest.fixture(scope="module")
def folder(world, tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("world")
    write_world(world, home)
    return home


@pytest.mark.parametrize("file", COLUMNS)
def test_a_file_has_the_columns_of_its_vendor(folder, file):
    header = pl.read_csv(folder / "exports" / file, n_rows=0, infer_schema=False).columns

    assert COLUMNS[file] <= set(header)


def test_activities_have_the_columns_of_the_bulk_extract_and_attributes_in_json(folder):
    files = sorted((folder / "exports/marketo/activities").iterdir())
    activities = pl.concat(pl.read_csv(file, infer_schema=False) for file in files)

    visit = activities.filter(activityTypeId="1")["attributes"][0]

    assert len(files) == 2
    assert activities.columns == [
        "marketoGUID", "leadId", "activityDate", "activityTypeId", "campaignId", "primaryAttributeValueId",
        "primaryAttributeValue", "attributes",
    ]  # fmt: skip
    assert json.loads(visit)["Webpage URL"].startswith("https://")


def test_a_web_event_knows_a_browser_and_no_name(folder):
    lines = (folder / "exports/web/event/part-0001.ndjson").read_text(encoding="utf-8").splitlines()

    event = json.loads(lines[0])

    assert len(event["identityMap"]["ECID"][0]["id"]) == 38
    assert event["eventType"].startswith("web.")
    assert event["web"]["webPageDetails"]["URL"].startswith("https://")


def test_files_are_as_dirty_as_real_ones(folder):
    companies = (folder / "exports/marketo/companies.csv").read_bytes()
    leads = pl.concat(
        pl.read_csv(file, infer_schema=False) for file in sorted((folder / "exports/marketo/leads").iterdir())
    )

    assert companies.startswith(b"\xef\xbb\xbf")
    assert b',"1' in companies
    assert {"FALSE", "false", "0"} <= set(leads["unsubscribed"])
    assert leads["createdAt"].str.contains(" UTC$").any()
    assert leads["createdAt"].str.contains(r"\.000$").any()
    assert "Favorite_Color__c" in leads.columns
    assert "high" in leads["leadScore"].to_list()


def test_the_truth_lies_beside_the_exports(folder, world):
    facts = json.loads((folder / "truth/facts.json").read_text(encoding="utf-8"))

    assert pl.read_parquet(folder / "truth/records.parquet").equals(world.truth)
    assert facts == world.facts
    assert not list((folder / "exports").rglob("*truth*"))


def test_parquet_holds_the_same_rows(tmp_path, world):
    write_world(world, tmp_path, format="parquet")

    contacts = pl.read_parquet(tmp_path / "exports/salesforce/Contact.parquet")
    activities = pl.read_parquet(tmp_path / "exports/marketo/activities/*.parquet")

    assert contacts.equals(world.sources["salesforce"]["Contact"])
    assert activities.height == world.sources["marketo"]["activities"].height

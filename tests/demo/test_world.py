"""The made-up world keeps its promises: the same each time, every difficulty present, the truth complete."""

from datetime import UTC, datetime

import polars as pl
import pytest

from cdp_toolkit.demo import World, make_world

AS_OF = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(1_500, 3, AS_OF)


def marketo(world: World, name: str) -> pl.DataFrame:
    return world.sources["marketo"][name]


def salesforce(world: World, name: str) -> pl.DataFrame:
    return world.sources["salesforce"][name]


def test_the_same_seed_makes_the_same_world(world):
    again = make_world(1_500, 3, AS_OF)

    assert again.facts == world.facts
    assert again.truth.equals(world.truth)
    for source, tables in world.sources.items():
        assert all(frame.equals(again.sources[source][name]) for name, frame in tables.items())


def test_another_seed_makes_another_world(world):
    other = make_world(1_500, 4, AS_OF)

    assert not other.people["email"].equals(world.people["email"])


@pytest.mark.parametrize("persons", [150, 6_000])
def test_the_world_grows_with_the_number_of_people(persons):
    world = make_world(persons, 3, AS_OF)

    activities = world.sources["marketo"]["activities"].height + world.sources["web"]["event"].height
    assert world.people.height == persons
    assert world.companies.height == max(12, persons // 12)
    assert 7 < activities / persons < 15


@pytest.mark.parametrize(
    "difficulty",
    [
        "converted_leads", "deleted_contacts", "deleted_leads", "duplicate_leads", "job_changes", "leads_without_email",
        "leads_without_phone", "merged_leads", "name_twins_at_one_company", "national_phones", "opted_out_people",
        "people_on_shared_devices", "people_who_took_another_name", "placeholder_emails", "records_tied_by_nothing",
        "remarks_for_emails", "shared_mailbox_people", "swapped_names", "switchboard_people", "tagged_emails",
    ],
)  # fmt: skip
def test_every_promised_difficulty_is_in_a_small_world(world, difficulty):
    assert world.facts["difficulties"][difficulty] > 0


def test_people_of_different_names_share_a_mailbox(world):
    boxes = marketo(world, "leads").filter(pl.col("email").str.contains("^(info|sales|office)@"))

    people = boxes.group_by("email").agg(names=pl.col("lastName").n_unique())

    assert people["names"].max() > 1


def test_most_mistyped_emails_can_be_told_by_an_id_of_the_crm(world):
    leads = marketo(world, "leads").select("email", crm_id=pl.coalesce("sfdcContactId", "sfdcLeadId"))
    people = world.people
    true = pl.concat([people[name] for name in ("email", "previous_email", "former_email", "mailbox")]).drop_nulls()
    address = pl.col("email").str.strip_chars().str.to_lowercase()

    odd = leads.filter(
        ~address.is_in(true.implode()), address.str.contains("^[^+]+@"), address != "unknown@none.example"
    )

    assert 0.5 < odd["crm_id"].drop_nulls().len() / odd.height < 1


def test_a_converted_lead_names_a_contact_that_exists(world):
    converted = salesforce(world, "Lead").filter("IsConverted")

    assert converted.height > 0
    assert converted["ConvertedContactId"].is_in(salesforce(world, "Contact")["Id"].implode()).all()


def test_a_merged_lead_is_named_by_an_activity_and_not_always_exported(world):
    merges = marketo(world, "activities").filter(pl.col("activityTypeId") == 32)
    losers = merges["attributes"].str.extract(r'"\[(\d+)\]"')

    exported = losers.is_in(marketo(world, "leads")["id"].drop_nulls().implode())

    assert losers.null_count() == 0
    assert exported.any()
    assert not exported.all()


def test_a_deleted_lead_is_in_an_earlier_export_and_in_an_activity(world):
    deleted = marketo(world, "activities").filter(pl.col("activityTypeId") == 37)

    assert deleted.height > 0
    assert deleted["leadId"].cast(pl.String).is_in(marketo(world, "leads")["id"].drop_nulls().implode()).all()


def test_an_old_version_of_a_row_is_older_than_the_present_one(world):
    contacts = salesforce(world, "Contact").filter(pl.col("Id").is_duplicated())

    ordered = contacts.group_by("Id").agg(pl.col("SystemModstamp"), pl.col("Title"))

    assert ordered.height > 0
    assert ordered["SystemModstamp"].list.n_unique().eq(2).all()


def test_the_companies_that_segments_ask_for_exist(world):
    accounts = salesforce(world, "Account")

    assert accounts.filter(Name="Acme").height == 1
    assert {"Finance", "Technology", "Healthcare"} <= set(accounts["Industry"])
    assert {"Canada", "United States", "Germany"} <= set(accounts["BillingCountry"])
    assert accounts["ParentId"].drop_nulls().is_in(accounts["Id"].implode()).all()
    assert world.sources["web"]["account"].height > 0


def test_acme_has_active_managers(world):
    acme = salesforce(world, "Account").filter(Name="Acme")["Id"].item()
    ties = salesforce(world, "AccountContactRelation").filter(AccountId=acme)

    assert ties.filter("IsActive", pl.col("Roles").str.contains("Manager")).height >= 2


def test_some_campaigns_cost_more_than_their_budget(world):
    campaigns = salesforce(world, "Campaign")

    assert 0 < campaigns.filter(pl.col("ActualCost") > pl.col("BudgetedCost")).height < campaigns.height


def test_people_were_taken_off_the_list_of_anniversary_users(world):
    lists = marketo(world, "lists").filter(name="Anniversary users")["id"]
    members = marketo(world, "list_members").filter(pl.col("staticListID").is_in(lists.implode()))

    assert set(members["isDeleted"]) >= {"true", "false"}


def test_nobody_has_two_roles_on_one_opportunity(world):
    roles = salesforce(world, "OpportunityContactRole")

    assert roles.height > 0
    assert not roles.select("OpportunityId", "ContactId").is_duplicated().any()
    assert {"Decision Maker", "Economic Buyer", "Influencer"} <= set(roles["Role"])


def test_nothing_happens_after_the_end_of_time_or_longer_ago_than_18_months(world):
    activities = marketo(world, "activities").filter(pl.col("activityDate").str.starts_with("20"))

    at = activities["activityDate"].str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC")

    assert at.max() <= AS_OF
    assert (AS_OF - at.min()).days <= 548


def test_a_deal_of_marketo_is_a_deal_of_salesforce(world):
    copies = marketo(world, "opportunities")

    assert copies.height > 0
    assert copies["externalOpportunityId"].is_in(salesforce(world, "Opportunity")["Id"].implode()).all()


def test_the_truth_covers_every_good_record_once(world):
    exported = pl.concat([
        marketo(world, "leads").filter(pl.col("id").is_not_null()).select(pl.col("id") + "@123-ABC-456.Marketo"),
        *(
            salesforce(world, name).select(id=pl.col("Id") + "@00D5g000000demo.Salesforce")
            for name in ("Lead", "Contact")
        ),
    ])["id"].unique()  # fmt: skip
    people = world.truth.filter(entity="person")["source_key"]
    bad = world.facts["bad_rows"]

    assert not world.truth.select("entity", "source_key").is_duplicated().any()
    assert people.is_in(exported.implode()).all()
    # A row with a bad value has an id of its own; the one without an id is none of the exported keys.
    assert exported.len() - people.len() == bad["marketo/leads"] - 1 + bad["salesforce/Contact"]


def test_no_value_of_an_export_ties_a_record_that_the_truth_calls_untied(world):
    leads, truth = marketo(world, "leads"), world.truth.filter(entity="person")
    address = pl.col("value").str.strip_chars().str.to_lowercase().str.replace(r"\+[^@]*", "")
    told = pl.concat([
        leads.select(pl.col("id") + "@123-ABC-456.Marketo", value=name, kind=pl.lit(kind))
        for name, kind in (("email", "email"), ("phone", "phone"), ("ecids", "ecid"), ("sfdcContactId", "contact"))
    ] + [
        salesforce(world, name).select(id=pl.col("Id") + "@00D5g000000demo.Salesforce", value=value, kind=pl.lit(kind))
        for name in ("Lead", "Contact") for value, kind in (("Email", "email"), ("Phone", "phone"))
    ]).with_columns(
        pl.when(kind="phone").then(pl.col("value").str.replace_all(r"\D", "").str.tail(7)).otherwise(address).str.split(";")
    ).explode("value").drop_nulls("value").filter(~pl.col("value").is_in(["unknown@none.example", "call him first"]))  # fmt: skip
    owned = told.join(truth, left_on="id", right_on="source_key")

    ties = owned.group_by("true_id", "kind", "value").agg(pl.col("linkable_id").n_unique())

    assert truth.filter(pl.col("linkable_id") < 0).height > 0
    assert ties["linkable_id"].max() == 1

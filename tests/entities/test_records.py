"""What a mapping can say, and what becomes of the rows it speaks of, on each engine."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest
import yaml

from cdp_toolkit.entities.build import build_entities
from cdp_toolkit.entities.catalogue import load_mapping
from cdp_toolkit.entities.identities import record_identities
from cdp_toolkit.entities.landed import LandedSource
from cdp_toolkit.entities.mapping import SourceMapping
from cdp_toolkit.model import Model

MODEL = Model.standard()
LOADED = datetime(2024, 1, 1, tzinfo=UTC)


def delivered(rows, *, file="a.csv", loaded_at=LOADED):
    """Return delivered rows as they lie in landing: texts, with where they stood."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: pa.array([row.get(name) for row in rows], pa.string()) for name in names}
    origin = {
        "_file": pa.array([file] * len(rows)),
        "_line": pa.array(range(2, len(rows) + 2), pa.int64()),
        "_batch": pa.array([1] * len(rows), pa.int64()),
        "_loaded_at": pa.array([loaded_at] * len(rows), pa.timestamp("us", "UTC")),
    }
    return pa.table(columns | origin)


@pytest.fixture
def build(engine):
    def made(mapping, objects, **about):
        mapping = load_mapping(mapping, MODEL) if isinstance(mapping, str) else SourceMapping.model_validate(mapping)
        source = LandedSource("src", mapping.system, "I1", mapping.checked(MODEL), objects=tuple(objects), **about)
        return build_entities(
            [source], lambda table: engine.load(delivered(objects[table.rpartition("/")[2]])), MODEL, engine
        )

    return made


CRM = {"crm_system": "Salesforce", "crm_instance": "ORG"}


@pytest.fixture
def identities(build, engine):
    def made(*args):
        built = build(*args)
        return record_identities(built.entities, built.merges, MODEL, engine)

    return made


def test_a_lead_becomes_a_person_with_keys_that_name_their_systems(build, rows):
    lead = {
        "id": "7",
        "email": " Ana@X.example",
        "contactCompany": "50",
        "sfdcType": "Contact",
        "sfdcContactId": "003A",
    }

    person = build("marketo", {"leads": [lead]}, **CRM).entities["person"]

    assert rows(person, "source_key", "source_type", "source_instance", "source_id", "is_deleted") == [
        ("7@I1.Marketo", "Marketo", "I1", "7", False)
    ]
    assert rows(person, "email", "account_key", "external_key", "person_type") == [
        ("ana@x.example", "50@I1.Marketo", "003A@ORG.Salesforce", "Contact")
    ]


def test_without_a_crm_nobody_is_linked_to_one(build, rows):
    person = build("marketo", {"leads": [{"id": "7", "sfdcContactId": "003A"}]}).entities["person"]

    assert rows(person, "source_id", "external_key") == [("7", None)]


def test_unsubscribed_is_a_no_and_subscribed_is_not_a_yes(build, rows):
    leads = [{"id": str(n), "unsubscribed": said} for n, said in enumerate(["true", "1", "FALSE", "", "perhaps"])]

    built = build("marketo", {"leads": leads})

    assert rows(built.entities["person"], "source_id", "consent_email") == [
        ("0", "n"), ("1", "n"), ("2", None), ("3", None),
    ]  # fmt: skip
    assert rows(built.rejected, "column", "value", "reason") == [("unsubscribed", "perhaps", "not true or false")]


def test_a_row_is_refused_once_for_each_bad_value_and_keeps_its_place(build, rows):
    leads = [{"id": "1", "email": "no", "leadScore": "high"}, {"id": None, "email": "a@b.example"}, {"id": "3"}]

    built = build("marketo", {"leads": leads})

    assert rows(built.entities["person"], "source_id") == ["3"]
    assert rows(built.rejected, "object", "file", "line", "entity", "column", "value", "reason") == [
        ("leads", "a.csv", 2, "person", "email", "no", "not an e-mail address"),
        ("leads", "a.csv", 2, "person", "leadScore", "high", "not a number"),
        ("leads", "a.csv", 3, "person", "id", None, "no key"),
    ]


def test_a_record_is_kept_without_an_address_that_is_none(build, rows):
    built = build("marketo", {"leads": [{"id": "1", "email": "n/a", "firstName": "Ana"}]})

    assert rows(built.entities["person"], "source_id", "first_name", "email") == [("1", "Ana", None)]
    assert rows(built.rejected, "column", "value", "reason") == [
        ("email", "n/a", "not an e-mail address; the row was kept without it")
    ]


def test_a_row_without_what_its_entity_requires_is_refused_unless_it_is_deleted(build, rows):
    members = [{"Id": "1", "CampaignId": "701"}, {"Id": "2", "CampaignId": "701", "IsDeleted": "true"}]

    built = build("salesforce", {"CampaignMember": members})

    assert rows(built.entities["campaign_member"], "source_id", "is_deleted") == [("2", True)]
    assert rows(built.rejected, "column", "reason") == [("LeadOrContactId", "empty, but required")]


def test_the_latest_row_wins_and_a_deletion_wins_a_tie(build, rows):
    contacts = [
        {"Id": "1", "Title": "new", "SystemModstamp": "2024-02-01", "IsDeleted": "false"},
        {"Id": "1", "Title": "old", "SystemModstamp": "2024-01-01", "IsDeleted": "false"},
        {"Id": "2", "Title": "gone", "SystemModstamp": "2024-01-01", "IsDeleted": "true"},
        {"Id": "2", "Title": "here", "SystemModstamp": "2024-01-01", "IsDeleted": "false"},
        {"Id": "3", "Title": "first", "IsDeleted": "false"},
        {"Id": "3", "Title": "second", "IsDeleted": "false"},
    ]

    person = build("salesforce", {"Contact": contacts}).entities["person"]

    assert rows(person, "source_id", "job_title", "is_deleted") == [
        ("1", "new", False), ("2", "gone", True), ("3", "second", False),
    ]  # fmt: skip


def test_a_merge_gives_the_winner_the_losers_keys_and_ends_them(build, identities, rows):
    activity = {"marketoGUID": "9", "leadId": "1", "activityDate": "2024-03-01", "activityTypeId": "32",
                "attributes": '{"Merge IDs": "[2, 3]"}'}  # fmt: skip
    leads = [{"id": n, "email": f"{n}@x.example", "updatedAt": "2024-01-01"} for n in ("1", "2")]

    person = build("marketo", {"leads": leads, "activities": [activity]}).entities["person"]
    carried = identities("marketo", {"leads": leads, "activities": [activity]})

    assert rows(person, "source_id", "is_deleted") == [("1", False), ("2", True), ("3", True)]
    assert rows(carried, "source_key", "namespace", "value") == [
        ("1@I1.Marketo", "email", "1@x.example"),
        ("1@I1.Marketo", "person_key", "1@I1.Marketo"),
        ("1@I1.Marketo", "person_key", "2@I1.Marketo"),
        ("1@I1.Marketo", "person_key", "3@I1.Marketo"),
        ("2@I1.Marketo", "person_key", "2@I1.Marketo"),
        ("3@I1.Marketo", "person_key", "3@I1.Marketo"),
    ]


def test_a_merged_contact_folds_into_its_master(identities, rows):
    contacts = [{"Id": "A"}, {"Id": "B", "IsDeleted": "true", "MasterRecordId": "A"}]

    carried = identities("salesforce", {"Contact": contacts})

    assert ("A@I1.Salesforce", "B@I1.Salesforce") in rows(carried, "source_key", "value")


def test_a_converted_lead_carries_its_contact_and_each_browser_counts(identities, rows):
    lead = {"Id": "00Q", "ConvertedContactId": "003", "Email": "a@b.example"}

    assert rows(identities("salesforce", {"Lead": [lead]}), "namespace", "value") == [
        ("email", "a@b.example"), ("person_key", "003@I1.Salesforce"), ("person_key", "00Q@I1.Salesforce"),
    ]  # fmt: skip
    assert rows(identities("marketo", {"leads": [{"id": "1", "ecids": "111;222"}]}), "namespace", "value") == [
        ("ecid", "111"), ("ecid", "222"), ("person_key", "1@I1.Marketo"),
    ]  # fmt: skip


def test_the_instance_says_what_its_activities_mean(build, rows):
    activities = [
        {"marketoGUID": "1", "leadId": "5", "activityDate": "2024-01-01", "activityTypeId": "1",
         "attributes": '{"Webpage URL": "/pricing", "Client IP Address": "10.0.0.1"}'},
        {"marketoGUID": "2", "leadId": "5", "activityDate": "2024-01-01", "activityTypeId": "100099"},
        {"marketoGUID": "3", "leadId": "5", "activityDate": "2024-01-01", "activityTypeId": "777"},
    ]  # fmt: skip
    types = [{"id": "100099", "name": "Change Status in Progression"}]

    event = build("marketo", {"activities": activities, "activity_types": types}).entities["event"]

    assert rows(event, "source_id", "event_type", "page_url") == [
        ("1", "web.webpagedetails.pageViews", "/pricing"),
        ("2", "leadOperation.statusInCampaignProgressionChanged", None),
        ("3", "marketo.activity.777", None),
    ]


def test_a_deal_is_closed_on_its_close_date_once_it_is_closed(build, rows):
    deals = [{"Id": n, "CloseDate": "2024-05-01", "IsClosed": said} for n, said in (("1", "true"), ("2", "false"))]

    deal = build("salesforce", {"Opportunity": deals}).entities["opportunity"]

    assert [row[1] is None for row in rows(deal, "source_id", "actual_close_date")] == [False, True]


def test_xdm_is_read_by_its_paths_with_keys_whole_or_in_parts(build, rows):
    whole = {"b2b.personKey.sourceKey": "1@M.Marketo", "workEmail.address": "a@b.example",
             "identityMap.ECID": '[{"id": "111", "primary": true}, {"id": "222"}]',
             "personComponents": '[{"sourceAccountKey": {"sourceKey": "9@M.Marketo"}}]'}  # fmt: skip
    parts = {
        "b2b.personKey.sourceID": "2",
        "b2b.personKey.sourceInstanceID": "M",
        "b2b.personKey.sourceType": "Marketo",
    }
    bad = {"b2b.personKey.sourceKey": "3"}

    built = build("xdm", {"person": [whole, parts, bad]})

    assert rows(built.entities["person"], "source_key", "source_type", "source_id", "email", "ecids") == [
        ("1@M.Marketo", "Marketo", "1", "a@b.example", ["111", "222"]), ("2@M.Marketo", "Marketo", "2", None, None),
    ]  # fmt: skip
    assert rows(built.rejected, "value", "reason") == [("3", "not a record key")]


def test_own_files_speak_the_same_language(build, rows):
    mapping = {
        "system": "ERP",
        "nulls": ["-"],
        "columns": "loose",
        "objects": {
            "customers": {
                "outputs": [
                    {
                        "entity": "account",
                        "key": "{region}-{number}",
                        "when": {"kind": ["Company"]},
                        "deleted": {"closed": True},
                        "fields": {
                            "account_name": ["trade name", "name"],
                            "annual_revenue": {"from": "revenue", "format": "1.234,56"},
                            "account_type": {"from": "abc", "values": {"A": "Customer", "B": "Prospect"}},
                            "account_source": {"const": "ERP"},
                            "updated_at": {"from": "changed", "format": "DD.MM.YYYY"},
                        },
                    }
                ]
            }
        },
    }
    base = {
        "Region": "EU",
        "NUMBER": "1",
        "Kind": "company",
        "Revenue": "1.234,50",
        "abc": "a",
        "Changed": "31.12.2023",
    }
    row = base | {"Trade_Name": "-", "Name": "Acme", "closed": "no"}
    built = build(mapping, {"customers": [row, base | {"Kind": "person", "NUMBER": "2"}, base | {"NUMBER": None}]})

    account = built.entities["account"]

    assert rows(account, "source_key", "account_name", "annual_revenue", "account_type", "account_source") == [
        ("EU-1@I1.ERP", "Acme", 1234.5, "Customer", "ERP")
    ]
    assert rows(built.rejected, "line", "reason") == [(4, "no key")]


def test_a_row_that_could_not_be_read_is_kept_with_what_it_was(build, rows):
    leads = [{"id": "1"}, {"_problem": "1 fields where the header has 2", "_raw": "2"}]

    built = build("marketo", {"leads": leads})

    assert rows(built.entities["person"], "source_id") == ["1"]
    assert rows(built.rejected, "line", "value", "reason") == [(3, "2", "1 fields where the header has 2")]


def test_an_object_without_a_place_in_the_model_is_kept_with_the_reason(build, rows):
    mapping = {"system": "X", "objects": {"templates": {"refuse": "no entity for it"}}}

    built = build(mapping, {"templates": [{"id": "1"}, {"id": "2"}]})

    assert rows(built.rejected, "line", "reason") == [(2, "no entity for it"), (3, "no entity for it")]


def test_every_entity_is_there_and_what_nothing_reads_is_told(build, rows):
    built = build("marketo", {"leads": [{"id": "1", "Favorite_Color__c": "green"}], "surprises": [{"id": "1"}]})

    assert set(built.entities) == set(MODEL.recorded)
    assert rows(built.entities["campaign"], "source_key") == []
    assert built.unknown_columns == {"src/leads": ["Favorite_Color__c"]}
    assert built.unknown_objects == ["src/surprises"]


@pytest.mark.parametrize("system", ["marketo", "salesforce", "xdm"])
def test_the_mappings_that_are_shipped_fit_the_model_and_fill_its_main_fields(system):
    mapping = load_mapping(system, MODEL)

    filled = {output.entity for each in mapping.objects.values() for output in each.outputs}

    assert {"person", "account", "opportunity", "opportunity_person", "campaign", "campaign_member"} <= filled
    assert yaml.safe_dump(mapping.model_dump(mode="json"))

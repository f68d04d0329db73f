"""What a merge policy may say, and what is refused before any data is read."""

import pytest
from pydantic import ValidationError

from cdp_toolkit.errors import ConfigError, UnknownNameError
from cdp_toolkit.profiles import MergePolicy
from cdp_toolkit.profiles.policies import resolve

SOURCES = {"marketo": ("Marketo", "123-ABC"), "crm": ("Salesforce", "00D1")}


def policies(model, **given):
    known = {name: MergePolicy.model_validate(policy) for name, policy in given.items()}
    return {policy.name: policy for policy in resolve(known, model, SOURCES)}


def test_without_a_word_a_value_is_the_latest_and_a_consent_the_strictest(model):
    (policy,) = policies(model).values()

    assert str(policy.rule("person", "job_title")) == "latest"
    assert str(policy.rule("person", "consent_email")) == "strictest"
    assert str(policy.rule("person", "consent_email_reason")) == "with consent_email"
    assert policy.table("person") == "person"


def test_a_source_may_be_named_as_itself_as_its_instance_or_as_its_system(model):
    columns = {"city": {"sources": ["crm"]}, "state": {"sources": ["00D1"]}, "street": {"sources": ["salesforce"]}}

    policy = policies(model, default={"columns": columns})["default"]

    found = [policy.rule("person", column).origins[0] for column in columns]
    assert [(each.system, each.instance) for each in found] == [
        ("Salesforce", "00D1"), (None, "00D1"), ("Salesforce", None)
    ]  # fmt: skip


def test_a_name_outweighs_a_pattern_and_a_later_pattern_an_earlier_one(model):
    columns = {"job_title": {"latest": True}, "*_phone": {"sources": ["crm"]}, "mobile_*": {"sources": ["marketo"]},
               "job_*": {"sources": ["crm"]}}  # fmt: skip

    policy = policies(model, crm_first={"columns": columns})["crm_first"]

    names = ("job_title", "work_phone", "mobile_phone", "city")
    assert [str(policy.rule("person", name)) for name in names] == ["latest", "crm first", "marketo first", "latest"]


def test_a_column_of_one_entity_may_be_meant(model):
    policy = policies(model, default={"columns": {"account.external_key": {"sources": ["crm"]}}})["default"]

    assert str(policy.rule("account", "external_key")) == "crm first"
    assert str(policy.rule("person", "external_key")) == "latest"


def test_a_pattern_for_all_columns_leaves_consents_as_strict_as_they_were(model):
    policy = policies(model, default={"columns": {"*": {"sources": ["marketo"]}}})["default"]

    assert str(policy.rule("person", "consent_email")) == "strictest"
    assert str(policy.rule("person", "city")) == "marketo first"


def test_a_consent_follows_another_rule_only_where_it_is_named(model):
    policy = policies(model, default={"columns": {"consent_email": {"sources": ["marketo"]}}})["default"]

    assert str(policy.rule("person", "consent_email")) == "marketo first"
    assert str(policy.rule("person", "consent_email_at")) == "marketo first"
    assert str(policy.rule("person", "consent_call")) == "strictest"


@pytest.mark.parametrize(
    ("policy", "nearest"),
    [
        ({"columns": {"job_titel": {"sources": ["crm"]}}}, "job_title"),
        ({"columns": {"job_title": {"sources": ["marketto"]}}}, "marketo"),
        ({"order": "sources", "sources": ["salesfroce"]}, "Salesforce"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_ones(model, policy, nearest):
    with pytest.raises(UnknownNameError) as error:
        policies(model, crm_first=policy)

    assert nearest in error.value.hint
    assert "merge_policies.crm_first" in error.value.where


def test_only_a_consent_can_be_the_strictest(model):
    with pytest.raises(ConfigError, match="'city' of person is no consent"):
        policies(model, default={"columns": {"city": {"strictest": True}}})


@pytest.mark.parametrize(
    "policy",
    [
        {"order": "sources"},
        {"sources": ["crm"]},
        {"columns": {"city": {}}},
        {"columns": {"city": {"latest": True, "sources": ["crm"]}}},
        {"columns": {"city": {"sources": []}}},
        {"columns": {"city": {"best": True}}},
    ],
)
def test_a_policy_that_says_nothing_or_two_things_is_refused(policy):
    with pytest.raises(ValidationError):
        MergePolicy.model_validate(policy)

"""What a definition says wrongly is named, with what was probably meant."""

import pytest

import cdp_toolkit as cdp
from cdp_toolkit.errors import ConfigError, UnknownNameError


@pytest.fixture
def workspace(tmp_path):
    def make(identity, schema=""):
        (tmp_path / "cdp.yaml").write_text(f"name: acme\nidentity: {identity}\n", "utf-8")
        (tmp_path / "schema.yaml").write_text(schema, "utf-8")
        return cdp.Workspace(tmp_path)

    return make


@pytest.mark.parametrize(
    ("identity", "message", "hint"),
    [
        ("{max_record: 3}", "There is no setting 'identity.max_record'.", "Did you mean 'max_records'"),
        ("{namespaces: {email: {priorty: 3}}}", "'identity.namespaces.email.priorty'", "Did you mean 'priority'"),
        ("{namespaces: {email: {zzz: 3}}}", "'identity.namespaces.email.zzz'", "Known keys: type, plus_tags"),
        ("{namespaces: {email: {type: mail}}}", "identity.namespaces.email.type", "Known keys: type"),
        ("{namespaces: {ecid: {plus_tags: drop}}}", "needs type: email: identity.namespaces.ecid", "Known keys: type"),
    ],
)
def test_a_wrong_setting_is_named_with_the_nearest_that_exists(workspace, identity, message, hint):
    with pytest.raises(ConfigError) as caught:
        workspace(identity)

    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_namespace_that_nothing_carries_is_an_error_with_the_nearest(workspace):
    with pytest.raises(UnknownNameError, match=r"no namespace 'emial'[\s\S]*'email'"):
        workspace("{namespaces: {emial: {priority: 3}}}")


def test_a_namespace_may_be_carried_by_a_column_of_ones_own(workspace):
    column = "person: {card: {type: string, namespace: loyalty_card, description: Number of the card.}}"

    rules = workspace("{namespaces: {loyalty_card: {priority: 15, unique: true}}}", column).settings.identity

    assert rules.namespace("loyalty_card").priority == 15


def test_judgements_are_a_list_in_a_file_of_their_own(workspace, tmp_path):
    (tmp_path / "judgements.yaml").write_text("- same: [1@a.A, 2@b.B]\n  because: They said so.\n", "utf-8")

    assert workspace("{}").judgements[0].same == ("1@a.A", "2@b.B")


def test_a_wrong_word_in_a_judgement_is_named_with_the_right_one(workspace, tmp_path):
    (tmp_path / "judgements.yaml").write_text("- not_same: [1@a.A, 2@b.B]\n", "utf-8")

    with pytest.raises(ConfigError, match=r"'judgements.0.not_same'[\s\S]*'not_the_same'"):
        _ = workspace("{}").judgements

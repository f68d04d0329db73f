"""What a wrong mapping is told."""

import pytest

from cdp_toolkit.entities.catalogue import load_mapping, system_name
from cdp_toolkit.entities.columns import Columns
from cdp_toolkit.errors import ConfigError, SourceError, UnknownNameError
from cdp_toolkit.model import Model

MODEL = Model.standard()


@pytest.fixture
def written(tmp_path):
    def write(text):
        file = tmp_path / "mine.yaml"
        file.write_text(text, "utf-8")
        return load_mapping(file, MODEL)

    return write


OBJECT = "system: X\nobjects:\n  things:\n    outputs:\n      - "


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (OBJECT + "{entity: persn, key: id}", "Did you mean 'person'"),
        (OBJECT + "{entity: person, key: id, fields: {emial: mail}}", "Did you mean 'email'"),
        (OBJECT + "{entity: person, key: id, fields: {birth_date: {from: b, format: MM/YY}}}", "MM/YY"),
        (OBJECT + "{entity: person, key: id, feilds: {}}", "feilds"),
        (OBJECT + "{entity: person, key: {when: {a: b}}}", "either `from` or `const`"),
        ("system: X\nobjects: {}\nlookups: {l: {object: o, key: k, value: v, of: c}}", "There is no object 'o'"),
        ("system: [", "not valid YAML"),
        ("", "The mapping is empty"),
    ],
)
def test_a_mistake_is_named_with_what_was_meant(written, text, why):
    with pytest.raises(ConfigError, match=r"[\s\S]*" + why):
        written(text)


def test_a_mapping_can_build_on_a_shipped_one(written):
    mapping = written(
        "extends: marketo\nobjects:\n  leads: {files: people.csv, outputs: [{entity: person, key: nr}]}\n"
    )

    assert mapping.system == "Marketo"
    assert mapping.objects["leads"].files == ("people.csv",)
    assert "activities" in mapping.objects


def test_systems_have_the_name_that_stands_in_keys():
    assert (system_name("salesforce"), system_name("MARKETO"), system_name("ERP")) == ("Salesforce", "Marketo", "ERP")
    with pytest.raises(UnknownNameError, match="marketo"):
        load_mapping("markedo", MODEL)


def test_a_delivery_without_its_key_is_refused_with_the_nearest_column():
    mapping = load_mapping("marketo", MODEL)

    mapping.check_columns("leads", ["ID", "email"])
    mapping.check_columns("LIST_MEMBERS", ["listId", "leadId"])
    with pytest.raises(SourceError, match=r"'id' is missing[\s\S]*ident"):
        mapping.check_columns("leads", ["ident", "email"])


def test_columns_are_found_by_name_then_by_case_then_as_paths():
    columns = Columns(["Email", "email", "attributes", "a.b"])

    assert [columns.find(name) for name in ("email", "EMAIL", "attributes.Webpage URL", "a.b", "a.c", "x")] == [
        ("email", ""), ("Email", ""), ("attributes", ".Webpage URL"), ("a.b", ""), None, None,
    ]  # fmt: skip
    assert Columns(["created_at"], loose=True).find("createdAt") == ("created_at", "")

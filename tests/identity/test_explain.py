"""What ties the records of a profile together can be walked and read."""

import datetime as dt

import pyarrow.compute as pc
import pytest

from cdp_toolkit.errors import UnknownNameError
from cdp_toolkit.identity.explain import IdentityExplanation, explain

WHOLE = IdentityExplanation(
    7,
    ["1@m.M", "2@s.S", "3@s.S (deleted)", "4@m.M"],
    [
        {"source_key": "2@s.S", "hub": "1@m.M", "namespace": "email", "value": "a@x.example"},
        {"source_key": "3@s.S", "hub": "2@s.S", "namespace": "person_key", "value": "3@s.S"},
        {"source_key": "4@m.M", "hub": "1@m.M", "namespace": "ecid", "value": "<42>"},
    ],
    [{"source_key": "4@m.M", "namespace": "ecid", "value": "43", "reason": "would join two names"}],
)


def test_the_path_between_two_records_is_its_links_in_order():
    assert [link["namespace"] for link in WHOLE.path("4@m.M", "3@s.S")] == ["ecid", "email", "person_key"]
    assert WHOLE.path("3@s.S", "4@m.M") == WHOLE.path("4@m.M", "3@s.S")[::-1]


def test_a_record_is_linked_to_itself_by_nothing():
    assert WHOLE.path("1@m.M", "1@m.M") == []


def test_a_record_of_another_profile_has_no_path_and_the_nearest_key_is_named():
    with pytest.raises(UnknownNameError, match=r"4@m\.M"):
        WHOLE.path("1@m.M", "5@m.M")


def test_an_explanation_is_read_as_text_and_as_tables():
    assert "4@m.M is not linked by ecid 43: would join two names" in str(WHOLE.unmasked())
    html = WHOLE.unmasked()._repr_html_()
    assert "<td>would join two names</td>" in html
    assert "&lt;42&gt;" in html


def test_an_explanation_is_masked_until_asked_otherwise_but_for_keys_of_records():
    shown = str(WHOLE)

    assert "2@s.S = 1@m.M: same email a•••@x.example" in shown
    assert "3@s.S = 2@s.S: same person_key 3@s.S" in shown
    assert "a@x.example" not in shown + WHOLE._repr_html_()
    assert "a@x.example" in str(WHOLE.unmasked())


def test_what_became_of_the_id_is_told_with_its_reason():
    change = {
        "changed_at": dt.datetime(2026, 5, 1, tzinfo=dt.UTC),
        "profile_id": 9,
        "other_id": 7,
        "because": "same email",
    }

    merged = IdentityExplanation(7, ["1@m.M"], aliases=[9], history=[change | {"change": "merged"}])

    assert "2026-05-01 00:00 9 was merged into 7: same email" in str(merged)
    assert "9 was merged into 7" in merged._repr_html_()


def test_links_and_refused_links_are_one_table():
    table = WHOLE.table()

    assert table.num_rows == 4
    assert table.filter(pc.is_valid(table["refused"]))["record"].to_pylist() == ["4@m.M"]
    assert table.filter(pc.is_null(table["refused"]))["other"].to_pylist() == ["1@m.M", "2@s.S", "1@m.M"]


def test_only_the_profile_s_own_records_links_and_history_are_told(engine, frame):
    at = [dt.datetime(2026, 5, 1, tzinfo=dt.UTC)]
    tables = {
        "person_ids": frame(
            {
                "source_key": ["1@x", "2@x", "3@x"],
                "record_key": [1, 2, 3],
                "profile_id": [1, 1, 3],
                "is_deleted": [False, True, False],
            }
        ),
        "links": frame({"entity": ["person"], "record_key": [2], "hub_key": [1], "namespace": ["email"], "value_key": [5]}),
        "evidence": frame({"entity": ["person"] * 2, "record_key": [1, 2], "value_key": [5, 5], "value": ["a@x"] * 2}),
        "refused_links": frame(
            {"entity": ["person"], "source_key": ["3@x"], "record_key": [3], "namespace": ["ecid"], "value": ["42"],
             "reason": ["blocked"]}
        ),
        "aliases": frame({"entity": ["person", "account"], "alias_id": [8, 9], "profile_id": [1, 1]}),
        "history": frame(
            {"entity": ["person"], "profile_id": [8], "change": ["merged"], "other_id": [1], "because": ["same email"],
             "changed_at": at}
        ),
    }  # fmt: skip

    found = explain(1, lambda name: tables[name.removeprefix("identity/")], "person", engine)

    assert found.records == ["1@x", "2@x (deleted)"]
    assert [(link["source_key"], link["hub"], link["value"]) for link in found.links] == [("2@x", "1@x", "a@x")]
    assert found.refused == []
    assert found.aliases == [8]
    assert [change["change"] for change in found.history] == ["merged"]

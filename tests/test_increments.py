"""A load that reads only what is new makes the same tables as one that reads everything again."""

import json

import hypothesis.strategies as st
import polars as pl
import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from cdp_toolkit.workspace import Workspace

TABLES = ("person", "account", "event", "identities", "merges", "_rejected")
TIMES = ("since", "matched_at")  # when a run first saw something
MAPPING = {
    "system": "Test",
    "lookups": {"kind": {"object": "kinds", "key": "id", "value": "name", "of": "kind_id"}},
    "objects": {
        "kinds": {},
        "people": {
            "outputs": [
                {
                    "entity": "person", "key": "id", "into": "into", "deleted": {"gone": True},
                    "fields": {
                        "email": "mail", "person_score": "score", "account_key": "firm", "updated_at": "at",
                        "first_name": "first", "last_name": "last", "work_phone": "phone", "postal_code": "place",
                        "country": "land", "job_title": "job", "company_name": "company", "ecids": "browser",
                    },
                }
            ]
        },
        "firms": {"outputs": [{"entity": "account", "key": "id", "fields": {"account_name": "name", "parent_key": "of"}}]},
        "jobs": {
            "outputs": [
                {"entity": "account_person", "key": "id", "fields": {"person_key": "who", "account_key": "firm", "role": "role"}}
            ]
        },
        "deeds": {
            "outputs": [
                {"entity": "event", "key": "id", "fields": {"event_type": "kind", "timestamp": "at", "person_key": "who", "email": "mail"}}
            ]
        },
    },
}  # fmt: skip
FURTHER = {
    "merge_policies": {"default": {}, "other": {"columns": {"job_title": {"sources": ["src"]}}}},
    "computed_attributes": {
        "deeds": {"pql": "xEvent.count()"},
        "deeds_of_people": {"entity": "account", "pql": "people.sum(deeds)"},
        "is_busy": {"pql": "deeds >= 2"},
    },
}
IDS, DAYS = st.sampled_from(["1", "2", "3", "4"]), st.sampled_from(["2026-01-01", "2026-01-02", "2026-01-03", None])
PERSON = st.fixed_dictionaries(
    {"id": IDS, "at": DAYS, "mail": st.sampled_from(["a@x.example", "b@x.example", "none", None]),
     "score": st.sampled_from(["1", "high", None]), "gone": st.sampled_from(["true", "false"]),
     "into": st.sampled_from([None, None, "1", "2"]), "firm": st.sampled_from([None, "1", "9"]),
     "first": st.sampled_from(["Ann", "Zoë", None]), "last": st.sampled_from(["Lee", "Ray"]), "place": st.just("10115"),
     "phone": st.sampled_from(["+49 30 901820", "030 901820", "+49 30 901820 ext. 7"]), "land": st.just("DE"),
     "job": st.sampled_from(["CFO", "CTO"]), "company": st.sampled_from(["ACME", "Beta GmbH", None]),
     "browser": st.sampled_from(["1" * 38, "2" * 38, None])}
)  # fmt: skip
FIRM = st.fixed_dictionaries(
    {"id": IDS, "name": st.sampled_from(["ACME", "Beta"]), "of": st.sampled_from([None, "1", "2"])}
)
JOB = st.fixed_dictionaries({"id": IDS, "who": IDS, "firm": IDS, "role": st.sampled_from(["Buyer", "User"])})
DEED = st.fixed_dictionaries(
    {"id": IDS, "at": DAYS, "kind_id": st.sampled_from(["k1", "k2"]), "who": st.sampled_from(["1", "3", None]),
     "mail": st.sampled_from(["a@x.example", "b@x.example"])}
)  # fmt: skip
KIND = st.fixed_dictionaries({"id": st.sampled_from(["k1", "k2"]), "name": st.sampled_from(["Visit", "Form"])})
DELIVERY = st.fixed_dictionaries(
    {},
    optional={
        "people": st.lists(PERSON, min_size=1, max_size=4),
        "firms": st.lists(FIRM, min_size=1, max_size=2),
        "jobs": st.lists(JOB, min_size=1, max_size=2),
        "deeds": st.lists(DEED, min_size=1, max_size=3),
        "kinds": st.lists(KIND, min_size=1, max_size=1),
    },
)


@pytest.fixture
def deliver(tmp_path_factory):
    def made(deliveries, *, is_stitched=False, further=FURTHER):
        folder = tmp_path_factory.mktemp("increments")
        source = {"type": "files", "path": "in", "mapping": "mapping.yaml", "instance": "I"}
        (folder / "in").mkdir()
        (folder / "mapping.yaml").write_text(yaml.safe_dump(MAPPING))
        (folder / "cdp.yaml").write_text(yaml.safe_dump({"name": "w", "sources": {"src": source}, **further}))
        # Enough that a delivery is little beside it: only then are increments made.
        first = [{"id": f"x{i}", "at": "2026-01-01", "mail": f"x{i}@x.example"} for i in range(100)]
        # With whom of the others moves in, these three make an office.
        first += [
            {
                "id": f"y{i}",
                "first": f"Y{'abc'[i]}",
                "last": "Moe",
                "phone": "+49 30 901820",
                "place": "10115",
                "job": "CEO",
            }
            for i in range(3)
        ]
        for number, delivery in enumerate([{"people": first}, *deliveries]):
            for name, rows in delivery.items():
                (folder / "in" / name).mkdir(exist_ok=True)
                (folder / "in" / name / f"{number}.json").write_text(json.dumps(rows))
            Workspace(folder).load()
            if is_stitched:
                Workspace(folder).stitch()
        return folder

    return made


def tables(folder, names=TABLES, room="entities"):
    lake = Workspace(folder).lake
    found = {name: lake.scan(f"{room}/{name}").to_native().collect() for name in names}
    return {name: rows.select(sorted({*rows.columns} - {*TIMES})).sort(pl.all()) for name, rows in found.items()}


def made(folder, room):
    """Return the rows of all tables of a room but its history."""
    versions = Workspace(folder).lake.log.versions()
    names = [name.partition("/")[2] for name in versions if name.startswith(f"{room}/") and name != "identity/history"]
    return tables(folder, names, room)


def read_everything_again(folder):
    """Load under a definition that differs in nothing but its digest."""
    (folder / "mapping.yaml").write_text(yaml.safe_dump(MAPPING | {"nulls": ["nothing says so"]}))
    Workspace(folder).load()


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deliveries=st.lists(DELIVERY.filter(bool), min_size=1, max_size=4))
def test_what_is_new_is_laid_over_what_is_there_as_if_all_were_read_again(deliver, deliveries):
    folder = deliver(deliveries)
    by_increments = tables(folder)

    read_everything_again(folder)

    for name, rows in tables(folder).items():
        assert by_increments[name].equals(rows), name


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deliveries=st.lists(DELIVERY.filter(bool), min_size=1, max_size=3))
def test_profiles_are_the_same_whether_what_did_not_change_was_made_again_or_not(deliver, deliveries):
    folder = deliver(deliveries, is_stitched=True)
    by_steps = {room: made(folder, room) for room in ("identity", "profiles")}

    (folder / "cdp.yaml").write_text((folder / "cdp.yaml").read_text() + "identity: {max_records: 4321}\n")
    Workspace(folder).stitch()

    for room, found in by_steps.items():
        whole = made(folder, room)
        assert found.keys() == whole.keys()
        for name, rows in whole.items():
            assert found[name].equals(rows), name


def test_events_alone_leave_people_as_they_are(deliver):
    kinds = [{"id": "k1", "name": "Visit"}]
    folder = deliver([{"people": [{"id": "1", "mail": "a@x.example"}], "kinds": kinds}], is_stitched=True, further={})
    before = Workspace(folder).lake.log.versions()
    (folder / "in" / "deeds").mkdir()
    deed = {"id": "d", "at": "2026-01-02", "kind_id": "k1", "who": "1"}
    (folder / "in" / "deeds" / "1.json").write_text(json.dumps([deed]))

    Workspace(folder).load()
    Workspace(folder).stitch()

    after = Workspace(folder).lake.log.versions()
    assert {name for name in after if name.startswith(("profiles/", "identity/")) and after[name] != before[name]} == {
        "profiles/event", "profiles/account", "profiles/account_account", "profiles/account_cycle",
        "profiles/account_descendant", "profiles/large_account_group",
    }  # fmt: skip
    person = Workspace(folder).profile("a@x.example").profile_id
    assert Workspace(folder).scan("event").collect()["profile_id"].to_list() == [person]


def test_rows_of_new_records_come_after_those_that_are_there_and_nothing_is_written_anew(deliver):
    folder = deliver([])
    lake = Workspace(folder).lake
    files = {name: {*_files(lake, name)} for name in ("person", "identities")}
    (folder / "in" / "people" / "new.json").write_text(
        json.dumps([{"id": "new", "at": "2026-02-01", "mail": "n@x.example"}])
    )

    Workspace(folder).load()

    for name, before in files.items():
        assert before < {*_files(lake, name)}


def _files(lake, name):
    from deltalake import DeltaTable

    return DeltaTable(f"{lake.uri}/entities/{name}", version=lake.version(f"entities/{name}")).file_uris()

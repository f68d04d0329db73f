"""A load that reads only what is new makes the same tables as one that reads everything again."""

import json

import hypothesis.strategies as st
import polars as pl
import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from cdp_toolkit.workspace import Workspace

TABLES = ("person", "account", "event", "identities", "merges", "_rejected")
PROFILES = ("person", "account", "event", "person_account", "person_component", "person_identity")
MAPPING = {
    "system": "Test",
    "lookups": {"kind": {"object": "kinds", "key": "id", "value": "name", "of": "kind_id"}},
    "objects": {
        "kinds": {},
        "people": {
            "outputs": [
                {
                    "entity": "person", "key": "id", "into": "into", "deleted": {"gone": True},
                    "fields": {"email": "mail", "person_score": "score", "account_key": "firm", "updated_at": "at"},
                }
            ]
        },
        "firms": {"outputs": [{"entity": "account", "key": "id", "fields": {"account_name": "name"}}]},
        "deeds": {
            "outputs": [
                {"entity": "event", "key": "id", "fields": {"event_type": "kind", "timestamp": "at", "person_key": "who"}}
            ]
        },
    },
}  # fmt: skip
IDS, DAYS = st.sampled_from(["1", "2", "3", "4"]), st.sampled_from(["2026-01-01", "2026-01-02", "2026-01-03", None])
PERSON = st.fixed_dictionaries(
    {"id": IDS, "at": DAYS, "mail": st.sampled_from(["a@x.example", "b@x.example", "none", None]),
     "score": st.sampled_from(["1", "high", None]), "gone": st.sampled_from(["true", "false"]),
     "into": st.sampled_from([None, None, "1", "2"]), "firm": st.sampled_from([None, "9"])}
)  # fmt: skip
FIRM = st.fixed_dictionaries({"id": IDS, "name": st.sampled_from(["ACME", "Beta"])})
DEED = st.fixed_dictionaries(
    {"id": IDS, "at": DAYS, "kind_id": st.sampled_from(["k1", "k2"]), "who": IDS}
)  # fmt: skip
KIND = st.fixed_dictionaries({"id": st.sampled_from(["k1", "k2"]), "name": st.sampled_from(["Visit", "Form"])})
DELIVERY = st.fixed_dictionaries(
    {},
    optional={
        "people": st.lists(PERSON, min_size=1, max_size=4),
        "firms": st.lists(FIRM, min_size=1, max_size=2),
        "deeds": st.lists(DEED, min_size=1, max_size=3),
        "kinds": st.lists(KIND, min_size=1, max_size=1),
    },
)


@pytest.fixture
def deliver(tmp_path_factory):
    def made(deliveries, *, is_stitched=False):
        folder = tmp_path_factory.mktemp("increments")
        source = {"type": "files", "path": "in", "mapping": "mapping.yaml", "instance": "I"}
        (folder / "in").mkdir()
        (folder / "mapping.yaml").write_text(yaml.safe_dump(MAPPING))
        (folder / "cdp.yaml").write_text(yaml.safe_dump({"name": "w", "sources": {"src": source}}))
        # Enough that a delivery is little beside it: only then are increments made.
        first = [{"id": f"x{i}", "at": "2026-01-01", "mail": f"x{i}@x.example"} for i in range(100)]
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
    return {name: rows.select(sorted(rows.columns)).sort(pl.all()) for name, rows in found.items()}


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
    by_steps = tables(folder, PROFILES, "profiles")

    (folder / "cdp.yaml").write_text((folder / "cdp.yaml").read_text() + "identity: {max_records: 4321}\n")
    Workspace(folder).stitch()

    for name, rows in tables(folder, PROFILES, "profiles").items():
        assert by_steps[name].equals(rows), name


def test_events_alone_leave_people_as_they_are(deliver):
    kinds = [{"id": "k1", "name": "Visit"}]
    folder = deliver([{"people": [{"id": "1", "mail": "a@x.example"}], "kinds": kinds}], is_stitched=True)
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

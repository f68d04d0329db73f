"""The line from entity tables to profiles, on every engine."""

import datetime as dt
from pathlib import Path

import narwhals as nw
import pyarrow as pa
import pytest

from cdp_toolkit import pipeline
from cdp_toolkit.identity import IdentityRules
from cdp_toolkit.identity.judgements import Judgement
from cdp_toolkit.lake import Lake
from cdp_toolkit.lake.tables import table
from cdp_toolkit.model import Model
from cdp_toolkit.model.types import arrow_type
from cdp_toolkit.profile import find_profile
from cdp_toolkit.profiles import MergePolicy
from cdp_toolkit.profiles.policies import resolve
from cdp_toolkit.segments import ComputedAttribute, Segment
from cdp_toolkit.segments.computed import define

MAY = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
JUNE = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)


def person(key, **values):
    return {"source_key": key, "is_deleted": False, "updated_at": MAY, **values}


@pytest.fixture
def lake(tmp_path, engine):
    return Lake(tmp_path / "lake", engine=engine)


@pytest.fixture
def loaded(lake, engine):
    def load(entities, identities):
        with lake.run("load") as run:
            for name in Model.standard().recorded:
                columns = table(f"entities/{name}").columns
                schema = pa.schema([(column, arrow_type(kind)) for column, kind in columns.items()])
                rows = [dict.fromkeys(schema.names) | row for row in entities.get(name, [])]
                run.replace(f"entities/{name}", engine.load(pa.Table.from_pylist(rows, schema=schema)))
            run.replace("entities/identities", _identities(engine, identities))

    return load


def _identities(engine, carried):
    names = ("entity", "source_key", "namespace", "value")
    columns = {name: [each[index] for each in carried] for index, name in enumerate(names)}
    spelt = [f"{namespace}:{value}" for _, _, namespace, value in carried]
    text = pa.table(columns | {"spelt": spelt}, schema=pa.schema([(name, pa.string()) for name in (*names, "spelt")]))
    hashed = engine.key64(engine.load(text), {"record_key": "source_key", "value_key": "spelt"})
    return hashed.drop("spelt").with_columns(seen_at=nw.lit(MAY).cast(nw.Datetime("us", "UTC")))


def carried(key, *emails, entity="person"):
    return [(entity, key, f"{entity}_key", key), *((entity, key, "email", email) for email in emails)]


def test_records_with_one_address_become_one_person_with_the_latest_values(lake, loaded, rows):
    loaded(
        {
            "person": [
                person("1@m.Marketo", first_name="Ana", city="Bonn"),
                person("2@s.Salesforce", first_name="Anna", updated_at=JUNE),
            ]
        },
        [*carried("1@m.Marketo", "a@x.example"), *carried("2@s.Salesforce", "a@x.example")],
    )

    run = pipeline.stitch(lake, IdentityRules(), as_of=JUNE)

    people = lake.scan("profiles/person")
    assert run.counts["people"] == 1
    assert rows(people, "first_name", "city", "records") == [("Anna", "Bonn", 2)]
    assert rows(people, "source_keys", "emails") == [(["1@m.Marketo", "2@s.Salesforce"], ["a@x.example"])]


def test_each_merge_policy_has_profiles_of_its_own_and_a_segment_is_evaluated_on_those_it_names(lake, loaded, rows):
    loaded(
        {
            "person": [
                person("1@m.Marketo", source_type="Marketo", source_instance="m", city="Bonn", updated_at=JUNE),
                person("2@s.Salesforce", source_type="Salesforce", source_instance="s", city="Graz"),
            ]
        },
        [*carried("1@m.Marketo", "a@x.example"), *carried("2@s.Salesforce", "a@x.example")],
    )
    crm_first = MergePolicy(order="sources", sources=("Salesforce",))
    policies = resolve({"crm_first": crm_first}, lake.model, {"crm": ("Salesforce", "s")})
    segments = [
        Segment(name="bonn", pql='city = "Bonn"'),
        Segment(name="graz", pql='city = "Graz"', merge_policy="crm_first"),
        Segment(name="wrong", pql='city = "Graz"', merge_policy="crm_frist"),
    ]

    pipeline.stitch(lake, IdentityRules(), as_of=JUNE, policies=policies)
    run = pipeline.evaluate(lake, segments, as_of=JUNE, timezone="UTC", policies=[policy.name for policy in policies])

    assert rows(lake.scan("profiles/person"), "city") == ["Bonn"]
    assert rows(lake.scan("profiles/person@crm_first"), "city") == ["Graz"]
    assert run.details["audiences"] == {"bonn": 1, "graz": 1}
    assert run.problems == ("wrong: There is no merge policy 'crm_frist'.",)


def test_people_decide_who_is_one_and_who_is_not_above_all_that_records_say(lake, loaded):
    keys = ("1@m.Marketo", "2@s.Salesforce", "3@s.Salesforce")
    loaded(
        {"person": [person(key) for key in keys]},
        [*carried(keys[0], "a@x.example"), *carried(keys[1], "a@x.example"), *carried(keys[2], "b@x.example")],
    )
    judgements = [Judgement(not_the_same=keys[:2]), Judgement(same=keys[1:])]

    before = pipeline.stitch(lake, IdentityRules(), as_of=JUNE)
    after = pipeline.stitch(lake, IdentityRules(), as_of=JUNE, judgements=judgements)

    assert before.counts["people"] == after.counts["people"] == 2
    assert after.counts["links refused"] == 1


def test_computed_attributes_are_columns_of_profiles_and_follow_the_time(tmp_path, engine, loaded, rows):
    definitions = {
        "recent": ComputedAttribute(pql="xEvent[timestamp occurs <= 10 days before now].count()"),
        "is_recent": ComputedAttribute(pql="recent > 0"),
    }
    computed = define(definitions, Model.standard())
    lake = Lake(tmp_path / "lake", engine=engine, model=computed.model)
    event = {"source_key": "e1", "is_deleted": False, "event_type": "a", "timestamp": MAY, "person_key": "1@m.Marketo"}
    loaded({"person": [person("1@m.Marketo")], "event": [event]}, carried("1@m.Marketo"))
    segment = Segment(name="recent", pql="recent >= 1 and is_recent = true")

    first = pipeline.stitch(lake, IdentityRules(), as_of=MAY, computed=computed)
    evaluated = pipeline.evaluate(lake, [segment], as_of=MAY, timezone="UTC")
    again = pipeline.stitch(lake, IdentityRules(), as_of=MAY + dt.timedelta(days=1), computed=computed)
    later = pipeline.stitch(lake, IdentityRules(), as_of=JUNE, computed=computed)

    assert evaluated.details["audiences"] == {"recent": 1}
    assert [first.outcome, again.outcome, later.outcome] == ["done", "unchanged", "done"]
    assert rows(lake.scan("profiles/person"), "recent", "is_recent") == [(0, False)]
    assert again.written == {}


def test_probable_profiles_are_merged_above_the_threshold_of_the_user_and_else_proposed(lake, loaded, rows):
    def someone(key, n, **changed):
        said = {"first_name": f"{'ABCDEFGH'[n % 8]}na{n % 8}", "last_name": f"{'KLMNP'[n % 5]}ima{n // 8}"}
        reached = {
            "work_phone": f"+49 30 2093{1000 + n}",
            "postal_code": str(n),
            "country": "DE",
            "job_title": f"j{n % 9}",
        }
        return person(key, **said | reached | changed)

    people = [someone(f"{n}@{source}.S", n) for n in range(80) for source in "ab"]
    lost = [someone("7@c.S", 7, work_phone=None)]
    told = [each for n in range(80) for source in "ab" for each in carried(f"{n}@{source}.S", f"p{n}@x.de")]
    loaded({"person": people + lost}, [*told, *carried("7@c.S")])
    asked, sure = (
        IdentityRules(probable={"person": {"review_above": 0.5} | more}) for more in ({}, {"merge_above": 0.5})
    )

    runs = [pipeline.stitch(lake, asked, as_of=JUNE)]
    proposed = rows(lake.scan("identity/proposals"), "decision")
    runs += [pipeline.stitch(lake, sure, as_of=JUNE)]
    merged = rows(lake.scan("identity/proposals"), "decision")
    runs += [pipeline.stitch(lake, IdentityRules(), as_of=JUNE)]

    assert (proposed, merged) == (["review"], ["merged"])
    assert [run.counts["people"] for run in runs] == [81, 80, 81]
    assert rows(lake.scan("identity/proposals"), "decision") == []


def test_stitching_again_without_a_change_writes_nothing_and_says_so(lake, loaded):
    loaded({"person": [person("1@m.Marketo")]}, carried("1@m.Marketo"))
    pipeline.stitch(lake, IdentityRules(), as_of=JUNE)
    before = lake.log.versions()

    run = pipeline.stitch(lake, IdentityRules(), as_of=JUNE)

    assert run.outcome == "unchanged"
    assert lake.log.versions() == before


def test_events_find_their_person_by_record_by_address_or_by_browser_and_else_stay_without(lake, loaded, rows):
    event = {"is_deleted": False, "event_type": "web", "timestamp": MAY}
    loaded(
        {
            "person": [person("1@m.Marketo")],
            "event": [
                event | {"source_key": "e1", "person_key": "1@m.Marketo"},
                event | {"source_key": "e2", "email": "a@x.example"},
                event | {"source_key": "e3", "ecid": "1" * 38},
                event | {"source_key": "e4", "ecid": "9" * 38},
            ],
        },
        [*carried("1@m.Marketo", "a@x.example"), ("person", "1@m.Marketo", "ecid", "1" * 38)],
    )

    pipeline.stitch(lake, IdentityRules(), as_of=JUNE)

    known = lake.scan("profiles/event").select("source_key", "profile_id")
    assert [(key, owner is not None) for key, owner in rows(known, "source_key", "profile_id")] == [
        ("e1", True), ("e2", True), ("e3", True), ("e4", False)
    ]  # fmt: skip


def test_a_person_works_for_the_account_of_each_record_and_of_each_active_tie(lake, loaded, rows):
    tie = {"is_deleted": False, "person_key": "1@s.S"}
    loaded(
        {
            "person": [person("1@s.S", account_key="a@s.S")],
            "account": [{"source_key": f"{name}@s.S", "is_deleted": False, "account_name": name} for name in "abc"],
            "account_person": [
                tie | {"source_key": "t1", "account_key": "b@s.S", "is_active": True},
                tie | {"source_key": "t2", "account_key": "c@s.S", "is_active": False},
            ],
        },
        [*carried("1@s.S"), *(each for name in "abc" for each in carried(f"{name}@s.S", entity="account"))],
    )

    pipeline.stitch(lake, IdentityRules(), as_of=JUNE)

    names = lake.scan("profiles/account").select(account_id="profile_id", account_name="account_name")
    worked = lake.scan("profiles/person_account").join(names, on="account_id", how="inner")
    assert rows(worked, "account_name") == ["a", "b"]
    assert len(rows(lake.scan("profiles/account_person"), "source_key")) == 2


def test_accounts_are_related_by_parent_by_a_shared_parent_and_by_domain(lake, loaded, rows):
    account = {"is_deleted": False}
    loaded(
        {
            "account": [
                account | {"source_key": "p@s.S", "account_name": "parent"},
                account | {"source_key": "c@s.S", "account_name": "child", "parent_key": "p@s.S"},
                account
                | {"source_key": "d@s.S", "account_name": "other child", "parent_key": "p@s.S", "domain": "x.example"},
                account | {"source_key": "e@s.S", "account_name": "same domain", "domain": "x.example"},
            ]
        },
        [each for name in "pcde" for each in carried(f"{name}@s.S", entity="account")],
    )

    pipeline.stitch(lake, IdentityRules(), as_of=JUNE)

    names = lake.scan("profiles/account").select("profile_id", "account_name")
    pairs = lake.scan("profiles/account_account").join(
        names.select(account_id="profile_id", one="account_name"), on="account_id", how="inner"
    ).join(names.select(related_id="profile_id", other="account_name"), on="related_id", how="inner")  # fmt: skip
    assert {frozenset(pair) for pair in rows(pairs, "one", "other")} == {
        frozenset({"parent", "child"}), frozenset({"parent", "other child"}), frozenset({"child", "other child"}),
        frozenset({"other child", "same domain"}),
    }  # fmt: skip


def test_a_segment_that_the_engine_cannot_run_stops_no_other(lake, loaded, rows):
    event = {"source_key": "e1", "is_deleted": False, "event_type": "a", "timestamp": MAY, "person_key": "1@m.Marketo"}
    loaded({"person": [person("1@m.Marketo", person_score=90.0)], "event": [event]}, carried("1@m.Marketo"))
    pipeline.stitch(lake, IdentityRules(), as_of=JUNE)
    for file in (Path(lake.uri) / "profiles" / "event").glob("*.parquet"):
        file.write_bytes(b"no longer Parquet")
    segments = [
        Segment(name="high", pql="person_score > 80"),
        Segment(name="seen", pql='xEvent.exists(eventType = "a")'),
    ]

    run = pipeline.evaluate(lake, segments, as_of=JUNE, timezone="UTC")

    assert run.outcome == "partial"
    assert [problem.partition(":")[0] for problem in run.problems] == ["seen"]
    assert rows(lake.scan("segments/membership"), "segment", "status") == [("high", "realized")]


def test_members_leave_a_segment_that_is_archived(lake, loaded, rows):
    loaded({"person": [person("1@m.Marketo", person_score=90.0)]}, carried("1@m.Marketo"))
    pipeline.stitch(lake, IdentityRules(), as_of=JUNE)
    active = Segment(name="high", pql="person_score > 80")
    other = Segment(name="low", pql="person_score < 20")
    pipeline.evaluate(lake, [active, other], as_of=MAY, timezone="UTC")

    run = pipeline.evaluate(lake, [active.model_copy(update={"status": "archived"}), other], as_of=JUNE, timezone="UTC")

    assert run.counts["exited"] == 1
    assert rows(lake.scan("segments/membership"), "segment", "status") == [("high", "exited")]


def test_an_id_that_was_given_up_still_finds_the_profile_and_says_why(lake, loaded):
    records = {"person": [person("1@m.Marketo"), person("2@s.Salesforce")]}
    loaded(records, [*carried("1@m.Marketo", "a@x.example"), *carried("2@s.Salesforce", "b@x.example")])
    pipeline.stitch(lake, IdentityRules(), as_of=MAY)
    ids = {find_profile(lake, "person", key).profile_id for key in ("1@m.Marketo", "2@s.Salesforce")}
    loaded(records, [*carried("1@m.Marketo", "a@x.example"), *carried("2@s.Salesforce", "b@x.example", "a@x.example")])

    run = pipeline.stitch(lake, IdentityRules(), as_of=JUNE)

    found = [find_profile(lake, "person", each) for each in ids]
    assert len(ids) == 2
    assert len({each.profile_id for each in found}) == 1
    assert f"was merged into {found[0].profile_id}: same email" in str(found[0].explain())
    assert run.counts["people"] == 1


PEOPLE = [person(f"{number}@m.Marketo", person_score=90.0, city="Bonn") for number in range(8)]
HIGH = [
    Segment(name="high", pql="person_score > 80"),
    Segment(name="news", pql="created_at occurs <= 7 days before now"),
]


def test_an_evaluation_looks_only_at_whom_may_have_changed_and_says_so(lake, loaded, rows):
    names = [name for number in range(8) for name in carried(f"{number}@m.Marketo")]
    loaded({"person": PEOPLE}, names)
    pipeline.stitch(lake, IdentityRules(), as_of=JUNE)
    first = pipeline.evaluate(lake, HIGH, as_of=JUNE, timezone="UTC")
    loaded({"person": [*PEOPLE[:6], PEOPLE[6] | {"city": "Köln"}, PEOPLE[7] | {"person_score": 10.0}]}, names)
    pipeline.stitch(lake, IdentityRules(), as_of=JUNE)

    second = pipeline.evaluate(lake, HIGH, as_of=JUNE, timezone="UTC")
    third = pipeline.evaluate(lake, HIGH, as_of=JUNE, timezone="UTC")
    loaded(
        {"person": [*PEOPLE[:6], PEOPLE[6] | {"city": "Köln"}, person("9@m.Marketo", person_score=90.0)]},
        [*names, *carried("9@m.Marketo")],
    )
    pipeline.stitch(lake, IdentityRules(), as_of=JUNE)
    fourth = pipeline.evaluate(lake, HIGH, as_of=JUNE, timezone="UTC")
    other = pipeline.evaluate(lake, HIGH[:1], as_of=JUNE, timezone="UTC")

    assert first.details["evaluation"]["2 segments"] == "all profiles: first evaluated with these definitions"
    # Both whose row changed, though no rule asks for a city: to compare rows costs more than to look at who has one.
    assert second.details["evaluation"]["person"] == "2 of 8 profiles"
    assert second.details["evaluation"]["news"] == "profiles that came or went (0): nothing else that is read changed"
    assert second.details["methods"] == first.details["methods"]
    assert (second.counts["exited"], second.counts["members"]) == (1, 7)
    assert third.details["evaluation"]["person"] == "0 of 8 profiles"
    assert third.outcome == "unchanged"
    came_and_went = "profiles that came or went (2): nothing else that is read changed"
    assert fourth.details["evaluation"]["2 segments"] == came_and_went
    assert (fourth.counts["entered"], fourth.counts["members"]) == (1, 8)
    assert other.details["evaluation"]["high"].startswith("all profiles")
    assert rows(lake.scan("segments/history"), "segment", "change").count(("high", "exited")) == 1


def test_an_opportunity_of_two_systems_is_one_and_so_is_the_role_on_it(lake, loaded, rows):
    at_home = {
        "source_key": "o@s.S",
        "is_deleted": False,
        "opportunity_name": "Deal",
        "amount": 5.0,
        "updated_at": JUNE,
    }
    synced = {"source_key": "7@m.M", "is_deleted": False, "external_key": "o@s.S", "updated_at": MAY, "stage": "Open"}
    role = {"is_deleted": False, "role": "Influencer"}
    loaded(
        {
            "person": [person("c@s.S"), person("1@m.M", external_key="c@s.S")],
            "opportunity": [at_home, synced],
            "opportunity_person": [
                role | {"source_key": "r@s.S", "person_key": "c@s.S", "opportunity_key": "o@s.S"},
                role
                | {"source_key": "5@m.M", "person_key": "1@m.M", "opportunity_key": "7@m.M", "external_key": "r@s.S"},
            ],
        },
        [
            *carried("c@s.S"), *carried("1@m.M"), ("person", "1@m.M", "person_key", "c@s.S"),
            *carried("o@s.S", entity="opportunity"), *carried("7@m.M", entity="opportunity"),
            ("opportunity", "7@m.M", "opportunity_key", "o@s.S"),
        ],
    )  # fmt: skip

    run = pipeline.stitch(lake, IdentityRules(), as_of=JUNE)

    assert run.counts["opportunities"] == 1
    assert rows(lake.scan("profiles/opportunity"), "opportunity_name", "amount", "stage", "records") == [
        ("Deal", 5.0, "Open", 2)
    ]  # fmt: skip
    assert rows(lake.scan("profiles/opportunity_person"), "source_key", "role") == [("r@s.S", "Influencer")]


def test_a_person_without_an_account_is_counted_among_the_people_of_the_one_that_they_match(lake, loaded, rows):
    account = {"is_deleted": False, "account_name": "Acme"}
    loaded(
        {
            "person": [person("1@m.M", email="ana@acme.example"), person("2@m.M", account_key="b@s.S")],
            "account": [
                account | {"source_key": "a@s.S", "website": "acme.example", "parent_key": "b@s.S"},
                account | {"source_key": "b@s.S", "account_name": "Acme Holding"},
            ],
        },
        [
            *carried("1@m.M", "ana@acme.example"), *carried("2@m.M"), *carried("a@s.S", entity="account"),
            *carried("b@s.S", entity="account"),
        ],
    )  # fmt: skip

    run = pipeline.stitch(lake, IdentityRules(), as_of=JUNE)

    assert rows(lake.scan("profiles/account"), "account_name", "people_count", "hierarchy_depth") == [
        ("Acme Holding", 1, 0), ("Acme", 1, 1)
    ]  # fmt: skip
    assert rows(lake.scan("profiles/account_person"), "relationship_source", "matching_score") == [
        ("lead-to-account", pytest.approx(0.9))
    ]  # fmt: skip
    assert run.notes == ()


def test_a_circle_of_parents_ends_no_run_and_is_noted(lake, loaded, rows):
    account = {"is_deleted": False}
    loaded(
        {
            "account": [
                account | {"source_key": "a@s.S", "account_name": "one", "parent_key": "b@s.S"},
                account | {"source_key": "b@s.S", "account_name": "other", "parent_key": "a@s.S"},
            ]
        },
        [*carried("a@s.S", entity="account"), *carried("b@s.S", entity="account")],
    )

    run = pipeline.stitch(lake, IdentityRules(), as_of=JUNE)

    assert rows(lake.scan("profiles/account_cycle"), "account_name") == ["one", "other"]
    assert run.outcome == "done"
    assert "2 accounts are their own ancestors" in run.notes[0]

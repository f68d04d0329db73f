"""Profiles that are probably one are proposed, and merged only where the user asked for it."""

import datetime as dt

import narwhals as nw
import pyarrow as pa
import pytest
from pydantic import ValidationError

import cdp_toolkit as cdp
from cdp_toolkit.errors import ConfigError
from cdp_toolkit.identity import IdentityRules
from cdp_toolkit.identity.judgements import Judgement, judged_identities
from cdp_toolkit.identity.proposals import decide, probable_identities, propose

MAY = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
COLUMNS = ("entity", "source_key", "record_key", "namespace", "value", "value_key")
FIELDS = (
    "source_key", "first_name", "last_name", "email", "work_phone", "postal_code", "city", "country", "job_title",
    "department",
)  # fmt: skip
FIRST = ("Ana", "Bo", "Cy", "Di", "Eva", "Finn", "Gus", "Hal", "Ida", "Jo", "Kay", "Lou", "Mo", "Ned", "Oz", "Pia")
LAST = ("Lima", "Moor", "Nash", "Olsen", "Park", "Quinn", "Ruiz", "Stein", "Thorn", "Usher", "Vance", "Wolf", "Young")


def record(source, n, **changed):
    """One of many people: each has a name, a phone and an address of their own, and a record in two systems."""
    said = {
        "source_key": f"{n}@{source}.S", "first_name": FIRST[n % 16], "last_name": LAST[n % 13],
        "email": f"p{n}@firm{n % 40}.com", "work_phone": f"+49 30 2093{1000 + n}", "postal_code": str(10_000 + n),
        "city": f"City {n % 9}", "country": "Germany", "job_title": f"Job {n % 21}", "department": f"Unit {n % 6}",
    }  # fmt: skip
    return said | changed


PEOPLE = [record(source, n) for source in "ab" for n in range(200)]
# The same phone and nearly the same name, and no address in common.
LOST = [record("c", 7, email="x@web.com", last_name="Steinn"), record("c", 50, email=None, first_name="Cyy")]


@pytest.fixture
def proposed(engine):
    def run(judgements=(), **wanted):
        people, keys = PEOPLE + LOST, [each["source_key"] for each in PEOPLE + LOST]
        table = {name: pa.array([each[name] for each in people], pa.string()) for name in FIELDS}
        times = pa.array([MAY] * len(people), pa.timestamp("us", "UTC"))
        records = engine.load(pa.table(table | {"is_deleted": [False] * len(people), "updated_at": times}))
        told = [("email", each["email"]) for each in people]
        stated = engine.load(pa.table({
            "entity": ["person"] * len(people), "source_key": keys, "namespace": [name for name, _ in told],
            "value": pa.array([value for _, value in told], pa.string()),
            "_spoken": [f"{name}:{value}" for name, value in told],
        })).filter(~nw.col("value").is_null())  # fmt: skip
        hashed = engine.key64(stated, {"record_key": "source_key", "value_key": "_spoken"}).select(*COLUMNS)
        judged = judged_identities(judgements, records.with_columns(entity=nw.lit("person")), engine)
        identities = nw.concat([hashed, judged.select(*COLUMNS)])
        rules = IdentityRules(probable={"person": wanted})
        return engine.materialise(propose("person", identities, records, rules, engine)), rules.probable["person"]

    return run


def test_people_whom_no_identity_links_are_proposed_with_what_speaks_for_it(proposed, rows):
    found, _ = proposed(review_above=0.9)

    assert [{one.partition("@")[0], other.partition("@")[0]} for one, other in rows(found, "one_key", "other_key")] == [
        {"50"},
        {"7"},
    ]
    assert all("the same phone" in evidence and "name" in evidence for evidence in rows(found, "evidence"))


def test_the_same_records_give_the_same_proposals(proposed, rows):
    told = [rows(proposed(review_above=0.5)[0], "one_key", "other_key", "probability") for _ in range(2)]

    assert told[0] == told[1]


def test_proposals_link_nobody_unless_a_threshold_is_set(proposed, rows, engine):
    never, always = (proposed(review_above=0.9, **merge) for merge in ({}, {"merge_above": 0.9}))

    assert rows(probable_identities(*never, engine), "value") == []
    assert {*rows(probable_identities(*always, engine), "namespace")} == {"probable"}
    assert len(rows(probable_identities(*always, engine), "value")) == 4


def test_a_proposal_is_merged_if_its_records_became_one_profile(proposed, rows, engine):
    found, _ = proposed(review_above=0.9)
    keys = [key for pair in rows(found, "one_key", "other_key") for key in pair]
    ids = engine.load(pa.table({"source_key": keys, "profile_id": [1, 1, 2, 3]}))

    assert rows(decide(found, ids), "decision") == ["merged", "review"]


def test_what_people_judged_not_to_be_the_same_is_not_proposed_again(proposed, rows):
    found, _ = proposed([Judgement(not_the_same=("7@a.S", "7@c.S"))], review_above=0.9)

    assert [one.partition("@")[0] for one in rows(found, "one_key")] == ["50"]


def test_without_splink_the_extra_is_named(proposed, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "splink", None)

    with pytest.raises(ConfigError, match=r"pip install 'cdp-toolkit\[matching\]'"):
        proposed()


@pytest.mark.parametrize(
    ("probable", "message"),
    [
        ({"person": {"review_above": 0.9, "merge_above": 0.5}}, "merge_above is below review_above"),
        ({"people": {}}, "not for 'people'"),
    ],
)
def test_rules_for_proposals_that_make_no_sense_are_refused(probable, message):
    with pytest.raises(ValidationError, match=message):
        IdentityRules(probable=probable)


def test_who_asks_for_proposals_that_are_not_made_is_told_how(tmp_path):
    (tmp_path / "cdp.yaml").write_text("name: acme\n", "utf-8")

    with pytest.raises(ConfigError, match=r"probable: \{account: \{\}\}"):
        cdp.Workspace(tmp_path).proposals("account")

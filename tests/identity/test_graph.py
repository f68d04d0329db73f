"""No weaker identity joins what a stronger one tells apart."""

import datetime as dt
from itertools import combinations

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_toolkit.engines import open_engine
from cdp_toolkit.engines.components import components
from cdp_toolkit.identity import IdentityRules
from cdp_toolkit.identity.graph import settle_links
from cdp_toolkit.identity.links import link_records

NAMESPACES = ("person_key", "email", "name", "ecid")
EPOCH = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)


def settle(carried, engine, rules=None, deleted=()):
    """Settle ``(record, namespace, value)``, where a record like ``3@crm`` was seen on day 3."""
    identities = engine.load(_identities(carried))
    keys = sorted({record for record, *_ in carried})
    records = engine.load(pa.table({"source_key": keys, "is_deleted": [key in deleted for key in keys]}))
    rules = rules or IdentityRules()
    found = settle_links(link_records(identities, rules, engine), identities, records, rules, engine)
    return engine.collect(found.kept).to_pylist(), engine.collect(found.refused).to_pylist()


def _identities(carried):
    values = sorted({(namespace, value) for _, namespace, value in carried})
    days = [int(record.partition("@")[0]) for record, *_ in carried]
    keys = {key: place for place, key in enumerate(sorted({record for record, *_ in carried}))}
    places = {value: place for place, value in enumerate(values)}
    return pa.table(
        {
            "entity": pa.array(["person"] * len(carried), pa.string()),
            "source_key": pa.array([record for record, *_ in carried], pa.string()),
            "record_key": pa.array([keys[record] for record, *_ in carried], pa.int64()),
            "namespace": pa.array([namespace for _, namespace, _ in carried], pa.string()),
            "value": pa.array([value for *_, value in carried], pa.string()),
            "value_key": pa.array([places[namespace, value] for _, namespace, value in carried], pa.int64()),
            "seen_at": pa.array([EPOCH + dt.timedelta(days=day) for day in days], pa.timestamp("us", "UTC")),
        }
    )


def groups(carried, kept):
    """Return who is with whom, as sets of source keys."""
    keys = sorted({record for record, *_ in carried})
    nodes, roots = components(
        pa.array([*range(len(keys)), *(link["record_key"] for link in kept)], pa.int64()).to_numpy(),
        pa.array([*range(len(keys)), *(link["hub_key"] for link in kept)], pa.int64()).to_numpy(),
    )
    found = {}
    for node, root in zip(nodes.tolist(), roots.tolist(), strict=True):
        found.setdefault(root, set()).add(keys[node])
    return sorted(map(sorted, found.values()))


ANA = [("1@m.M", "name", "ana lima"), ("1@m.M", "email", "ana@x"), ("1@m.M", "ecid", "42")]
TOM = [("2@m.M", "name", "tom berg"), ("2@m.M", "email", "tom@x"), ("2@m.M", "ecid", "42")]


def test_a_shared_device_belongs_to_the_person_seen_last_and_merges_nobody(engine):
    kept, refused = settle([*ANA, *TOM], engine)

    assert kept == []
    assert [(row["source_key"], row["value"], row["reason"]) for row in refused] == [
        ("1@m.M", "42", "would join two names")
    ]


def test_a_device_still_links_the_records_of_one_person(engine):
    former = [("3@m.M", "name", "ana lima"), ("3@m.M", "email", "ana@old"), ("3@m.M", "ecid", "42")]

    carried = [*ANA, *former]

    assert groups(carried, settle(carried, engine)[0]) == [["1@m.M", "3@m.M"]]


def test_an_address_joins_what_two_spellings_of_a_name_tell_apart(engine):
    carried = [*ANA, ("3@s.S", "name", "anna lima"), ("3@s.S", "email", "ana@x")]

    kept, refused = settle(carried, engine)

    assert groups(carried, kept) == [["1@m.M", "3@s.S"]]
    assert refused == []


def test_records_without_a_name_are_told_apart_by_nothing(engine):
    carried = [*ANA, ("3@m.M", "ecid", "42")]

    assert groups(carried, settle(carried, engine)[0]) == [["1@m.M", "3@m.M"]]


def test_a_value_may_be_unique_in_each_source_only(engine):
    rules = IdentityRules(namespaces={"badge": {"priority": 5, "unique": "instance", "links": False}})
    carried = [
        (record, namespace, value)
        for record, badge in (("1@a.M", "x"), ("2@b.M", "y"), ("3@a.M", "z"))
        for namespace, value in (("badge", badge), ("email", "e@x"))
    ]

    kept, refused = settle(carried, engine, rules)

    assert groups(carried, kept) == [["1@a.M"], ["2@b.M", "3@a.M"]]
    assert [row["reason"] for row in refused] == ["would join two badges"]


def test_the_key_of_a_deleted_record_tells_nobody_apart(engine):
    rules = IdentityRules(namespaces={"person_key": {"unique": "instance"}})
    carried = [(key, "person_key", key) for key in ("1@s.S", "2@s.S")] + [
        (key, "email", "a@x") for key in ("1@s.S", "2@s.S")
    ]

    apart, together = settle(carried, engine, rules), settle(carried, engine, rules, deleted=["2@s.S"])

    assert len(apart[0]) == 0
    assert len(together[0]) == 1


def test_components_that_break_no_rule_are_left_as_they_are(engine):
    other = [(f"{n}@s.S", "email", "same@x") for n in range(5, 8)]

    carried = [*ANA, *TOM, *other]

    kept, _ = settle(carried, engine)

    assert groups(carried, kept) == [["1@m.M"], ["2@m.M"], ["5@s.S", "6@s.S", "7@s.S"]]


worlds = st.lists(
    st.tuples(st.integers(1, 6).map("{}@m.M".format), st.sampled_from(NAMESPACES), st.integers(1, 3).map("v{}".format)),
    min_size=1,
    max_size=24,
    unique=True,
)
few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
fewer = settings(few, max_examples=12, suppress_health_check=list(HealthCheck))


@fewer
@given(carried=worlds, random=st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(engine, carried, random):
    shuffled = random.sample(carried, len(carried))

    one, other = settle(carried, engine), settle(shuffled, engine)

    assert groups(carried, one[0]) == groups(shuffled, other[0])
    assert sorted(map(repr, one[1])) == sorted(map(repr, other[1]))


@fewer
@given(carried=worlds)
def test_settling_what_is_settled_refuses_nothing(engine, carried):
    kept, refused = settle(carried, engine)
    out = {(row["source_key"], row["namespace"], row["value"]) for row in refused}
    # all records stay, so that their numbers do
    left = [row for row in carried if row not in out] + [(row[0], "loyalty", row[0]) for row in carried]

    again = settle(list(dict.fromkeys(left)), engine)

    assert again[1] == []
    assert groups(carried, again[0]) == groups(carried, kept)


@fewer
@given(carried=worlds)
def test_no_unique_rule_is_ever_broken(engine, carried):
    rules = IdentityRules()
    kept, _ = settle(carried, engine)

    strong = [link for link in kept if rules.namespace(link["namespace"]).priority <= rules.namespace("name").priority]
    names = {}
    for record, namespace, value in carried:
        if namespace == "name":
            names.setdefault(record, set()).add(value)
    parts = [set().union(*(names.get(record, ()) for record in part)) for part in groups(carried, strong)]
    owners = {record: said for part, said in zip(groups(carried, strong), parts, strict=True) for record in part}
    for group in groups(carried, kept):
        assert any(set().union(*(owners[record] for record in group)) == owners[record] for record in group)


@pytest.mark.parametrize("records", [2, 3])
@few
@given(data=st.data())
def test_a_strict_namespace_has_one_value_a_profile(records, data):
    rules = IdentityRules(namespaces={"badge": {"priority": 1, "unique": "profile", "links": False}})
    carried = [(f"{n}@m.M", "badge", data.draw(st.sampled_from("ab"))) for n in range(records)]
    carried += [(f"{n}@m.M", "email", data.draw(st.sampled_from("cd"))) for n in range(records)]

    kept, _ = settle(carried, open_engine("polars"), rules)

    badges = {record: value for record, namespace, value in carried if namespace == "badge"}
    for group in groups(carried, kept):
        assert all(badges[one] == badges[other] for one, other in combinations(group, 2))


@few
@given(worlds)
def test_components_are_those_of_the_kept_links(carried):
    engine = open_engine("polars")
    identities, rules = engine.load(_identities(carried)), IdentityRules()
    records = engine.load(pa.table({"source_key": sorted({record for record, *_ in carried})}))

    graph = settle_links(link_records(identities, rules, engine), identities, records, rules, engine)

    kept, placed = engine.collect(graph.kept), engine.collect(graph.components).to_pylist()
    nodes, roots = components(kept["record_key"].to_numpy(), kept["hub_key"].to_numpy())
    linked = dict(zip(nodes.tolist(), roots.tolist(), strict=True))
    assert {row["record_key"]: row["component"] for row in placed} == {
        row["record_key"]: linked.get(row["record_key"], row["record_key"]) for row in placed
    }
    assert linked.keys() <= {row["record_key"] for row in placed}


MANY = 5_000


def test_a_person_with_five_thousand_identities_is_one_person(engine):
    chain = [(f"{n}@m.M", "email", f"e{place}@x") for n in range(MANY) for place in (n, n + 1)]

    kept, refused = settle(chain, engine)

    assert refused == []
    assert [len(group) for group in groups(chain, kept)] == [MANY]


def test_five_thousand_people_in_a_row_of_shared_devices_stay_as_many(engine):
    names = [(f"{n}@m.M", "name", f"n{n}") for n in range(MANY)]
    devices = [(f"{n}@m.M", "ecid", f"d{place}") for n in range(MANY) for place in (n, n + 1)]

    kept, refused = settle([*names, *devices], engine)

    assert kept == []
    assert len(refused) == MANY - 1


def test_a_person_with_five_thousand_devices_takes_nobody_in(engine):
    ana = [("9999@m.M", "name", "ana"), *(("9999@m.M", "ecid", f"d{n}") for n in range(MANY))]
    others = [(f"{n}@m.M", *said) for n in range(MANY) for said in (("name", f"n{n}"), ("ecid", f"d{n}"))]

    kept, refused = settle([*ana, *others], engine)

    assert kept == []
    assert {row["reason"] for row in refused} == {"would join two names"}

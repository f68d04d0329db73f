"""Scenarios that the reference system publishes come out as published.

The pages are those of its public documentation, ``help/identity-service/identity-graph-linking-rules``:
``example-configurations`` (graphs by configuration) and ``identity-optimization-algorithm`` (shared device, bad e-mail,
anonymous events). An event there lists the identities that it carries; here it is a record, seen a day after the one
before it. What is in one graph there is one profile here; of a device or an address, the profile that owns it.
"""

import datetime as dt

import pyarrow as pa
import pytest

from cdp_toolkit.identity import IdentityRules
from cdp_toolkit.identity.graph import settle_links
from cdp_toolkit.identity.links import link_records

START = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)


def rules(*namespaces, unique=("CRMID",)):
    """Return rules with the namespaces from the strongest to the weakest."""
    ranked = {
        name: {"priority": 10 * place, "unique": name in unique} for place, name in enumerate(namespaces, start=1)
    }
    return IdentityRules(namespaces=ranked)


@pytest.fixture
def owners(engine, rows):
    """Say of each value of a namespace whose it is: all values of ``of`` in the same profile."""

    def find(events, rules, of="CRMID"):
        carried = [
            (number, *said.split(": ")) for number, event in enumerate(events.strip().splitlines())
            for said in event.strip().split(", ")
        ]  # fmt: skip
        table = pa.table(
            {
                "entity": ["person"] * len(carried),
                "source_key": [f"{number}@web.W" for number, *_ in carried],
                "record_key": [number for number, *_ in carried],
                "namespace": [namespace for _, namespace, _ in carried],
                "value": [value for *_, value in carried],
                "_spoken": [f"{namespace}:{value}" for _, namespace, value in carried],
                "seen_at": pa.array(
                    [START + dt.timedelta(days=number) for number, *_ in carried], pa.timestamp("us", "UTC")
                ),
            }
        )
        identities = engine.key64(engine.load(table), {"value_key": "_spoken"})
        records = engine.load(pa.table({"source_key": [f"{n}@web.W" for n in range(carried[-1][0] + 1)]}))
        graph = settle_links(link_records(identities, rules, engine), identities, records, rules, engine)
        components = dict(rows(graph.components, "record_key", "component"))
        refused = {*rows(graph.refused, "record_key", "value")}
        people = {}
        for number, namespace, value in carried:
            if namespace == of:
                people.setdefault(components.get(number, number), set()).add(value)
        return {
            value: people.get(components.get(number, number), set())
            for number, _, value in carried
            if (number, value) not in refused
        }

    return find


BASIC = rules("CRMID", "ECID")
HASHED = rules("CRMID", "Email_LC_SHA256", "Phone_SHA256", "GAID", "IDFA", "ECID")
LOGINS = rules("CRMID", "loginID", "ECID")
SHOP = rules("CRMID", "Email", "ECID", unique=("CRMID", "Email"))
SEGMENT_MATCH = """
CRMID: Tom, Email_LC_SHA256: aabbcc, Phone_SHA256: 123-4567
CRMID: Tom, ECID: 111
CRMID: Tom, ECID: 222, IDFA: A-A-A
CRMID: Summer, Email_LC_SHA256: ddeeff, Phone_SHA256: 765-4321
CRMID: Summer, ECID: 333
CRMID: Summer, ECID: 444, GAID: B-B-B
"""
TWO_LOGINS_EACH = """
CRMID: Tom, loginID: ID_A
CRMID: Tom, loginID: ID_B
loginID: ID_A, ECID: 111
CRMID: Summer, loginID: ID_C
CRMID: Summer, loginID: ID_D
loginID: ID_C, ECID: 222
"""


def test_crmid_only_a_shared_device_belongs_to_who_was_seen_last(owners):
    found = owners("CRMID: Tom, ECID: 111\nCRMID: Summer, ECID: 111", BASIC)

    assert found == {"Tom": {"Tom"}, "Summer": {"Summer"}, "111": {"Summer"}}


def test_crmid_with_hashed_email_a_shared_device_goes_to_the_newer_link(owners):
    events = """
    CRMID: Tom, Email_LC_SHA256: aabbcc
    CRMID: Tom, ECID: 111
    CRMID: Summer, Email_LC_SHA256: ddeeff
    CRMID: Summer, ECID: 222
    CRMID: Summer, ECID: 111
    """

    found = owners(events, HASHED)

    assert (found["aabbcc"], found["ddeeff"], found["111"], found["222"]) == (
        {"Tom"}, {"Summer"}, {"Summer"}, {"Summer"}
    )  # fmt: skip


def test_an_email_of_two_people_goes_to_the_newer_link(owners):
    events = """
    CRMID: Tom, Email_LC_SHA256: aabbcc
    CRMID: Tom, ECID: 111
    CRMID: Summer, Email_LC_SHA256: ddeeff
    CRMID: Summer, ECID: 222
    CRMID: Summer, Email_LC_SHA256: aabbcc
    """

    found = owners(events, HASHED)

    assert (found["aabbcc"], found["111"], found["222"]) == ({"Summer"}, {"Tom"}, {"Summer"})


@pytest.mark.parametrize(
    ("last", "shared", "owner"),
    [
        ("CRMID: Summer, ECID: 111", ["111"], "Summer"),
        ("CRMID: Tom, ECID: 444, GAID: B-B-B", ["444", "B-B-B"], "Tom"),
        ("CRMID: Summer, ECID: 222, IDFA: A-A-A", ["222", "A-A-A"], "Summer"),
        ("CRMID: Summer, ECID: 555, IDFA: A-A-A", ["555", "A-A-A"], "Summer"),
        ("CRMID: Summer, Phone_SHA256: 123-4567", ["123-4567"], "Summer"),
        ("CRMID: Summer, Email_LC_SHA256: aabbcc", ["aabbcc"], "Summer"),
    ],
    ids=["computer", "android", "apple without reset", "apple with reset", "phone", "email"],
)
def test_what_two_people_share_belongs_to_the_last_and_all_else_stays(owners, last, shared, owner):
    found = owners(SEGMENT_MATCH + last, HASHED)

    assert {value: found[value] for value in shared} == {key: {owner} for key in shared}
    alone = owners(SEGMENT_MATCH, HASHED)
    assert {value: found[value] for value in alone if value not in shared} == {
        value: alone[value] for value in alone if value not in shared
    }


def test_a_device_of_two_logins_belongs_to_the_login_seen_last(owners):
    found = owners(TWO_LOGINS_EACH + "loginID: ID_C, ECID: 111", LOGINS)

    assert (found["ID_A"], found["ID_C"], found["111"]) == ({"Tom"}, {"Summer"}, {"Summer"})


def test_a_login_wrongly_linked_to_two_people_belongs_to_the_newer_link(owners):
    found = owners(TWO_LOGINS_EACH + "CRMID: Tom, loginID: ID_D", LOGINS)

    assert (found["ID_D"], found["ID_B"], found["222"]) == ({"Tom"}, {"Tom"}, {"Summer"})


def test_a_login_without_a_person_is_taken_for_the_one_on_its_device(owners):
    found = owners("CRMID: Tom, loginID: ID_A\nloginID: ID_A, ECID: 111\nloginID: ID_C, ECID: 111", LOGINS)

    assert found["ID_C"] == found["111"] == {"Tom"}


def test_two_registered_users_on_one_device(owners):
    events = """
    CRMID: Tom, Email: tom@acme.com
    CRMID: Summer, Email: summer@acme.com
    CRMID: Tom, ECID: 111
    CRMID: Summer, ECID: 111
    """

    found = owners(events, SHOP)

    assert (found["tom@acme.com"], found["111"]) == ({"Tom"}, {"Summer"})


def test_a_registered_user_and_a_guest_on_one_device_stay_two(owners):
    found = owners("CRMID: Tom, Email: tom@x\nCRMID: Tom, ECID: 111\nEmail: summer@x, ECID: 111", SHOP, of="Email")

    assert (found["Tom"], found["111"]) == ({"tom@x"}, {"summer@x"})


def test_a_registered_user_without_an_address_and_a_guest_on_one_device_are_one(owners):
    found = owners("CRMID: Tom, ECID: 111\nEmail: summer@acme.com, ECID: 111", SHOP)

    assert found["summer@acme.com"] == {"Tom"}


def test_two_guests_on_one_device_stay_two(owners):
    found = owners("Email: tom@acme.com, ECID: 111\nEmail: summer@acme.com, ECID: 111", SHOP, of="Email")

    assert (found["tom@acme.com"], found["111"]) == ({"tom@acme.com"}, {"summer@acme.com"})


def test_a_guest_who_registers_on_the_same_device_is_one(owners):
    events = "Email: tom@acme.com, ECID: 111\nEmail: tom@acme.com, CRMID: Tom\nCRMID: Tom, ECID: 111"

    assert owners(events, SHOP) == {key: {"Tom"} for key in ["tom@acme.com", "111", "Tom"]}


def test_a_bad_email_does_not_collapse_the_graph(owners):
    events = """
    CRMID: Jane, ECID: 1
    CRMID: John, ECID: 2
    CRMID: Jane, Email: test@test.com
    CRMID: John, Email: test@test.com
    """

    assert owners(events, SHOP) == {
        "Jane": {"Jane"}, "John": {"John"}, "1": {"Jane"}, "2": {"John"}, "test@test.com": {"John"}
    }  # fmt: skip


def test_anonymous_events_follow_the_last_authenticated_user(owners):
    visits = ["CRMID: Kevin, ECID: 9", "CRMID: Nora, ECID: 9", "ECID: 9", "CRMID: Kevin, ECID: 9"]

    for seen, owner in ((1, "Kevin"), (2, "Nora"), (4, "Kevin")):
        assert owners("\n".join(visits[:seen]), BASIC)["9"] == {owner}

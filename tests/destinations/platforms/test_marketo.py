"""A static list gets the leads that exist in Marketo, loses those who left, and makes nobody."""

import httpx
import pyarrow.compute as pc
import pytest

from cdp_toolkit.connectors.marketo.static_list import StaticList
from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.errors import ConfigError
from cdp_toolkit.findings import look_at
from tests.stand_ins.marketo import MarketoStandIn
from tests.stand_ins.marketo_api import CREATORS
from tests.stand_ins.marketo_world import World
from tests.stand_ins.serve import serving

PACE = {"poll_s": 0.001, "first_pause_s": 0.001, "calls": 100_000, "seconds": 0.05}


@pytest.fixture
def marketo(monkeypatch):
    monkeypatch.setenv("MARKETO_SECRET", "secret-of-ours")
    stand_in = MarketoStandIn(World.of(50), window=(100_000, 0.05))
    stand_in.world.lists = {1001: {"id": 1001, "name": "buyers", "updatedAt": "2026-01-01T00:00:00Z+0000"}}
    with serving(stand_in.app) as url:
        stand_in.url = url
        yield stand_in


@pytest.fixture
def static_list(marketo):
    def define(**settings):
        named = {
            "name": "newsletter", "type": "marketo", "audiences": ["buyers"], "base_url": f"{marketo.url}/rest",
            "client_id": "ours", "client_secret": "${env:MARKETO_SECRET}", "pace": PACE,
        }  # fmt: skip
        return Destination(**(named | settings))

    return define


@pytest.fixture
def activate(world, static_list):
    def run(**settings):
        destination = static_list(**settings)
        return world.activate(destination, StaticList(destination, world.folder))

    return run


def email(number):
    return f"p{number}@company{number % 997}.example"


def members(marketo, number=1001):
    return sorted(marketo.world.members.get(number, {}))


def test_leads_join_by_their_address_and_leave_by_their_id(world, marketo, activate):
    world.lead(1, "buyers", email=email(7))
    world.lead(2, "buyers", email=email(8).upper())
    activate()
    joined = members(marketo)

    world.leave(1)
    marketo.world.change(7, "email", "other@acme.example")
    activate()

    assert (joined, members(marketo)) == ([7, 8], [8])


def test_whom_marketo_does_not_know_is_refused_and_never_made(world, marketo, activate):
    world.lead(1, "buyers", email=email(7))
    world.lead(2, "buyers", email="nobody@acme.example")

    done = activate()

    assert members(marketo) == [7]
    assert (done.counts["added"], done.counts["refused"]) == (1, 1)
    assert marketo.created_leads == 0


def test_the_stand_in_would_notice_a_lead_that_is_made(marketo):
    token = httpx.post(
        f"{marketo.url}/identity/oauth/token",
        data={"grant_type": "client_credentials", "client_id": "ours", "client_secret": "secret-of-ours"},
    ).json()["access_token"]

    for each in CREATORS:
        path = each.split()[1].replace("{id}", "123-ABC-456")
        httpx.post(marketo.url + path, json={}, headers={"Authorization": f"Bearer {token}"})

    assert marketo.created_leads == len(CREATORS)


def test_whatever_the_api_does_the_list_is_right_and_no_lead_was_made(world, marketo, activate):
    marketo.every = {"expire": 3, "606": 4, "615": 5, "502": 6, "500": 7}
    for number in range(1, 41):
        world.lead(number, "buyers", email=email(number))
    world.lead(99, "buyers", email="nobody@acme.example")

    activate()
    world.leave(5)
    activate()

    made = {call for call in marketo.calls if call in CREATORS or "/subscriptions/" in call}
    assert members(marketo) == [each for each in range(1, 41) if each != 5]
    assert (made, marketo.created_leads) == (set(), 0)


def test_no_call_names_more_than_300_leads(world, marketo, activate):
    marketo.world.leads = World.of(650).leads
    for number in range(1, 651):
        world.lead(number, "buyers", email=email(number))

    activate()

    assert members(marketo) == list(range(1, 651))
    assert sum(call == "POST /rest/v1/lists/1001/leads.json" for call in marketo.calls) == 3
    assert "1003" not in marketo.codes  # the stand-in refuses a call with more


def test_a_batch_that_comes_twice_changes_nothing(world, marketo, activate):
    world.lead(1, "buyers", email=email(7))
    activate()

    world.forget_answers()
    again = activate()

    assert members(marketo) == [7]
    assert again.failed == []


def test_a_list_that_is_not_there_is_made_in_its_folder(world, marketo, activate):
    marketo.world.lists = {}
    world.lead(1, "buyers", email=email(7))

    activate(folder="Lead Database")

    assert [each["name"] for each in marketo.world.lists.values()] == ["buyers"]
    assert members(marketo) == [7]


def test_without_a_folder_nothing_is_made_and_the_error_says_what_to_do(world, marketo, activate):
    marketo.world.lists = {}
    world.lead(1, "buyers", email=email(7))

    done = activate()

    assert "no static list 'buyers'" in done.failed[0].message
    assert "folder" in done.failed[0].hint


@pytest.mark.parametrize(("settings", "joined"), [({}, [7, 51]), ({"duplicates": "newest"}, [51])])
def test_of_leads_with_one_address_all_or_the_newest_join(world, marketo, activate, settings, joined):
    marketo.world.add(email=email(7))
    world.lead(1, "buyers", email=email(7))

    activate(**settings)

    assert members(marketo) == joined


def test_addresses_that_too_many_leads_have_are_asked_in_smaller_parts(world, marketo, activate):
    marketo.most_matches = 10
    for number in range(1, 31):
        world.lead(number, "buyers", email=email(number))

    activate()

    assert members(marketo) == list(range(1, 31))


def test_a_lead_that_is_gone_since_is_no_failure_when_it_leaves(world, marketo, activate):
    world.lead(1, "buyers", email=email(7))
    activate()

    marketo.world.delete(7)
    world.leave(1)
    done = activate()

    assert (done.failed, done.counts["removed"]) == ([], 1)


def test_a_lead_that_has_an_ecid_and_no_address_joins_and_leaves_by_its_id(world, marketo, activate):
    marketo.world.change(7, "email", None)
    world.lead(7, "buyers", email=None, ecids=["9" * 38])
    world.lead(8, "buyers", email=email(8))
    activate()
    joined = members(marketo)

    world.leave(7)
    done = activate()

    assert (joined, members(marketo)) == ([7, 8], [8])
    assert (done.counts["removed"], marketo.created_leads) == (1, 0)


def test_a_lead_with_an_ecid_that_was_deleted_meanwhile_is_refused_until_another_is_loaded(world, marketo, activate):
    world.lead(7, "buyers", email=None, ecids=["9" * 38])
    marketo.world.delete(7)
    done, again = activate(), activate()
    reasons = world.ledger["reason"].to_pylist()

    newer = marketo.world.add()
    world.records[0]["is_deleted"] = True
    world.record(f"{newer}@main.Marketo", ecids=["9" * 38])
    world.change(7, source_keys=["7@main.Marketo", f"{newer}@main.Marketo"])
    activate()

    assert (done.counts["refused"], again.counts["added"]) == (1, 0)
    assert reasons[0] == "the lead with this ECID is not in Marketo any more"
    assert members(marketo) == [newer]
    assert marketo.created_leads == 0


def test_leads_with_an_ecid_are_asked_for_by_their_ids_300_a_call(world, marketo, activate):
    marketo.world.leads = World.of(650).leads
    for number in range(1, 651):
        world.lead(number, "buyers", email=None, ecids=["9" * 38])

    activate()

    assert members(marketo) == list(range(1, 651))
    assert sum(call == "GET /rest/v1/leads.json" for call in marketo.calls) <= 1 + 3  # one asks whether there are ECIDs
    assert "1003" not in marketo.codes


@pytest.mark.parametrize(("before", "after"), [(None, email(7)), (email(7), None), (email(7), "z@acme.example")])
@pytest.mark.parametrize("others", [0, 400])
def test_a_lead_whose_address_comes_goes_or_changes_stays_on_the_list(world, marketo, activate, before, after, others):
    marketo.world.leads = World.of(500).leads
    marketo.world.change(7, "email", before)
    world.lead(7, "buyers", email=before, ecids=["9" * 38])
    one_by_one = {"pace": PACE | {"at_once": 1}}
    activate(**one_by_one)

    marketo.world.change(7, "email", after)
    world.change(7, email=after)
    world.records[0]["email"] = after
    for number in range(51, 51 + others):
        world.lead(number, "buyers", email=email(number))
    done = activate(**one_by_one)

    assert members(marketo) == [7, *range(51, 51 + others)]
    assert (done.counts["added"], done.counts["removed"]) == (1 + others, 1)


def test_a_lead_whose_old_address_is_removed_in_a_later_run_stays_on_the_list(world, marketo, activate):
    world.lead(7, "buyers", email=email(7))
    activate()
    marketo.world.change(7, "email", "z@acme.example")
    world.change(7, email="z@acme.example")
    world.records[0]["email"] = "z@acme.example"
    activate()
    for name, rows in world.tables.items():  # as if that run had died between the addition and the removal
        world.tables[name] = rows.filter(pc.field("action") != "remove")

    done = activate()
    again = activate()

    assert members(marketo) == [7]
    assert (done.counts["removed"], again.counts["removed"], again.counts["updated"]) == (1, 0, 0)


@pytest.mark.parametrize("settings", [{"mapping": {"name": "last_name"}}, {"audiences": ["a", "b"], "list": "one"}])
def test_more_than_two_fields_or_a_shared_list_is_refused_by_the_definition(world, static_list, settings):
    with pytest.raises(ConfigError):
        StaticList(static_list(**settings), world.folder)


def test_a_look_at_the_connection_names_the_list_that_is_missing(world, static_list):
    found = look_at(StaticList(static_list(list="Nobody's"), world.folder))

    assert [(each.what, each.status) for each in found] == [("login", "ok"), ("list Nobody's", "problem")]


def test_who_joined_and_leaves_while_the_list_is_still_told_leaves(world, marketo, static_list):
    destination = static_list()
    connection = StaticList(destination, world.folder)
    world.lead(1, "buyers", email=email(7))
    world.lead(2, "buyers", email=email(8))
    world.activate(destination, connection)
    joined = members(marketo)

    world.leave(1)
    world.activate(destination, connection)  # planned again by the same run, as audiences changed

    assert (joined, members(marketo)) == ([7, 8], [8])

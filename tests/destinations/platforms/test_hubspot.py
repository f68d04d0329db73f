"""Static lists of HubSpot, from plan to ledger, against an account that keeps its rules."""

from pathlib import Path

import pytest

from cdp_toolkit.connectors.hubspot.destination import ListConnection
from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.errors import ConfigError
from cdp_toolkit.findings import look_at
from tests.stand_ins.hubspot import HubSpot
from tests.stand_ins.serve import serving


@pytest.fixture
def hubspot():
    account = HubSpot()
    for person in range(1, 4):
        account.save("contacts", id=str(person), email=f"P{person}@x.example")
    account.news = account.add_list("News")
    return account


@pytest.fixture
def lists(hubspot, monkeypatch):
    monkeypatch.setenv("HUBSPOT_TOKEN", hubspot.token)
    with serving(hubspot.app) as url:

        def make(**settings):
            given = {"audiences": ["buyers"], "list_ids": {"buyers": hubspot.news}, "base_url": url}
            return Destination(
                name="lists", type="hubspot_list", access_token="${env:HUBSPOT_TOKEN}", **given | settings
            )

        yield make


@pytest.fixture
def opened(quick):
    return lambda destination: ListConnection(destination, Path(), quick)


@pytest.fixture
def activate(world, opened):
    return lambda destination: world.activate(destination, opened(destination))


def members(hubspot):
    return set(hubspot.members[hubspot.news])


def test_contacts_join_a_list_and_leave_it(hubspot, lists, world, opened, activate):
    world.person(1, "buyers")
    world.person(2, "buyers")
    first = activate(lists())
    joined = members(hubspot)
    world.leave(2)

    second = activate(lists())

    assert (first.counts["added"], second.counts["removed"]) == (2, 1)
    assert (joined, members(hubspot)) == ({"1", "2"}, {"1"})
    assert world.plan(lists(), opened(lists())).is_empty


def test_who_is_no_contact_is_refused_and_not_created(hubspot, lists, world, activate):
    world.person(1, "buyers")
    world.person(9, "buyers")

    delivered = activate(lists())

    assert (delivered.counts["added"], members(hubspot)) == (1, {"1"})
    assert [row["reason"] for row in world.ledger.to_pylist() if row["outcome"] == "refused"] == ["not in HubSpot"]
    assert set(hubspot.records["contacts"]) == {"1", "2", "3"}


def test_a_contact_whose_address_has_changed_at_hubspot_is_still_taken_out(hubspot, lists, world, activate):
    world.person(1, "buyers")
    activate(lists())
    hubspot.save("contacts", id="1", email="other@x.example")
    world.leave(1)

    activate(lists())

    assert members(hubspot) == set()


def test_two_addresses_of_one_contact_do_not_take_each_other_out(hubspot, lists, world, activate):
    world.person(1, "buyers")
    activate(lists())
    hubspot.save("contacts", id="1", email="new@x.example")
    world.change(1, email="new@x.example")

    activate(lists())

    assert members(hubspot) == {"1"}


def test_a_contact_that_the_list_does_not_know_any_more_is_refused(hubspot, lists, world, activate):
    world.person(1, "buyers")
    world.person(2, "buyers")
    hubspot.stale.add("2")

    delivered = activate(lists())

    assert (delivered.counts["added"], delivered.counts["refused"], members(hubspot)) == (1, 1, {"1"})


def test_a_run_that_died_behind_its_call_forgets_nobody(hubspot, lists, world, activate):
    world.person(1, "buyers")
    world.person(2, "buyers")
    activate(lists())
    world.forget_answers()
    world.leave(2)

    activate(lists())

    assert members(hubspot) == {"1"}


def test_an_audience_of_hundreds_is_looked_up_100_at_a_time(hubspot, lists, world, activate):
    for person in range(10, 260):
        hubspot.save("contacts", id=str(person), email=f"p{person}@x.example")
        world.person(person, "buyers")

    activate(lists())

    assert len(members(hubspot)) == 250
    assert len(hubspot.switches.made("/batch/read")) == 3


@pytest.mark.parametrize("fault", ["502", "429", "cut", "lost"])
def test_a_call_that_fails_for_now_is_repeated(hubspot, lists, world, activate, fault):
    world.person(1, "buyers")
    if fault.isdigit():
        hubspot.switches.fail(
            int(fault), {"policyName": "SECONDLY", "message": "."}, at="/memberships", Retry_After="0.01"
        )
    else:
        hubspot.switches.cut(at="/memberships", is_done=fault == "lost")

    delivered = activate(lists())

    assert (delivered.counts["added"], members(hubspot)) == (1, {"1"})


def test_a_list_that_hubspot_fills_itself_fails_the_batch_and_says_so(hubspot, lists, world, activate):
    hubspot.lists[hubspot.news]["processingType"] = "DYNAMIC"
    world.person(1, "buyers")

    [error] = activate(lists()).failed

    assert "processing type DYNAMIC" in error.message


def test_a_check_tells_lists_that_cannot_take_an_audience(hubspot, lists, opened):
    filled = hubspot.add_list("All", processing="DYNAMIC")

    found = [look_at(opened(lists(list_ids={"buyers": each})))[0] for each in (hubspot.news, filled, "999")]

    assert [(each.status, each.detail) for each in found] == [
        ("ok", "News"), ("problem", "All is filled by HubSpot itself"),
        ("problem", "HubSpot: List does not exist with ID 999"),
    ]  # fmt: skip


def test_a_field_cannot_be_mapped(lists, opened):
    with pytest.raises(ConfigError, match="no fields of theirs"):
        opened(lists(mapping={"name": "first_name"}))

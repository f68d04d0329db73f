"""Audiences as attributes at Braze, from plan to ledger, against a server that keeps its rules."""

import logging
import time
from pathlib import Path

import pytest

from cdp_toolkit.connectors.braze.destination import BrazeConnection
from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.errors import ConfigError, ConnectorStopped, QuotaExhausted
from cdp_toolkit.findings import look_at
from tests.stand_ins.braze import Braze
from tests.stand_ins.serve import serving


@pytest.fixture
def braze():
    return Braze(users={f"p{person}@x.example": {} for person in range(1, 200)})


@pytest.fixture
def attributes(braze, monkeypatch):
    monkeypatch.setenv("BRAZE_KEY", braze.key)
    with serving(braze.app) as url:

        def make(**settings):
            given = {"api_key": "${env:BRAZE_KEY}", "audiences": ["buyers"], "base_url": url}
            return Destination(name="engage", type="braze", **given | settings)

        yield make


@pytest.fixture
def opened(quick):
    return lambda destination: BrazeConnection(destination, Path(), quick)


@pytest.fixture
def activate(world, opened):
    return lambda destination: world.activate(destination, opened(destination))


def test_audiences_are_values_of_an_attribute_of_users_that_exist(braze, attributes, world, opened, activate):
    destination = attributes(audiences=["buyers", "users"])
    world.person(1, "buyers", "users")
    world.person(2, "buyers")
    first = activate(destination)
    world.leave(2)

    second = activate(destination)

    assert (first.counts["added"], second.counts["removed"]) == (3, 1)
    assert set(braze.users["p1@x.example"]["cdp_audiences"]) == {"buyers", "users"}
    assert braze.users["p2@x.example"]["cdp_audiences"] == []
    assert world.plan(destination, opened(destination)).is_empty


def test_audiences_may_be_flags_with_values_beside_them(braze, attributes, world, activate):
    destination = attributes(membership="flags", attribute="cdp", mapping={"score": "person_score", "town": "country"})
    world.person(1, "buyers", person_score=7.5)
    activate(destination)
    joined = dict(braze.users["p1@x.example"])
    world.leave(1)

    activate(destination)

    assert joined == {"email": "p1@x.example", "score": 7.5, "cdp_buyers": True}
    assert braze.users["p1@x.example"]["cdp_buyers"] is False


def test_nobody_is_created(braze, attributes, world, activate):
    world.person(500, "buyers")
    before = set(braze.users)

    activate(attributes())
    world.leave(500)
    activate(attributes())

    told = [user for call in braze.switches.calls for user in call.json["attributes"]]
    assert set(braze.users) == before
    assert all(user["_update_existing_only"] is True for user in told)


def test_users_are_known_by_the_id_of_the_app_where_it_is_mapped_and_their_address_stays(
    braze, attributes, world, activate
):
    braze.users["user-1"] = {"email": "theirs@x.example"}
    world.person(1, "buyers", last_name="user-1")

    activate(attributes(mapping={"external_id": "last_name"}))

    assert braze.users["user-1"] == {"external_id": "user-1", "email": "theirs@x.example", "cdp_audiences": ["buyers"]}


def test_users_that_braze_finds_wrong_are_refused_although_it_answers_201(braze, attributes, world, activate):
    world.person(1, "buyers")
    world.person(2, "buyers", email="nobody")

    delivered = activate(attributes())

    [refused] = [row for row in world.ledger.to_pylist() if row["outcome"] == "refused"]
    assert (delivered.counts["added"], refused["profile_id"]) == (1, 2)
    assert refused["reason"] == "Braze: 'email' is not a valid email address"
    assert braze.users["p1@x.example"]["cdp_audiences"] == ["buyers"]


def test_a_call_of_which_all_users_are_wrong_refuses_them_one_by_one(attributes, world, activate):
    world.person(1, "buyers", email="nobody")

    delivered = activate(attributes())

    assert (delivered.counts["refused"], delivered.failed) == (1, [])


@pytest.mark.parametrize(("most", "calls"), [(75, [75, 75]), (50, [50, 50, 50])])
def test_no_call_holds_more_users_than_braze_takes(braze, attributes, world, activate, most, calls):
    braze.most = most
    for person in range(1, 151):
        world.person(person, "buyers")

    delivered = activate(attributes(users_per_call=most))

    assert [len(call.json["attributes"]) for call in braze.switches.calls] == calls
    assert (delivered.counts["added"], delivered.failed) == (150, [])


@pytest.mark.parametrize("fault", ["503", "429", "cut", "lost"])
def test_a_call_that_fails_for_now_is_repeated(braze, attributes, world, activate, fault):
    world.person(1, "buyers")
    if fault.isdigit():
        braze.switches.fail(int(fault), {"message": "Later."}, times=2, X_RateLimit_Reset=str(int(time.time())))
    else:
        braze.switches.cut(is_done=fault == "lost")

    delivered = activate(attributes())

    assert (delivered.counts["added"], braze.users["p1@x.example"]["cdp_audiences"]) == (1, ["buyers"])


def test_a_limit_of_the_hour_stops_the_connector_until_it_is_over(braze, attributes, world, activate):
    world.person(1, "buyers")
    braze.switches.fail(429, {"message": "Rate limit exceeded."}, X_RateLimit_Reset=str(int(time.time()) + 1800))

    [error] = activate(attributes()).failed

    assert isinstance(error, QuotaExhausted)
    assert activate(attributes()).counts["added"] == 1


def test_a_key_that_braze_does_not_know_stops_and_says_what_to_check(attributes, world, activate, monkeypatch):
    world.person(1, "buyers")
    monkeypatch.setenv("BRAZE_KEY", "of-another-workspace")

    [error] = activate(attributes()).failed

    assert isinstance(error, ConnectorStopped)
    assert "`users.track`" in error.hint


def test_who_opts_out_of_marketing_loses_the_audience(braze, attributes, world, activate):
    world.person(1, "buyers")
    activate(attributes())
    world.change(1, consent_email="n")

    activate(attributes())

    assert braze.users["p1@x.example"]["cdp_audiences"] == []


def test_a_look_at_the_connection_sets_nothing_and_tells_of_arrays_that_are_too_long(
    braze, attributes, opened, monkeypatch
):
    [key, room] = look_at(opened(attributes()))
    [_, full] = look_at(opened(attributes(audiences=[f"a{each}" for each in range(26)])))
    monkeypatch.setenv("BRAZE_KEY", "of-another-workspace")
    [refused] = look_at(opened(attributes()))

    assert (key.status, room.status, full.status, refused.status) == ("ok", "ok", "warning", "problem")
    assert not any(braze.users.values())


def test_neither_key_nor_address_stands_in_a_log_an_error_or_a_repr(braze, attributes, world, opened, caplog):
    caplog.set_level(logging.DEBUG)
    world.person(1, "buyers")
    destination = attributes()
    connection = opened(destination)
    braze.switches.fail(403, {"message": f"Key {braze.key} may not."})

    [error] = world.activate(destination, connection).failed

    told = f"{caplog.text}{error}{destination!r}{vars(connection)!r}"
    assert all(secret not in told for secret in (braze.key, "p1@x.example"))


@pytest.mark.parametrize(
    "settings", [{"api_key": "plain"}, {"mapping": {"push_tokens": "email"}}, {"mapping": {"cdp_audiences": "country"}},
                 {"users_per_call": 100}],
)  # fmt: skip
def test_a_wrong_setting_is_told_before_anything_is_sent(attributes, opened, settings):
    with pytest.raises(ConfigError, match=r"is wrong|is not set by a mapping"):
        opened(attributes(**settings))

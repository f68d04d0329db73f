"""Matched Audiences, from plan to ledger, against a server that keeps LinkedIn's rules."""

import logging
from pathlib import Path

import pytest

from cdp_toolkit.connectors.linkedin.destination import MatchedAudienceConnection
from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.errors import ConfigError, ConnectorStopped, QuotaExhausted
from cdp_toolkit.findings import look_at
from tests.stand_ins.linkedin import LinkedIn
from tests.stand_ins.serve import serving

REFRESHING = {
    "access_token": None,
    "client_id": "${env:LINKEDIN_ID}",
    "client_secret": "${env:LINKEDIN_SECRET}",
    "refresh_token": "${env:LINKEDIN_REFRESH}",
}


@pytest.fixture
def linkedin():
    return LinkedIn()


@pytest.fixture
def matched(linkedin, monkeypatch):
    monkeypatch.setenv("LINKEDIN_TOKEN", linkedin.token)
    for name, value in {"ID": "li-client", "SECRET": "li-secret", "REFRESH": "li-refresh"}.items():
        monkeypatch.setenv(f"LINKEDIN_{name}", value)
    with serving(linkedin.app) as url:

        def make(**settings):
            given = {
                "access_token": "${env:LINKEDIN_TOKEN}",
                "account": linkedin.account,
                "audiences": ["buyers"],
                "base_url": url,
                "login_url": f"{url}/oauth/v2/accessToken",
            }
            return Destination(name="ads", type="linkedin_matched_audience", **given | settings)

        yield make


@pytest.fixture
def opened(quick):
    return lambda destination: MatchedAudienceConnection(destination, Path(), quick)


@pytest.fixture
def activate(world, opened):
    return lambda destination: world.activate(destination, opened(destination))


def test_a_segment_is_made_once_awaited_and_told_who_joins_and_who_leaves(
    linkedin, matched, world, opened, activate, sha256
):
    linkedin.not_ready = 2
    for person in (1, 2, 3):
        world.person(person, "buyers")
    first = activate(matched())
    world.leave(2)
    world.person(4, "buyers")

    second = activate(matched())

    assert (first.counts["added"], second.counts["added"], second.counts["removed"]) == (3, 1, 1)
    assert linkedin.told("ads.buyers") == sorted(sha256(f"p{person}@x.example") for person in (1, 3, 4))
    assert len(linkedin.segments) == 1
    assert world.plan(matched(), opened(matched())).is_empty


def test_an_address_goes_out_hashed_and_what_is_mapped_besides_plain_and_not_too_long(
    linkedin, matched, world, activate, sha256
):
    world.person(1, "buyers", first_name="M" * 40, country="Germany")

    activate(matched(mapping={"first_name": "first_name", "country": "country"}))

    call = linkedin.switches.made("/users")[-1]
    assert call.json["elements"] == [
        {
            "action": "ADD",
            "userIds": [{"idType": "SHA256_EMAIL", "idValue": sha256("p1@x.example")}],
            "firstName": "M" * 35,
            "country": "DE",
        }
    ]
    assert b"p1@x.example" not in call.body


def test_accounts_go_out_as_companies_by_domain_and_by_name(linkedin, matched, world, opened, activate):
    destination = matched(members="companies")
    world.account(1, "buyers", account_name="Acme", domain="acme.example")
    world.account(2, "buyers", account_name="Booking.com")
    world.account(3, "buyers")
    first = activate(destination)
    world.leave(1)

    second = activate(destination)

    assert (first.counts["added"], first.counts["refused"], second.counts["removed"]) == (2, 1, 1)
    assert linkedin.told("ads.buyers") == ["Booking.com"]
    assert linkedin.switches.made("/companies")[-1].json["elements"][0]["companyWebsiteDomain"] == "acme.example"
    assert world.plan(destination, opened(destination)).is_empty


def test_a_destination_of_people_takes_no_accounts(matched, world, activate):
    world.account(1, "buyers", account_name="Acme")

    with pytest.raises(ConfigError, match="takes person, not account"):
        activate(matched())


def test_elements_that_linkedin_refuses_are_refused_one_by_one(linkedin, matched, world, activate, sha256):
    world.person(1, "buyers")
    world.person(2, "buyers")
    world.person(3, "buyers", email="nobody")
    linkedin.wrong = {sha256("p2@x.example")}

    delivered = activate(matched())

    reasons = {row["profile_id"]: row["reason"] for row in world.ledger.to_pylist() if row["reason"]}
    assert (delivered.counts["added"], delivered.counts["refused"]) == (1, 2)
    assert reasons == {2: "LinkedIn: 400 Invalid element", 3: "no e-mail address that is one"}


def test_an_element_that_fails_for_now_is_told_again_with_the_next_activation(
    linkedin, matched, world, activate, sha256
):
    world.person(1, "buyers")
    linkedin.not_ready = 0
    linkedin.switches.fail(200, {"elements": [{"status": 429}]}, at="/users")

    first, second = activate(matched()), activate(matched())

    assert (first.counts["failed"], second.counts["added"]) == (1, 1)
    assert linkedin.told("ads.buyers") == [sha256("p1@x.example")]


@pytest.mark.parametrize("fault", ["500", "429", "cut", "lost"])
def test_a_call_that_fails_for_now_is_repeated(linkedin, matched, world, activate, sha256, fault):
    world.person(1, "buyers")
    linkedin.not_ready = 0
    if fault.isdigit():
        linkedin.switches.fail(int(fault), {"status": int(fault), "message": "Later."}, at="/users", times=2)
    else:
        linkedin.switches.cut(at="/users", is_done=fault == "lost")

    delivered = activate(matched())

    assert (delivered.counts["added"], linkedin.told("ads.buyers")) == (1, [sha256("p1@x.example")])


def test_a_segment_whose_making_was_not_answered_is_the_one_that_is_used(linkedin, matched, world, activate):
    world.person(1, "buyers")
    linkedin.switches.cut(at="POST /rest/dmpSegments", is_done=True)
    activate(matched())
    world.person(2, "buyers")

    activate(matched())

    assert [len(members) for members in linkedin.members.values()] == [2, 0]


def test_the_calls_of_a_day_stop_the_connector_until_midnight(linkedin, matched, world, activate):
    world.person(1, "buyers")
    message = "Resource level throttle APPLICATION_AND_MEMBER DAY limit for calls to this resource is reached."
    linkedin.switches.fail(429, {"status": 429, "message": message})

    [error] = activate(matched()).failed

    assert isinstance(error, QuotaExhausted)
    assert (error.resume_at.hour, error.resume_at.minute) == (0, 0)


def test_a_token_that_ended_stops_and_says_what_to_do(matched, world, activate, monkeypatch):
    world.person(1, "buyers")
    monkeypatch.setenv("LINKEDIN_TOKEN", "AQX-of-last-year")

    [error] = activate(matched()).failed

    assert isinstance(error, ConnectorStopped)
    assert "refresh_token" in error.hint


def test_a_token_that_ends_is_refreshed_within_the_run(linkedin, matched, world, opened, sha256):
    destination = matched(**REFRESHING)
    connection = opened(destination)
    world.person(1, "buyers")
    world.activate(destination, connection)
    linkedin.token = "AQX-the-next-one"
    world.person(2, "buyers")

    world.activate(destination, connection)

    assert linkedin.told("ads.buyers") == sorted(sha256(f"p{person}@x.example") for person in (1, 2))
    assert len(linkedin.switches.made("accessToken")) == 2


def test_a_refresh_token_that_ended_stops_and_says_what_to_do(matched, world, activate, monkeypatch):
    world.person(1, "buyers")
    monkeypatch.setenv("LINKEDIN_REFRESH", "of-last-year")

    [error] = activate(matched(**REFRESHING)).failed

    assert isinstance(error, ConnectorStopped)
    assert "The refresh token is expired" in error.message


def test_a_version_that_linkedin_switched_off_says_which_setting_to_change(matched, world, activate):
    world.person(1, "buyers")

    [error] = activate(matched(version="202401")).failed

    assert isinstance(error, ConnectorStopped)
    assert "`version`" in error.hint


def test_an_account_without_permission_says_which(matched, world, activate):
    world.person(1, "buyers")

    [error] = activate(matched(account="999")).failed

    assert "rw_dmp_segments" in error.hint


def test_a_segment_of_the_other_kind_is_left_alone(linkedin, matched, world, activate):
    world.person(1, "buyers")
    activate(matched())
    next(iter(linkedin.segments.values()))["type"] = "COMPANY"
    world.person(2, "buyers")

    [error] = activate(matched()).failed

    assert isinstance(error, ConnectorStopped)
    assert "of kind COMPANY" in error.message


def test_a_look_at_the_connection_makes_nothing_and_tells_what_each_segment_is(
    linkedin, matched, world, opened, activate
):
    [none] = look_at(opened(matched()))
    world.person(1, "buyers")
    activate(matched())
    [small] = look_at(opened(matched()))
    next(iter(linkedin.segments.values()))["destinations"][0]["status"] = "EXPIRED"

    [expired] = look_at(opened(matched()))

    assert (none.status, none.detail) == ("ok", "not there yet; the first activation makes it")
    assert (small.status, expired.status) == ("warning", "problem")
    assert "300 members" in small.hint


def test_neither_token_nor_address_stands_in_a_log_an_error_or_a_repr(linkedin, matched, world, opened, caplog):
    caplog.set_level(logging.DEBUG)
    world.person(1, "buyers")
    destination = matched(**REFRESHING)
    connection = opened(destination)
    linkedin.switches.fail(403, {"status": 403, "message": "No."}, at="/users")

    [error] = world.activate(destination, connection).failed

    told = f"{caplog.text}{error}{destination!r}{vars(connection)!r}"
    assert all(secret not in told for secret in (linkedin.token, "li-secret", "li-refresh", "p1@x.example"))


@pytest.mark.parametrize(
    "settings",
    [{"access_token": None}, REFRESHING | {"access_token": "${env:LINKEDIN_TOKEN}"}, {"version": "2026-08"},
     {"account": "urn:li:sponsoredAccount:1"}],
)  # fmt: skip
def test_a_wrong_setting_is_told_before_anything_is_sent(matched, opened, settings):
    with pytest.raises(ConfigError, match="is wrong"):
        opened(matched(**settings))

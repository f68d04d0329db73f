"""Customer Match, from plan to ledger, against a server that keeps Google's rules."""

import logging
from pathlib import Path

import pytest

from cdp_toolkit.connectors.google.destination import CustomerMatchConnection
from cdp_toolkit.connectors.limits import Patience
from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.errors import ConfigError, ConnectorStopped, QuotaExhausted, UnknownNameError
from cdp_toolkit.findings import look_at
from tests.stand_ins.google import Google
from tests.stand_ins.serve import serving

DENIED = {"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "The caller does not have permission."}}


@pytest.fixture
def google():
    return Google()


@pytest.fixture
def match(google, monkeypatch):
    with serving(google.app) as url:
        monkeypatch.setenv("GOOGLE_KEY", google.service_account(url))

        def make(**settings):
            given = {
                "service_account": "${env:GOOGLE_KEY}",
                "operating_account": google.account,
                "audience_ids": {"buyers": "111"},
                "customer_match_terms": "accepted",
                "audiences": ["buyers"],
                "base_url": url,
            }
            return Destination(name="ads", type="google_customer_match", **given | settings)

        yield make


@pytest.fixture
def opened(quick):
    return lambda destination: CustomerMatchConnection(destination, Path(), quick)


@pytest.fixture
def activate(world, opened):
    return lambda destination: world.activate(destination, opened(destination))


def test_who_joins_is_ingested_and_who_leaves_is_removed(google, match, world, activate, opened, sha256):
    for person in (1, 2, 3):
        world.person(person, "buyers")
    first = activate(match())
    world.leave(2)
    world.person(4, "buyers")

    second = activate(match())

    assert (first.counts["added"], second.counts["added"], second.counts["removed"]) == (3, 1, 1)
    assert google.told("111") == sorted(sha256(f"p{person}@x.example") for person in (1, 3, 4))
    assert world.plan(match(), opened(match())).is_empty


def test_nothing_but_digests_goes_out_and_consent_goes_along(google, match, world, activate, sha256):
    world.person(1, "buyers", last_name="Li", work_phone="(212) 555-1234", country="US", postal_code="10001",
                 consent_any="y")  # fmt: skip
    destination = match(
        mapping={"phone": "work_phone", "first_name": "first_name", "last_name": "last_name",
                 "postal_code": "postal_code", "country": "country"}
    )  # fmt: skip

    activate(destination)

    [call] = google.switches.made("ingest")
    member = call.json["audienceMembers"][0]
    assert member == {
        "userData": {
            "userIdentifiers": [
                {"emailAddress": sha256("p1@x.example")},
                {"phoneNumber": sha256("+12125551234")},
                {"address": {"givenName": sha256("p1"), "familyName": sha256("li"), "regionCode": "US",
                             "postalCode": "10001"}},
            ]
        },
        "consent": {"adUserData": "CONSENT_GRANTED", "adPersonalization": "CONSENT_GRANTED"},
    }  # fmt: skip
    assert b"p1@x.example" not in call.body


@pytest.mark.parametrize("answer", [None, "u", "p"])
def test_nobody_is_said_to_have_agreed_who_has_not(google, match, world, answer, activate):
    world.person(1, "buyers", consent_any=answer)

    activate(match(consent="none"))

    [member] = google.lists["111"]
    assert set(member["consent"].values()) == {"CONSENT_STATUS_UNSPECIFIED"}


def test_who_denies_advertising_is_refused_and_taken_off_where_she_was_on(google, match, world, activate):
    destination = match(mapping={"ad_user_data": "consent_postal"}, consent="none")
    world.person(1, "buyers", consent_postal="y")
    world.person(2, "buyers", consent_postal="n")
    activate(destination)
    world.change(1, consent_postal="n")

    second = activate(destination)

    reasons = {row["profile_id"]: row["reason"] for row in world.ledger.to_pylist() if row["outcome"] == "refused"}
    assert google.told("111") == []
    assert second.counts["refused"] == 1
    assert reasons == dict.fromkeys((1, 2), "denies the use of data for advertising")


def test_who_opts_out_of_marketing_is_removed(google, match, world, activate, sha256):
    world.person(1, "buyers")
    world.person(2, "buyers")
    activate(match())
    world.change(1, consent_email="n")

    activate(match())

    assert google.told("111") == [sha256("p2@x.example")]


def test_a_value_that_is_no_address_refuses_its_row_only(google, match, world, activate, sha256):
    world.person(1, "buyers")
    world.person(2, "buyers", email="nobody")

    delivered = activate(match())

    assert (delivered.counts["added"], delivered.counts["refused"]) == (1, 1)
    assert google.told("111") == [sha256("p1@x.example")]


def test_members_that_google_finds_wrong_are_refused_with_its_reason_and_the_others_sent(
    google, match, world, activate, sha256
):
    destination = match(mapping={"country": "country", "first_name": "first_name", "last_name": "last_name",
                                 "postal_code": "postal_code"})  # fmt: skip
    world.person(1, "buyers")
    world.person(2, "buyers")
    info = {"field": "audience_members.audience_members[1].user_data", "reason": "INVALID_POSTAL_CODE"}
    google.switches.fail(400, {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "Wrong.",
                                         "details": [{"fieldViolations": [info]}]}}, at="ingest")  # fmt: skip

    delivered = activate(destination)

    [refused] = [row for row in world.ledger.to_pylist() if row["outcome"] == "refused"]
    assert (refused["profile_id"], refused["reason"]) == (2, "Google: INVALID_POSTAL_CODE")
    assert (delivered.counts["added"], google.told("111")) == (1, [sha256("p1@x.example")])


@pytest.mark.parametrize("fault", ["500", "429", "cut", "lost"])
def test_a_call_that_fails_for_now_is_repeated_and_nobody_is_on_the_list_twice(
    google, match, world, fault, activate, sha256
):
    world.person(1, "buyers")
    match fault:
        case "500" | "429":
            google.switches.fail(int(fault), {"error": {"code": int(fault), "status": "X"}}, at="ingest", times=2)
        case _:
            google.switches.cut(at="ingest", is_done=fault == "lost")

    delivered = activate(match())

    assert (delivered.counts["added"], google.told("111")) == (1, [sha256("p1@x.example")])


def test_a_rate_that_is_kept_short_slows_and_loses_nobody(google, match, world):
    names = ["buyers", "users", "readers", "guests"]
    google.lists = {str(number): [] for number in range(4)}
    google.switches.window = (2, 0.02)
    world.person(1, *names)
    destination = match(audiences=names, audience_ids={name: str(number) for number, name in enumerate(names)})

    delivered = world.activate(destination, CustomerMatchConnection(destination, Path(), Patience(50, 0.005, 0.01)))

    assert (delivered.counts["added"], [len(each) for each in google.lists.values()]) == (4, [1, 1, 1, 1])


def test_a_token_that_ends_is_renewed_within_the_run(google, match, world, opened):
    world.person(1, "buyers")
    destination = match()
    connection = opened(destination)
    world.activate(destination, connection)
    google.expire()
    world.person(2, "buyers")

    delivered = world.activate(destination, connection)

    assert (delivered.counts["added"], len(google.switches.made("/token"))) == (1, 2)


def test_a_key_that_google_does_not_know_stops_the_connector_and_nothing_is_lost(google, match, world, activate):
    world.person(1, "buyers")
    destination = match()
    google.key_name = "another"

    delivered = activate(destination)

    assert isinstance(delivered.failed[0], ConnectorStopped)
    assert "service account" in delivered.failed[0].hint
    google.key_name = "ours"
    assert (delivered.counts["failed"], activate(destination).counts["added"]) == (1, 1)


def test_a_daily_quota_stops_until_the_next_day_of_google(google, match, world, activate):
    world.person(1, "buyers")
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "RESOURCE_EXHAUSTED",
            "metadata": {"quota_limit": "IngestionMutateRequestsPerDayPerProject"}}  # fmt: skip
    google.switches.fail(429, {"error": {"code": 429, "details": [info]}}, at="ingest")

    delivered = activate(match())

    assert isinstance(delivered.failed[0], QuotaExhausted)
    assert delivered.failed[0].resume_at.astimezone().utcoffset() is not None
    assert activate(match()).counts["added"] == 1


@pytest.mark.parametrize(
    ("settings", "hint"),
    [({"operating_account": "999"}, "login_account"), ({"audience_ids": {"buyers": "333"}}, "audience_ids")],
)
def test_a_wrong_account_or_list_says_what_to_check(match, world, settings, hint, activate):
    world.person(1, "buyers")

    [error] = activate(match(**settings)).failed

    assert hint in error.hint


def test_terms_that_were_not_accepted_stop_everything_and_say_where_to_accept_them(google, match, world, activate):
    world.person(1, "buyers")
    google.signs_terms = False

    [error] = activate(match()).failed

    assert isinstance(error, ConnectorStopped)
    assert "Accept the Customer Match terms" in error.hint


def test_taken_is_not_processed_and_a_batch_of_which_nothing_was_processed_is_sent_again(
    google, match, world, activate
):
    world.person(1, "buyers")
    google.states = ["PROCESSING", "FAILED"]

    failed = activate(match(wait_for_processing_s=5.0))
    again = activate(match(wait_for_processing_s=5.0))

    assert "UNKNOWN_CONSENT" in failed.failed[0].message
    assert (failed.counts["failed"], again.counts["added"]) == (1, 1)


def test_the_ledger_names_the_request_by_which_google_tells_what_became_of_it(google, match, world, activate):
    world.person(1, "buyers")

    activate(match())

    [entry] = world.ledger.to_pylist()
    assert entry["reason"].removeprefix("request ") in google.requests


def test_a_person_with_a_new_address_and_the_same_phone_stays_on_the_list(google, match, world, activate, sha256):
    destination = match(mapping={"phone": "work_phone"})
    world.person(1, "buyers", email="old@x.example", work_phone="+12125551234")
    activate(destination)
    world.change(1, email="new@x.example")

    activate(destination)

    assert google.told("111") == [sha256("new@x.example")]
    assert google.told("111", "phoneNumber") == [sha256("+12125551234")]


def test_ten_thousand_and_one_people_are_two_calls(google, match, world, activate):
    for person in range(10_001):
        world.person(person, "buyers")

    delivered = activate(match())

    assert delivered.counts["added"] == len(google.lists["111"]) == 10_001
    assert [len(call.json["audienceMembers"]) for call in google.switches.made("ingest")] == [10_000, 1]


def test_a_look_at_the_connection_tells_what_each_list_is_and_what_is_wrong(match, opened):
    [small] = look_at(opened(match()))
    [missing] = look_at(opened(match(audience_ids={"buyers": "333"})))

    assert (small.status, small.detail) == ("warning", "List 111, 0 members")
    assert "100 members" in small.hint
    assert (missing.status, missing.hint) == ("problem", "Check `audience_ids`: the list is not there.")


def test_neither_key_nor_token_nor_address_is_told_by_logs_errors_and_reprs(google, match, world, caplog, opened):
    caplog.set_level(logging.DEBUG)
    world.person(1, "buyers")
    google.switches.fail(403, DENIED, at="ingest")
    destination = match()
    connection = opened(destination)

    [error] = world.activate(destination, connection).failed

    told = f"{caplog.text}{error}{destination!r}{vars(connection)!r}"
    assert "PRIVATE KEY" not in told
    assert "ya29." not in told
    assert "p1@x.example" not in told


@pytest.mark.parametrize(
    ("settings", "kind", "told"),
    [
        ({"mapping": {"emial": "email"}}, UnknownNameError, "'email'"),
        ({"customer_match_terms": "no"}, ConfigError, "customer_match_terms"),
        ({"audience_ids": {}}, ConfigError, "No list is named for buyers"),
        ({"audience_ids": {"buyers": "111", "byers": "222"}}, UnknownNameError, "'buyers'"),
        (
            {"audiences": ["buyers", "users"], "audience_ids": {"buyers": "1", "users": "1"}},
            ConfigError,
            "share a list",
        ),
        ({"service_account": "{}"}, ConfigError, "service_account"),
        ({"operating_account": "123-456-7890"}, ConfigError, "operating_account"),
    ],
)
def test_a_wrong_setting_is_told_before_anything_is_sent(match, settings, kind, told, opened):
    with pytest.raises(kind, match=r".") as error:
        opened(match(**settings))

    assert told in str(error.value)

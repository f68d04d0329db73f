"""Custom audiences, from plan to ledger, against a server that keeps Meta's rules."""

import json
import logging
from pathlib import Path

import pytest

from cdp_toolkit.connectors.meta.destination import CustomAudienceConnection
from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.errors import ActivationError, ConfigError, ConnectorStopped, QuotaExhausted
from cdp_toolkit.findings import look_at
from tests.stand_ins.meta import Meta
from tests.stand_ins.serve import serving


@pytest.fixture
def meta():
    return Meta()


@pytest.fixture
def audience(meta, monkeypatch):
    monkeypatch.setenv("META_TOKEN", meta.token)
    monkeypatch.setenv("META_SECRET", meta.secret)
    with serving(meta.app) as url:

        def make(**settings):
            given = {
                "access_token": "${env:META_TOKEN}",
                "audience_ids": {"buyers": "6001"},
                "audiences": ["buyers"],
                "base_url": url,
            }
            return Destination(name="ads", type="meta_custom_audience", **given | settings)

        yield make


@pytest.fixture
def opened(quick):
    return lambda destination: CustomAudienceConnection(destination, Path(), quick)


@pytest.fixture
def activate(world, opened):
    return lambda destination: world.activate(destination, opened(destination))


def refused(code, message="No.", **more):
    return {"error": {"code": code, "message": message, "type": "OAuthException", **more}}


def test_who_joins_is_added_and_who_leaves_is_deleted(meta, audience, world, opened, activate, sha256):
    for person in (1, 2, 3):
        world.person(person, "buyers")
    first = activate(audience())
    world.leave(2)
    world.person(4, "buyers")

    second = activate(audience())

    assert (first.counts["added"], second.counts["added"], second.counts["removed"]) == (3, 1, 1)
    assert meta.told("6001") == sorted(sha256(f"p{person}@x.example") for person in (1, 3, 4))
    assert [call.method for call in meta.switches.calls] == ["POST", "DELETE", "POST"]
    assert world.plan(audience(), opened(audience())).is_empty


def test_only_what_is_mapped_goes_out_hashed_with_a_session_that_the_batch_names(
    meta, audience, world, activate, sha256
):
    world.person(1, "buyers", work_phone="(212) 555-1234", country="US")
    world.person(2, "buyers", country="US")

    activate(audience(mapping={"phone": "work_phone", "country": "country"}))

    [call] = meta.switches.calls
    payload, session = json.loads(call.form["payload"]), json.loads(call.form["session"])
    assert payload == {
        "schema": ["EMAIL", "PHONE", "COUNTRY"],
        "data": [
            [sha256("p1@x.example"), sha256("12125551234"), sha256("us")],
            [sha256("p2@x.example"), "", sha256("us")],
        ],
    }
    assert (session["batch_seq"], session["last_batch_flag"], session["estimated_num_total"]) == (1, True, 2)
    assert 0 < session["session_id"] < 2**63


def test_who_opts_out_of_marketing_is_deleted(meta, audience, world, activate, sha256):
    world.person(1, "buyers")
    world.person(2, "buyers")
    activate(audience())
    world.change(1, consent_email="n")

    activate(audience())

    assert meta.told("6001") == [sha256("p2@x.example")]


def test_rows_that_meta_cannot_use_are_refused_although_it_answers_200(meta, audience, world, activate, sha256):
    world.person(1, "buyers")
    world.person(2, "buyers")
    meta.invalid = {sha256("p2@x.example")}

    delivered = activate(audience())

    assert (delivered.counts["added"], delivered.counts["refused"]) == (1, 1)
    [row] = [each for each in world.ledger.to_pylist() if each["outcome"] == "refused"]
    assert (row["profile_id"], row["reason"]) == (2, "Meta cannot use what it was told")


def test_a_value_that_is_no_address_refuses_its_row_only(meta, audience, world, activate, sha256):
    world.person(1, "buyers")
    world.person(2, "buyers", email="nobody")

    delivered = activate(audience())

    assert (delivered.counts["added"], delivered.counts["refused"]) == (1, 1)
    assert meta.told("6001") == [sha256("p1@x.example")]


@pytest.mark.parametrize("fault", ["500", "transient", "rate", "cut", "lost"])
def test_a_call_that_fails_for_now_is_repeated_and_nobody_is_in_the_audience_twice(
    meta, audience, world, activate, sha256, fault
):
    world.person(1, "buyers")
    match fault:
        case "500":
            meta.switches.fail(500, refused(2, "Service temporarily unavailable"), times=2)
        case "transient":
            meta.switches.fail(400, refused(2650, is_transient=True))
        case "rate":
            meta.switches.fail(400, refused(80003), X_Business_Use_Case_Usage=usage(minutes=0.0001))
        case _:
            meta.switches.cut(is_done=fault == "lost")

    delivered = activate(audience())

    assert (delivered.counts["added"], meta.told("6001")) == (1, [sha256("p1@x.example")])


def usage(minutes):
    return json.dumps({"64": [{"type": "custom_audience", "call_count": 100,
                               "estimated_time_to_regain_access": minutes}]})  # fmt: skip


def test_a_limit_that_lasts_stops_until_meta_takes_calls_again(meta, audience, world, activate):
    world.person(1, "buyers")
    meta.switches.fail(400, refused(80003, "Too many calls."), X_Business_Use_Case_Usage=usage(minutes=42))

    [error] = activate(audience()).failed

    assert isinstance(error, QuotaExhausted)
    assert activate(audience()).counts["added"] == 1


def test_a_token_that_ended_stops_the_connector_and_a_new_one_goes_on(meta, audience, world, activate, monkeypatch):
    world.person(1, "buyers")
    monkeypatch.setenv("META_TOKEN", "EAAB-of-yesterday")

    [error] = activate(audience()).failed

    assert isinstance(error, ConnectorStopped)
    assert "access token" in error.hint
    monkeypatch.setenv("META_TOKEN", meta.token)
    assert activate(audience()).counts["added"] == 1


@pytest.mark.parametrize(
    ("code", "more", "kind", "hint"),
    [
        (294, {}, ConnectorStopped, "ads_management"),
        (200, {"error_subcode": 1870034}, ConnectorStopped, "Custom Audience terms"),
        (200, {"error_subcode": 1870047}, ActivationError, "too small"),
        (100, {"error_subcode": 33}, ActivationError, "audience_ids"),
    ],
)
def test_an_error_says_its_cure(meta, audience, world, activate, code, more, kind, hint):
    world.person(1, "buyers")
    meta.switches.fail(400, refused(code, **more))

    [error] = activate(audience()).failed

    assert isinstance(error, kind)
    assert hint in error.hint


def test_a_flagged_audience_fails_and_the_other_audience_goes_on(meta, audience, world, activate, sha256):
    world.person(1, "buyers", "users")
    meta.flagged = {"6001"}

    delivered = activate(audience(audiences=["buyers", "users"], audience_ids={"buyers": "6001", "users": "6002"}))

    assert (delivered.counts["failed"], delivered.counts["added"]) == (1, 1)
    assert "appeal" in delivered.failed[0].hint
    assert meta.told("6002") == [sha256("p1@x.example")]


def test_calls_are_proven_with_the_secret_of_the_app_where_meta_asks_for_it(meta, audience, world, activate):
    world.person(1, "buyers")
    meta.asks_for_proof = True

    unproven = activate(audience())
    proven = activate(audience(app_secret="${env:META_SECRET}"))

    assert (unproven.counts["failed"], proven.counts["added"]) == (1, 1)


def test_neither_token_nor_proof_nor_address_stands_in_a_url_a_log_an_error_or_a_repr(
    meta, audience, world, opened, caplog
):
    caplog.set_level(logging.DEBUG)
    world.person(1, "buyers")
    destination = audience(app_secret="${env:META_SECRET}")
    connection = opened(destination)
    meta.switches.fail(400, refused(294))

    [error] = world.activate(destination, connection).failed
    look_at(connection)

    proof = meta.switches.calls[0].form["appsecret_proof"]
    told = f"{caplog.text}{error}{destination!r}{vars(connection)!r}{[call.query for call in meta.switches.calls]}"
    assert all(secret not in told for secret in (meta.token, meta.secret, proof, "p1@x.example"))


def test_a_look_at_the_connection_tells_what_each_audience_is_and_what_is_wrong(meta, audience, opened):
    meta.flagged = {"6002"}

    [small] = look_at(opened(audience()))
    [flagged] = look_at(opened(audience(audience_ids={"buyers": "6002"})))
    [missing] = look_at(opened(audience(audience_ids={"buyers": "6003"})))

    assert (small.status, small.detail) == ("warning", "Audience 6001, 0 people or more")
    assert (flagged.status, missing.status) == ("problem", "problem")
    assert "audience_ids" in missing.hint


@pytest.mark.parametrize(
    "settings", [{"access_token": "EAAB"}, {"audience_ids": {"buyers": "my list"}}, {"version": "25"}]
)
def test_a_wrong_setting_is_told_before_anything_is_sent(audience, opened, settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        opened(audience(**settings))

"""Signed JSON to a receiver that checks the signature and keeps each batch once."""

from pathlib import Path

import pytest

from cdp_toolkit.connectors.limits import Patience
from cdp_toolkit.connectors.webhook.destination import WebhookConnection
from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.engines import open_engine
from cdp_toolkit.errors import ConfigError, ConnectorStopped, QuotaExhausted, UnknownNameError
from tests.stand_ins.receiver import Receiver
from tests.stand_ins.serve import serving

QUICK = Patience(attempts=4, first_s=0.001, most_s=0.01)


@pytest.fixture
def engine():
    return open_engine("polars")  # what differs by engine is tested with the plan


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
def hook(receiver, monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", receiver.secret)
    with serving(receiver.app) as url:

        def make(**settings):
            given = {
                "url": f"{url}/hook",
                "secret": "${env:HOOK_SECRET}",
                "allow": ["127.0.0.0/8"],
                "mapping": {"mail": "email", "score": "person_score"},
                "key": "mail",
                "audiences": ["buyers"],
            }
            return Destination(name="hook", type="webhook", **given | settings)

        yield make


@pytest.fixture
def activate(world):
    return lambda destination: world.activate(destination, WebhookConnection(destination, Path(), QUICK))


def sent(receiver, *, at=0):
    return receiver.switches.made("/hook")[at]


def test_who_joins_and_who_leaves_is_told_with_a_signature_and_a_key(world, receiver, hook, activate):
    world.person(1, "buyers", person_score=3.5)
    world.person(2, "buyers")
    activate(hook())
    world.leave(2)

    activate(hook())

    first, second = sent(receiver).json, sent(receiver, at=1).json
    assert first["rows"] == [
        {"action": "add", "key": "p1@x.example", "mail": "p1@x.example", "score": 3.5},
        {"action": "add", "key": "p2@x.example", "mail": "p2@x.example", "score": None},
    ]
    assert (first["destination"], first["audience"]) == ("hook", "buyers")
    assert sent(receiver).headers["idempotency-key"] == first["batch"] != second["batch"]
    assert second["rows"] == [{"action": "remove", "key": "p2@x.example", "mail": None, "score": None}]
    assert set(receiver.has) == {"p1@x.example"}


def test_a_template_says_what_the_receiver_wants(world, receiver, hook, activate):
    world.person(1, "buyers", person_score=3.5)
    row = {"op": "{action}", "key": "{key}", "action": "x", "contact": {"mails": ["{mail}"], "note": "score {score}"}}
    body = {"list": "cdp/{audience}", "rows": "{rows}", "version": 2}

    activate(hook(row=row, body=body))

    assert sent(receiver).json == {
        "list": "cdp/buyers",
        "rows": [{"op": "add", "key": "p1@x.example", "action": "x",
                  "contact": {"mails": ["p1@x.example"], "note": "score 3.5"}}],
        "version": 2,
    }  # fmt: skip


def test_a_batch_whose_answer_was_lost_is_repeated_and_kept_once(world, receiver, hook, activate):
    world.person(1, "buyers")
    receiver.switches.cut(is_done=True)

    done = activate(hook())

    assert done.counts["added"] == 1
    assert len(receiver.switches.calls) == 2
    assert receiver.additions == {"p1@x.example": 1}


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 503])
def test_what_may_work_later_is_tried_again(world, receiver, hook, activate, status):
    world.person(1, "buyers")
    receiver.switches.fail(status, {}, times=2)

    assert activate(hook()).counts["added"] == 1


def test_the_receiver_says_how_long_to_wait(world, receiver, hook, activate):
    world.person(1, "buyers")
    receiver.switches.fail(503, {}, Retry_After="0.01")
    receiver.switches.fail(429, {}, Retry_After="86400")

    done = activate(hook())

    assert isinstance(done.failed[0], QuotaExhausted)
    assert done.counts["failed"] == 1


def test_a_batch_that_keeps_failing_is_sent_again_next_time_under_the_same_key(world, receiver, hook, activate):
    world.person(1, "buyers")
    receiver.switches.fail(500, {}, times=4)

    failed, done = activate(hook()), activate(hook())

    keys = {call.headers["idempotency-key"] for call in receiver.switches.calls}
    assert (failed.counts["failed"], done.counts["added"], len(keys)) == (1, 1, 1)


def test_a_batch_that_the_receiver_cannot_take_is_a_dead_letter_with_its_reason(world, receiver, hook, activate):
    world.person(1, "buyers")
    receiver.switches.fail(422, {})

    done = activate(hook())

    assert done.counts["refused"] == 1
    assert "422" in world.ledger["reason"].to_pylist()[0]
    assert world.plan(hook(), WebhookConnection(hook(), Path())).is_empty


def test_rows_that_the_receiver_names_are_refused_and_the_others_delivered(world, receiver, hook, activate):
    world.person(1, "buyers")
    world.person(2, "buyers")
    receiver.unknown = {"p2@x.example": "no such customer"}

    done = activate(hook())

    assert (done.counts["added"], done.counts["refused"]) == (1, 1)
    assert "no such customer" in world.ledger["reason"].to_pylist()


@pytest.mark.parametrize("status", [301, 307, 404, 405, 410])
def test_a_wrong_address_stops_and_a_redirection_is_never_followed(world, receiver, hook, activate, status):
    for person in (1, 2):
        world.person(person, "buyers")
    receiver.switches.fail(status, {}, Location="/elsewhere")

    done = activate(hook(batch_rows=1))

    assert isinstance(done.failed[0], ConnectorStopped)
    assert [call.path for call in receiver.switches.calls] == ["/hook"]
    assert done.counts["failed"] == 2


def test_a_wrong_signature_stops(world, receiver, hook, activate):
    world.person(1, "buyers")
    receiver.secret = "another"

    assert isinstance(activate(hook()).failed[0], ConnectorStopped)


def test_batches_are_sent_side_by_side_where_the_receiver_takes_them(world, receiver, hook, activate):
    for person in range(1, 10):
        world.person(person, "buyers")

    activate(hook(batch_rows=2, concurrency=3))

    assert len(receiver.has) == 9
    assert len(receiver.answers) == 5


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("https://127.0.0.1/hook", 'allow: ["127.0.0.1/32"]'),
        ("https://169.254.169.254/latest/meta-data", 'allow: ["169.254.169.254/32"]'),
        ("https://[::1]/hook", 'allow: ["::1/128"]'),
        ("http://8.8.8.8/hook", "Begin it with https://"),
        ("file:///etc/passwd", "Begin it with https://"),
    ],
)
def test_calls_go_to_public_and_encrypted_addresses_unless_someone_says_so(hook, world, monkeypatch, url, hint):
    monkeypatch.delenv("CDP_ALLOW_NETWORKS")
    world.person(1, "buyers")
    destination = hook(url=url, allow=[])

    done = world.activate(destination, WebhookConnection(destination, Path(), QUICK))

    assert isinstance(done.failed[0], ConfigError)
    assert hint in done.failed[0].hint


def test_the_doctor_looks_at_address_and_secret_and_calls_nobody(hook, receiver, monkeypatch):
    (found,) = WebhookConnection(hook(), Path()).check()
    monkeypatch.delenv("HOOK_SECRET")

    with pytest.raises(ConfigError, match="HOOK_SECRET"):
        WebhookConnection(hook(), Path()).check()

    assert found.what == "address and secret"
    assert receiver.switches.calls == []


@pytest.mark.parametrize(
    ("settings", "kind", "told"),
    [
        ({"row": {"mail": "{mial}"}}, UnknownNameError, "'mail'"),
        ({"body": {"rows": "{rows}", "of": ["{audince}"]}}, UnknownNameError, "'audience'"),
        ({"secret": "plain"}, ConfigError, "'secret'"),
        ({"key": "mial"}, UnknownNameError, "'mail'"),
        ({"allow": ["here"]}, ConfigError, "'allow'"),
        ({"mapping": {"mail": "email", "action": "first_name"}}, ConfigError, "Call yours something else."),
        ({"mode": "full"}, ConfigError, "Choose mirror or add_only"),
    ],
)
def test_a_wrong_setting_is_named_with_what_to_do(hook, world, settings, kind, told):
    with pytest.raises(kind) as error:
        world.plan(hook(**settings), WebhookConnection(hook(**settings), Path()))

    assert told in str(error.value)


def test_the_secret_stands_in_no_error_and_no_representation(world, receiver, hook, activate, monkeypatch):
    world.person(1, "buyers")
    monkeypatch.setenv("TOKEN", "a-token-in-the-address")
    destination = hook(url=f"{hook().settings['url']}?token=${{env:TOKEN}}")
    receiver.switches.fail(500, {"echo": receiver.secret}, times=4)

    done = activate(destination)

    for text in (str(done.failed[0]), repr(destination), *map(str, world.ledger["reason"].to_pylist())):
        assert receiver.secret not in text
        assert "a-token-in-the-address" not in text

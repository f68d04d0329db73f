"""What becomes of a plan, row by row."""

from datetime import UTC, datetime

from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.destination import DELIVERED, Limits, Outcome
from cdp_toolkit.destinations.explain import explain
from cdp_toolkit.errors import ActivationError, ConnectorStopped

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MAIL = Destination(name="mail", type="files", audiences=["buyers"], mode="mirror")


class Inbox:
    """A destination that takes two rows at once and answers as it is told."""

    entities = ("person",)
    modes = ("mirror",)
    identity = ("mail",)
    requires_source = None
    requires_instance = None
    limits = Limits(batch_rows=2)

    def __init__(self, answers=None, errors=None):
        self.fields = {"mail": "email"}
        self.answers = answers or {}
        self.errors = errors or {}
        self.batches = []

    def deliver(self, batch):
        keys = batch.rows["_row_key"].to_pylist()
        self.batches.append(keys)
        for key in keys:
            if key in self.errors:
                raise self.errors[key]
        return [self.answers.get(key, DELIVERED) for key in keys]


def people(world, count):
    for profile_id in range(1, count + 1):
        world.person(profile_id, "buyers", email=f"{profile_id}@x")


def test_batches_are_as_large_as_the_destination_takes(world):
    people(world, 5)
    inbox = Inbox()

    delivered = world.activate(MAIL, inbox)

    assert inbox.batches == [["1@x", "2@x"], ["3@x", "4@x"], ["5@x"]]
    assert delivered.counts == {"added": 5, "updated": 0, "removed": 0, "refused": 0, "failed": 0}


def test_a_batch_that_fails_is_sent_again_next_time_and_the_others_are_not(world):
    people(world, 4)
    world.activate(MAIL, Inbox(errors={"3@x": ActivationError("The line is down.")}))
    inbox = Inbox()

    world.activate(MAIL, inbox)

    assert inbox.batches == [["3@x", "4@x"]]
    assert world.ledger["outcome"].to_pylist() == ["delivered", "delivered", "unclear", "unclear"] + ["delivered"] * 2
    assert world.ledger["reason"].to_pylist()[2] == "The line is down."


def test_after_a_stop_nothing_more_is_tried_and_what_was_sent_is_recorded(world):
    people(world, 5)
    inbox = Inbox(errors={"3@x": ConnectorStopped("The login was refused.")})

    delivered = world.activate(MAIL, inbox)

    assert len(inbox.batches) == 2
    assert [error.message for error in delivered.failed] == ["The login was refused."]
    assert delivered.counts["added"] == 2
    assert delivered.counts["failed"] == 3


def test_a_row_that_the_destination_refuses_is_tried_again_once_its_values_change(world):
    people(world, 1)
    inbox = Inbox(answers={"1@x": Outcome("refused", "no such mailbox")})
    world.activate(MAIL, inbox)

    unchanged = world.plan(MAIL, inbox)
    world.change(1, email="new@x")
    changed = world.plan(MAIL, inbox)

    assert unchanged.is_empty
    assert unchanged.refused == {"refused by the destination, unchanged since": 1}
    assert changed.totals["add"] == 1


def test_a_refusal_is_recorded_when_it_begins_and_not_at_every_run(world):
    people(world, 2)
    world.change(2, consent_email="n")
    world.activate(MAIL, Inbox())
    world.change(1, email="new@x")
    world.activate(MAIL, Inbox())

    assert world.ledger["reason"].to_pylist().count("opted out of email") == 1


def test_a_second_activation_without_a_change_sends_nothing_and_writes_nothing(world):
    people(world, 2)
    world.activate(MAIL, Inbox())
    inbox = Inbox()

    before = dict(world.tables)
    world.activate(MAIL, inbox)

    assert inbox.batches == []
    assert world.tables == before


def test_the_ledger_of_other_destinations_stays_as_it_is(world):
    people(world, 1)
    world.activate(MAIL, Inbox())

    world.activate(MAIL.model_copy(update={"name": "other"}), Inbox())

    assert sorted(world.ledger["destination"].to_pylist()) == ["mail", "other"]


def test_anyone_can_be_told_why_they_were_sent_or_not(world, engine):
    people(world, 4)
    world.change(2, consent_email="n")
    world.activate(MAIL, Inbox(errors={"3@x": ActivationError("The line is down.")}))
    world.person(9)

    def said(profile_id):
        told = explain(
            MAIL,
            profile_id,
            members=world.membership,
            history=world.history(MAIL),
            engine=engine,
        )
        return told.audiences["buyers"]

    assert said(1) == f"failed at {NOON}, The line is down.; tried again at the next activation"
    assert said(2) == "refused, opted out of email"
    assert said(4) == f"sent as 4@x at {NOON}"
    assert said(9) == "not a member"

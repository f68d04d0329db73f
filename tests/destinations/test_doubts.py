"""What becomes of rows that were sent by a run that died before it could say so."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.destination import DELIVERED, Limits
from cdp_toolkit.destinations.ledger import LEDGER_TABLE
from cdp_toolkit.errors import ActivationError

LIST = Destination(name="list", type="files", audiences=["buyers"], mode="mirror")


class Members:
    """A destination that holds a set, and dies when it is told to."""

    entities = ("person",)
    modes = ("mirror",)
    identity = ("mail",)
    requires_source = None
    requires_instance = None

    def __init__(self, batch_rows=2, concurrency=1):
        self.fields = {"mail": "email"}
        self.limits = Limits(batch_rows=batch_rows, concurrency=concurrency)
        self.has, self.calls = set(), []
        self.dies_at = None

    def deliver(self, batch):
        rows = batch.rows.to_pylist()
        if len(self.calls) == self.dies_at:
            raise KeyboardInterrupt
        self.calls.append((batch.key, [(row["_action"], row["_row_key"]) for row in rows]))
        for row in rows:
            (self.has.discard if row["_action"] == "remove" else self.has.add)(row["_row_key"])
        return [DELIVERED] * len(rows)


class Answering(Members):
    """The same, and it can be asked."""

    def confirm(self, batch):
        keys = batch.rows["_row_key"].to_pylist()
        wanted = [action != "remove" for action in batch.rows["_action"].to_pylist()]
        return [DELIVERED if (key in self.has) == is_in else None for key, is_in in zip(keys, wanted, strict=True)]


def people(world, *profile_ids):
    for profile_id in profile_ids:
        world.person(profile_id, "buyers", email=f"{profile_id}@x")


def test_a_batch_in_doubt_comes_again_under_its_own_key(world):
    people(world, 1, 2, 3)
    members = Members()
    world.activate(LIST, members)
    world.forget_answers()

    world.activate(LIST, members)

    assert members.calls[2:] == members.calls[:2]
    assert world.plan(LIST, members).is_empty


def test_who_opts_out_while_in_doubt_is_taken_off_and_not_sent_again(world):
    people(world, 1, 2)
    members = Members()
    world.activate(LIST, members)
    world.forget_answers()
    world.change(1, consent_email="n")

    world.activate(LIST, members)

    assert sorted(members.calls[1][1]) == [("add", "2@x"), ("remove", "1@x")]
    assert members.calls[1][0] != members.calls[0][0]
    assert members.has == {"2@x"}


def test_who_leaves_while_in_doubt_is_not_forgotten_at_the_destination(world):
    people(world, 1)
    members = Members()
    world.activate(LIST, members)
    world.forget_answers()
    world.leave(1)

    world.activate(LIST, members)

    assert members.has == set()
    assert world.plan(LIST, members).is_empty


def test_a_destination_that_can_be_asked_is_told_nothing_twice(world):
    people(world, 1, 2, 3)
    members = Answering()
    world.activate(LIST, members)
    world.forget_answers()
    members.has.discard("3@x")

    world.activate(LIST, members)

    assert [rows for _, rows in members.calls[2:]] == [[("add", "3@x")]]
    assert members.has == {"1@x", "2@x", "3@x"}


def test_a_destination_that_gives_no_answer_when_asked_stays_in_doubt(world):
    people(world, 1)
    members = Answering()
    world.activate(LIST, members)
    world.forget_answers()

    def no_answer(batch):
        raise ActivationError(f"No answer about {batch.audience}.")

    members.confirm = no_answer
    world.activate(LIST, members)

    assert members.calls[1] == members.calls[0]


def test_what_a_destination_calls_a_row_is_kept_and_given_back(world):
    people(world, 1)
    members = Members()
    world.activate(LIST, members)
    row = world.ledger.to_pylist()[0] | {"known_as": "lead 7", "entry": 9}
    world.write(LEDGER_TABLE, world.ledger.slice(0, 0).from_pylist([row], schema=world.ledger.schema))
    world.leave(1)

    plan = world.plan(LIST, members)

    assert plan.rows.select(["_action", "_known_as"]).to_pylist() == [{"_action": "remove", "_known_as": "lead 7"}]


def test_a_plan_in_hand_sends_only_what_would_still_be_sent(world):
    people(world, 1, 2, 3)
    members = Members()
    held = world.plan(LIST, members)
    world.change(1, consent_email="n")
    world.change(2, email="new@x")
    people(world, 4)

    world.activate(LIST, members, given=held)

    assert members.has == {"3@x"}
    assert world.plan(LIST, members).totals["add"] == 2


def test_a_plan_in_hand_cannot_send_whom_the_gate_refuses_whatever_is_done_to_it(world):
    people(world, 1)
    world.change(1, consent_email="n")
    members = Members()
    held = world.plan(LIST, members)
    rows = [row | {"_action": "add", "_reason": None, "_row_key": "1@x"} for row in held.rows.to_pylist()]
    forged = held.__class__(**(vars(held) | {"rows": held.rows.from_pylist(rows, schema=held.rows.schema)}))

    world.activate(LIST, members, given=forged)

    assert members.calls == []


DEATHS = st.lists(
    st.tuples(st.sampled_from(["while sending", "before the answer is written", "no"]), st.integers(0, 3)), max_size=4
)


@pytest.mark.parametrize("kind", [Members, Answering])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deaths=DEATHS, leaves=st.lists(st.integers(1, 6), max_size=4), concurrency=st.integers(1, 3))
def test_whenever_runs_die_the_destination_ends_with_exactly_the_audience(
    tmp_path_factory, world_of, kind, deaths, leaves, concurrency
):
    world = world_of(tmp_path_factory.mktemp("world"))
    people(world, 1, 2, 3, 4, 5, 6)
    members = kind(concurrency=concurrency)
    write, optouts = world.write, set()
    for step, (death, number) in enumerate(deaths):
        members.dies_at = len(members.calls) + number if death == "while sending" else None
        left = [number if death == "before the answer is written" else 99]

        def dying(name, rows, left=left):
            left[0] -= name == LEDGER_TABLE
            if left[0] < 0:
                raise KeyboardInterrupt
            write(name, rows)

        world.write = dying
        with contextlib.suppress(KeyboardInterrupt):
            world.activate(LIST, members)
        if step < len(leaves):
            world.change(leaves[step], consent_email="n")
            optouts.add(f"{leaves[step]}@x")
            seen = len(members.calls)
    members.dies_at, world.write = None, write

    world.activate(LIST, members)

    assert members.has == {f"{each}@x" for each in range(1, 7)} - optouts
    assert world.plan(LIST, members).is_empty
    if optouts:
        assert not {key for _, rows in members.calls[seen:] for action, key in rows if action != "remove"} & optouts

"""What a plan holds."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.errors import ConfigError, UnknownNameError


def mirror(*audiences, **settings):
    return Destination(
        name="out",
        type="files",
        audiences=audiences or ("buyers",),
        **({"mode": "mirror", "mapping": {"mail": "workEmail.address", "first": "first_name"}} | settings),
    )


def test_everybody_is_new_to_a_destination_that_was_told_nothing(world, steps):
    world.person(1, "buyers")
    world.person(2, "buyers", "others")

    plan = world.plan(mirror())

    assert steps(plan) == [("buyers", 1, "add", None), ("buyers", 2, "add", None)]
    assert plan.rows["mail"].to_pylist() == ["p1@x.example", "p2@x.example"]


def test_after_a_delivery_the_next_plan_is_empty_and_says_so(world):
    world.person(1, "buyers")
    world.person(2, "buyers", consent_email="n")
    world.activate(mirror())

    plan = world.plan(mirror())

    assert plan.is_empty
    assert str(plan) == "out: nothing to send, 1 refused (1 opted out of email)"


def test_who_leaves_is_removed_and_whose_value_changes_is_updated(world, steps):
    for profile_id in (1, 2, 3):
        world.person(profile_id, "buyers")
    world.activate(mirror())

    world.leave(1)
    world.change(2, first_name="Anna")

    assert steps(world.plan(mirror())) == [("buyers", 1, "remove", None), ("buyers", 2, "update", None)]


def test_who_opts_out_after_being_sent_is_refused_and_removed(world, steps):
    world.person(1, "buyers")
    world.activate(mirror())

    world.change(1, consent_email="n")

    assert steps(world.plan(mirror())) == [
        ("buyers", 1, "refuse", "opted out of email"),
        ("buyers", 1, "remove", None),
    ]


def test_a_profile_of_which_nothing_is_left_is_refused_with_its_reason(world, steps):
    world.join(7, "buyers")

    assert steps(world.plan(mirror())) == [("buyers", 7, "refuse", "has no profile any more")]


def test_a_refusal_of_any_marketing_counts_unless_the_channel_was_answered(world, steps):
    world.person(1, "buyers", consent_any="n")
    world.person(2, "buyers", consent_any="n", consent_email="y")

    plan = world.plan(mirror())

    assert steps(plan) == [("buyers", 1, "refuse", "opted out of email"), ("buyers", 2, "add", None)]


def test_what_is_no_marketing_asks_for_no_consent(world, steps):
    world.person(1, "buyers", consent_email="n")

    assert steps(world.plan(mirror(consent="none"))) == [("buyers", 1, "add", None)]


def test_two_profiles_with_one_identity_are_sent_once(world, steps):
    world.person(1, "buyers", email="info@x.example")
    world.person(2, "buyers", email="info@x.example")

    plan = world.plan(mirror(key="mail"))

    assert steps(plan) == [
        ("buyers", 1, "add", None),
        ("buyers", 2, "refuse", "same mail as another profile of the audience"),
    ]


def test_an_audience_that_is_no_longer_named_is_emptied(world, steps):
    world.person(1, "buyers", "others")
    world.activate(mirror("buyers", "others"))

    assert steps(world.plan(mirror("buyers"))) == [("others", 1, "remove", None)]


def test_a_whole_export_holds_the_unchanged_too_and_only_when_something_changed(world, steps):
    world.person(1, "buyers")
    world.activate(mirror(mode="full"))
    world.person(2, "buyers")

    plan = world.plan(mirror(mode="full"))
    world.activate(mirror(mode="full"))

    assert steps(plan) == [("buyers", 1, "keep", None), ("buyers", 2, "add", None)]
    assert world.plan(mirror(mode="full")).is_empty


def test_additions_only_removes_nobody(world):
    world.person(1, "buyers")
    world.activate(mirror(mode="add_only"))

    world.leave(1)

    assert world.plan(mirror(mode="add_only")).is_empty


def test_accounts_are_sent_without_asking_for_a_persons_consent(world, steps):
    world.account(5, "targets", account_name="Acme", domain="acme.example")

    plan = world.plan(mirror("targets", mapping={"company": "accountName"}))

    assert steps(plan) == [("targets", 5, "add", None)]
    assert plan.rows["company"].to_pylist() == ["Acme"]


def test_a_plan_has_the_same_id_until_the_world_or_the_ledger_changes(world):
    world.person(1, "buyers")
    first, again = world.plan(mirror()), world.plan(mirror())

    world.activate(mirror())
    world.leave(1)
    world.activate(mirror())
    world.members.clear()
    world.join(1, "buyers")
    back = world.plan(mirror())

    assert first.id == again.id
    assert back.totals["add"] == 1
    assert back.id != first.id


def test_a_plan_is_shown_in_a_terminal_in_a_notebook_and_to_machines(world):
    world.person(1, "buyers")
    world.person(2, "buyers", consent_email="n")
    plan = world.plan(mirror())
    console = Console(width=120)

    with console.capture() as shown:
        console.print(plan)

    assert "out: 1 to add, 1 refused (1 opted out of email)" in shown.get()
    assert "<td>buyers</td><td>2</td><td>1</td>" in plan._repr_html_()
    assert json.loads(plan.to_json())["audiences"]["buyers"]["members"] == 2


def test_a_column_that_does_not_exist_is_answered_with_the_nearest(world):
    with pytest.raises(UnknownNameError, match="first_name"):
        world.plan(mirror(mapping={"first": "firstname"}))


def test_a_label_that_the_destination_forbids_keeps_the_column_in(world):
    with pytest.raises(ConfigError, match="labelled I1"):
        world.plan(mirror(forbidden_labels=["I1"]))


KINDS = st.sampled_from(["stays", "opted out", "shared", "gone", "no mail"])


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.lists(KINDS, max_size=5), after=st.lists(KINDS, max_size=5))
def test_no_member_vanishes_and_a_plan_carried_out_leaves_nothing_to_do(tmp_path_factory, world_of, before, after):
    world = world_of(tmp_path_factory.mktemp("world"))
    for kinds in (before, after):
        world.profiles.clear()
        world.members.clear()
        for profile_id, kind in enumerate(kinds):
            mail = {"shared": "info@x.example", "no mail": None}.get(kind, f"{profile_id}@x.example")
            world.person(profile_id, "buyers", email=mail, consent_email="n" if kind == "opted out" else None)
        world.profiles = [each for each, kind in zip(world.profiles, kinds, strict=True) if kind != "gone"]
        totals = world.plan(mirror(key="mail")).totals

        world.activate(mirror(key="mail"))

        assert totals["add"] + totals["update"] + totals["keep"] + totals["refuse"] == len(kinds)
        assert world.plan(mirror(key="mail")).is_empty

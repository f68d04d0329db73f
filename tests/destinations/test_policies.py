"""Who may be sent, which columns for what, and who is left in peace."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.lift import Lift, lift
from cdp_toolkit.destinations.peace import listed_profiles
from cdp_toolkit.destinations.planning import Guard
from cdp_toolkit.destinations.policies import CORE, MARKETING_ACTIONS, Policies
from cdp_toolkit.errors import ConfigError, UnknownNameError


def mirror(**settings):
    named = {"name": "out", "type": "files", "audiences": ["buyers"], "mode": "mirror", "mapping": {"mail": "email"}}
    return Destination(**(named | settings))


def guard(**policies):
    return Guard(Policies.model_validate(policies))


def refused(world, guard, destination=None):
    plan = world.plan(destination or mirror(), guard=guard)
    rows = plan.rows.select(["_profile_id", "_action", "_reason"]).to_pylist()
    return {row["_profile_id"]: row["_reason"] for row in rows if row["_action"] == "refuse"}


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("opt_out", {"y", "dy", "LI", "u", None}),
        ("opt_in", {"y"}),
        (["y", "LI"], {"y", "LI"}),
        (["y", "none"], {"y", "u", None}),
    ],
)
def test_a_setting_says_which_answers_let_somebody_be_sent(world, asked, sent):
    answers = dict(enumerate(["y", "dy", "LI", "u", None, "p", "n", "dn"], start=1))
    for profile_id, answer in answers.items():
        world.person(profile_id, "buyers", consent_email=answer)

    found = refused(world, guard(consent={"email": asked}))

    assert {answers[each] for each in answers.keys() - found.keys()} == sent


def test_a_refusal_says_whether_somebody_said_no_or_did_not_say_yes(world):
    world.person(1, "buyers", consent_email="n")
    world.person(2, "buyers", consent_email="p")
    world.person(3, "buyers")

    found = refused(world, guard(consent={"default": "opt_in"}))

    assert found == {1: "opted out of email", 2: "no consent to email", 3: "no consent to email"}


def test_a_yes_that_is_not_confirmed_is_no_yes_even_where_silence_is_one(world):
    world.person(1, "buyers", consent_email="p")

    assert refused(world, guard()) == {1: "no consent to email"}


@pytest.mark.parametrize("label", CORE)
def test_a_label_of_the_core_keeps_a_column_out_of_the_actions_that_it_forbids_and_of_no_others(world, label):
    labelled = guard(labels={"person": {"email": [label]}})

    for action in MARKETING_ACTIONS:
        destination = mirror(marketing_actions=[action])
        if action in CORE[label]:
            with pytest.raises(ConfigError, match=f"{label} may not be used for {action}"):
                world.plan(destination, guard=labelled)
        else:
            world.plan(destination, guard=labelled)


def test_a_destination_that_does_not_say_what_it_is_for_is_held_to_all_policies(world):
    with pytest.raises(ConfigError, match="C9 may not be used for data_science"):
        world.plan(mirror(), guard=guard(labels={"person": {"email": ["C9"]}}))


def test_a_policy_of_the_core_can_be_put_out_of_force_and_one_of_your_own_added(world):
    own = {"name": "no names to platforms", "actions": ["platform_ads"], "deny": [["I1", "S1"]]}
    labels = {"person": {"email": ["C9"], "person_score": ["S1"]}}
    policies = guard(usage=[own], without_core=["C9"], labels=labels)

    world.plan(mirror(marketing_actions=["platform_ads"]), guard=policies)
    both = {"mail": "email", "score": "person_score"}
    with pytest.raises(ConfigError, match="no names to platforms"):
        world.plan(mirror(marketing_actions=["platform_ads"], mapping=both), guard=policies)


def test_what_may_be_exported_nowhere_cannot_be_put_out_of_force():
    with pytest.raises(ValueError, match="without_core"):
        Policies(without_core=["C12"])


def test_a_marketing_action_that_nobody_knows_is_answered_with_the_nearest(world):
    with pytest.raises(UnknownNameError, match="email_targeting"):
        world.plan(mirror(marketing_actions=["email_targetting"]))


def test_who_is_on_a_suppression_list_is_refused_and_taken_off(world, steps, frame):
    world.person(1, "buyers")
    world.person(2, "buyers")
    world.activate(mirror())
    listed = Guard(suppressed={"do_not_contact": frame({"profile_id": [1, 7]})})

    assert steps(world.plan(mirror(), guard=listed)) == [
        ("buyers", 1, "refuse", "on the suppression list do_not_contact"),
        ("buyers", 1, "remove", None),
    ]


def test_a_list_of_addresses_means_everyone_who_has_one_of_them_however_it_is_written(frame, rows):
    profiles = frame(
        {"profile_id": [1, 2, 3], "email": ["a@x", "b@x", None], "emails": [["a@x", "old@x"], ["b@x"], []]}
    )

    found = listed_profiles(frame({"value": [" Old@X ", "B@x", "c@x"]}), "email", profiles)

    assert rows(found, "profile_id") == [1, 2]


def test_about_the_share_is_held_out_always_the_same_and_apart_from_other_groups(world):
    for profile_id in range(1, 401):
        world.person(profile_id, "buyers")
    one, other = ({name: {"share": 0.25}} for name in ("spring", "autumn"))

    spring, again, autumn = (set(refused(world, guard(holdouts=each))) for each in (one, one, other))

    assert spring == again != autumn
    assert 70 <= len(spring) <= 130
    assert len(spring & autumn) < 50
    assert set(refused(world, guard(holdouts=one)).values()) == {"held out in spring"}


def test_a_group_is_held_out_only_where_it_holds(world):
    world.person(1, "buyers")

    assert refused(world, guard(holdouts={"all": {"share": 0.9999, "destinations": ["other"]}})) == {}


def test_who_was_added_as_often_as_a_cap_allows_waits_and_is_added_later(world, steps, engine):
    world.person(1, "buyers", "others")
    policies = Policies(frequency=[{"channel": "email", "most": 1, "days": 7}])

    def capped():
        ledger = engine.load(world.ledger)
        return Guard(policies, caps=[(policies.frequency[0], ["out", "second"])], ledger=ledger)

    world.activate(mirror())
    second = mirror(name="second", audiences=["others"])
    soon = world.plan(second, guard=capped())
    world.now = world.now.replace(day=20)
    late = world.plan(second, guard=capped())

    assert steps(soon) == [("others", 1, "refuse", "at the cap of 1 in 7 days for email")]
    assert soon.is_empty
    assert steps(late) == [("others", 1, "add", None)]


def test_a_cap_holds_for_the_audiences_of_one_plan_together(world, steps, engine):
    world.person(1, "buyers", "others")
    world.person(2, "others")
    policies = Policies(frequency=[{"channel": "email", "most": 1, "days": 7}])
    capped = Guard(policies, caps=[(policies.frequency[0], ["out"])], ledger=engine.load(world.ledger))

    plan = world.plan(mirror(audiences=["buyers", "others"]), guard=capped)

    assert steps(plan) == [
        ("buyers", 1, "add", None),
        ("others", 1, "refuse", "at the cap of 1 in 7 days for email"),
        ("others", 2, "add", None),
    ]


def test_a_cap_takes_nobody_off_who_is_there(world, engine):
    world.person(1, "buyers")
    world.activate(mirror())
    policies = Policies(frequency=[{"channel": "email", "most": 1, "days": 7}])
    capped = Guard(policies, caps=[(policies.frequency[0], ["out"])], ledger=engine.load(world.ledger))

    assert world.plan(mirror(), guard=capped).totals["keep"] == 1


@given(asked=st.sampled_from(["opt_in", "opt_out"]), value=st.sampled_from(["y", "n", "dn", "p", "LI", None]))
def test_whoever_passes_an_opt_in_passes_an_opt_out(asked, value):
    strict, lax = Policies(consent={"default": "opt_in"}), Policies()

    assert not strict.passes("email", value) or lax.passes("email", value)
    assert not Policies(consent={"email": asked}).passes("email", "n")


def test_the_effect_of_sending_is_read_from_those_who_were_held_out(world, engine, frame):
    for profile_id in range(1, 101):
        world.person(profile_id, "buyers")
    halves = guard(holdouts={"spring": {"share": 0.5}})
    world.activate(mirror(), guard=halves)
    out = {row["profile_id"] for row in world.ledger.to_pylist() if row["outcome"] == "refused"}
    bought = [each for each in range(1, 101) if each not in out or each % 2]

    found = lift("spring", engine.load(world.ledger), frame({"profile_id": bought}), engine)

    odd = sum(each % 2 for each in out)
    assert found == Lift("spring", 100 - len(out), 100 - len(out), len(out), odd)
    assert found.interval[0] < found.points == 1 - odd / len(out) < found.interval[1]

"""What a plan holds."""

import json

import pyarrow as pa
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

import cdp_toolkit as cdp
from cdp_toolkit.connectors.marketo.static_list import StaticList
from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.destination import open_connection
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


def static_list(name="newsletter", **settings):
    login = {"base_url": "https://123-ABC-456.mktorest.com", "client_id": "ours", "client_secret": "${env:NONE}"}
    return Destination(**({"name": name, "type": "marketo", "audiences": ["buyers"]} | login | settings))


def keys(plan):
    return dict(zip(*(plan.rows[name].to_pylist() for name in ("_profile_id", "_row_key")), strict=True))


def test_a_lead_without_an_address_is_known_by_its_id_if_it_has_an_ecid(world):
    world.lead(1, "buyers", email="a@x", ecids=["1" * 38])
    world.lead(2, "buyers", email=None, ecids=["2" * 38])
    world.lead(3, "buyers", email=None)
    world.person(4, "buyers", email=None, ecids=["4" * 38])

    plan = world.plan(static_list())

    assert keys(plan) == {1: "a@x", 2: "2", 3: "profile:3", 4: "profile:4"}
    assert plan.refused == {"no email or ecid": 1, "not known to Marketo": 1}


def test_a_lead_with_an_address_keeps_the_key_and_the_digest_that_it_had_before_leads_were_found_by_ecid(world, engine):
    world.lead(1, "buyers", email="a@x", ecids=["1" * 38])

    plan = world.plan(static_list())

    text = engine.load(pa.table({"text": [f"a@x\x1f{'1' * 38}"]}))
    digest = engine.collect(engine.key64(text, {"digest": "text"}))["digest"]
    assert (keys(plan), plan.rows["_digest"].to_pylist()) == ({1: "a@x"}, digest.to_pylist())


def test_ids_of_several_instances_are_told_apart_by_naming_one(world):
    world.lead(1, "buyers", email=None, ecids=["1" * 38])
    world.record("2@other.Marketo", email="b@x")

    assert world.plan(static_list()).refused == {"no email or ecid": 1}
    assert keys(world.plan(static_list(instance="main"))) == {1: "1"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {}),
        ({"list": "News"}, {"list": "News", "audiences": ["others"]}),
        ({}, {"list": "buyers", "audiences": ["others"], "base_url": "https://123-abc-456.mktorest.com/rest/"}),
    ],
)
def test_of_two_destinations_with_one_list_the_second_is_refused(tmp_path, first, second):
    both = [static_list("first", **first), static_list("second", **second)]

    open_connection(both[0], tmp_path, beside=both)
    with pytest.raises(ConfigError, match=r"'first' and 'second' would share the static list '(buyers|News)'") as error:
        open_connection(both[1], tmp_path, beside=both)

    assert error.value.where == "destinations/second.yaml"


@pytest.mark.parametrize("second", [{"list": "News"}, {"base_url": "https://999-ABC-456.mktorest.com"}])
def test_two_destinations_may_have_lists_of_their_own(tmp_path, second):
    both = [static_list("first"), static_list("second", **second)]

    assert isinstance(open_connection(both[1], tmp_path, beside=both), StaticList)


def test_a_workspace_neither_plans_nor_tells_a_second_destination_of_a_list(tmp_path):
    (tmp_path / "cdp.yaml").write_text("name: small\n", "utf-8")
    for folder in ("segments", "destinations"):
        (tmp_path / folder).mkdir()
    (tmp_path / "segments/buyers.yaml").write_text("name: buyers\npql: 'person.name.firstName = \"A\"'\n", "utf-8")
    for name in ("first", "second"):
        told = yaml.safe_dump(static_list(name).model_dump(mode="json"))
        (tmp_path / f"destinations/{name}.yaml").write_text(told, "utf-8")
    workspace = cdp.Workspace(tmp_path)

    for told in (lambda: workspace.plan("second"), workspace.activate, lambda: workspace.activate("second")):
        with pytest.raises(ConfigError, match="would share"):
            told()
    assert "would share" in str(workspace.doctor().found["destination second"])

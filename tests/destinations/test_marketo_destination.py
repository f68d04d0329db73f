"""A static list is told of leads that exist, by e-mail and ECID, and of nobody else."""

import csv
from datetime import timedelta

import pytest

from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.destination import open_connection
from cdp_toolkit.errors import ConfigError


def static_list(**settings):
    named = {"name": "newsletter", "type": "marketo_static_list_file", "audiences": ["buyers"], "path": "drop/list.csv"}
    return Destination(**(named | settings))


def read(world, name="list.csv"):
    with (world.folder / "drop" / name).open() as file:
        return list(csv.reader(file))


def test_the_file_has_e_mail_and_ecid_and_a_row_per_lead(world):
    world.lead(1, "buyers", email="a@x", ecids=["9" * 38, "1" * 38])
    world.lead(2, "buyers", email="b@x")

    world.activate(static_list())

    assert read(world) == [["email", "ecid"], ["a@x", "1" * 38], ["b@x", ""]]


def test_everyone_else_is_listed_beside_it_with_the_reason(world):
    world.lead(1, "buyers", email="a@x")
    world.lead(2, "buyers", email="b@x", consent_email="n")
    world.lead(3, "buyers", email=None, ecids=["1" * 38])
    world.person(4, "buyers", source_keys=["003@sf.Salesforce"])

    world.activate(static_list())

    assert read(world) == [["email", "ecid"], ["a@x", ""]]
    assert sorted(read(world, "list_refused.csv")[1:]) == [
        ["2", "opted out of email"],
        ["3", "no email"],
        ["4", "not known to Marketo"],
    ]


def test_a_lead_is_named_by_the_address_that_marketo_has_and_never_by_a_newer_one_from_elsewhere(world):
    world.lead(1, "buyers", email="old@x")
    world.change(1, email="new@x", source_keys=["003@sf.Salesforce", "1@main.Marketo"])
    world.record("003@sf.Salesforce", email="new@x", updated_at=world.now + timedelta(days=1))

    world.activate(static_list())

    assert read(world)[1:] == [["old@x", ""]]


def test_of_several_leads_the_one_that_agrees_with_the_profile_is_named(world):
    world.lead(1, "buyers", email="a@x")
    world.record("2@main.Marketo", email="b@x", updated_at=world.now + timedelta(days=1))
    world.change(1, source_keys=["1@main.Marketo", "2@main.Marketo"])

    world.activate(static_list())

    assert read(world)[1:] == [["a@x", ""]]


def test_a_deleted_lead_is_no_lead(world):
    world.lead(1, "buyers", email="a@x")
    world.records[0]["is_deleted"] = True

    plan = world.plan(static_list())

    assert plan.refused == {"not known to Marketo": 1}


def test_a_lead_of_another_instance_is_no_lead_where_one_is_named(world):
    world.lead(1, "buyers", email="a@x")

    assert world.plan(static_list(instance="main")).totals["add"] == 1
    assert world.plan(static_list(instance="other")).refused == {"not known to Marketo": 1}


def test_who_leaves_is_not_in_the_next_file_and_a_run_without_a_change_writes_none(world):
    world.lead(1, "buyers", email="a@x")
    world.lead(2, "buyers", email="b@x")
    world.activate(static_list())
    world.leave(1)

    world.activate(static_list())

    assert read(world)[1:] == [["b@x", ""]]
    assert world.plan(static_list()).is_empty


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"mapping": {"name": "first_name"}}, "Delete `mapping`."),
        ({"list": "News", "audiences": ["a", "b"], "path": "drop"}, "Leave `list` out"),
    ],
)
def test_a_static_list_refuses_what_it_cannot_do(tmp_path, settings, hint):
    with pytest.raises(ConfigError, match=hint):
        open_connection(static_list(**settings), tmp_path)


def test_a_static_list_takes_people_and_whole_audiences_only(world):
    world.lead(1, "buyers", email="a@x")

    with pytest.raises(ConfigError, match="Choose full or add_only"):
        world.plan(static_list(mode="mirror"))
    world.entity = "account"
    with pytest.raises(ConfigError, match="takes person, not account"):
        world.plan(static_list())

"""Audiences as rows of a table."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.destination import open_connection
from cdp_toolkit.engines import Engine, open_engine
from cdp_toolkit.errors import ConfigError, UnknownNameError


@pytest.fixture
def engine() -> Engine:
    return open_engine("polars")  # what differs by engine is tested with the plan


@pytest.fixture(params=["postgresql", "sqlite"])
def store(request, tmp_path):
    """Return an address to write to, and a way to read what is there."""
    if request.param == "postgresql":
        database = request.getfixturevalue("database")
        return database.uri(), database.run

    def run(*statements):
        with closing(sqlite3.connect(tmp_path / "out.db")) as connection, connection:
            return [connection.execute(statement).fetchall() for statement in statements][-1]

    return "sqlite:///out.db", run


@pytest.fixture
def table(store):
    uri, run = store

    def definition(**settings):
        named = {"name": "out", "type": "sql", "audiences": ["buyers"], "mapping": {"mail": "email"}, "uri": uri}
        return Destination(**(named | settings))

    definition.run = run
    definition.members = lambda: run(
        "SELECT profile_id, mail, removed_at IS NULL FROM audience_members ORDER BY profile_id"
    )
    return definition


@pytest.mark.parametrize("mode", ["mirror", "full"])
def test_a_table_tells_who_is_in_an_audience_and_who_has_left(world, table, mode):
    for profile_id in (1, 2, 3):
        world.person(profile_id, "buyers")
    world.activate(table(mode=mode))
    world.leave(1)
    world.change(2, email="new@x.example")
    world.person(4, "buyers")

    world.activate(table(mode=mode))

    assert [tuple(map(str, row[:2])) for row in table.members()] == [
        ("1", "p1@x.example"),
        ("2", "new@x.example"),
        ("3", "p3@x.example"),
        ("4", "p4@x.example"),
    ]
    assert [bool(row[2]) for row in table.members()] == [False, True, True, True]


def test_times_say_since_when_and_until_when_someone_was_in(world, database):
    destination = Destination(
        name="out", type="sql", audiences=["buyers"], mapping={"mail": "email"}, uri=database.uri()
    )
    for profile_id in (1, 2, 3):
        world.person(profile_id, "buyers")
    world.activate(destination)
    world.leave(1)
    world.change(2, email="new@x.example")
    world.activate(destination)
    world.join(1, "buyers")

    world.activate(destination)

    days = [datetime(2026, 3, day, 12, tzinfo=UTC) for day in (1, 2, 3)]
    told = database.run("SELECT added_at, updated_at, removed_at FROM audience_members ORDER BY profile_id")
    assert told == [(days[2], days[2], None), (days[0], days[1], None), (days[0], days[0], None)]


def test_rows_of_who_left_are_deleted_where_that_is_asked_for(world, table):
    world.person(1, "buyers")
    world.person(2, "buyers")
    world.activate(table(removal="delete"))
    world.leave(1)

    world.activate(table(removal="delete"))

    assert [row[0] for row in table.members()] == [2]


def test_a_plan_that_was_sent_but_not_recorded_changes_nothing_when_it_comes_again(world, table):
    world.person(1, "buyers")
    world.person(2, "buyers")
    world.activate(table())
    world.leave(1)
    world.activate(table())
    world.forget_answers()
    sent = table.run("SELECT * FROM audience_members ORDER BY profile_id")

    world.activate(table())

    assert table.run("SELECT * FROM audience_members ORDER BY profile_id") == sent
    assert world.plan(table()).is_empty


def test_a_delivery_that_breaks_off_leaves_the_table_as_it_was(world, database):
    destination = Destination(
        name="out", type="sql", audiences=["buyers"], mapping={"mail": "email"}, uri=database.uri()
    )
    world.person(1, "buyers")
    world.activate(destination)
    world.leave(1)
    world.person(2, "buyers", email="too long for the check")
    database.run("ALTER TABLE audience_members ADD CHECK (removed_at IS NULL)")

    delivered = world.activate(destination)

    assert [error.message.split(":")[0] for error in delivered.failed] == ["The database refused"]
    assert database.run("SELECT profile_id, removed_at FROM audience_members") == [(1, None)]


def test_several_audiences_share_a_table_or_have_one_each(world, table):
    world.person(1, "buyers", "fans")
    world.person(2, "fans")
    world.activate(table(audiences=["buyers", "fans"]))

    world.activate(table(name="each", audiences=["buyers", "fans"], table="{destination}_{audience}"))

    assert table.run("SELECT audience, profile_id FROM audience_members ORDER BY 1, 2") == [
        ("buyers", 1), ("fans", 1), ("fans", 2),
    ]  # fmt: skip
    assert table.run("SELECT profile_id FROM each_fans ORDER BY 1") == [(1,), (2,)]


def test_a_field_that_is_mapped_later_becomes_a_column(world, table):
    world.person(1, "buyers", person_score=1.5)
    world.activate(table())

    world.activate(table(mapping={"mail": "email", "score": "b2b.personScore"}))

    assert table.run("SELECT mail, score FROM audience_members") == [("p1@x.example", 1.5)]


def test_a_member_may_be_known_by_any_mapped_field(world, table):
    world.person(1, "buyers")
    world.activate(table(key="mail"))
    world.leave(1)

    world.activate(table(key="mail"))

    assert table.run("SELECT mail, removed_at IS NULL FROM audience_members") in (
        [("p1@x.example", False)],
        [("p1@x.example", 0)],
    )


def test_a_table_that_may_not_be_written_is_told_with_the_cure(world, database, monkeypatch):
    monkeypatch.setenv("PG_PASSWORD", "pass/word 1")
    database.run("CREATE TABLE audience_members (audience text, profile_id bigint, mail text)")
    uri = database.uri("reader:${env:PG_PASSWORD}")
    destination = Destination(name="out", type="sql", audiences=["buyers"], mapping={"mail": "email"}, uri=uri)
    world.person(1, "buyers")

    (error,) = world.activate(destination).failed

    assert "permission denied" in error.message
    assert "GRANT SELECT, INSERT" in error.hint
    assert "pass/word" not in str(error)


def test_a_look_at_the_table_changes_nothing(table, tmp_path):
    connection = open_connection(table(), tmp_path)

    assert [each.what for each in connection.check()] == ["login", "permission to make audience_members"]
    with pytest.raises(Exception, match="audience_members"):
        table.members()


@pytest.mark.parametrize(
    ("settings", "kind", "told"),
    [
        ({"table": "{audince}"}, UnknownNameError, "'audience'"),
        ({"key": "mial"}, UnknownNameError, "'mail'"),
        ({"mapping": {"added_at": "email"}}, ConfigError, "Call yours something else."),
        ({"uri": "mysql://x"}, ConfigError, "postgresql"),
        ({"removal": "forget"}, ConfigError, "removal"),
    ],
)
def test_a_wrong_setting_of_a_table_is_named_with_what_to_do(tmp_path, settings, kind, told):
    named = {
        "name": "out",
        "type": "sql",
        "audiences": ["buyers"],
        "mapping": {"mail": "email"},
        "uri": "sqlite:///x.db",
    }

    with pytest.raises(kind) as error:
        open_connection(Destination(**(named | settings)), tmp_path)

    assert told in str(error.value)

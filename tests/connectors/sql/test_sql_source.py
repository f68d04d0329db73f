"""What a database's tables become in landing: every value, every row, once."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_toolkit.connectors.sql import reading
from cdp_toolkit.connectors.sql.source import SqlSource
from cdp_toolkit.engines import open_engine
from cdp_toolkit.errors import ConfigError, ConnectorStopped, SourceError
from cdp_toolkit.lake import Lake
from cdp_toolkit.sources.land import land
from cdp_toolkit.sources.source import SourceFailure

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake", engine=open_engine("polars"))


@pytest.fixture
def file(tmp_path):
    """Run statements in a file of SQLite."""

    def run(*statements):
        with closing(sqlite3.connect(tmp_path / "crm.db")) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    return run


def source(uri, folder=None, *, now=NOON, **tables):
    return SqlSource({"type": "sql", "uri": uri, "tables": tables}, folder=folder, clock=lambda: now)


def read(opened, name="t", cursor=None):
    each = next(each for each in opened.objects() if each.name == name)
    rows = []
    for batch in opened.read(each, cursor or {}):
        if isinstance(batch, SourceFailure):
            raise batch.error
        rows += batch.open().read_all().to_pylist()
    return [{name: value for name, value in row.items() if name not in {"_file", "_line"}} for row in rows]


def landed(lake, table="landing/db/t"):
    own = ("_file", "_line", "_batch", "_loaded_at")
    rows = lake.engine.collect(lake.scan(table)).to_pylist() if lake.exists(table) else []
    return sorted(tuple(value for name, value in row.items() if name not in own) for row in rows)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("42::bigint", "42"),
        ("12345678901234.50::numeric(20,2)", "12345678901234.50"),
        ("'12.34'::money", "12.34"),
        ("'-0.1'::float8", "-0.1"),
        ("'2026-01-02 03:04:05.678901+02'::timestamptz", "2026-01-02 01:04:05.678901+00"),
        ("'infinity'::timestamptz", "infinity"),
        ("'2026-01-02 03:04:05'::timestamp", "2026-01-02 03:04:05"),
        ("'2026-01-02'::date", "2026-01-02"),
        ("'03:04:05+02'::timetz", "03:04:05+02"),
        ("'1 day 2 hours'::interval", "P1DT2H"),
        ("true", "true"),
        (r"'\xdeadbeef'::bytea", "deadbeef"),
        ("array['a','b c']", '["a","b c"]'),
        ("array[[1,2],[3,4]]", "[[1,2],[3,4]]"),
        ("'{\"a\": [1, null]}'::jsonb", '{"a": [1, null]}'),
        ("row(1,'x')", '{"f1":1,"f2":"x"}'),
        ("'10.0.0.1'::inet", "10.0.0.1/32"),
        ("int4range(1,5)", "[1,5)"),
        ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("'Zoë \"Z\"'::text", 'Zoë "Z"'),
        ("null::numeric", None),
    ],
)
def test_a_value_of_postgresql_lands_as_the_text_that_means_it(database, value, text):
    opened = source(database.uri(), t={"query": f"SELECT {value} AS v"})

    assert read(opened) == [{"v": text}]


def test_a_column_of_sqlite_may_hold_values_of_any_type(file, tmp_path):
    file("CREATE TABLE t (v)", "INSERT INTO t VALUES (1), (0.1), (1e300), ('x'), (x'00ff'), (null), (2.5)")

    rows = read(source("sqlite:///crm.db", tmp_path, t={}))

    assert [row["v"] for row in rows] == ["1", "0.1", "1.0e+300", "x", "00ff", None, "2.5"]


def test_any_other_database_is_read_by_sqlalchemy(file, tmp_path):
    file("CREATE TABLE t (id, v)", "INSERT INTO t VALUES (1, 1.5), (2, 'x'), (3, x'00ff'), (4, null)")

    rows = read(source(f"sqlite+pysqlite:///{tmp_path}/crm.db", t={"watermark": "id"}))

    assert [row["v"] for row in rows] == ["1.5", "x", "00ff", None]


def test_names_are_taken_as_they_are_written(database):
    database.run(
        'CREATE SCHEMA "Sales"', 'CREATE TABLE "Sales"."Order" ("select" int)', 'INSERT INTO "Sales"."Order" VALUES (1)'
    )

    assert read(source(database.uri(), t={"table": "Sales.Order"})) == [{"select": "1"}]


def test_a_table_without_a_watermark_lands_again_when_it_has_changed_and_only_then(database, lake):
    database.run("CREATE TABLE t (id int, name text)", "INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    opened = source(database.uri(), t={})

    counts = [land("db", opened, lake).rows, land("db", opened, lake).rows]
    database.run("UPDATE t SET name = 'c' WHERE id = 2")
    counts.append(land("db", opened, lake).rows)

    assert counts == [2, 0, 2]


class Changing:
    """A table whose rows carry the time of their change, read once a day."""

    def __init__(self, database, lake):
        database.run("CREATE TABLE t (id int, name text, at timestamptz)")
        self.database, self.lake, self.now = database, lake, NOON

    def put(self, number, at):
        shown = "null" if at is None else f"'{at}'"
        self.database.run(f"INSERT INTO t VALUES ({number}, 'n', {shown})")

    def load(self):
        opened = source(self.database.uri(), now=self.now, t={"watermark": "at", "overlap": "1h"})
        self.now += timedelta(days=1)
        return land("db", opened, self.lake).rows

    def version(self):
        return self.lake.version("landing/db/t")


@pytest.fixture
def changing(database, lake):
    return Changing(database, lake)


def test_only_rows_that_changed_land_again(changing):
    changing.put(1, "2026-02-01 00:00+00")
    changing.put(2, "2026-03-01 11:00+00")
    changing.load()
    changing.database.run("UPDATE t SET name = 'new', at = '2026-03-02 11:00+00' WHERE id = 1")

    assert changing.load() == 1
    assert [row[:2] for row in landed(changing.lake)] == [("1", "n"), ("1", "new"), ("2", "n")]


def test_a_row_that_was_committed_late_is_found_within_the_overlap(changing):
    changing.put(1, "2026-03-01 11:00+00")
    changing.load()
    changing.put(2, "2026-03-01 10:30+00")

    assert changing.load() == 1


def test_a_row_without_watermark_lands_once(changing):
    changing.put(1, None)
    changing.put(2, "2026-03-01 11:00+00")

    assert [changing.load() for _ in range(3)] == [2, 0, 0]


def test_a_row_from_a_clock_that_is_wrong_hides_no_other(changing):
    changing.put(1, "2099-01-01 00:00+00")
    changing.load()
    changing.put(2, "2026-03-01 13:00+00")

    assert [changing.load() for _ in range(3)] == [1, 0, 0]


def test_loads_without_a_change_leave_the_table_as_it_is(changing):
    changing.put(1, "2026-03-01 11:00+00")
    changing.load()
    changing.load()
    before = changing.version()

    changing.load()

    assert changing.version() == before


@pytest.mark.parametrize("kind", ["int", "numeric(20,3)", "text", "date", "timestamp"])
def test_any_column_that_grows_can_be_the_watermark(database, lake, kind):
    values = {"int": (9, 10), "numeric(20,3)": (9.5, 10), "text": ("a", "b")}.get(kind, ("2026-02-01", "2026-03-01"))
    database.run(f"CREATE TABLE t (id int, w {kind})", f"INSERT INTO t VALUES (1, '{values[0]}')")
    opened = source(database.uri(), t={"watermark": "w"})

    first = land("db", opened, lake).rows
    database.run(f"INSERT INTO t VALUES (2, '{values[1]}')")

    assert [first, land("db", opened, lake).rows, land("db", opened, lake).rows] == [1, 1, 0]


@settings(max_examples=25, deadline=None)
@given(
    marks=st.lists(st.none() | st.integers(0, 6), min_size=1, max_size=40),
    stops=st.lists(st.integers(0, 5), max_size=4),
    kind=st.sampled_from(["number", "time"]),
)
def test_a_load_that_is_killed_at_any_commit_goes_on_without_losing_or_repeating_a_row(
    tmp_path_factory, marks, stops, kind
):
    folder = tmp_path_factory.mktemp("killed")
    shown = {"number": str, "time": lambda mark: f"'2026-03-01 11:{mark:02}:00'"}[kind]
    rows = ", ".join(f"({i}, {'null' if mark is None else shown(mark)})" for i, mark in enumerate(marks))
    with closing(sqlite3.connect(folder / "crm.db")) as connection, connection:
        connection.execute("CREATE TABLE t (id, w)")
        connection.execute(f"INSERT INTO t VALUES {rows}")
    lake = Lake(folder / "lake", engine=open_engine("polars"))
    opened = source("sqlite:///crm.db", folder, t={"watermark": "w"})

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reading, "_ROWS", 4)
        for stop in stops:
            with pytest.MonkeyPatch.context() as killed:
                killed.setattr(lake, "land", _killed_after(stop, lake.land))
                try:
                    land("db", opened, lake)
                except KeyboardInterrupt:
                    continue
        land("db", opened, lake)

    assert sorted(int(row[0]) for row in landed(lake)) == list(range(len(marks)))


def _killed_after(commits, write):
    done = []

    def land_or_die(*arguments, **named):
        if len(done) == commits:
            raise KeyboardInterrupt
        done.append(1)
        return write(*arguments, **named)

    return land_or_die


def test_a_backfill_tells_how_far_it_is(database, monkeypatch):
    monkeypatch.setattr(reading, "_ROWS", 1_000)
    database.run("CREATE TABLE t AS SELECT i AS id FROM generate_series(1, 400000) i")
    opened = source(database.uri(), t={"watermark": "id"})

    shares = [batch.share for batch in opened.read(opened.objects()[0], {})]

    assert len(shares) > 2
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize("query", ["DELETE FROM t", "WITH x AS (DELETE FROM t RETURNING 1) SELECT * FROM x"])
def test_nothing_can_be_written(database, query):
    database.run("CREATE TABLE t (id int)", "INSERT INTO t VALUES (1)")

    with pytest.raises(SourceError):
        read(source(database.uri(), t={"query": query}))

    assert database.run("SELECT count(*) FROM t") == [(1,)]


def test_a_table_that_cannot_be_read_is_told_with_the_cure_and_the_others_are_read(database, lake, monkeypatch):
    monkeypatch.setenv("PG_PASSWORD", "pass/word 1")
    database.run("CREATE TABLE a (id int)", "CREATE TABLE b AS SELECT 1 AS id", "GRANT SELECT ON b TO reader")
    opened = source(database.uri("reader:${env:PG_PASSWORD}"), a={}, b={}, c={}, d={"table": "b", "watermark": "ID"})

    told = land("db", opened, lake)

    assert told.rows == 1
    assert [(each.where, each.message, each.hint) for each in told.refused] == [
        (
            "a",
            "The database refused: permission denied for table a",
            "Grant it: `GRANT SELECT ON … TO …` for the user in `uri`.",
        ),
        (
            "c",
            'The database refused: relation "c" does not exist',
            "Check `table`, with its schema before a point.",
        ),
        ("d", "There is no column 'ID' to be the watermark.", "Did you mean 'id'?"),
    ]


def test_a_login_that_is_refused_stops_the_source_and_shows_no_password(database, monkeypatch):
    monkeypatch.setenv("PG_PASSWORD", "not the right one")

    with pytest.raises(ConnectorStopped, match="password authentication failed") as stopped:
        source(database.uri("reader:${env:PG_PASSWORD}"), t={}).objects()

    assert "right one" not in str(stopped.value)
    assert stopped.value.__cause__ is None


@pytest.mark.parametrize(
    ("uri", "kind", "told"),
    [
        ("postgresql://127.0.0.1:1/x", ConnectorStopped, "Connection refused"),
        ("sqlite:///nothing.db", ConnectorStopped, "There is no file nothing.db"),
        ("martian://host/x", ConfigError, "martian"),
        ("mysql+pymysql://host/x", ConfigError, "pip install"),
    ],
)
def test_an_address_that_does_not_work_says_what_to_check(tmp_path, uri, kind, told):
    with pytest.raises(kind, match=told):
        source(uri, tmp_path, t={}).objects()


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"table": "a", "query": "SELECT 1"}, "not both"),
        ({"overlap": "ten minutes"}, "10m"),
        ({"watermarks": "at"}, "tables.t.watermarks"),
    ],
)
def test_a_wrong_setting_of_a_table_is_named(table, told):
    with pytest.raises(ConfigError, match=told):
        source("sqlite:///crm.db", t=table)


def test_a_look_at_a_database_names_what_may_not_be_read(database, monkeypatch):
    monkeypatch.setenv("PG_PASSWORD", "pass/word 1")
    database.run("CREATE TABLE a (id int)", "CREATE TABLE b (id int)", "GRANT SELECT ON b TO reader")

    login, a, b = source(database.uri("reader:${env:PG_PASSWORD}"), a={}, b={}).check()

    assert login.detail.startswith("PostgreSQL")
    assert (a.what, a.status, a.hint) == (
        "permission to read a",
        "problem",
        "Grant it: `GRANT SELECT ON … TO …` for the user in `uri`.",
    )
    assert (b.status, b.detail) == ("ok", "1 columns")

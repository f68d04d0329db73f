"""A lake that an older version wrote: nobody is told twice."""

import datetime as dt

import pyarrow as pa
import pytest

from cdp_toolkit import pipeline
from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.destination import DELIVERED, Limits
from cdp_toolkit.lake import Lake
from cdp_toolkit.lake.tables import table
from cdp_toolkit.model.types import arrow_type
from cdp_toolkit.pipeline.targets import renew_ledger
from cdp_toolkit.segments import Segment

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
OUT = Destination(name="out", type="files", audiences=["buyers"], mode="mirror")
# As ``activation/ledger`` was declared before it kept each action; ``activation/deliveries`` was beside it.
STATES = pa.schema(
    {"destination": pa.string(), "audience": pa.string(), "row_key": pa.string(), "profile_id": pa.int64(),
     "digest": pa.int64(), "state": pa.string(), "plan_id": pa.string(), "sent_at": pa.timestamp("us", "UTC")}
)  # fmt: skip


class Inbox:
    entities = ("person",)
    modes = ("mirror",)
    identity = ("mail",)
    requires_source = None
    requires_instance = None
    limits = Limits()

    def __init__(self):
        self.fields = {"mail": "email"}
        self.got = []

    def deliver(self, batch):
        self.got += zip(batch.rows["_action"].to_pylist(), batch.rows["_row_key"].to_pylist(), strict=True)
        return [DELIVERED] * len(batch.rows)


@pytest.fixture
def lake(tmp_path, engine):
    """Four people, the last of whom opted out, evaluated."""
    lake = Lake(tmp_path / "lake", engine=engine)
    columns = table("profiles/person", lake.model).columns | {"profile_id": "integer"}
    schema = pa.schema([(name, arrow_type(kind)) for name, kind in columns.items()])
    people = [
        {"profile_id": each, "email": f"{each}@x", "job_title": "Buyer", "consent_email": "n" if each == 4 else "y"}
        for each in (1, 2, 3, 4)
    ]
    with lake.run("stitch") as run:
        run.replace("profiles/person", engine.load(pa.Table.from_pylist(people, schema=schema)))
    buyers = Segment(name="buyers", pql='extendedWorkDetails.jobTitle = "Buyer"')
    pipeline.evaluate(lake, [buyers], as_of=NOON, timezone="UTC")
    return lake


def target(lake, inbox):
    return pipeline.Target(OUT, inbox, lake.model.entity("person"))


@pytest.fixture
def older(lake):
    """Leave the ledger of an older version: 1 was sent, 5 too, 2 was removed, 3 refused there and 4 here."""
    digests = dict(zip(*(lake_plan(lake).rows[name].to_pylist() for name in ("_row_key", "_digest")), strict=True))
    states = {"1@x": (1, "sent"), "5@x": (5, "sent"), "2@x": (2, "removed"), "3@x": (3, "refused"),
              "profile:4": (4, "refused")}  # fmt: skip
    rows = [
        {"destination": "out", "audience": "buyers", "row_key": key, "profile_id": profile_id, "state": state,
         "digest": digests.get(key), "plan_id": "older", "sent_at": NOON}
        for key, (profile_id, state) in states.items()
    ]  # fmt: skip
    with lake.run("activate") as run:
        run.replace("activation/ledger", lake.engine.load(pa.Table.from_pylist(rows, schema=STATES)))
    return lake


def lake_plan(lake):
    return pipeline.plan(lake, target(lake, Inbox()), lake.engine, as_of=NOON)


def test_a_ledger_of_states_is_read_as_what_was_done(older, steps):
    plan = lake_plan(older)

    assert steps(plan) == [
        ("buyers", 2, "add", None),
        ("buyers", 3, "refuse", "refused by the destination, unchanged since"),
        ("buyers", 4, "refuse", "opted out of email"),
        ("buyers", 5, "remove", None),
    ]
    assert plan.audiences["buyers"]["keep"] == 1


def test_nobody_is_told_twice_and_the_ledger_goes_on_in_the_new_form(older, rows):
    inbox, again = Inbox(), Inbox()

    run = pipeline.activate(older, [target(older, inbox)], at=NOON)
    pipeline.activate(older, [target(older, again)], at=NOON)

    assert sorted(inbox.got) == [("add", "2@x"), ("remove", "5@x")]
    assert again.got == []
    assert (run.counts["added"], run.counts["removed"], run.counts["refused"]) == (1, 1, 0)
    assert rows(older.scan("activation/ledger"), "row_key", "action", "outcome", "entry") == [
        ("1@x", "add", "delivered", 0),
        ("2@x", "add", "delivered", 2),
        ("2@x", "remove", "delivered", 0),
        ("3@x", "add", "refused", 0),
        ("5@x", "add", "delivered", 0),
        ("5@x", "remove", "delivered", 2),
        ("profile:4", "refuse", "refused", 0),
    ]


def test_a_ledger_that_another_run_renewed_meanwhile_is_left_as_it_is(older, engine):
    class Late(Lake):
        def only_one(self, what):
            renew_ledger(older)
            return super().only_one(what)

    late = Late(older.uri, engine=engine)

    renew_ledger(late)

    assert older.head("activation/ledger") == 1  # written by an older version, then renewed once


def test_a_column_that_a_table_gained_is_null_in_rows_written_before(lake, rows):
    known = table("activation/ledger").columns
    before = pa.schema([(name, arrow_type(kind)) for name, kind in known.items() if name != "known_as"])
    row = {
        "destination": "out",
        "audience": "buyers",
        "row_key": "1@x",
        "action": "add",
        "outcome": "delivered",
        "entry": 1,
    }
    lake.record("activation/ledger", pa.Table.from_pylist([row], schema=before))

    pipeline.activate(lake, [target(lake, Inbox())], at=NOON)

    assert rows(lake.scan("activation/ledger").head(9), "row_key", "known_as")[0] == ("1@x", None)
    assert len(rows(lake.scan("activation/ledger"), "row_key")) == 5

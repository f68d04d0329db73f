"""A delivery takes long: what others do meanwhile, and what of it is heeded."""

import datetime as dt
import subprocess
import sys

import pyarrow as pa
import pytest

from cdp_toolkit import pipeline
from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.destination import DELIVERED, Limits
from cdp_toolkit.destinations.policies import Policies
from cdp_toolkit.errors import LakeBusyError
from cdp_toolkit.lake import Lake
from cdp_toolkit.lake.tables import table
from cdp_toolkit.model.types import arrow_type
from cdp_toolkit.segments import Segment

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
BUYERS = Segment(name="buyers", pql='extendedWorkDetails.jobTitle = "Buyer"')
OUT = Destination(name="out", type="files", audiences=["buyers"], mode="mirror")
PEOPLE = 25_000  # attempts are written 10,000 at a time


class Inbox:
    """A destination that calls back while it is told."""

    entities = ("person",)
    modes = ("mirror",)
    identity = ("id",)
    requires_source = None
    requires_instance = None
    limits = Limits(batch_rows=10_000)

    def __init__(self, meanwhile=lambda: None):
        self.fields = {"id": "profile_id"}
        self.meanwhile = meanwhile
        self.got = []

    def deliver(self, batch):
        rows = (batch.rows[name].to_pylist() for name in ("_action", "_profile_id"))
        self.got.append(set(zip(*rows, strict=True)))
        if len(self.got) == 1:
            self.meanwhile()
        return [DELIVERED] * len(batch.rows)


@pytest.fixture
def lake(tmp_path, engine):
    return Lake(tmp_path / "lake", engine=engine)


@pytest.fixture
def save(lake):
    """Write what a stitch would, and evaluate."""

    def write(opted_out=()):
        columns = table("profiles/person", lake.model).columns | {"profile_id": "integer"}
        schema = pa.schema([(name, arrow_type(kind)) for name, kind in columns.items()])
        consents = ["n" if each in opted_out else "y" for each in range(PEOPLE)]
        own = {"profile_id": pa.array(range(PEOPLE)), "consent_email": pa.array(consents),
               "job_title": pa.array(["Buyer"] * PEOPLE)}  # fmt: skip
        whole = {
            name: own.get(name, pa.nulls(PEOPLE, kind)) for name, kind in zip(schema.names, schema.types, strict=True)
        }
        with lake.run("stitch") as run:
            run.replace("profiles/person", lake.engine.load(pa.table(whole, schema=schema)))
        pipeline.evaluate(lake, [BUYERS], as_of=NOON, timezone="UTC")

    return write


def target(lake, inbox, destination=OUT, policies=None):
    return pipeline.Target(destination, inbox, lake.model.entity("person"), policies or Policies())


def test_who_opts_out_while_others_are_sent_is_not_sent(lake, save):
    save()
    inbox = Inbox()
    last = int(max(map(str, range(PEOPLE))))
    inbox.meanwhile = lambda: save(opted_out={last})

    run = pipeline.activate(lake, [target(lake, inbox)], at=NOON)

    assert run.outcome == "done"
    assert run.counts == {"added": PEOPLE - 1, "updated": 0, "removed": 0, "refused": 1, "failed": 0}
    assert set().union(*inbox.got) == {("add", each) for each in range(PEOPLE) if each != last}
    assert run.notes == ("out: audiences changed while it was told, and the rest was planned again.",)


def test_who_was_sent_before_opting_out_is_removed_in_the_same_run(lake, save):
    save()
    inbox = Inbox()
    inbox.meanwhile = lambda: save(opted_out={0})

    pipeline.activate(lake, [target(lake, inbox)], at=NOON)

    assert ("add", 0) in inbox.got[0]
    assert ("remove", 0) in inbox.got[1]
    assert pipeline.plan(lake, target(lake, inbox), lake.engine, as_of=NOON).is_empty


OTHER = """
import sys; from cdp_toolkit.engines import open_engine; from cdp_toolkit.lake import Lake
lake = Lake(sys.argv[1], engine=open_engine())
with lake.only_one(sys.argv[2]):
    print("open", flush=True); sys.stdin.read()
"""


@pytest.fixture
def other(lake):
    """Do something in a process of its own, until the test ends."""
    running = []

    def start(what):
        command = [sys.executable, "-c", OTHER, lake.uri, what]
        running.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        running[-1].stdout.readline()

    yield start
    for process in running:
        process.communicate()


def test_a_destination_is_told_by_one_run_at_a_time_and_the_others_are_told(lake, save, other):
    save()
    other("telling out")
    inbox, second = Inbox(), Inbox()
    named = OUT.model_copy(update={"name": "second"})

    with pytest.raises(LakeBusyError, match="Another run is telling out"):
        pipeline.activate(lake, [target(lake, inbox)], at=NOON)
    run = pipeline.activate(lake, [target(lake, inbox), target(lake, second, named)], at=NOON)

    assert inbox.got == []
    assert (run.outcome, run.problems) == ("partial", ("out: Another run is telling out.",))
    assert run.details["second"]["added"] == PEOPLE
    assert "out" not in run.details


def test_destinations_under_one_cap_are_told_one_after_the_other(lake, save, other):
    save()
    other("telling a destination of email")
    capped = Policies(frequency=[{"channel": "email", "most": 1, "days": 7}])
    inbox = Inbox()

    with pytest.raises(LakeBusyError, match="telling a destination of email"):
        pipeline.activate(lake, [target(lake, inbox, policies=capped)], at=NOON)
    run = pipeline.activate(lake, [target(lake, inbox)], at=NOON)

    assert run.counts["added"] == PEOPLE

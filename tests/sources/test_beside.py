"""Sources that lie on this machine are landed beside each other, and nothing that comes out shows it."""

import threading

import pyarrow as pa
import pytest

from cdp_toolkit.engines import open_engine
from cdp_toolkit.entities.catalogue import load_mapping
from cdp_toolkit.entities.landed import LandedSource
from cdp_toolkit.errors import ConnectorStopped
from cdp_toolkit.lake import Lake
from cdp_toolkit.pipeline.load import load
from cdp_toolkit.sources.rows import as_texts
from cdp_toolkit.sources.source import Batch, Object

PATIENCE_S = 60


class Shelf:
    """Leads that lie on this machine; whoever reads them first does what it is told to."""

    is_local = True

    def __init__(self, id_, then=lambda: None, fields=None):
        self._id, self._then, self._fields = id_, then, fields
        self.threads = set()

    def objects(self):
        return [Object("Lead", fields=self._fields)]

    def unknown(self):
        return []

    def read(self, _, cursor):
        self.threads.add(threading.current_thread())
        self._then()
        if not cursor:
            row = {"Id": self._id, "LastName": self._id}
            yield Batch("Lead.csv", {"read": 1}, lambda: as_texts([row], "Lead.csv"), notes=(f"read {self._id}",))


class Remote(Shelf):
    is_local = False


class Endless(Shelf):
    def read(self, _, cursor):  # noqa: ARG002 - of the contract
        self._then()
        row = as_texts([{"Id": self._id}], "Lead.csv").read_all()
        rows = (batch for _ in range(10**6) for batch in row.to_batches())
        yield Batch("Lead.csv", {"read": 1}, lambda: pa.RecordBatchReader.from_batches(row.schema, rows))


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake", engine=open_engine())


def loaded(lake, progress=None, **sources):
    mapping = load_mapping("salesforce", lake.model)
    about = {name: LandedSource(name, "Salesforce", name, mapping) for name in sources}
    return load(lake, {name: (about[name], sources[name]) for name in sources}, only=list(sources), progress=progress)


def records(lake):
    return sorted(lake.engine.collect(lake.scan("entities/person"))["source_key"].to_pylist())


def test_two_are_read_at_a_time_and_told_in_their_order(lake):
    both = threading.Barrier(2)
    told = []

    done = loaded(
        lake,
        lambda source, name, **how: told.append((source, name, how["rows"])),
        one=Shelf("1", lambda: both.wait(PATIENCE_S), {"Id": "id"}),
        two=Shelf("2", lambda: both.wait(PATIENCE_S), {"Id": "id", "LastName": "string"}),
    )

    assert (done.outcome, done.counts["rows landed"], done.notes[:2]) == ("done", 2, ("read 1", "read 2"))
    assert records(lake) == ["1@one.Salesforce", "2@two.Salesforce"]
    assert sorted(told) == [("one", "Lead", 1), ("two", "Lead", 1)]
    fields = lake.engine.collect(lake.scan("landing/_fields"))
    assert sorted(zip(fields["source"].to_pylist(), fields["field"].to_pylist(), strict=True)) == [
        ("one", "Id"), ("two", "Id"), ("two", "LastName"),
    ]  # fmt: skip


def test_rows_are_stamped_in_the_order_of_the_sources_whoever_is_done_first(lake):
    last_is_read = threading.Event()

    loaded(lake, one=Shelf("1", lambda: last_is_read.wait(PATIENCE_S)), two=Shelf("2", last_is_read.set))

    times = [lake.engine.collect(lake.scan(f"landing/{name}/Lead"))["_loaded_at"][0] for name in ("one", "two")]
    assert times[0].as_py() < times[1].as_py()


def test_one_that_stops_leaves_the_others_running(lake):
    def stop():
        raise ConnectorStopped("It is down.")

    done = loaded(lake, one=Shelf("1", stop), two=Shelf("2"), three=Remote("3"))

    assert (done.outcome, done.problems) == ("partial", ("one: It is down.",))
    assert records(lake) == ["2@two.Salesforce", "3@three.Salesforce"]


def test_a_source_elsewhere_and_one_that_is_alone_are_read_by_the_thread_that_asked(lake):
    alone, remote, local = Shelf("0"), Remote("1"), Shelf("2")

    loaded(lake, zero=alone)
    loaded(lake, one=remote, two=local)

    here = threading.current_thread()
    assert (alone.threads, remote.threads, local.threads == {here}) == ({here}, {here}, False)


def test_an_engine_that_does_one_thing_at_a_time_is_asked_by_one_thread(tmp_path):
    lake, shelves = Lake(tmp_path / "lake", engine=open_engine("duckdb")), [Shelf("1"), Shelf("2")]

    loaded(lake, one=shelves[0], two=shelves[1])

    assert {thread for shelf in shelves for thread in shelf.threads} == {threading.current_thread()}


def test_a_load_that_is_interrupted_lands_no_further_batch_and_the_next_one_goes_on(lake):
    begun = threading.Event()

    def interrupt():
        assert begun.wait(PATIENCE_S)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loaded(lake, one=Endless("1", begun.set), two=Remote("2", interrupt))
    assert lake.landed("landing/one/Lead") == (0, {})

    done = loaded(lake, one=Shelf("1"), two=Remote("2"))
    assert (done.outcome, records(lake)) == ("done", ["1@one.Salesforce", "2@two.Salesforce"])

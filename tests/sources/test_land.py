"""Landing: what was delivered is there once, whatever happens."""

import signal
import subprocess
import sys

import narwhals as nw
import polars as pl
import pytest

from cdp_toolkit.connectors.files.source import FilesSource
from cdp_toolkit.engines import open_engine
from cdp_toolkit.errors import SourceError
from cdp_toolkit.lake import Lake
from cdp_toolkit.sources.land import land


@pytest.fixture
def exports(tmp_path):
    (tmp_path / "exports" / "leads").mkdir(parents=True)
    return tmp_path / "exports"


def source(exports):
    return FilesSource({"type": "files", "path": "exports"}, folder=exports.parent)


def lake_of(exports):
    return Lake(exports.parent / "lake", engine=open_engine())


def landed(exports, table="landing/crm/leads"):
    rows = lake_of(exports).scan(table)
    return rows.to_native().sort("_batch", "_line").collect()


def test_rows_land_as_delivered_with_where_they_stood_and_when(exports):
    (exports / "leads" / "a.csv").write_text("id,score\n1,high\n")

    done = land("crm", source(exports), lake_of(exports))

    assert (done.rows, done.files, done.unchanged, done.refused) == (1, {"leads": ["leads/a.csv"]}, 0, [])
    assert landed(exports).select("id", "score", "_file", "_line", "_batch").rows() == [
        ("1", "high", "leads/a.csv", 2, 1)
    ]
    assert landed(exports)["_loaded_at"].dtype == pl.Datetime("us", "UTC")


def test_the_next_load_reads_only_what_is_new(exports):
    lake = lake_of(exports)
    (exports / "leads" / "a.csv").write_text("id\n1\n")
    land("crm", source(exports), lake)

    (exports / "leads" / "b.csv").write_text("id,city\n2,Bonn\n")
    second, third = (land("crm", source(exports), lake) for _ in range(2))

    assert (second.rows, second.unchanged) == (1, 1)
    assert (third.rows, third.unchanged) == (0, 2)
    assert landed(exports).select("id", "city", "_batch").rows() == [("1", None, 1), ("2", "Bonn", 2)]


def test_a_part_that_cannot_be_read_is_told_and_tried_again(exports):
    lake = lake_of(exports)
    (exports / "leads" / "a.csv").write_text("id,name\n1,Ana\n2")
    (exports / "leads" / "b.csv").write_text("id,name\n3,Bo\n")

    first = land("crm", source(exports), lake)
    (exports / "leads" / "a.csv").write_text("id,name\n1,Ana\n2,Cy\n")
    second = land("crm", source(exports), lake)

    assert [(error.message, error.where) for error in first.refused] == [
        ("The file is cut off: its last row has 1 of 2 fields.", str(exports / "leads" / "a.csv"))
    ]
    assert (first.rows, second.rows, second.refused) == (1, 2, [])
    assert sorted(landed(exports)["id"]) == ["1", "2", "3"]


def test_a_delivery_that_a_check_refuses_does_not_land(exports):
    def check(name, columns):
        if "id" not in columns:
            raise SourceError(f"No id in {name}.")

    (exports / "leads" / "a.csv").write_text("ident\n1\n")

    done = land("crm", source(exports), lake_of(exports), check=check)

    assert (done.rows, [error.message for error in done.refused]) == (0, ["No id in leads."])


@pytest.mark.parametrize("header", ["id,Id", "id,id", "id,_batch"])
def test_columns_that_a_table_cannot_hold_are_named(exports, header):
    (exports / "leads" / "a.csv").write_text(f"{header}\n1,2\n")

    done = land("crm", source(exports), lake_of(exports))

    assert len(done.refused) == 1
    assert header.split(",")[1] in done.refused[0].message


def test_a_guessed_encoding_and_a_stray_file_are_told(exports):
    (exports / "leads" / "a.csv").write_bytes("id,name\n1,José\n".encode("cp1252"))
    (exports / "notes.pdf").write_text("x")

    done = land("crm", source(exports), lake_of(exports))

    assert [note.split(" ")[0] for note in done.notes] == ["leads/a.csv", "notes.pdf"]


KILLED = """
import os, signal, sys
from pathlib import Path
from cdp_toolkit.connectors.files.source import FilesSource
from cdp_toolkit.engines import open_engine
from cdp_toolkit.lake import Lake
from cdp_toolkit.sources.land import land

folder, moment = Path(sys.argv[1]), sys.argv[2]
write = Lake.land
calls = []

def dying(self, name, rows, **said):
    calls.append(name)
    if len(calls) == 2 and moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    if len(calls) == 2 and moment == "within":
        def some(rows=rows):
            for batch in rows:
                yield batch
                os.kill(os.getpid(), signal.SIGKILL)
        import pyarrow as pa
        rows = pa.RecordBatchReader.from_batches(rows.schema, some())
    write(self, name, rows, **said)
    if len(calls) == 2 and moment == "after":
        os.kill(os.getpid(), signal.SIGKILL)

Lake.land = dying
land("crm", FilesSource({"type": "files", "path": "exports"}, folder=folder), Lake(folder / "lake", engine=open_engine()))
"""


@pytest.mark.parametrize("moment", ["before", "within", "after"])
def test_a_load_that_is_killed_loses_nothing_and_doubles_nothing(exports, moment):
    for part in range(4):
        ids = range(part * 1000, part * 1000 + 1000)
        (exports / "leads" / f"part-{part}.csv").write_text("id\n" + "\n".join(map(str, ids)) + "\n")

    killed = subprocess.run([sys.executable, "-c", KILLED, str(exports.parent), moment], check=False)
    land("crm", source(exports), lake_of(exports))

    assert killed.returncode == -signal.SIGKILL
    rows = lake_of(exports).scan("landing/crm/leads").select(nw.col("id")).to_native().collect()
    assert sorted(map(int, rows["id"])) == list(range(4000))

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from cdp_toolkit.engines import open_engine
from cdp_toolkit.errors import LakeBusyError, NotYetError
from cdp_toolkit.lake import Lake, Run


@pytest.fixture
def lake(tmp_path, engine):
    return Lake(tmp_path / "lake", engine=engine)


IDS = {"source_key": ["1@a.B", "2@a.B"], "record_key": [1, 2], "profile_id": [1, 2]}


def test_what_a_run_writes_is_read_only_after_it_ended(lake, frame, rows):
    with lake.run("stitch") as run:
        written = run.replace("identity/person_ids", frame(IDS))
        before = lake.exists("identity/person_ids")

    assert not before
    assert rows(written, "profile_id") == [1, 2]
    assert rows(lake.scan("identity/person_ids"), "profile_id") == [1, 2]


def test_a_lake_may_lie_in_a_folder_with_blanks_and_accents_in_its_name(tmp_path, engine, frame, rows):
    lake = Lake(tmp_path / "Zoë's 50% läke", engine=engine)

    with lake.run("stitch") as run:
        run.append("identity/person_ids", frame(IDS))
        run.append("identity/person_ids", frame({"source_key": ["4@a.B"], "record_key": [4], "profile_id": [4]}))

    assert rows(lake.scan("identity/person_ids"), "profile_id") == [1, 2, 4]


def test_a_run_that_fails_writes_nothing_and_is_logged(lake, frame, rows):
    with lake.run("stitch") as run:
        run.replace("identity/person_ids", frame(IDS))
    with pytest.raises(RuntimeError):
        _break_off(lake, frame)

    assert rows(lake.scan("identity/person_ids"), "profile_id") == [1, 2]
    assert [row["outcome"] for row in lake.log.rows()] == ["done", "failed"]


def test_rows_of_a_run_that_failed_do_not_come_back_with_the_next_append(lake, frame, rows):
    with lake.run("stitch") as run:
        run.append("identity/person_ids", frame(IDS))
    with pytest.raises(RuntimeError):
        _break_off(lake, frame)
    with lake.run("stitch") as run:
        run.append("identity/person_ids", frame({"source_key": ["4@a.B"], "record_key": [4], "profile_id": [4]}))

    assert rows(lake.scan("identity/person_ids"), "profile_id") == [1, 2, 4]


def test_a_run_may_append_twice_to_one_table(lake, frame, rows):
    with lake.run("stitch") as run:
        run.append("identity/person_ids", frame(IDS))
        run.append("identity/person_ids", frame({"source_key": ["4@a.B"], "record_key": [4], "profile_id": [4]}))

    assert rows(lake.scan("identity/person_ids"), "profile_id") == [1, 2, 4]


def test_a_run_over_the_same_versions_and_definitions_is_a_repeat(lake, frame):
    with lake.run("load") as run:
        run.replace("entities/identities", frame({"source_key": ["1"]}))
    with lake.run("stitch", definitions="a") as run:
        first = run.is_repeat("entities/identities")
    with lake.run("stitch", definitions="a") as run:
        second = run.is_repeat("entities/identities")
    with lake.run("stitch", definitions="b") as run:
        third = run.is_repeat("entities/identities")

    assert (first, second, third) == (False, True, False)


def test_a_table_that_no_run_has_written_says_which_verb_does(lake):
    with pytest.raises(NotYetError, match=r"identity/links(?s:.)*stitch"):
        lake.scan("identity/links")


def test_landed_rows_and_their_cursor_come_in_one_commit(lake, rows):
    lake.land("landing/crm/leads", pa.table({"id": ["1"]}), counter=1, cursor={"file": "a"})
    lake.land("landing/crm/leads", pa.table({"id": ["2"], "extra": ["x"]}), counter=2, cursor={"file": "b"})

    assert lake.landed("landing/crm/leads") == (2, {"file": "b"})
    assert rows(lake.scan("landing/crm/leads"), "id", "extra") == [("1", None), ("2", "x")]
    assert lake.objects("crm") == ["leads"]
    assert lake.objects("web") == []


def test_two_runs_at_once_are_one_run_and_a_clear_answer(lake, tmp_path):
    script = (
        "import sys; from cdp_toolkit.engines import open_engine; from cdp_toolkit.lake import Lake\n"
        "lake = Lake(sys.argv[1], engine=open_engine())\n"
        "with lake.run('stitch'):\n    print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "lake")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()

        with pytest.raises(LakeBusyError, match="Another run"), lake.run("stitch"):
            pass

        other.kill()
        other.wait()
    with lake.run("stitch") as run:
        pass
    assert run.result.outcome == "done"


def test_a_run_that_ends_after_later_ones_is_known_though_their_files_are_one_by_now(lake):
    watching = Lake(lake.uri, engine=lake.engine)
    with lake.run("activate", is_alone=False) as run:
        with lake.run("load"):
            pass
        watching.log.versions()
        run.details["out"] = {"added": 1, "errors": 0}
    for _ in range(40):
        with lake.run("load"):
            pass

    assert watching.log.last("activate")["run_id"] == run.run_id


def test_a_destination_was_told_last_by_the_last_run_that_names_it(lake):
    for errors in ({"out": 0, "mail": 0}, {"out": 1}, {"mail": 0}):
        with lake.run("activate", is_alone=False) as run:
            run.details = {name: {"errors": number} for name, number in errors.items()}

    last = lake.log.last_about("out")["details"], lake.log.last_about("out", is_clean=True)["details"]
    assert last == ({"out": {"errors": 1}}, {"out": {"errors": 0}, "mail": {"errors": 0}})
    assert lake.log.last_about("none") is None
    assert [row["details"] for row in lake.log.rows("activate", most=1)] == [{"mail": {"errors": 0}}]


def test_a_file_that_is_full_is_not_written_anew_when_others_are_joined(tmp_path):
    lake = Lake(tmp_path / "lake", engine=open_engine())

    def grow():
        for _ in range(40):
            lake.record("activation/attempts", ATTEMPT.append_column("batch", [[os.urandom(10_000).hex()]]))
        lake.deltas.join_small("activation/attempts", full_bytes=100_000)
        return {*lake.deltas.newest("activation/attempts").file_uris()}

    *_, before, after = (grow() for _ in range(5))

    assert before & after
    assert len(after) < 40


def test_files_that_nobody_reads_any_more_are_gone_once_others_are_joined(lake, rows):
    lake.deltas.swept_after_h = 0
    for counter in range(1, 101):
        lake.land("landing/crm/leads", pa.table({"id": [str(counter)]}), counter=counter, cursor={"seq": counter})

    assert len(list(Path(lake.uri, "landing/crm/leads").glob("*.parquet"))) < 80
    assert len(rows(lake.scan("landing/crm/leads"), "id")) == 100
    assert lake.landed("landing/crm/leads") == (100, {"seq": 100})


def test_a_verb_that_runs_seldom_finds_all_rows_that_came_since_however_often_files_were_joined(tmp_path):
    lake = Lake(tmp_path / "lake", engine=open_engine())
    lake.deltas.swept_after_h = 0

    def load(number):
        with lake.run("load") as run:
            run.append("entities/merges", lake.engine.load(pa.table({"value": [f"{number:03}"]})))

    load(0)
    first = lake.version("entities/merges")
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(hours=3)
    lake.log.append(Run("stitch", "done", {}, started_at=long_ago, read={"entities/merges": first}), "")
    for number in range(1, 100):
        load(number)

    with lake.run("stitch") as run:
        _, came = run.differing("entities/merges", first)
        assert lake.engine.collect(came)["value"].sort().to_pylist() == [f"{number:03}" for number in range(1, 100)]
    for number in range(100, 140):
        load(number)
    assert len(list(Path(lake.uri, "entities/merges").glob("*.parquet"))) < 100


def _break_off(lake, frame):
    with lake.run("stitch") as run:
        run.append("identity/person_ids", frame({"source_key": ["3@a.B"], "record_key": [3], "profile_id": [3]}))
        raise RuntimeError("power cut")


ATTEMPT = pa.table({"destination": ["out"], "entry": [1]})


def _send(lake):
    with lake.run("activate") as run:
        run.record("activation/attempts", ATTEMPT)
        raise RuntimeError("power cut")


def test_what_was_done_outside_counts_although_the_run_fails(lake, rows):
    with pytest.raises(RuntimeError):
        _send(lake)

    assert rows(lake.scan("activation/attempts"), "destination") == ["out"]


def test_many_small_files_become_few_and_hold_the_same(lake, rows):
    for _ in range(101):
        lake.record("activation/attempts", ATTEMPT)

    lake.tidy("activation/attempts")

    version = lake.head("activation/attempts")
    assert len(lake.deltas.snapshot("activation/attempts", version).files) == 1
    assert rows(lake.scan("activation/attempts"), "destination") == ["out"] * 101


def _append(lake, frame, number):
    with lake.run("stitch") as run:
        run.append(
            "identity/person_ids",
            frame({"source_key": [f"{number}@a.B"], "record_key": [number], "profile_id": [number]}),
        )


def test_a_table_that_is_appended_to_again_and_again_keeps_few_files(lake, frame, rows):
    for number in range(70):
        _append(lake, frame, number)

    found = lake.deltas.snapshot("identity/person_ids", lake.version("identity/person_ids"))
    assert len(found.files) < 40
    assert sorted(rows(lake.scan("identity/person_ids"), "profile_id")) == list(range(70))
    assert len(lake.log.rows()) == 70


def test_rows_that_were_only_joined_into_one_file_are_not_new(lake, frame, rows):
    for number in range(20):
        _append(lake, frame, number)
    then = lake.version("identity/person_ids")
    for number in range(20, 40):  # the table joins its files on the way
        _append(lake, frame, number)

    gone, come = lake.differing("identity/person_ids", then, lake.version("identity/person_ids"))
    assert rows(gone, "profile_id") == []
    assert sorted(rows(come, "profile_id")) == list(range(20, 40))


def test_rows_that_are_taken_out_are_gone_from_the_next_version_only(lake, frame, rows):
    with lake.run("stitch") as run:
        run.replace("identity/person_ids", frame(IDS))
    with lake.run("stitch") as run:
        run.remove("identity/person_ids", "source_key", ["1@a.B", "it's none"])
        meanwhile = rows(lake.scan("identity/person_ids"), "profile_id")

    assert meanwhile == [1, 2]
    assert rows(lake.scan("identity/person_ids"), "profile_id") == [2]

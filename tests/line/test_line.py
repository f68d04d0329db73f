"""What the whole line promises, on the demo world."""

import datetime as dt
import json

import polars as pl
import pytest

from cdp_toolkit.demo import evaluate_stitching

AS_OF = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)


def test_each_verb_repeated_without_a_change_writes_nothing_and_says_so(line):
    workspace, before = line.workspace, line.workspace.lake.log.versions()

    repeats = [
        workspace.load(),
        workspace.stitch(as_of=AS_OF),
        workspace.evaluate(as_of=AS_OF),
        workspace.activate(as_of=AS_OF),
    ]

    assert [run.outcome for run in repeats] == ["unchanged"] * 4
    assert workspace.lake.log.versions() == before


def test_every_delivered_row_is_in_an_entity_table_or_rejected_with_a_reason(line):
    rejected = line.workspace.scan("entities/_rejected").collect()

    assert rejected.height > 0
    assert rejected.select(pl.col("file", "line", "column", "reason").null_count()).row(0) == (0, 0, 0, 0)


def test_people_are_found_as_they_are(line):
    ids = line.workspace.lake.scan("identity/person_ids")
    truth = pl.scan_parquet(line.workspace.folder / "truth" / "records.parquet")

    quality = evaluate_stitching(ids, truth)

    assert quality.precision >= 0.99
    assert quality.recall >= 0.93


def test_nobody_who_opted_out_is_sent_anything(line):
    sent = line.workspace.scan("activation/ledger").filter(pl.col("outcome") == "delivered")
    people = line.workspace.scan("person").filter(pl.col("consent_email") == "n")
    by_mail = sent.filter(pl.col("destination").str.starts_with("marketo"))

    assert by_mail.collect().height > 0
    assert by_mail.join(people, on="profile_id", how="inner").collect().height == 0


def test_everyone_in_an_audience_can_be_told_why(line):
    someone = line.workspace.members("finance_pricing_visitors").sort("profile_id").collect()["profile_id"][0]

    why = str(line.workspace.explain("finance_pricing_visitors", someone, as_of=AS_OF))

    assert "Decision Maker" in why


def test_a_person_is_found_by_any_identity(line):
    emails = (
        line.workspace.scan("person").filter(pl.col("records") > 2, pl.col("email").is_not_null()).sort("profile_id")
    )
    row = emails.collect().row(0, named=True)

    by_key = line.workspace.profile(row["source_keys"][0])

    assert by_key.profile_id == row["profile_id"] == line.workspace.profile(row["profile_id"]).profile_id
    assert len(by_key.identity.records) >= 3
    assert {origin["column"] for origin in by_key.origins} >= {"email"}


def test_a_preview_counts_as_an_evaluation_does(line):
    previewed = line.workspace.preview(line.workspace.segments["high_scores"], as_of=AS_OF)

    assert previewed.count == line.evaluated.details["audiences"]["high_scores"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_is_exported_whole(line, tmp_path, ending):
    file = line.workspace.export("person", tmp_path / f"people.{ending}")

    rows = pl.read_csv(file, infer_schema=False) if ending == "csv" else pl.read_parquet(file)
    assert rows.height == line.stitched.counts["people"]


def test_a_run_tells_machines_everything(line):
    told = json.loads(line.stitched.to_json())

    assert told["verb"] == "stitch"
    assert told["counts"]["people"] == line.stitched.counts["people"]

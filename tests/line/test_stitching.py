"""Who is who in the demo world, against its truth."""

import polars as pl
import pytest

from cdp_toolkit.demo import evaluate_matching, evaluate_stitching


@pytest.mark.parametrize(("entity", "precision", "recall"), [("person", 0.999, 0.99), ("account", 0.98, 0.95)])
def test_records_are_stitched_as_they_truly_belong(line, entity, precision, recall):
    truth = pl.scan_parquet(line.workspace.folder / "truth" / "records.parquet")

    found = evaluate_stitching(line.workspace.scan(f"identity/{entity}_ids"), truth, entity=entity)

    assert found.precision >= precision
    assert found.recall >= recall


def test_people_without_an_account_are_matched_to_the_company_that_they_truly_work_for(line):
    truth, employers = (
        pl.scan_parquet(line.workspace.folder / "truth" / f"{name}.parquet") for name in ("records", "employers")
    )

    found = evaluate_matching(line.workspace.scan, truth, employers)

    assert found.people > 100
    assert found.precision >= 0.95
    assert found.recall >= 0.85


def test_a_matched_account_is_an_account_of_the_person_and_says_that_no_source_names_it(line):
    matches = line.workspace.scan("identity/account_matches").filter("is_matched").collect()
    ties = line.workspace.scan("profiles/account_person").collect()
    pairs = line.workspace.scan("profiles/person_account").collect()

    told = ties.filter(relationship_source="lead-to-account")

    assert matches.join(pairs, on=["profile_id", "account_id"], how="anti").height == 0
    assert sorted(told["matching_score"]) == sorted(matches["score"])
    assert ties.filter(pl.col("profile_id").is_in(told["profile_id"].implode()), "is_active").height == told.height


def test_a_profile_tells_to_which_account_it_was_matched_and_by_what(line):
    match = line.workspace.scan("identity/account_matches").filter("is_matched").collect().row(0, named=True)

    anna = line.workspace.profile(match["profile_id"])

    assert match["evidence"] in anna.account_match
    assert anna.account_match in str(anna)


def test_people_on_a_shared_device_stay_two_and_the_refused_link_says_why(line):
    refused = line.workspace.scan("identity/refused_links").filter(pl.col("reason") == "would join two names")

    assert refused.collect().height > 0
    record = refused.collect()["source_key"][0]
    assert "would join two names" in str(line.workspace.explain_identity(record))

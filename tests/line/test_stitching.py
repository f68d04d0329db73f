"""Who is who in the demo world, against its truth."""

import polars as pl
import pytest

from cdp_toolkit.demo import evaluate_stitching


@pytest.mark.parametrize(("entity", "precision", "recall"), [("person", 0.999, 0.99), ("account", 0.98, 0.95)])
def test_records_are_stitched_as_they_truly_belong(line, entity, precision, recall):
    truth = pl.scan_parquet(line.workspace.folder / "truth" / "records.parquet")

    found = evaluate_stitching(line.workspace.scan(f"identity/{entity}_ids"), truth, entity=entity)

    assert found.precision >= precision
    assert found.recall >= recall


def test_people_on_a_shared_device_stay_two_and_the_refused_link_says_why(line):
    refused = line.workspace.scan("identity/refused_links").filter(pl.col("reason") == "would join two names")

    assert refused.collect().height > 0
    record = refused.collect()["source_key"][0]
    assert "would join two names" in str(line.workspace.explain_identity(record))

"""Rows that belong together lie together on disk."""

import polars as pl
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from cdp_toolkit.engines.clustered import clustered

KEYS = [2**62 + 5, 3, None, 2**61, 7, 2**62, None, 1]


def test_a_clustered_table_holds_all_rows_and_those_of_a_key_side_by_side(engine, frame, tmp_path):
    events = frame({"profile_id": KEYS, "place": list(range(8))})

    engine.sink(events, str(tmp_path), mode="overwrite", options={}, cluster_by="profile_id")

    written = [pq.read_table(file)["profile_id"].to_pylist() for file in DeltaTable(str(tmp_path)).file_uris()]
    known = [[key for key in keys if key is not None] for keys in written]
    assert known == [sorted(keys) for keys in known]
    assert sorted(str(key) for keys in written for key in keys) == sorted(map(str, KEYS))


@pytest.mark.parametrize("most_bytes", [0, 50, 10**6])
def test_rows_beyond_memory_come_in_the_same_order_as_few(most_bytes):
    events = pl.DataFrame({"profile_id": KEYS, "place": range(8)}).lazy()

    with clustered(events, "profile_id", most_bytes=most_bytes, rows_a_group=2) as reader:
        found = reader.read_all().to_pydict()

    assert found["profile_id"] == sorted(KEYS, key=lambda key: -1 if key is None else key)
    assert sorted(found["place"]) == list(range(8))


@pytest.mark.parametrize("keys", [[None, 1, 1, 1, 2, 3, 3, 2**62], [None, 1, 1, 3, 2, 4, 4, 2**62]])
def test_rows_that_come_nearly_in_order_end_in_order(keys):
    events = pl.DataFrame({"profile_id": keys, "place": range(8)}).lazy()

    with clustered(events, "profile_id", most_bytes=50, rows_a_group=2) as reader:
        found = reader.read_all().to_pydict()

    assert found["profile_id"] == sorted(keys, key=lambda key: -1 if key is None else key)
    assert sorted(found["place"]) == list(range(8))

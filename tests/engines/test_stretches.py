"""Rows of some keys are found in the copy beside their table as a scan would find them, or not at all."""

import json
import shutil
from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_toolkit.engines import open_engine
from cdp_toolkit.engines.copied import copied
from cdp_toolkit.engines.differing import differing
from cdp_toolkit.engines.stretches import Copy, take

ROWS = {
    "profile_id": [2**62 + 5, 3, None, 2**61, 3, 7, 3],
    "page": ["a", "b", "c", None, "a", "b", "a"],
    "amount": [1.5, None, 2.0, 3.0, 4.0, 5.0, 6.0],
    "empty": [None] * 7,
    "emails": [["x", "y"], [], ["z"], None, ["x"], ["w"], ["v"]],
}
SCHEMA = pa.schema(
    {"profile_id": pa.int64(), "page": pa.string(), "amount": pa.float64(), "empty": pa.string(),
     "emails": pa.list_(pa.string())}
)  # fmt: skip


@pytest.fixture(params=["polars", "duckdb"])  # the executors of a cluster write their files themselves
def engine(request):
    return open_engine(request.param)


@pytest.fixture
def write(engine, tmp_path):
    def build(rows=ROWS, schema=SCHEMA):
        engine.sink(
            engine.load(pa.table(rows, schema)), str(tmp_path), mode="overwrite", options={}, cluster_by="profile_id"
        )
        return DeltaTable(tmp_path)

    return build


def copy_of(delta, version=None):
    files = [uri.rpartition("/")[2] for uri in delta.file_uris()]
    version = delta.version() if version is None else version
    return Copy(delta.table_uri.removeprefix("file://"), version, files, pa.schema(delta.schema().to_arrow()))


def taken(delta, ids, columns=tuple(ROWS), version=None):
    return take(copy_of(delta, version), np.array(sorted(ids), np.int64), columns)


def test_the_rows_of_some_keys_are_those_that_a_scan_finds(write):
    delta = write()

    found = taken(delta, [1, 3, 2**61, 2**63 - 1]).to_pylist()

    expected = [row for row in pa.table(ROWS, SCHEMA).to_pylist() if row["profile_id"] in {3, 2**61}]
    assert sorted(map(str, found)) == sorted(map(str, expected))
    assert [row["profile_id"] for row in found] == [3, 3, 3, 2**61]


def test_keys_that_are_not_there_have_no_rows(write):
    found = taken(write(), [0, 5])

    assert (len(found), found.column_names) == (0, list(ROWS))


def test_many_rows_are_cut_into_parts_that_keep_the_rows_of_a_key_together(write, monkeypatch):
    monkeypatch.setattr("cdp_toolkit.engines.copied._PART_BYTES", 20_000)
    ids = np.repeat(np.arange(1, 1001), 5).tolist()
    numbers = range(5000)
    rows = {
        "profile_id": ids,
        "page": [f"page {number % 7}" for number in numbers],
        "score": [None if number % 3 else number % 11 / 2 for number in numbers],  # values that repeat are kept once
        "visits": list(numbers),
    }
    kinds = (pa.int64(), pa.string(), pa.float64(), pa.int64())
    delta = write(rows, pa.schema(dict(zip(rows, kinds, strict=True))))

    found = taken(delta, [1, 200, 201, 1000], [*rows])

    expected = {row for row in zip(*rows.values(), strict=True) if row[0] in {1, 200, 201, 1000}}
    assert {tuple(row.values()) for row in found.to_pylist()} == expected
    assert len(found) == 20


MOMENTS = [datetime(2026, 3, 1, 9, second, tzinfo=UTC) for second in range(3)]


@pytest.mark.parametrize(
    "odd",
    [
        None,
        datetime(2026, 3, 1, microsecond=1, tzinfo=UTC),
        datetime(1969, 1, 1, tzinfo=UTC),
        datetime(2107, 1, 1, tzinfo=UTC),
    ],
)
def test_times_come_back_as_they_were(write, odd):
    schema = pa.schema({"profile_id": pa.int64(), "at": pa.timestamp("us", "UTC")})

    found = taken(write({"profile_id": [1, 2, 3, 4], "at": [*MOMENTS, odd]}, schema), [1, 2, 4], ["profile_id", "at"])

    assert found.to_pydict() == {"profile_id": [1, 2, 4], "at": [*MOMENTS[:2], odd]}
    assert found.schema.field("at").type == schema.field("at").type


def test_parts_end_where_those_of_the_last_version_did(write, tmp_path, monkeypatch):
    monkeypatch.setattr("cdp_toolkit.engines.copied._PART_BYTES", 4_000)
    monkeypatch.setattr("cdp_toolkit.engines.clustered._ROWS_A_BATCH", 50)
    schema = pa.schema({"profile_id": pa.int64(), "visits": pa.int64()})
    for ids in (range(1, 2001), [*range(1, 2001), 10, 20, 20]):
        write({"profile_id": ids, "visits": ids}, schema)

    about = [json.loads((tmp_path / f"_stretches/{version}/about.json").read_text()) for version in (0, 1)]
    keys = [each["keys"] for each in about]
    assert len(keys[0]) > 1
    assert keys[1] == keys[0]


def test_a_version_that_has_no_copy_of_its_own_is_scanned(write, tmp_path):
    first = write()
    shutil.copytree(tmp_path / "_stretches/0", tmp_path / "kept")
    second = write()
    shutil.rmtree(tmp_path / "_stretches/1")
    shutil.copytree(tmp_path / "kept", tmp_path / "_stretches/1")  # what a restored version could leave behind

    assert taken(second, [3]) is None
    assert len(taken(DeltaTable(tmp_path, version=first.version()), [3])) == 3


def write_half(rows, folder):
    with copied(rows, folder, "profile_id") as through:
        through.read_next_batch()
        raise OSError("the disk is full")


def test_a_write_that_ends_early_leaves_no_copy_and_does_not_hinder_the_next(write, tmp_path):
    first = write()
    table = pa.table(ROWS, SCHEMA).filter(pc.field("profile_id").is_valid()).sort_by("profile_id")

    with pytest.raises(OSError, match="full"):
        write_half(table.to_reader(), tmp_path)

    assert len(taken(first, [3])) == 3
    assert taken(first, [3], version=1) is None
    assert len(taken(write(), [3])) == 3


def test_columns_that_the_copy_lacks_are_scanned_for(write):
    assert taken(write(), [3], ["profile_id", "page", "new"]) is None


KEYS = st.integers(1, 9)
TABLES = st.lists(
    st.tuples(st.none() | KEYS, st.sampled_from(["a", "b", None]), st.sampled_from([1.5, 2.0, None])), max_size=12
)


@given(before=TABLES, after=TABLES, part=st.integers(1, 4))
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_keys_whose_rows_differ_are_told_without_reading_rows(write, before, after, part):
    schema = pa.schema({"profile_id": pa.int64(), "page": pa.string(), "amount": pa.float64()})
    copies = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cdp_toolkit.engines.copied._PART_BYTES", 20 * part)
        patch.setattr("cdp_toolkit.engines.clustered._ROWS_A_BATCH", part)
        for rows in (before, after):
            columns = dict(zip(schema.names, [*zip(*rows, strict=True)] or [()] * 3, strict=True))
            copies.append(copy_of(write(columns, schema)))

    found = differing(*copies)

    def of(key, rows):
        return sorted((row for row in rows if row[0] == key), key=str)

    assert found.keys.tolist() == [key for key in range(1, 10) if of(key, before) != of(key, after)]
    lone = {row[0] for row in before} ^ {row[0] for row in after}
    assert found.lone.tolist() == sorted(lone - {None})

    def column(place, rows):
        return Counter((row[0], row[place]) for row in rows if row[0] not in lone | {None})

    assert found.columns == {
        name for place, name in enumerate(schema.names) if column(place, before) != column(place, after)
    }


def test_values_that_two_keys_exchange_are_seen(write):
    schema = pa.schema({"profile_id": pa.int64(), "page": pa.string(), "visits": pa.int64()})
    before = copy_of(write({"profile_id": [2, 3], "page": ["a", "b"], "visits": [1, 1]}, schema))

    found = differing(before, copy_of(write({"profile_id": [2, 3], "page": ["b", "a"], "visits": [1, 1]}, schema)))

    assert found.keys.tolist() == [2, 3]
    assert found.columns == {"page"}


def test_versions_with_other_columns_are_compared_by_their_rows(write):
    first = write({"profile_id": [1], "page": ["a"]}, pa.schema({"profile_id": pa.int64(), "page": pa.string()}))
    here = copy_of(first)

    assert differing(here, copy_of(write())) is None

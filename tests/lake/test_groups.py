"""Rows of a packed table, bucket by bucket."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cdp_toolkit.lake.groups import Groups

SCHEMA = pa.schema({"entity": pa.string(), "bucket": pa.int64(), "bits": pa.binary()})
ROWS = [("person", 0, b"a"), ("person", 0, b"b"), ("account", 0, b"c"), ("person", 1, b"d"), ("person", 0, b"e")]


def written(path, rows, **options):
    columns = dict(zip(SCHEMA.names, zip(*rows, strict=True), strict=True))
    pq.write_table(pa.table(columns, schema=SCHEMA), path, **options)
    return pq.ParquetFile(path, memory_map=True)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("options", [{"compression": "none"}, {"compression": "lz4"}, {"write_statistics": False}])
def test_a_bucket_has_its_rows_wherever_they_lie(tmp_path, size, options):
    files = [written(tmp_path / f"{place}.parquet", ROWS, row_group_size=size, **options) for place in range(2)]

    groups = Groups(files, SCHEMA)

    assert groups.places == [("account", 0), ("person", 0), ("person", 1)]
    assert groups.rows("person", 0)["bits"].to_pylist() == [b"a", b"b", b"e"] * 2
    assert groups.rows("account", 0)["bits"].to_pylist() == [b"c"] * 2
    assert groups.rows("account", 1).equals(SCHEMA.empty_table())


def test_columns_that_a_file_has_beside_those_asked_for_are_not_read(tmp_path):
    file = written(tmp_path / "rows.parquet", ROWS)

    found = Groups([file], pa.schema([SCHEMA.field("entity"), SCHEMA.field("bucket")])).rows("person", 1)

    assert found.to_pylist() == [{"entity": "person", "bucket": 1}]

"""What only a cluster can get wrong: its address, its sessions, its files, and messages that hold so much."""

import socket

import narwhals as nw
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from cdp_toolkit.engines import open_engine
from cdp_toolkit.errors import ConfigError

pytestmark = pytest.mark.spark


@pytest.fixture
def cluster(sail):
    return open_engine({"spark": sail})


@pytest.mark.usefixtures("sail")
@pytest.mark.parametrize("address", ["", "localhost:15002", "http://localhost:15002", "sc://"])
def test_an_address_that_is_none_is_refused_before_anything_is_asked(address):
    with pytest.raises(ConfigError, match="is no address of Spark Connect"):
        open_engine({"spark": address})


@pytest.mark.usefixtures("sail")
def test_a_server_that_does_not_answer_is_named_at_once():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(ConfigError, match=f"No Spark Connect server answers at 127.0.0.1:{port}"):
        open_engine({"spark": f"sc://127.0.0.1:{port}"})


def test_two_engines_in_one_process_keep_their_rows_apart(sail):
    first, second = open_engine({"spark": sail}), open_engine({"spark": sail})

    kept = [each.materialise(each.load(pa.table({"n": [number]}))) for number, each in enumerate((first, second))]

    assert [first.collect(kept[0])["n"].to_pylist(), second.collect(kept[1])["n"].to_pylist()] == [[0], [1]]


def test_rows_that_fit_into_no_message_go_in_several(cluster):
    numbers = pa.table({"n": np.arange(9_000_000)})

    found = cluster.collect(cluster.load(numbers).select(nw.len(), nw.col("n").sum(), last=nw.col("n").max()))

    assert found.to_pylist() == [{"len": 9_000_000, "n": 40_499_995_500_000, "last": 8_999_999}]


def test_every_text_has_the_key_that_the_other_engines_give_it(cluster):
    texts = pa.table({"text": ["", "a", "ß" * 15, "x" * 31, "x" * 32, "x" * 33, "Zoë \N{PILE OF POO}" * 100, "\0"]})

    keys = [each.collect(each.key64(each.load(texts), {"key": "text"}).sort("text")) for each in
            (cluster, open_engine("polars"))]  # fmt: skip

    assert keys[0]["key"].to_pylist() == keys[1]["key"].to_pylist()


def test_a_column_that_is_new_is_added_to_a_table_and_one_that_lacks_is_null(cluster, tmp_path):
    uri = str(tmp_path / "table")
    first = pa.table({"id": [1], "old": ["x"]})
    second = pa.table({"id": [2], "new": [pa.scalar(1.5)]})

    cluster.sink(cluster.load(first), uri, mode="overwrite", options={})
    cluster.sink(cluster.load(second), uri, mode="append", options={})

    assert sorted(pl.read_delta(uri).select("id", "old", "new").rows()) == [(1, "x", None), (2, None, 1.5)]


def test_a_column_of_nulls_alone_is_written_as_text(cluster, tmp_path):
    rows = cluster.load(pa.table({"id": [1]})).with_columns(nothing=nw.lit(None))

    cluster.sink(rows, str(tmp_path / "table"), mode="overwrite", options={})

    assert pl.read_delta(str(tmp_path / "table")).schema == {"id": pl.Int64, "nothing": pl.String}


def test_a_text_is_parted_by_a_text_not_by_a_pattern(cluster):
    found = cluster.collect(cluster.load(pa.table({"day": ["31.12.2024"]})).select(nw.col("day").str.split(".")))

    assert found["day"].to_pylist() == [["31", "12", "2024"]]


def test_a_name_with_a_dot_is_a_name_and_a_number_may_be_divided_by_any_other(cluster):
    rows = cluster.load(pa.table({"key.source": [7.0, 1.0, -1.0], "by": [2.0, 0.0, 0.0]}))

    found = cluster.collect(rows.select(part=nw.col("key.source") / nw.col("by")))

    assert found["part"].to_pylist() == [3.5, float("inf"), float("-inf")]

"""A table whose rows are changed a few at a time reads as one that is written anew each time."""

from collections import defaultdict

import narwhals as nw
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cdp_toolkit.engines import open_engine
from cdp_toolkit.lake import Lake
from cdp_toolkit.lake.layers import layers_of
from cdp_toolkit.lake.tables import TABLES

NAME = "identity/members"
COLUMNS = ("entity", "cluster", "record_key")
_SCHEMA = pa.schema([("entity", pa.string()), ("cluster", pa.int64()), ("record_key", pa.int64())])
_KEY = st.tuples(st.sampled_from(["person", "account"]), st.integers(1, 6))
_RECORDS = st.lists(st.integers(1, 9), max_size=3, unique=True)
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["change", "change", "change", "append", "replace", "break off"]),
        st.dictionaries(_KEY, _RECORDS, max_size=4),
    ),
    max_size=14,
)


def _frame(engine, said):
    rows = [(*key, record) for key, records in said.items() for record in records]
    return engine.load(pa.table([pa.array(list(column)) for column in zip(*rows, strict=True)], schema=_SCHEMA)) if rows \
        else engine.load(_SCHEMA.empty_table())  # fmt: skip


def _keys(engine, said):
    columns = [list(column) for column in zip(*said, strict=True)] or [[], []]
    return engine.load(pa.table(dict(zip(COLUMNS, columns, strict=False)), schema=pa.schema(list(_SCHEMA)[:2])))


def _rows(engine, frame):
    table = engine.collect(frame.select(*COLUMNS))
    return sorted(zip(*(table[column].to_pylist() for column in COLUMNS), strict=True))


class _BrokeOffError(Exception):
    pass


def _take(lake, truth, step, said):
    with lake.run("stitch") as run:
        if step == "replace":
            run.replace(NAME, _frame(lake.engine, said))
        elif step == "append":
            run.append(NAME, _frame(lake.engine, said))
        else:
            run.change(NAME, _frame(lake.engine, said), _keys(lake.engine, said))
        if step == "break off":
            raise _BrokeOffError
    if step == "replace":
        truth.clear()
    for key, records in said.items():
        truth[key] = [*(truth[key] if step == "append" else ()), *records]


@pytest.mark.parametrize(("name", "examples"), [("polars", 40), ("duckdb", 8)])
def test_changes_laid_over_a_table_read_as_the_table_written_anew(name, examples, tmp_path_factory):
    engine = open_engine(name)

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.dictionaries(_KEY, _RECORDS, min_size=4), _STEPS, st.sampled_from([0.5, 100]))
    @example({("person", 1): []}, [("append", {("person", key): [1]}) for key in (1, 2)], 0.5)
    def holds(world, steps, most):
        lake, truth = Lake(tmp_path_factory.mktemp("lake"), engine=engine), defaultdict(list)
        lake.most_laid = most
        _take(lake, truth, "replace", world)
        for step, said in steps:
            before, was = lake.version(NAME), _rows(engine, lake.scan(NAME))
            try:
                _take(lake, truth, step, said)
            except _BrokeOffError:
                assert lake.version(NAME) == before
            expected = sorted((*key, record) for key, records in truth.items() for record in records)
            assert _rows(engine, lake.scan(NAME)) == expected
            assert lake.rows(NAME) == len(expected)
            found = lake.find(NAME, engine.load(pa.table({"cluster": [5, 2, 9]})))
            assert _rows(engine, found) == [row for row in expected if row[1] in {2, 5, 9}]
            assert _rows(engine, lake.scan(NAME, before)) == was
            gone, come = (set(_rows(engine, frame)) for frame in lake.differing(NAME, before, lake.version(NAME)))
            assert {*was} - {*expected} <= gone <= {*was}
            assert {*expected} - {*was} <= come <= {*expected}

    holds()


def test_a_few_changed_rows_write_a_few_rows_until_they_are_many(tmp_path, engine, frame):
    lake = Lake(tmp_path / "lake", engine=engine)
    with lake.run("stitch") as run:
        run.replace(NAME, frame({"entity": ["person"] * 100, "cluster": [*range(100)], "record_key": [*range(100)]}))

    laid = []
    for number in range(12):
        key = frame({"entity": ["person"], "cluster": [number]})
        with lake.run("stitch") as run:
            run.change(NAME, key.with_columns(record_key=nw.lit(1000 + number)), key)
        laid.append([each.rows for each in layers_of(lake.deltas.snapshot(NAME, lake.version(NAME)).files).changes])

    assert laid[:9] == [*([1] * number for number in range(1, 9)), [9]]
    assert lake.rows(NAME) == 100
    assert all(sum(rows) <= 20 for rows in laid)


def test_every_table_that_can_be_changed_says_by_what():
    assert TABLES[NAME].replaced_by == ("entity", "cluster")
    assert TABLES["identity/person_ids"].replaced_by == ("record_key",)
    assert TABLES["identity/carriers"].replaced_by == ("entity", "value_key", "record_key")
    assert TABLES["identity/history"].replaced_by == ()

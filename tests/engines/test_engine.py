import datetime as dt

import narwhals as nw
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from cdp_toolkit.engines.polars import PolarsEngine
from cdp_toolkit.model.model import FieldType

UTC = dt.UTC


def test_a_text_has_the_same_key_on_every_engine_and_null_has_none(engine, frame, rows):
    texts = frame({"text": ["Spark", "x", None]})

    hashed = engine.key64(texts, {"key": "text"})

    # XXH64 with seed 42 of "Spark" and "x", without the highest bit
    assert rows(hashed, "text", "key") == [
        ("Spark", 14152276016018486711 - 2**63),
        ("x", 12810693594942329153 - 2**63),
        (None, None),
    ]


def test_the_latest_value_of_each_column_that_is_not_null_wins(engine, frame, rows):
    records = frame(
        {
            "id": [1, 1, 1, 2],
            "at": [3, 1, None, 5],
            "name": [None, "old", "undated", None],
            "city": ["x", "y", "z", None],
        }
    )

    latest = engine.latest(records, by="id", order=["at"], columns=["name", "city"])

    assert rows(latest, "id", "name", "city") == [(1, "old", "x"), (2, None, None)]


def test_materialised_rows_are_the_rows(engine, frame, rows):
    doubled = frame({"id": [1, 2]}).with_columns(double=nw.col("id") * 2)

    assert rows(engine.materialise(doubled), "id", "double") == [(1, 2), (2, 4)]


def test_rows_set_aside_are_the_rows_as_often_as_they_are_read(engine, frame, rows):
    doubled = frame({"id": [1, 2]}).with_columns(double=nw.col("id") * 2)

    with engine.set_aside(doubled) as kept:
        assert rows(kept, "id", "double") == rows(kept, "id", "double") == [(1, 2), (2, 4)]


def test_a_column_that_no_file_has_yet_is_null(engine, rows, tmp_path):
    pq.write_table(pa.table({"id": [1, 2]}), tmp_path / "old.parquet")

    scanned = engine.scan(
        [str(tmp_path / "old.parquet")], pa.schema({"id": pa.int64(), "at": pa.timestamp("us", "UTC")})
    )

    assert rows(scanned, "id", "at") == [(1, None), (2, None)]


def test_distinct_values_are_listed_once_in_order_and_without_null(engine, frame, rows):
    records = frame({"id": [1, 1, 1, 2, 1], "email": ["b@x", "a@x", "b@x", None, None]})

    assert rows(engine.distinct(records, by="id", column="email"), "id", "email") == [(1, ["a@x", "b@x"])]


def test_rows_are_found_by_their_keys_each_once_and_never_by_null(engine, frame, rows):
    records = frame({"key": [1, 2, None, 2, 3], "name": ["a", "b", "c", "d", "e"]})
    keys = frame({"key": [2, 2, None, 9]})

    assert rows(engine.among(records, "key", keys), "key", "name") == [(2, "b"), (2, "d")]


def test_rows_without_a_few_keys_are_those_that_have_none_of_them(engine, frame, rows):
    records = frame({"id": [1, 2, 3, 4], "key": [7, None, 8, 9], "name": ["a", "b", "c", "d"]})
    keys = frame({"key": [7, 9], "name": ["a", "x"]})

    assert rows(engine.without(records, keys, on=["key", "name"]), "id") == [2, 3, 4]


def test_what_is_known_by_a_key_is_added_and_null_is_nobodys_key(engine, frame, rows):
    records = frame({"id": [1, 2, 3], "key": [7, None, 8]})
    known = frame({"of": [7, 9], "name": ["a", "b"]})

    found = engine.look_up(records, known, on="key", by="of")

    assert rows(found, "id", "name") == [(1, "a"), (2, None), (3, None)]


def test_what_is_made_of_some_keys_at_a_time_is_what_is_made_of_all(engine, frame, rows, monkeypatch):
    monkeypatch.setattr("cdp_toolkit.engines.polars._PIECE_BYTES", 2)  # where memory is all that the engine has
    people = frame({"id": [3, 1, 2**62, 2, 3], "name": ["c", "a", "e", "b", "d"]})
    notes = frame({"id": [2, 3, 2, 9], "note": ["x", "y", "z", "nobody's"]})

    def noted(people, notes):
        names = people.group_by("id").agg(nw.col("name").max())
        return names.join(notes.group_by("id").agg(notes=nw.len()), on="id", how="left")

    made = engine.piecewise([people, notes], noted, by="id")

    assert rows(made, "id", "name", "notes") == [(1, "a", None), (2, "b", 2), (3, "d", 1), (2**62, "e", None)]
    assert rows(made.filter(nw.col("notes") > 1).select("name"), "name") == ["b"]
    assert len(rows(made.head(2), "id")) == 2


def test_no_rows_are_found_without_keys(engine, frame, rows):
    records = frame({"key": [1, 2], "name": ["a", "b"]})

    assert rows(engine.among(records, "key", frame({"key": []}, {"key": pa.int64()})), "key", "name") == []


def test_rows_that_python_makes_are_a_frame_like_any_other(engine, rows):
    schema = pa.schema({"id": pa.int64(), "name": pa.string()})
    made = [pa.record_batch({"id": [each, each + 1], "name": ["a", "b"]}, schema=schema) for each in (1, 3, 5)]

    found = engine.stream(schema, lambda: iter(made))

    assert rows(found.filter(nw.col("id") > 1), "name") == ["a", "a", "b", "b", "b"]
    assert rows(engine.stream(schema, lambda: iter([])), "id") == []


def test_text_that_does_not_parse_is_null_and_never_raises(engine, frame, rows):
    columns = {
        "integer": ["12", "12.0", "12.5", "x", None],
        "money": ["1.5", "nan", "1e3", "", None],
        "boolean": ["true", "false", "TRUE", "1", None],
        "timestamp": ["2024-02-29 10:00:00.5+0000", "2024-02-29 10:00:00+0100", "2023-02-29 10:00:00+0000", "x", None],
        "date": ["2024-02-29", "2023-02-29", "2024-1-1x", "", None],
        "strings": ['["a", "b, c"]', "[]", '["a"', "a;b", None],
    }

    parsed = engine.parse(frame(columns), {name: name for name in columns})

    assert rows(parsed, "integer") == sorted([12, 12, None, None, None], key=repr)
    assert rows(parsed, "money") == sorted([1.5, None, 1000.0, None, None], key=repr)
    assert rows(parsed, "boolean") == sorted([True, False, None, None, None], key=repr)
    assert {at and at.astimezone(UTC).isoformat() for at in rows(parsed, "timestamp")} == {
        None,
        "2024-02-29T10:00:00.500000+00:00",
        "2024-02-29T09:00:00+00:00",
    }
    assert rows(parsed, "date") == sorted([dt.date(2024, 2, 29), None, None, None, None], key=repr)
    assert rows(parsed, "strings") == sorted([["a", "b, c"], [], None, None, None], key=repr)


def test_polars_parses_rows_as_they_stream_by():
    columns: dict[str, FieldType] = {
        kind: kind for kind in ("integer", "number", "money", "boolean", "timestamp", "date", "strings", "keys")
    }
    texts = nw.from_native(pl.LazyFrame(schema=dict.fromkeys(columns, pl.String)))

    parsed = PolarsEngine().parse(texts, columns).to_native()

    plan = parsed.show_graph(plan_stage="physical", engine="streaming", raw_output=True)
    assert "multiplexer" not in str(plan)  # it holds all rows until a whole column is done


def test_values_are_taken_out_of_json_as_text_and_null_where_there_are_none(engine, frame, rows):
    texts = [
        '{"Web URL": "/a?b=\\"c\\"", "n": 1.5, "keys": [{"id": "1"}, {"id": "\\"2"}], "deep": {"yes": true}}',
        "no",
        None,
    ]
    paths = {"url": ("Web URL",), "n": ("n",), "deep": ("deep", "yes"), "second": ("keys", 1, "id"), "lost": ("x", "y"),
             "ids": ("keys", None, "id"), "none": ("x", None, "y")}  # fmt: skip

    found = engine.json(frame({"text": texts}), {new: ("text", path) for new, path in paths.items()})

    assert rows(found, *paths) == sorted(
        [('/a?b="c"', "1.5", "true", '"2', None, '["1","\\"2"]', None), (None,) * 7, (None,) * 7], key=repr
    )


def test_rows_with_the_same_json_each_get_its_values(engine, frame, rows):
    columns = {"id": ["1", "2", "3", "4", "5"], "text": ['{"n": "x"}', None, '{"n": "x"}', '{"m": "y"}', None]}

    found = engine.json(frame(columns), {"n": ("text", ("n",)), "m": ("text", ("m",))})

    assert rows(found, "id", "n", "m") == [
        ("1", "x", None), ("2", None, None), ("3", "x", None), ("4", None, "y"), ("5", None, None)
    ]  # fmt: skip


def test_what_hangs_together_gets_its_smallest_node_as_its_component(engine, frame, rows):
    links = frame({"a": [5, 9, 2, 7], "b": [2, 8, 1, 7]})

    found = engine.connected_components(links)

    assert rows(found, "node", "component") == [(1, 1), (2, 1), (5, 1), (7, 7), (8, 8), (9, 8)]


def test_an_empty_graph_has_no_components(engine, frame, rows):
    links = frame({"a": [], "b": []}, {"a": pa.int64(), "b": pa.int64()})

    assert rows(engine.connected_components(links), "node") == []

"""A function of texts is asked once for each text that occurs."""

import narwhals as nw
import pyarrow as pa

from cdp_toolkit.engines.distinct import ask_once


def test_each_distinct_text_is_asked_once_and_null_never(engine, frame, rows):
    asked = []

    def shout(text):
        asked.append(text)
        return text.upper() if text != "b" else None

    given = frame({"name": ["a", "a", "b", None]})
    told = ask_once(given, ["name"], "loud", shout, engine, where=~nw.col("name").is_null())

    assert rows(told, "name", "loud") == sorted([("a", "A"), ("a", "A"), ("b", None), (None, None)], key=repr)
    assert sorted(asked) == ["a", "b"]


def test_where_nothing_is_asked_the_column_is_null(engine, frame, rows):
    given = frame({"name": [None]}, {"name": pa.string()})

    told = ask_once(given, ["name"], "loud", str.upper, engine, where=~nw.col("name").is_null())

    assert rows(told, "loud") == [None]

"""How delivered text becomes values, on each engine."""

from datetime import UTC, date, datetime

import narwhals as nw
import pytest

from cdp_toolkit.engines import open_engine
from cdp_toolkit.errors import ConfigError
from cdp_toolkit.model.types import check_form, clean, text


def values(engine, frame, kind, texts, form=None):
    """Return what each text becomes; a bad value is the word ``bad``."""
    delivered = frame({"n": list(range(len(texts))), "raw": texts}).with_columns(raw=text(nw.col("raw"), ("null",)))
    parsed = engine.parse(delivered.with_columns(value=clean(nw.col("raw"), kind, form)), {"value": kind})
    rows = sorted(engine.collect(parsed).to_pylist(), key=lambda row: row["n"])
    return ["bad" if row["value"] is None and row["raw"] is not None else row["value"] for row in rows]


def test_blanks_around_a_text_do_not_count_and_nothing_is_null(engine, frame):
    assert values(engine, frame, "string", [" a b\u00a0", "", " \t", "null", "Null", None]) == [
        "a b", None, None, None, "Null", None,
    ]  # fmt: skip


def test_the_same_moment_in_all_notations_is_the_same_value(engine, frame):
    notations = [
        "2023-01-17T12:36:46Z", "2023-01-17T12:36:46+0000", "2023-01-17T04:36:46-08:00", "2023-01-17T12:36:46Z+0000",
        "2023-01-17 12:36:46", "2023-01-17 12:36:46.000", "2023-01-17 12:36:46 UTC", "2023-01-17T14:36:46+02",
        "2023-01-17T12:36:46.000000000Z", "2023-01-17T12:36:46.000Z", "2023-01-17T12:36:46.000+0000",
    ]  # fmt: skip

    assert set(values(engine, frame, "timestamp", notations)) == {datetime(2023, 1, 17, 12, 36, 46, tzinfo=UTC)}


def test_fractions_of_a_second_are_kept_to_the_microsecond(engine, frame):
    notations = [
        "2023-01-17T12:36:46.25Z", "2023-01-17T12:36:46.257Z", "2023-01-17T12:36:46.257+0000",
        "2023-01-17T12:36:46.257931+00:00",
    ]  # fmt: skip

    found = values(engine, frame, "timestamp", notations)

    assert sorted(at.microsecond for at in found) == [250_000, 257_000, 257_000, 257_931]


def test_a_time_may_end_at_the_day_or_the_minute(engine, frame):
    assert values(engine, frame, "timestamp", ["2023-01-17", "2023-01-17T12:36"]) == [
        datetime(2023, 1, 17, tzinfo=UTC), datetime(2023, 1, 17, 12, 36, tzinfo=UTC),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text_",
    ["31.02.2024", "01/02/2023", "2023-02-30", "2023-1-7", "2023-01-17x12:00", "12:00", "?", "2023-02-30T12:00:00Z"],
)
def test_what_is_no_time_or_could_be_two_is_refused(engine, frame, text_):
    assert values(engine, frame, "timestamp", [text_]) == ["bad"]


def test_a_mapping_tells_which_part_is_the_month(engine, frame):
    assert values(engine, frame, "date", ["1/2/2023", "12/31/2023", "13/1/2023", "2023-01-02"], "MM/DD/YYYY") == [
        date(2023, 1, 2), date(2023, 12, 31), "bad", "bad",
    ]  # fmt: skip
    assert values(engine, frame, "timestamp", ["02.01.2023 10:30:00"], "DD.MM.YYYY") == [
        datetime(2023, 1, 2, 10, 30, tzinfo=UTC)
    ]


def test_numbers_come_with_thousands_currencies_and_percent(engine, frame):
    texts = ["1,234,567.5", "1 234", "$1,234.50", "-5", "1.5e3", "EUR 12", "75%", ".5"]

    assert values(engine, frame, "number", texts) == [1234567.5, 1234, 1234.5, -5, 1500, 12, 75, 0.5]


def test_what_is_no_number_is_refused(engine, frame):
    texts = ["a lot", "1,23", "1.234,56", "USD", "--1", "NaN", "1,2345"]

    assert values(engine, frame, "number", texts) == ["bad"] * len(texts)
    assert values(engine, frame, "money", ["1.234,56", "12,5"], "1.234,56") == [1234.56, 12.5]


def test_a_whole_number_may_have_zeros_behind_the_point_and_no_more(engine, frame):
    assert values(engine, frame, "integer", ["1,234", "12.0", "12.5", "99999999999999999999"]) == [
        1234,
        12,
        "bad",
        "bad",
    ]


def test_true_and_false_have_many_words_and_no_others(engine, frame):
    truths, lies = ["true", "TRUE", "1", "yes", "Y", "t"], ["false", "False", "0", "no", "N", "f"]

    assert values(engine, frame, "boolean", [*truths, *lies, "maybe"]) == [True] * 6 + [False] * 6 + ["bad"]


def test_an_address_is_lower_case_and_has_one_at_and_a_domain(engine, frame):
    texts = [" Ana.M@Acme.Example ", "a@b", "call him first", "a@@b.com", "a@b.com;c@d.com", "ü@bücher.de"]

    assert values(engine, frame, "email", texts) == ["ana.m@acme.example", "bad", "bad", "bad", "bad", "ü@bücher.de"]


def test_a_domain_is_taken_out_of_an_address_of_the_web(engine, frame):
    assert values(engine, frame, "domain", ["https://www.Acme.com/x?y", "acme.co.uk", "acme"]) == [
        "acme.com",
        "acme.co.uk",
        "bad",
    ]


def test_a_list_is_json_or_texts_between_semicolons(engine, frame):
    texts = ["a; b;c", '["a","b"]', "[1, 2]", "one", 'q"x;\\y', "[]", "[oops", None]

    assert values(engine, frame, "strings", texts) == [
        ["a", "b", "c"], ["a", "b"], ["1", "2"], ["one"], ['q"x', "\\y"], [], "bad", None,
    ]  # fmt: skip


def test_a_record_key_names_its_instance_and_type(engine, frame):
    assert values(engine, frame, "key", ["1@000.Salesforce", "00Q1"]) == ["1@000.Salesforce", "bad"]


@pytest.mark.parametrize(("form", "kind"), [("MM/YYYY", "date"), ("DD/MM/YYYY", "number"), ("dd/mm/yyyy", "timestamp")])
def test_a_form_that_nobody_knows_is_refused(form, kind):
    with pytest.raises(ConfigError, match=form):
        check_form(form, kind)


def test_both_engines_find_the_same_in_json():
    import pyarrow as pa

    texts = ['{"Webpage URL":"http://x","n":5,"l":[1]}', '[{"id":"a"},{"id":"b"}]', "no json", "{}", None]
    paths = {"url": ("j", ("Webpage URL",)), "n": ("j", ("n",)), "ids": ("j", (None, "id")), "first": ("j", (0, "id"))}

    found = [
        engine.collect(engine.json(engine.load(pa.table({"j": texts})), paths)).to_pylist()
        for engine in (open_engine("polars"), open_engine("duckdb"))
    ]

    assert found[0] == found[1]
    assert [row["url"] or row["ids"] for row in found[0]] == ["http://x", '["a","b"]', None, None, None]
    assert (found[0][0]["n"], found[0][1]["first"]) == ("5", "a")

"""What the reader of files makes of exports as they really come."""

import codecs
import gzip
import json
from datetime import UTC, date, datetime

import polars as pl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_toolkit.connectors.files.source import FilesSource
from cdp_toolkit.errors import ConfigError, SourceError
from cdp_toolkit.sources.source import Object, SourceFailure


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "exports").mkdir()
    return tmp_path / "exports"


def source(folder, objects=None, **settings):
    return FilesSource({"type": "files", "path": "exports", **settings}, folder=folder.parent, objects=objects)


def read(folder, cursor=None, **settings):
    """Read everything, a row as its values without the name of the file."""
    opened = source(folder, **settings)
    rows = []
    for each in opened.objects():
        for batch in opened.read(each, cursor or {}):
            if isinstance(batch, SourceFailure):
                raise batch.error
            rows += batch.open().read_all().to_pylist()
    return [{name: value for name, value in row.items() if name != "_file" and value is not None} for row in rows]


def test_values_stay_as_they_were_written_and_an_empty_one_is_null(folder):
    (folder / "leads.csv").write_text('id,score,email,note\n007,"1,234",,null\n')

    assert read(folder) == [{"id": "007", "score": "1,234", "note": "null", "_line": 2}]


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_in_the_header(folder, sign):
    (folder / "leads.csv").write_text(f"id{sign}name\n1{sign}Anna\n")

    assert read(folder) == [{"id": "1", "name": "Anna", "_line": 2}]


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-16-le", b""),
    ],
)
def test_unicode_is_read_with_and_without_a_mark(folder, encoding, mark):
    (folder / "leads.csv").write_bytes(mark + "id,name\n1,José Müller\n".encode(encoding))

    assert read(folder) == [{"id": "1", "name": "José Müller", "_line": 2}]


def test_an_encoding_that_was_guessed_is_named(folder):
    (folder / "leads.csv").write_bytes("id,name\n1,José Müller\n".encode("cp1252"))

    opened = source(folder)
    (batch,) = opened.read(opened.objects()[0], {})

    assert batch.open().read_all()["name"].to_pylist() == ["José Müller"]
    assert batch.notes == ("leads.csv is not in UTF-8: it was read as cp1252. If names look wrong, set `encoding`.",)


def test_an_encoding_that_nobody_can_tell_is_asked_for(folder):
    (folder / "leads.csv").write_bytes(b"id,name\n1,\xff\x81\x8d\x00\xfe\n")

    with pytest.raises(SourceError, match=r"The encoding cannot be told.[\s\S]*encoding: cp1252"):
        read(folder)


def test_an_encoding_that_is_told_is_used(folder):
    (folder / "leads.csv").write_bytes("id,name\n1,Dvořák\n".encode("cp1250"))

    assert read(folder, encoding="cp1250") == [{"id": "1", "name": "Dvořák", "_line": 2}]


def test_line_breaks_in_values_move_the_lines_that_follow(folder):
    (folder / "leads.csv").write_text('id,note\n1,"two\nlines"\n2,x\n\n3,y\n')

    assert [(row["id"], row["_line"]) for row in read(folder)] == [("1", 2), ("2", 4), ("3", 6)]


def test_a_ragged_row_lands_with_its_line_and_its_text_and_the_others_as_usual(folder):
    (folder / "leads.csv").write_text('id,a,b\n1,x,y\n2,x\n3,x,y,z\n4,"p\nq",r\n5,x,y\n')

    rows = read(folder)

    assert [(row["id"], row["_line"]) for row in rows if "id" in row] == [("1", 2), ("4", 5), ("5", 7)]
    assert [(row["_line"], row["_problem"], row["_raw"]) for row in rows if "_raw" in row] == [
        (3, "2 fields where the header has 3", "2,x"),
        (4, "4 fields where the header has 3", "3,x,y,z"),
    ]


def test_quotes_within_a_value_and_nul_bytes_are_survived(folder):
    (folder / "leads.csv").write_bytes(b'id,name,city\n1,"first"Name1",Bonn\n2,x\0y,Ulm\n')

    assert [(row["name"], row["city"]) for row in read(folder)] == [('firstName1"', "Bonn"), ("xy", "Ulm")]


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("leads.csv", b"id,name\n1,Anna\n2", "its last row has 1 of 2 fields"),
        ("leads.csv", b'id,name\n1,Anna\n2,"An', "it ends within quotation marks"),
        ("leads.csv", b'id,name\n1,Anna\n2,"', "it ends within quotation marks"),
        ("leads.csv.gz", gzip.compress(b"id,name\n" + b"1,Anna\n" * 99_999)[:150], "cut off or damaged"),
        ("leads.ndjson", b'{"id": 1}\n{"id": 2, "na', "cut off"),
        ("leads.json", b'[{"id": 1}, {"id"', "cut off"),
        ("leads.parquet", b"PAR1 and then nothing", "cut off or no Parquet file"),
        ("leads.xlsx", b"PK and then nothing", "cut off or no workbook"),
        ("leads.csv", b"", "The file is empty"),
    ],
)
def test_a_file_that_is_cut_off_is_refused_whole_and_named(folder, name, data, why):
    (folder / name).write_bytes(data)

    with pytest.raises(SourceError, match=why) as refused:
        read(folder)

    assert str(folder / name) in refused.value.where


def test_json_lands_flat_objects_dotted_arrays_as_json_and_numbers_as_written(folder):
    lines = ['{"_id": 12345678901234567890, "web": {"page": {"URL": "/x"}}, "ids": [{"id": "a"}]}', '{"_id": "b"}']
    (folder / "event.ndjson").write_text("\n".join(lines) + "\n")

    first, second = read(folder)

    assert (first["_id"], first["web.page.URL"], first["_line"]) == ("12345678901234567890", "/x", 1)
    assert json.loads(first["ids"]) == [{"id": "a"}]
    assert second == {"_id": "b", "_line": 2}


def test_a_file_without_a_line_of_json_has_no_rows(folder):
    (folder / "event.ndjson").touch()
    (folder / "lead.ndjson").write_text('{"id": 1}\n')

    assert read(folder) == [{"id": "1", "_line": 1}]


def test_an_array_of_json_objects_is_read_like_lines_of_json(folder):
    (folder / "account.json").write_text('[{"id": 1, "ok": true, "audit": {"by": "me"}}, {"id": 2}]')

    assert read(folder) == [{"id": "1", "ok": "true", "audit.by": "me", "_line": 1}, {"id": "2", "_line": 2}]


def test_parquet_lands_as_text_with_times_in_utc(folder):
    at = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    row = {"id": [7], "score": [1.5], "at": [at], "day": [date(2024, 1, 2)], "tags": [["x", "y"]], "is_new": [True]}
    pl.DataFrame(row).write_parquet(folder / "leads.parquet")

    assert read(folder) == [
        {
            "id": "7", "score": "1.5", "at": "2024-01-02T03:04:05.000000Z", "day": "2024-01-02", "tags": '["x","y"]',
            "is_new": "true", "_line": 2,
        }
    ]  # fmt: skip


def test_a_workbook_lands_as_text(folder):
    with xlsxwriter.Workbook(folder / "leads.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["id", "when", "score"])
        sheet.write_number(1, 0, 7)
        sheet.write_datetime(1, 1, datetime(2024, 1, 2), book.add_format({"num_format": "dd/mm/yyyy"}))  # noqa: DTZ001
        sheet.write_number(1, 2, 1.5)

    assert read(folder) == [{"id": "7", "when": "2024-01-02 00:00:00", "score": "1.5", "_line": 2}]


def test_objects_are_files_or_folders_of_parts_in_any_case(folder):
    (folder / "contact.CSV").write_text("Id\n1\n")
    (folder / "activities").mkdir()
    for part in ("part-0.csv", "part-1.csv"):
        (folder / "activities" / part).write_text("id\n1\n")
    (folder / "notes.docx").write_text("x")
    (folder / ".DS_Store").write_text("x")

    opened = source(folder, {"Contact": (), "activities": (), "Lead": ()})

    assert opened.objects() == [
        Object("Contact", ("contact.CSV",)),
        Object("activities", ("activities/part-0.csv", "activities/part-1.csv")),
    ]
    assert opened.unknown() == ["notes.docx"]


def test_a_mapping_says_which_files_an_object_reads(folder):
    (folder / "marketo_lead_data_2024.csv").write_text("id\n1\n")

    opened = source(folder, {"leads": ("marketo_lead_*.csv",)})

    assert [each.name for each in opened.objects()] == ["leads"]


def test_only_what_is_new_is_read_whatever_its_name_or_date(folder):
    (folder / "leads").mkdir()
    (folder / "leads" / "a.csv").write_text("id\n1\n")
    opened = source(folder)
    (first,) = opened.read(opened.objects()[0], {})

    (folder / "leads" / "a.csv").touch()
    (folder / "leads" / "copy.csv").write_text("id\n1\n")
    (folder / "leads" / "new.csv").write_text("id\n2\n")
    again = list(opened.read(opened.objects()[0], first.cursor))

    assert [batch.part for batch in again] == ["leads/new.csv"]


@pytest.mark.parametrize(
    ("settings_", "why"),
    [({"path": "nowhere"}, "There is no folder"), ({"pth": "exports"}, "pth"), ({"path": 3}, "path")],
)
def test_a_wrong_setting_is_said_where_it_stands(folder, settings_, why):
    given_settings = {"type": "files", "path": "exports"} | settings_

    with pytest.raises(ConfigError, match=why) as refused:
        FilesSource(given_settings, folder=folder.parent, where="cdp.yaml, sources.crm")

    assert refused.value.where == "cdp.yaml, sources.crm"


TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8) | st.sampled_from(
    ['"', "a\nb", ";,", " "]
)


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6))
def test_what_was_written_is_read(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("w") / "exports"
    folder.mkdir()
    pl.DataFrame(rows, schema=["id", "note"], orient="row").write_csv(folder / "leads.csv")

    assert [(row["id"], row["note"]) for row in read(folder)] == rows

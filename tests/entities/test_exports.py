"""Exports as they come: what is understood, what is refused, and that nothing is lost on the way."""

import gzip
import json

import polars as pl
import pytest

import cdp_toolkit as cdp

HEADER = "id,email,firstName,leadScore,unsubscribed,updatedAt"


@pytest.fixture
def exports(tmp_path):
    (tmp_path / "exports").mkdir()
    (tmp_path / "cdp.yaml").write_text(
        "name: acme\nsources:\n  crm: {type: files, system: marketo, instance: M1, path: exports}\n", "utf-8"
    )
    return tmp_path / "exports"


def load(exports):
    return cdp.Workspace(exports.parent).load()


def people(exports, *columns):
    frame = cdp.Workspace(exports.parent).scan("entities/person").sort("source_key").select("source_id", *columns)
    return frame.collect().rows()


def rejected(exports, *columns):
    return cdp.Workspace(exports.parent).scan("entities/_rejected").select(*columns).sort(*columns).collect().rows()


def test_times_in_every_spelling_become_one_moment(exports):
    spellings = [
        "2019-12-29T08:15:15Z", "2019-12-29 08:15:15.000", "2019-12-29 08:15:15 UTC", "2019-12-29T09:15:15+0100",
        "2019-12-29T00:15:15-08:00", "2019-12-29T08:15:15Z+0000", "2019-12-29 08:15:15",
    ]  # fmt: skip
    rows = [f"{number},,,,,{spelling}" for number, spelling in enumerate(spellings)]
    (exports / "leads.csv").write_text("\n".join([HEADER, *rows]) + "\n", "utf-8")

    run = load(exports)

    assert run.counts["rejected values"] == 0
    assert {str(row[1]) for row in people(exports, "updated_at")} == {"2019-12-29 08:15:15+00:00"}


def test_a_byte_order_mark_words_for_true_and_empty_texts_are_understood(exports):
    rows = ["1, Ana@X.Example ,,,TRUE,", "2,,,,1,", "3,,,,false,", '4,"",,,,']
    (exports / "leads.csv").write_bytes(b"\xef\xbb\xbf" + "\n".join([HEADER, *rows]).encode() + b"\n")

    load(exports)

    assert people(exports, "email", "consent_email") == [
        ("1", "ana@x.example", "n"), ("2", None, "n"), ("3", None, None), ("4", None, None)
    ]  # fmt: skip


def test_thousands_separators_are_read_and_free_text_is_not_a_number(exports):
    (exports / "companies.csv").write_text('id,company,annualRevenue\n1,A,"1,234,567.50"\n2,B,plenty\n', "utf-8")

    load(exports)

    accounts = cdp.Workspace(exports.parent).scan("entities/account").collect()
    assert accounts["annual_revenue"].to_list() == [1234567.5]
    assert rejected(exports, "line", "column", "value", "reason") == [(3, "annualRevenue", "plenty", "not an amount")]


def test_a_bad_value_keeps_its_row_out_and_says_where_it_stands(exports):
    (exports / "leads.csv").write_text(f"{HEADER}\n1,nobody,,high,,\n2,b@x.example,,7,,\n", "utf-8")

    run = load(exports)

    assert people(exports, "person_score") == [("2", 7.0)]
    assert run.counts["rejected values"] == 2
    assert rejected(exports, "file", "line", "column", "value", "reason") == [
        ("leads.csv", 2, "email", "nobody", "not an e-mail address"),
        ("leads.csv", 2, "leadScore", "high", "not a number"),
    ]


def test_an_unknown_column_is_kept_and_told_and_a_missing_one_is_fine(exports):
    (exports / "leads.csv").write_text("id,Favourite Colour\n1,blue\n", "utf-8")

    run = load(exports)

    assert any("Favourite Colour" in note for note in run.notes)
    assert people(exports, "email") == [("1", None)]
    assert cdp.Workspace(exports.parent).scan("landing/crm/leads").collect()["Favourite Colour"].to_list() == ["blue"]


def test_a_file_without_its_key_column_is_refused_and_the_others_go_on(exports):
    (exports / "leads.csv").write_text("email\na@x.example\n", "utf-8")
    (exports / "companies.csv").write_text("id,company\n1,Acme\n", "utf-8")

    run = load(exports)

    assert run.outcome == "partial"
    assert "leads.csv" in run.problems[0]
    assert "'id'" in run.problems[0]
    assert run.details["records"]["account"] == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("leads.csv.gz", gzip.compress(f"{HEADER}\n{'1,a@x.example,,,,' * 999}\n".encode())[:-20]),
        ("leads.csv", f'{HEADER}\n1,"a@x.exam'.encode()),
        ("leads.ndjson", b'{"id": "1"}\n{"id": "2", "ema'),
        ("leads.json", b'[{"id": "1"}, {"id"'),
        ("leads.parquet", b"PAR1 cut off"),
    ],
)
def test_a_file_that_was_cut_off_is_refused_whole_and_named(exports, name, content):
    (exports / name).write_bytes(content)

    run = load(exports)

    assert run.outcome == "partial"
    assert name in run.problems[0]
    assert run.counts["records"] == 0


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_an_encoding_other_than_utf_8_is_found_out(exports, encoding):
    names = ["Zoë", "Jürgen", "François", "Løvland", "Señora"]
    rows = [f"{number},,{name} Müller-Lüdenscheidt,,," for number, name in enumerate(names)]
    (exports / "leads.csv").write_bytes("\n".join([HEADER, *rows, ""]).encode(encoding))

    load(exports)

    assert [row[1] for row in people(exports, "first_name")] == [f"{name} Müller-Lüdenscheidt" for name in names]


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "json", "ndjson", "ndjson.gz", "parquet", "xlsx"])
def test_every_format_gives_the_same_records(exports, ending):
    rows = pl.DataFrame({"id": ["1", "2"], "email": ["a@x.example", "b@x.example"], "leadScore": ["7", None]})
    file = exports / f"leads.{ending}"
    text = {"csv": rows.write_csv(), "json": json.dumps(rows.to_dicts()), "ndjson": rows.write_ndjson()}
    match ending.split("."):
        case [kind, "gz"]:
            file.write_bytes(gzip.compress(text[kind].encode()))
        case ["parquet"]:
            rows.write_parquet(file)
        case ["xlsx"]:
            rows.write_excel(file)
        case [kind]:
            file.write_text(text[kind], "utf-8")

    load(exports)

    assert people(exports, "email", "person_score") == [("1", "a@x.example", 7.0), ("2", "b@x.example", None)]


def test_a_folder_of_parts_is_one_object(exports):
    (exports / "leads").mkdir()
    for part in ("1", "2"):
        (exports / "leads" / f"part-{part}.csv").write_text(f"id,email\n{part},{part}@x.example\n", "utf-8")

    load(exports)

    assert people(exports, "email") == [("1", "1@x.example"), ("2", "2@x.example")]


def test_the_latest_row_of_a_record_wins_wherever_it_stands(exports):
    rows = ["1,,New,,,2026-02-01", "1,,Old,,,2026-01-01", "1,,Undated,,,"]
    (exports / "leads.csv").write_text("\n".join([HEADER, *rows, ""]), "utf-8")

    load(exports)

    assert people(exports, "first_name") == [("1", "New")]


def test_the_same_export_twice_changes_nothing_also_under_another_name(exports):
    content = f"{HEADER}\n1,a@x.example,,,,\n"
    (exports / "leads").mkdir()
    (exports / "leads" / "monday.csv").write_text(content, "utf-8")
    load(exports)
    (exports / "leads" / "tuesday.csv").write_text(content, "utf-8")

    run = load(exports)

    assert run.counts["records"] == 1
    assert people(exports, "email") == [("1", "a@x.example")]


def test_a_deleted_lead_and_the_loser_of_a_merge_are_no_more(exports):
    (exports / "leads.csv").write_text(f"{HEADER}\n1,,,,,2026-01-01\n2,,,,,2026-01-01\n3,,,,,2026-01-01\n", "utf-8")
    activities = [
        {"marketoGUID": "a", "leadId": "1", "activityDate": "2026-02-01T00:00:00Z", "activityTypeId": 37},
        {"marketoGUID": "b", "leadId": "3", "activityDate": "2026-02-01T00:00:00Z", "activityTypeId": 32,
         "attributes": json.dumps({"Merge IDs": "[2]"})},
    ]  # fmt: skip
    (exports / "activities.ndjson").write_text("\n".join(map(json.dumps, activities)) + "\n", "utf-8")

    load(exports)

    assert people(exports, "is_deleted") == [("1", True), ("2", True), ("3", False)]
    carried = cdp.Workspace(exports.parent).scan("entities/identities").collect()
    assert ("3@M1.Marketo", "2@M1.Marketo") in carried.select("source_key", "value").rows()


def test_a_workspace_adds_its_own_columns(exports):
    (exports.parent / "schema.yaml").write_text(
        "person:\n  colour: {type: string, description: Favourite colour.}\n", "utf-8"
    )
    (exports.parent / "own.yaml").write_text(
        "extends: marketo\nobjects:\n  leads:\n    outputs:\n"
        "      - {entity: person, key: id, fields: {email: email, colour: Favourite Colour}}\n",
        "utf-8",
    )
    settings = exports.parent / "cdp.yaml"
    settings.write_text(
        settings.read_text("utf-8").replace("path: exports", "path: exports, mapping: own.yaml"), "utf-8"
    )
    (exports / "leads.csv").write_text("id,email,Favourite Colour\n1,a@x.example,blue\n", "utf-8")

    load(exports)

    assert people(exports, "colour") == [("1", "blue")]


def test_the_crm_record_that_a_lead_names_is_the_same_by_both_roads(exports):
    crm = exports.parent / "crm"
    crm.mkdir()
    (crm / "Contact.csv").write_text("Id,Email\n003A,other@x.example\n", "utf-8")
    (exports / "leads.csv").write_text("id,email,sfdcType,sfdcContactId\n1,a@x.example,Contact,003A\n", "utf-8")
    (exports.parent / "cdp.yaml").write_text(
        "name: acme\nsources:\n"
        "  mkt: {type: files, system: marketo, instance: M1, path: exports, crm: {system: salesforce, instance: O1}}\n"
        "  crm: {type: files, system: salesforce, instance: O1, path: crm}\n",
        "utf-8",
    )
    workspace = cdp.Workspace(exports.parent)

    workspace.load()
    run = workspace.stitch()

    assert run.counts["people"] == 1
    assert workspace.profile("a@x.example").values["source_keys"] == ["003A@O1.Salesforce", "1@M1.Marketo"]

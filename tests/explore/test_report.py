"""The report is one page that can be mailed around."""

import re

import polars as pl

from cdp_toolkit.explore.report import report, sections


def test_the_report_is_one_page_that_loads_nothing(ws, tmp_path):
    page = report(ws, tmp_path / "report.html").read_text("utf-8")

    assert set(re.findall(r"https?://[\w./]+", page)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"<(?:link|img|iframe)\b|<script[^>]+src|@import|url\((?!#)", page)


def test_the_report_names_nobody(ws, tmp_path):
    page = report(ws, tmp_path / "report.html").read_text("utf-8")

    people = ws.scan("person").select("email", name=pl.concat_str("first_name", "last_name", separator=" ")).collect()

    assert [text for text in people["email"].drop_nulls() if text in page.lower()] == []
    assert [text for text in people["name"].drop_nulls() if text.lower() in page.lower()] == []


def test_every_part_of_the_report_is_in_its_table_of_contents(ws, tmp_path):
    page = report(ws, tmp_path / "report.html").read_text("utf-8")

    assert re.findall(r'<a href="#([\w-]+)">', page) == [section.anchor for section in sections(ws.lake)]
    assert all(f'<h2 id="{section.anchor}">' in page for section in sections(ws.lake))


def test_a_workspace_where_nothing_has_run_has_a_report_too(untouched, tmp_path):
    page = report(untouched, tmp_path / "deep" / "report.html").read_text("utf-8")

    assert "Nothing so far." in page

"""Pages of an audience, of the data, of a person and of an account: what they say is true, and nobody is named unasked."""

import polars as pl
import pytest
import vl_convert

from cdp_toolkit.errors import UnknownNameError
from cdp_toolkit.explore import audience_numbers, data_page, numbers
from cdp_toolkit.explore.audience_page import audience_page
from cdp_toolkit.explore.browser import Browser
from cdp_toolkit.explore.profile_page import profile_page

SEGMENT = "decision_makers"


@pytest.fixture(scope="module")
def person(ws):
    return ws.profile(numbers.most_records(ws.lake))


def test_everybody_in_an_audience_is_counted_in_one_combination(ws):
    combined = audience_numbers.intersections(ws.lake, SEGMENT, "person")

    assert combined["members"].sum() == ws.members(SEGMENT).collect().height


def test_lift_compares_the_share_inside_with_the_share_of_all(ws):
    lift = audience_numbers.lift(ws.lake, "over_budget_campaigns", "person", "country", most=1).to_dicts()[0]

    everybody = ws.scan("person").select("profile_id", "country").collect()
    inside = everybody.join(ws.members("over_budget_campaigns").collect(), on="profile_id", how="semi")
    share = [100 * (frame["country"] == lift["value"]).sum() / frame.height for frame in (inside, everybody)]
    assert [lift["inside"], lift["everywhere"]] == pytest.approx(share)
    assert lift["lift"] == pytest.approx(share[0] / share[1])


@pytest.mark.parametrize(("segment", "entity"), [(SEGMENT, "person"), ("accounts_without_coo_or_cmo", "account")])
def test_reach_starts_with_the_members_and_only_narrows(ws, segment, entity):
    stages = audience_numbers.reach(ws.lake, segment, entity)

    assert stages["count"][0] == ws.members(segment).collect().height
    assert stages["count"].is_sorted(descending=True)


def test_moves_end_at_the_size_of_the_audience(ws):
    moves = audience_numbers.moves(ws.lake, SEGMENT)

    assert moves["members"].to_list()[-1] == ws.members(SEGMENT).collect().height
    assert (moves["entered"] - moves["exited"]).sum() == moves["members"].to_list()[-1]


def test_the_page_of_an_unknown_audience_names_the_nearest(ws):
    with pytest.raises(UnknownNameError, match=SEGMENT):
        audience_page(ws, "decision_maker")


@pytest.fixture(scope="module")
def pages(ws, person):
    return {
        "audience": audience_page(ws, SEGMENT),
        "audience of accounts": audience_page(ws, "accounts_without_coo_or_cmo"),
        "data": data_page.data_page(ws),
        "person": profile_page(ws, person),
        "account": profile_page(ws, ws.account("Acme")),
    }


def test_pages_name_nobody_unless_asked(ws, pages, person):
    emails = set(ws.scan("person").select("email").collect()["email"].drop_nulls())
    names = set(ws.scan("person").select("last_name").collect()["last_name"].drop_nulls())

    shown = {name: page._repr_html_() + repr(page) for name, page in pages.items()}

    assert [name for name, text in shown.items() if any(email in text for email in emails)] == []
    assert [name for name, text in shown.items() if any(f">{each}<" in text for each in names)] == []
    assert person.values["email"] in profile_page(ws, person, is_masked=False)._repr_html_()


def test_charts_of_pages_have_titles_and_are_kept_as_pictures_without_a_network(pages, tmp_path):
    charts = [chart for page in pages.values() for chart in page.charts.values()]

    titles = [chart.title for chart in charts]
    pictures = [vl_convert.vegalite_to_svg(chart.to_json(), allowed_base_urls=[]) for chart in charts]
    charts[0].save(tmp_path / "chart.png")
    charts[0].save(tmp_path / "chart.svg")

    assert all(isinstance(title, str) and title for title in titles)
    assert all(picture.startswith("<svg") for picture in pictures)
    assert (tmp_path / "chart.png").read_bytes()[:4] == b"\x89PNG"


def test_a_page_is_one_file_with_everything_in_it(pages, tmp_path):
    page = pages["audience"].save(tmp_path / "deep" / "audience.html").read_text("utf-8")

    assert "<link" not in page
    assert "src=" not in page
    assert page.count("<svg") >= 5


def test_each_value_of_a_person_says_whose_it_is(pages, person):
    html = pages["person"]._repr_html_()

    assert all(f'title="{each["source_key"]} ({each["rule"]}' in html for each in person.origins if each["source_key"])


def test_audiences_of_a_person_are_told_with_the_reason(ws):
    member = int(ws.members("high_scores").collect()["profile_id"][0])

    page = profile_page(ws, ws.profile(member))

    audiences = next(section for section in page.sections if section.title == "Audiences").cards[0].frame
    why = dict(audiences.select("segment", "why").iter_rows())
    assert "personScore" in why["high_scores"]


def test_a_browser_masks_again_whenever_somebody_else_is_looked_up(ws, person):
    browser = Browser(ws, person.profile_id)
    assert person.values["email"] not in browser.html

    browser.unmask()
    assert person.values["email"] in browser.html

    browser.find(person.values["email"])
    assert person.values["email"] not in browser.html


def test_a_browser_says_when_nobody_is_known(ws):
    browser = Browser(ws, "nobody@nowhere.example")

    assert browser.page is None
    assert "nobody@nowhere.example" in browser.html


def test_freshness_tells_the_newest_record_of_each_source(ws):
    fresh = numbers.freshness(ws.lake)

    newest = ws.scan("entities/person").group_by("source_type").agg(pl.col("updated_at").max()).collect()
    told = dict(fresh.filter(pl.col("entity") == "people").select("source", "last_changed").iter_rows())
    assert told == dict(newest.iter_rows())


def test_a_workspace_and_a_segment_show_themselves_with_everything_escaped(ws):
    page = ws._repr_html_() + ws.segments["high_scores"].model_copy(update={"description": "<b>&"})._repr_html_()

    assert all(text in page for text in ("decision_makers", "evaluate", "b2b.personScore &gt; 80", "&lt;b&gt;&amp;"))
    assert str(ws.folder) in repr(ws)

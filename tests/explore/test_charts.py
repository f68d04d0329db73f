"""Charts show what they say, without a network and without anything to show."""

from datetime import UTC, datetime

import polars as pl
import pytest
import vl_convert

from cdp_toolkit.explore import charts, numbers

CHARTS = ("audiences", "trends", "overlaps", "funnel", "rejects", "records", "records_per_person", "links",
          "refused_links", "deliveries", "growth")  # fmt: skip


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_has_a_title_and_is_drawn_without_a_network(ws, name):
    chart = getattr(charts, name)(getattr(numbers, name)(ws.lake))

    svg = vl_convert.vegalite_to_svg(chart.to_json(), allowed_base_urls=[])

    assert chart.title
    assert chart.title.split(",")[0] in svg


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_of_nothing_is_still_a_chart(untouched, name):
    chart = getattr(charts, name)(getattr(numbers, name)(untouched.lake))

    assert vl_convert.vegalite_to_svg(chart.to_json()).startswith("<svg")


def test_a_backtest_tells_profiles_as_they_were_from_those_that_stand_in():
    at = [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2)]
    sizes = pl.DataFrame({"at": at, "members": [3, 5], "total": [9, 9], "known_at": at, "is_known_then": [False, True]})

    svg = vl_convert.vegalite_to_svg(charts.backtest(sizes, "Buyers").to_json(), allowed_base_urls=[])

    assert all(text in svg for text in ("Buyers", "oldest profiles", "profiles as they were", "members"))


def test_a_chart_shows_itself_in_a_notebook_as_a_picture(ws):
    shown = charts.funnel(numbers.funnel(ws.lake))._repr_mimebundle_()

    assert list(shown) == ["image/svg+xml"]

"""A login that is wrong, a permission that is missing and an instance that is down are told with what to do."""

import pytest

from cdp_toolkit.connectors.marketo.source import MarketoSource
from cdp_toolkit.errors import ConfigError, UnknownNameError
from cdp_toolkit.findings import look_at


@pytest.fixture
def looked_at(settings, tmp_path):
    return lambda **more: look_at(MarketoSource(settings(**more), folder=tmp_path))


def test_a_look_finds_login_calls_and_permissions(marketo, looked_at):
    marketo.used = 1234

    found = looked_at(calls_a_day=40_000)

    assert {each.status for each in found} == {"ok"}
    assert [each.what for each in found[:3]] == [
        "login",
        "API calls left today",
        "activity_types (Read-Only Activity Metadata)",
    ]
    assert found[1].detail == "38,765 of 40,000"


def test_a_look_names_the_permission_to_ask_for_and_what_a_crm_sync_keeps(marketo, looked_at):
    marketo.refused = frozenset({"/rest/v1/companies/describe.json"})
    marketo.has_crm_sync = True

    found = {each.what: each for each in looked_at()}

    assert found["companies (Read-Only Company)"].status == "problem"
    assert found["opportunities (Read-Only Opportunity)"].status == "warning"
    assert "connect the CRM itself" in found["opportunities (Read-Only Opportunity)"].hint


def test_a_wrong_secret_stops_the_source_and_says_where_the_right_one_is(loading, monkeypatch):
    monkeypatch.setenv("MARKETO_SECRET", "wrong-one")

    done = loading()

    assert done.outcome == "partial"
    assert "The login is refused: Bad client credentials." in done.problems[0]
    assert "LaunchPoint" in done.problems[0]
    assert "wrong-one" not in str(done)


def test_an_instance_that_is_down_is_told(loading):
    done = loading(base_url="http://127.0.0.1:9")

    assert done.outcome == "partial"
    assert "Marketo cannot be reached" in done.problems[0]


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"client_secret": "in plain text"}, ConfigError),
        ({"base_url": "ftp://x"}, ConfigError),
        ({"objects": ["lead"]}, UnknownNameError),
        ({"sincee": "2020-01-01"}, UnknownNameError),
    ],
)
def test_settings_that_are_wrong_are_named_before_anybody_is_called(marketo, settings, tmp_path, more, error):
    with pytest.raises(error):
        MarketoSource(settings(**more), folder=tmp_path)

    assert marketo.calls == []

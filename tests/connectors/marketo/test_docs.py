"""The page of the source names every setting, every object and every error that is told apart."""

import re
from pathlib import Path

from cdp_toolkit.connectors.marketo import codes, findings
from cdp_toolkit.connectors.marketo.settings import MarketoSettings, Pace
from cdp_toolkit.connectors.marketo.source import OBJECTS

PAGE = (Path(__file__).parents[3] / "docs" / "sources" / "marketo.md").read_text("utf-8")


def test_every_setting_is_explained():
    named = set(re.findall(r"`(\w+)`", PAGE)) | {"type"}

    assert {*MarketoSettings.model_fields, *Pace.model_fields} - named == set()


def test_every_object_and_its_permission_is_named():
    assert [name for name in OBJECTS if f"`{name}`" not in PAGE] == []
    assert [permission for permission, _ in findings._PROBES.values() if permission not in PAGE] == []


def test_every_error_with_a_hint_of_its_own_has_its_cure():
    told = set(re.findall(r"\b\d{3,4}\b", PAGE))

    assert {*codes._HINTS, "601", "602", "606", "607", "615", "1029"} - told == set()

"""Pages of destinations: no setting is left out."""

from pathlib import Path

import pytest

from cdp_toolkit.connectors.braze.destination import BrazeSettings
from cdp_toolkit.connectors.google.destination import CustomerMatchSettings
from cdp_toolkit.connectors.linkedin.destination import MatchedAudienceSettings
from cdp_toolkit.connectors.meta.destination import CustomAudienceSettings

PAGES = Path(__file__).parents[2] / "docs" / "destinations"


@pytest.mark.parametrize(
    ("page", "settings"),
    [
        ("google", CustomerMatchSettings),
        ("meta", CustomAudienceSettings),
        ("linkedin", MatchedAudienceSettings),
        ("braze", BrazeSettings),
    ],
)
def test_every_setting_is_on_its_page(page, settings):
    text = (PAGES / f"{page}.md").read_text("utf-8")

    assert [name for name in settings.model_fields if f"`{name}`" not in text] == []

"""Pages of sources and destinations: no setting is left out."""

from pathlib import Path

import pytest

from cdp_toolkit.connectors.braze.destination import BrazeSettings
from cdp_toolkit.connectors.dynamics import answers as dynamics
from cdp_toolkit.connectors.dynamics.source import DynamicsSettings
from cdp_toolkit.connectors.google.destination import CustomerMatchSettings
from cdp_toolkit.connectors.hubspot.destination import ListSettings
from cdp_toolkit.connectors.hubspot.source import HubSpotSettings
from cdp_toolkit.connectors.linkedin.destination import MatchedAudienceSettings
from cdp_toolkit.connectors.meta.destination import CustomAudienceSettings
from cdp_toolkit.connectors.nats.source import NatsSettings
from cdp_toolkit.connectors.salesforce import answers as salesforce
from cdp_toolkit.connectors.salesforce import login
from cdp_toolkit.connectors.salesforce.campaign import CampaignSettings
from cdp_toolkit.connectors.salesforce.field_updates import FieldSettings
from cdp_toolkit.connectors.salesforce.source import SalesforceSettings
from cdp_toolkit.sources.inlets import InletSettings, StreamSettings

PAGES = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(
    ("page", "settings"),
    [
        ("destinations/google", CustomerMatchSettings),
        ("destinations/meta", CustomAudienceSettings),
        ("destinations/linkedin", MatchedAudienceSettings),
        ("destinations/braze", BrazeSettings),
        ("destinations/hubspot", ListSettings),
        ("destinations/salesforce", CampaignSettings),
        ("destinations/salesforce", FieldSettings),
        ("sources/dynamics", DynamicsSettings),
        ("streaming", NatsSettings),
        ("streaming", InletSettings),
        ("streaming", StreamSettings),
        ("sources/hubspot", HubSpotSettings),
        ("sources/salesforce", SalesforceSettings),
    ],
)
def test_every_setting_is_on_its_page(page, settings):
    text = (PAGES / f"{page}.md").read_text("utf-8")

    assert [name for name in settings.model_fields if f"`{name}`" not in text and name != "type"] == []


@pytest.mark.parametrize(
    ("page", "codes"),
    [
        (
            "salesforce",
            [*salesforce._HINTS, *salesforce._SPENT, *salesforce._BUSY, *login._HINTS, "INVALID_SESSION_ID"],
        ),
        ("dynamics", [*dynamics._HINTS, dynamics.EXPIRED]),
    ],
)
def test_every_error_with_a_hint_of_its_own_has_its_cure_on_the_page(page, codes):
    text = (PAGES / "sources" / f"{page}.md").read_text("utf-8")

    assert [code for code in codes if code not in text] == []

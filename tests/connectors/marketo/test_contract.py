"""Marketo's source and its static lists, held to the contract by what others hold theirs to."""

from pathlib import Path

from cdp_toolkit.connectors.marketo.source import MarketoSource
from cdp_toolkit.connectors.marketo.static_list import StaticList
from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.testing import check_destination, check_source
from tests.connectors.marketo.conftest import QUICK


def test_the_source_lands_each_row_once_wherever_it_stops(settings, tmp_path):
    told = settings(objects=("leads", "deleted_leads", "activities"))

    check_source(lambda: MarketoSource(told, folder=tmp_path))


def test_a_static_list_has_whom_it_should(marketo):
    marketo.world.lists = {1001: {"id": 1001, "name": "buyers"}}
    defined = Destination(
        name="checked", type="marketo", audiences=("buyers",), base_url=marketo.url, client_id="ours",
        client_secret="${env:MARKETO_SECRET}", pace=QUICK,
    )  # fmt: skip
    people = [{"email": email} for email in marketo.world.leads["email"][:3]]

    check_destination(
        lambda: StaticList(defined, Path()), people, audience="buyers", held=lambda: marketo.world.members.get(1001, {})
    )

import asyncio

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from cdp_toolkit.sources.inlets import StreamSettings
from cdp_toolkit.stream.metrics import Metrics
from cdp_toolkit.stream.serve import application
from cdp_toolkit.workspace import Workspace
from tests.stream.conftest import WRITE_KEY

HELD = [not_a_server_error, status_code_conformance, response_schema_conformance]
ADDRESSES = ["/collection/{inlet}", "/collection/batch/{inlet}", "/v1/{call}", "/hooks/{inlet}"]
SETTLED = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda each: each.value)
@pytest.mark.parametrize("address", ADDRESSES)
def test_no_request_makes_the_endpoint_fail_or_answer_otherwise_than_described(client, address, mode):
    described = schemathesis.openapi.from_url(f"{client.base_url}/openapi.json")[address]["POST"]

    @SETTLED
    @given(data=st.data())
    def hold(data):
        case = data.draw(described.as_strategy(generation_mode=mode))
        case.call_and_validate(checks=HELD, headers={"x-api-key": WRITE_KEY})

    hold()


def test_every_address_is_described(folder):
    app = application(Workspace(folder), StreamSettings(), Metrics())

    async def ask():
        transport = httpx.ASGITransport(app)
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://x") as own:
            return (await own.get("/openapi.json")).json()["paths"]

    described = asyncio.run(ask())

    assert {*described, "/openapi.json"} == {route.path for route in app.routes}

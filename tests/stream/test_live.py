import threading
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from cdp_toolkit.explore.live import Live
from cdp_toolkit.stream.rounds import run_round
from cdp_toolkit.workspace import Workspace
from tests.stand_ins.serve import serving
from tests.stream.conftest import event, message
from tests.stream.test_rounds import now, person


@pytest.fixture
def ws(client, segment):
    ecid = "1" * 38
    client.post("/collection/web", json=message(person(ecid)))
    for name in ("e1", "e2"):
        client.post("/collection/web", json=message(event(name, at=now(), identityMap={"ECID": [{"id": ecid}]})))
    run_round(segment, ("web",))
    return Workspace(segment)


def test_the_live_page_tells_what_came_in_and_who_moved(client, ws):
    page = Live(ws, str(client.base_url).rstrip("/")).page

    assert page.tiles["messages taken"] == 3
    assert {"Messages landed", "Seconds a step", "Lag", "Membership changes"} <= {*page.charts}


def test_without_an_endpoint_the_live_page_tells_what_the_lake_says(ws):
    page = Live(ws, "http://127.0.0.1:9").page

    assert "does not answer" in page.lead
    assert "Messages landed" in page.charts
    assert not page.tiles


def test_the_live_page_goes_on_after_a_look_that_failed(ws):
    asked = threading.Semaphore(0)

    def metrics(_):
        asked.release()
        return PlainTextResponse("cdp_lag_seconds 1.0\n")

    with serving(Starlette(routes=[Route("/metrics", metrics)])) as address:
        live = Live(ws, address, every_s=0.01)
        runs = Path(ws.lake.uri, "runs")
        runs.rename(runs.with_name("away"))
        runs.write_text("no table")
        live._repr_mimebundle_()
        looks = [asked.acquire(timeout=60) for _ in range(5)]  # it looks again although the first ones failed
        live.stop()
        live.following.join()

    assert all(looks)


def test_the_live_page_stops_when_it_is_asked_to(ws):
    live = Live(ws, "http://127.0.0.1:9", every_s=0.01)
    shown = live._repr_mimebundle_()

    live.stop()
    live.following.join()

    assert {"text/html", "application/vnd.jupyter.widget-view+json"} <= {*shown}
    assert not live.following.is_alive()

"""An instance of Marketo on loopback, and what is needed to load it."""

from datetime import UTC, datetime, timedelta

import pytest

from cdp_toolkit.connectors.marketo.source import MarketoSource
from cdp_toolkit.entities.catalogue import load_mapping
from cdp_toolkit.entities.landed import LandedSource
from cdp_toolkit.pipeline.load import load
from cdp_toolkit.sources.land import land
from tests.stand_ins.marketo import MarketoStandIn
from tests.stand_ins.marketo_world import World
from tests.stand_ins.serve import serving

SINCE = (datetime.now(UTC) - timedelta(days=100)).date().isoformat()
QUICK = {"poll_s": 0.001, "first_pause_s": 0.001, "calls": 100_000, "seconds": 0.05}


@pytest.fixture
def marketo(monkeypatch):
    """Serve an instance with 400 leads over 90 days."""
    monkeypatch.setenv("MARKETO_SECRET", "secret-of-ours")
    stand_in = MarketoStandIn(World.of(400, days=90), window=(100_000, 0.05))
    with serving(stand_in.app) as url:
        stand_in.url = url
        yield stand_in


@pytest.fixture
def settings(marketo):
    """Return what a workspace says of the instance; more goes over it."""

    def of(**more):
        return {
            "type": "marketo", "instance": "123-ABC-456", "base_url": f"{marketo.url}/rest", "client_id": "ours",
            "client_secret": "${env:MARKETO_SECRET}", "since": SINCE, "pace": QUICK, **more,
        }  # fmt: skip

    return of


@pytest.fixture
def opened(settings, lake, tmp_path):
    """Open the source, anew each time, as each command does."""

    def run(**more):
        mapping = load_mapping("marketo", lake.model)
        return MarketoSource(settings(**more), folder=tmp_path, objects=mapping.files(), where="cdp.yaml, sources.mk")

    return run


@pytest.fixture
def loading(opened, lake):
    """Load the instance as ``cdp load`` would."""

    def run(**more):
        about = LandedSource("mk", "Marketo", "123-ABC-456", load_mapping("marketo", lake.model))
        return load(lake, {"mk": (about, opened(**more))}, only=["mk"])

    return run


@pytest.fixture
def landing(opened, lake):
    """Land what is new of the instance, and make no records of it."""
    return lambda **more: land("mk", opened(**more), lake)


@pytest.fixture
def rows(lake):
    def read(table, *columns):
        frame = lake.scan(table).to_native().collect()
        return sorted(frame.select(columns or frame.columns).rows(), key=repr)

    return read

from contextlib import ExitStack

import httpx
import pytest
import yaml

from cdp_toolkit.sources.inlets import StreamSettings
from cdp_toolkit.stream.keys import make_key
from cdp_toolkit.stream.metrics import Metrics
from cdp_toolkit.stream.serve import application
from cdp_toolkit.workspace import Workspace
from tests.stand_ins.serve import serving

WRITE_KEY, DIGEST = make_key()
INLETS = {
    "web": {"type": "inlet", "system": "xdm", "open": True},
    "guarded": {"type": "inlet", "system": "xdm", "keys": [DIGEST], "organisation": "ACME@Org"},
    "site": {"type": "inlet", "system": "tracking", "keys": [DIGEST]},
    "hook": {"type": "inlet", "mapping": "hook.yaml", "object": "signups", "id": "ticket", "open": True},
}
HOOK = {
    "system": "Forms",
    "objects": {
        "signups": {"outputs": [{"entity": "person", "key": "user", "fields": {"email": "mail", "updated_at": "at"}}]}
    },
}

READERS = {
    "name": "readers",
    "entity": "person",
    "pql": 'xEvent[event_type = "web.webpagedetails.pageViews" and timestamp occurs <= 7 days before now].count() >= 2',
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "cdp.yaml").write_text(yaml.safe_dump({"name": "acme", "sources": INLETS}))
    (tmp_path / "hook.yaml").write_text(yaml.safe_dump(HOOK))
    return tmp_path


@pytest.fixture
def segment(folder):
    (folder / "segments").mkdir()
    (folder / "segments" / "readers.yaml").write_text(yaml.safe_dump(READERS))
    return folder


@pytest.fixture
def serve(folder):
    with ExitStack() as stack:

        def start(**settings):
            app = application(Workspace(folder), StreamSettings(**settings), Metrics())
            address = stack.enter_context(serving(app, lifespan="on"))
            return stack.enter_context(httpx.Client(base_url=address))

        yield start


@pytest.fixture
def client(serve):
    return serve()


def message(entity, **header):
    schema = {"id": "https://ns.example/schemas/1", "contentType": "application/vnd.adobe.xed-full+json;version=1"}
    return {
        "header": {"schemaRef": schema, "datasetId": "1", **header},
        "body": {"xdmMeta": {"schemaRef": schema}, "xdmEntity": entity},
    }


def event(name, *, at="2026-11-20T10:00:00Z", **more):
    return {"_id": name, "timestamp": at, "eventType": "web.webpagedetails.pageViews", **more}

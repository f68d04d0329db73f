import asyncio
import json
import shutil
import signal
import subprocess
import sys
import time

import nats
import pytest
import yaml

from cdp_toolkit.stream.rounds import run_round
from cdp_toolkit.stream.serve import streamed
from cdp_toolkit.workspace import Workspace
from tests.needed import lacking

LOADING = "from cdp_toolkit.workspace import Workspace; import sys, time; w = Workspace(sys.argv[1]); print(flush=True)\nwhile True: w.load()"


@pytest.fixture
def broker(tmp_path):
    if shutil.which("nats-server") is None:
        lacking("nats-server")
    own = ["--addr", "127.0.0.1", "--port", "-1", "--store_dir", str(tmp_path / "js")]
    with subprocess.Popen(["nats-server", "--jetstream", *own], stderr=subprocess.PIPE, text=True) as server:
        listens = next(line for line in server.stderr if "Listening for client connections on" in line)
        address = f"nats://{listens.split()[-1]}"
        asyncio.run(made(address))
        yield address
        server.terminate()


async def made(address):
    client = await nats.connect(address)
    await client.jetstream().add_stream(name="CRM", subjects=["crm.>"])
    await client.close()


def publish(address, subject, *bodies):
    async def sent():
        client = await nats.connect(address)
        for body in bodies:
            await client.jetstream().publish(subject, body if isinstance(body, bytes) else json.dumps(body).encode())
        await client.close()

    asyncio.run(sent())


@pytest.fixture
def folder(tmp_path, broker):
    source = {"type": "nats", "system": "xdm", "servers": [broker], "stream": "CRM", "ack_wait_s": 1,
              "subjects": {"event": "crm.events", "person": "crm.people"}}  # fmt: skip
    folder = tmp_path / "ws"
    folder.mkdir()
    (folder / "cdp.yaml").write_text(yaml.safe_dump({"name": "acme", "sources": {"crm": source}}))
    return folder


def event(name):
    return {"_id": name, "timestamp": "2026-11-20T10:00:00Z", "eventType": "web.webpagedetails.pageViews"}


def landed(folder):
    return sorted(Workspace(folder).lake.scan("landing/crm/event").to_native().select("_id").collect()["_id"].to_list())


def test_what_was_published_is_landed_once_and_then_acknowledged(folder, broker):
    publish(broker, "crm.events", event("e1"), {"header": {}, "body": {"xdmEntity": event("e2")}})
    publish(broker, "crm.people", {"b2b": {"personKey": {"sourceKey": "1@crm.XDM"}}})
    workspace = Workspace(folder)
    source = workspace.sources["crm"][1]

    workspace.load()
    before = source.waiting()
    again = workspace.load()

    assert landed(folder) == ["e1", "e2"]
    assert workspace.lake.rows("entities/person") == 1
    assert (before, source.waiting()) == (3, 0)
    assert again.outcome == "unchanged"


def test_what_is_no_record_is_kept_apart_and_stops_nothing(folder, broker):
    publish(broker, "crm.events", b"{", [1], {"name": "no key"}, {"_raw": "ours"}, event("good"))

    Workspace(folder).load()

    kept = Workspace(folder).lake.scan("entities/_rejected").to_native().select("value", "reason").collect()
    assert Workspace(folder).lake.rows("entities/event") == 1
    assert kept.height == 4
    assert {"{", "[1]"} <= {*kept["value"]}


def test_a_round_reads_from_the_broker(folder, broker):
    publish(broker, "crm.events", event("e1"))
    workspace = Workspace(folder)

    found = run_round(folder, streamed(workspace))

    assert streamed(workspace) == ("crm",)
    assert found.outcome == "done"
    assert workspace.lake.rows("profiles/event") == 1


def test_a_notebook_reads_too_though_its_kernel_runs_a_loop(folder, broker):
    publish(broker, "crm.events", event("e1"))

    async def cell():
        return Workspace(folder).load()

    assert asyncio.run(cell()).outcome == "done"
    assert landed(folder) == ["e1"]


def test_a_reader_that_is_killed_loses_nothing_and_lands_nothing_twice(folder, broker):
    sent = 0
    for patience in (0.05, 0.2, 0.5, 1.0):
        with subprocess.Popen([sys.executable, "-c", LOADING, str(folder)], stdout=subprocess.PIPE) as reader:
            reader.stdout.readline()
            for _ in range(10):
                publish(broker, "crm.events", *(event(f"e{sent + i:04}") for i in range(20)))
                sent += 20
            time.sleep(patience)
            reader.send_signal(signal.SIGKILL)
    workspace = Workspace(folder)
    while workspace.sources["crm"][1].waiting():
        workspace.load()

    assert landed(folder) == [f"e{i:04}" for i in range(sent)]


@pytest.mark.parametrize("is_same_reader", [True, False])
def test_a_stream_that_was_made_anew_is_read_from_its_beginning(folder, broker, is_same_reader):
    async def replace_stream():
        client = await nats.connect(broker)
        await client.jetstream().delete_stream("CRM")
        await client.close()
        await made(broker)

    publish(broker, "crm.events", event("e1"), event("e2"))
    workspace = Workspace(folder)
    workspace.load()

    asyncio.run(replace_stream())
    publish(broker, "crm.events", event("e3"), event("e4"), event("e5"))
    workspace = workspace if is_same_reader else Workspace(folder)
    workspace.load()
    publish(broker, "crm.events", event("e6"))
    workspace.load()

    assert landed(folder) == ["e1", "e2", "e3", "e4", "e5", "e6"]
    assert workspace.load().outcome == "unchanged"
    assert workspace.sources["crm"][1].waiting() == 0


def test_a_broker_that_is_down_is_told_and_stops_nothing_else(folder):
    (folder / "cdp.yaml").write_text(
        (folder / "cdp.yaml").read_text().replace("nats://127.0.0.1", "nats://localhost.invalid")
    )

    run = Workspace(folder).load()

    assert run.outcome == "partial"
    assert "cannot be read" in run.problems[0]

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import httpx
import yaml

from cdp_toolkit.sources.inlets import log_file
from cdp_toolkit.sources.log import MessageLog
from cdp_toolkit.stream.rounds import run_round
from cdp_toolkit.workspace import Workspace
from tests.stream.conftest import READERS, event, message


def person(ecid):
    return {"b2b": {"personKey": {"sourceKey": f"{ecid[0]}@web.XDM"}}, "identityMap": {"ECID": [{"id": ecid}]}}


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def test_a_round_moves_people_by_what_was_sent(client, segment):
    ecid = "1" * 38
    identity = {"identityMap": {"ECID": [{"id": ecid}]}}
    client.post("/collection/web", json=message(person(ecid)))
    client.post("/collection/web", json=message(event("e1", at=now(), **identity)))
    first = run_round(segment, ("web",))
    client.post("/collection/web", json=message(event("e2", at=now(), **identity)))
    second = run_round(segment, ("web",))

    assert (first.outcome, first.entered, second.entered) == ("done", 0, 1)
    assert list(second.seconds) == ["load", "stitch", "evaluate"]
    assert second.lag_s > 0


def test_an_audience_by_rounds_is_the_audience_by_one_batch(client, segment):
    for i, ecid in enumerate(["1" * 38, "2" * 38, "3" * 38]):
        client.post("/collection/web", json=message(person(ecid)))
        for seen in range(i + 1):
            told = event(f"{i}{seen}", at=now(), identityMap={"ECID": [{"id": ecid}]})
            client.post("/collection/web", json=message(told))
        run_round(segment, ("web",))
    by_rounds = Workspace(segment).members("readers").collect()["profile_id"].sort()

    workspace = Workspace(segment)
    (segment / "segments" / "again.yaml").write_text(yaml.safe_dump(READERS | {"name": "again"}))
    workspace.evaluate("again")
    assert workspace.members("again").collect()["profile_id"].sort().to_list() == by_rounds.to_list()
    assert len(by_rounds) == 2


def test_a_round_waits_while_another_run_writes_to_the_lake(client, segment):
    client.post("/collection/web", json=message(event("e1")))
    with Workspace(segment).lake.run("load"), ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        meanwhile = pool.submit(run_round, segment, ("web",)).result()

    assert meanwhile.outcome == "waited"
    assert run_round(segment, ("web",)).outcome == "done"


def test_whatever_ends_a_round_is_told_and_the_next_one_goes_on(client, segment):
    client.post("/collection/web", json=message(event("e1")))
    (segment / "lake").write_text("no folder")
    first = run_round(segment, ("web",))
    (segment / "lake").unlink()
    second = run_round(segment, ("web",))

    assert (first.outcome, second.outcome) == ("failed", "done")
    assert "FileExistsError" in first.problems[0]
    assert first.lag_s > 0


def test_the_command_serves_a_workspace_until_it_is_interrupted(segment):
    command = [sys.executable, "-c", "from cdp_toolkit.cli import entry; entry()", "--workspace", str(segment), "serve"]
    with subprocess.Popen(
        [*command, "--port", "0", "--every", "1"], stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as served:
        address = served.stderr.readline().split()[-1]
        told = httpx.post(f"{address}/collection/web", json=message(event("e1", at=now())))
        while served.poll() is None and Workspace(segment).lake.landed("landing/web/event")[0] == 0:
            served.stderr.readline()  # a round
        os.killpg(served.pid, signal.SIGINT)  # as Ctrl-C does: to all of its processes
        rest = served.stderr.read()

    assert told.status_code == 200
    assert "Traceback" not in rest
    assert MessageLog(log_file(segment)).backlog().messages == 0

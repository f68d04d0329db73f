"""Kill the endpoint and its rounds at random moments under load, and look whether every acknowledged message is there once.

python benchmarks/kill_stream.py --kills 50
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import yaml

SCHEMA = {"id": "https://ns.example/schemas/1", "contentType": "application/vnd.adobe.xed-full+json;version=1"}


class Sender(threading.Thread):
    """Sends events one batch after the other, again until acknowledged, and keeps what was."""

    def __init__(self, address: str, number: int, messages: int) -> None:
        super().__init__(daemon=True)
        self.acknowledged: list[str] = []
        self.is_ending = False
        self._address = address
        self._number = number
        self._messages = messages

    def run(self) -> None:
        """Send until told to end."""
        sent = 0
        with httpx.Client(timeout=5) as client:
            while not self.is_ending:
                ids = [f"{self._number}-{sent + i}" for i in range(self._messages)]
                if self._post(client, ids):
                    self.acknowledged += ids
                    sent += self._messages
                else:
                    time.sleep(0.05)

    def _post(self, client: httpx.Client, ids: list[str]) -> bool:
        messages = [_message(each) for each in ids]
        try:
            told = client.post(f"{self._address}/collection/batch/web", json={"messages": messages})
        except httpx.TransportError:
            return False
        return told.status_code == 207


def _message(name: str) -> dict[str, Any]:
    entity = {"_id": name, "timestamp": "2026-11-20T10:00:00Z", "eventType": "web.webpagedetails.pageViews",
              "identityMap": {"ECID": [{"id": name.replace("-", "").rjust(38, "1")}]}}  # fmt: skip
    return {"header": {"schemaRef": SCHEMA}, "body": {"xdmMeta": {"schemaRef": SCHEMA}, "xdmEntity": entity}}


def serve(folder: Path, port: int) -> subprocess.Popen[str]:
    """Start ``cdp serve`` and wait until it listens."""
    command = [sys.executable, "-c", "from cdp_toolkit.cli import entry; entry()", "--workspace", str(folder), "serve"]
    served = subprocess.Popen(  # noqa: S603 - our own command
        [*command, "--port", str(port), "--every", "0.5"], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert served.stderr is not None
    served.stderr.readline()
    threading.Thread(target=served.stderr.read, daemon=True).start()
    return served


def main() -> None:
    """Read the command line, kill, and look."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--senders", type=int, default=4)
    parser.add_argument("--messages", type=int, default=20, help="messages a request")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--longest", type=float, default=6, help="seconds until a kill at the most")
    options = parser.parse_args()
    dice = random.Random(options.seed)  # noqa: S311 - moments, not secrets
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        inlet = {"type": "inlet", "system": "xdm", "open": True}
        (folder / "cdp.yaml").write_text(yaml.safe_dump({"name": "killed", "sources": {"web": inlet}}))
        port = dice.randrange(20_000, 30_000)
        senders = [Sender(f"http://127.0.0.1:{port}", i, options.messages) for i in range(options.senders)]
        for each in senders:
            each.start()
        for _ in range(options.kills):
            served = serve(folder, port)
            time.sleep(dice.uniform(0, options.longest))
            os.killpg(served.pid, signal.SIGKILL)  # the endpoint and, most times, a round in the middle of its work
            served.wait()
        for each in senders:
            each.is_ending = True
        for each in senders:
            each.join()
        print(json.dumps(look(folder, senders) | {"kills": options.kills}))


def look(folder: Path, senders: list[Sender]) -> dict[str, Any]:
    """Load what still waits and compare the lake with what was acknowledged."""
    from cdp_toolkit.workspace import Workspace

    workspace = Workspace(folder)
    workspace.load()
    landed = workspace.lake.scan("landing/web/event").to_native().select("_id").collect()["_id"]
    events = workspace.lake.scan("entities/event").to_native().select("source_id").collect()["source_id"]
    acknowledged = [name for each in senders for name in each.acknowledged]
    return {
        "acknowledged": len(acknowledged),
        "lost": len({*acknowledged} - {*events}),
        "twice in landing": len(landed) - landed.n_unique(),
        "twice in entities": len(events) - events.n_unique(),
        "there but not acknowledged": len({*events} - {*acknowledged}),
    }


if __name__ == "__main__":
    main()

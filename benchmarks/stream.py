"""Send messages at a steady pace, and see how long an answer takes, how far audiences are behind, and what memory is used.

    python benchmarks/stream.py --per-second 5000 --seconds 600

Messages are events of ``--people`` visitors; one audience counts page views of an hour. The lag of a round is the age of its
oldest message once audiences know it.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import yaml

SCHEMA = {"id": "https://ns.example/schemas/1", "contentType": "application/vnd.adobe.xed-full+json;version=1"}
AUDIENCE = {
    "name": "readers",
    "entity": "person",
    "pql": 'xEvent[event_type = "web.webpagedetails.pageViews" and timestamp occurs <= 1 hours before now].count() >= 3',
}


def message(entity: dict[str, Any]) -> dict[str, Any]:
    """Return an entity in its envelope."""
    return {"header": {"schemaRef": SCHEMA}, "body": {"xdmMeta": {"schemaRef": SCHEMA}, "xdmEntity": entity}}


def event(number: int, people: int) -> dict[str, Any]:
    """Return the message of a page view."""
    return message(
        {
            "_id": f"e{number}",
            "timestamp": datetime.now(UTC).isoformat(),
            "eventType": "web.webpagedetails.pageViews",
            "web": {"webPageDetails": {"name": "Pricing", "URL": "https://www.acme.example/pricing"}},
            "identityMap": {"ECID": [{"id": f"{number * 7919 % people:038d}"}]},
        }
    )


def person(number: int) -> dict[str, Any]:
    """Return the message of a person."""
    return message(
        {
            "b2b": {"personKey": {"sourceKey": f"{number}@web.XDM"}},
            "workEmail": {"address": f"{number}@acme.example"},
            "identityMap": {"ECID": [{"id": f"{number:038d}"}]},
        }
    )


async def send(address: str, options: argparse.Namespace) -> dict[str, Any]:
    """Send events at the pace asked for, and return how long answers took."""
    took: list[float] = []
    refused = 0
    async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=64)) as client:

        async def post(messages: list[dict[str, Any]]) -> None:
            nonlocal refused
            started = time.perf_counter()
            told = await client.post(f"{address}/collection/batch/web", json={"messages": messages})
            took.append(time.perf_counter() - started)
            refused += len(messages) if told.status_code != 207 else 0

        for first in range(0, options.people, 500):
            await post([person(first + i) for i in range(min(500, options.people - first))])
        took.clear()
        every_s, waiting, started = options.together / options.per_second, set(), time.perf_counter()
        for number in range(int(options.seconds / every_s)):
            await asyncio.sleep(max(0.0, started + number * every_s - time.perf_counter()))
            first = number * options.together
            task = asyncio.create_task(post([event(first + i, options.people) for i in range(options.together)]))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
        await asyncio.gather(*waiting)
        seconds = time.perf_counter() - started
    sent = len(took) * options.together
    cut = statistics.quantiles(took, n=100)
    return {"sent": sent, "refused": refused, "a second": round(sent / seconds), "p50 ms": round(cut[49] * 1000, 1),
            "p99 ms": round(cut[98] * 1000, 1)}  # fmt: skip


def peak_mb(pid: int) -> float:
    """Return the greatest memory of a process so far."""
    told = Path(f"/proc/{pid}/status").read_text("utf-8")
    return int(re.findall(r"VmHWM:\s+(\d+)", told)[0]) / 1024


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-second", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--together", type=int, default=50, help="messages a request")
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--every", type=float, default=1, help="seconds between two rounds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        inlet = {"type": "inlet", "system": "xdm", "open": True}
        (folder / "cdp.yaml").write_text(yaml.safe_dump({"name": "stream", "sources": {"web": inlet}}))
        (folder / "segments").mkdir()
        (folder / "segments" / "readers.yaml").write_text(yaml.safe_dump(AUDIENCE))
        command = [sys.executable, "-c", "from cdp_toolkit.cli import entry; entry()", "--workspace", home, "serve"]
        served = subprocess.Popen(  # noqa: S603 - our own command
            [*command, "--port", "0", "--every", str(options.every)], stderr=subprocess.PIPE, text=True
        )
        assert served.stderr is not None
        address = served.stderr.readline().split()[-1]
        told: list[str] = []
        reading = threading.Thread(target=lambda: told.extend(served.stderr or ()), daemon=True)
        reading.start()
        found = asyncio.run(send(address, options))
        memory = peak_mb(served.pid)
        served.send_signal(signal.SIGINT)
        served.wait()
        reading.join()
        lags = [int(lag) for line in told for lag in re.findall(r"lag (\d+) s", line)]
        print("\n".join(told), file=sys.stderr)
        print(json.dumps({"benchmark": "stream", "cpus": os.cpu_count(), "load": os.getloadavg(), **found,
                          "rounds": len(lags), "greatest lag s": max(lags), "endpoint peak MB": round(memory)}))  # fmt: skip


if __name__ == "__main__":
    main()

"""Send messages at a steady pace, and see how long an answer takes, how far audiences are behind, and what memory is used.

    python benchmarks/stream.py --per-second 5000 --seconds 600

Messages are events of ``--people`` visitors; one audience counts page views of an hour. The lag of a message is the time from
its POST, which its ``timestamp`` says, to the end of the evaluation that counts it, read from the lake afterwards for each.
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
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import yaml

from cdp_toolkit.workspace import Workspace

IDLE = "\ncdp_messages_waiting 0.0"
TABLES = ("landing/web/event", "entities/event", "profiles/event", "runs")
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
    """Send events at the pace asked for, and return how long answers took and what was refused."""
    took: list[float] = []
    answers: Counter[int] = Counter()
    async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=64)) as client:

        async def post(messages: list[dict[str, Any]]) -> None:
            started = time.perf_counter()
            while True:  # as client libraries do: a message that was taken after all is dropped by its id
                with suppress(httpx.TransportError):
                    told = await client.post(f"{address}/collection/batch/web", json={"messages": messages})
                    break
            took.append(time.perf_counter() - started)
            answers[told.status_code] += 1
            assert told.status_code == 207 or "retry-after" in told.headers

        for first in range(0, options.people, 500):
            await post([person(first + i) for i in range(min(500, options.people - first))])
        while "cdp_rounds_total" not in (told := (await client.get(f"{address}/metrics")).text) or IDLE not in told:  # noqa: ASYNC110 - another process tells
            await asyncio.sleep(0.5)
        took.clear()
        answers.clear()
        every_s, waiting, started = options.together / options.per_second, set(), time.perf_counter()
        for number in range(int(options.seconds / every_s)):
            await asyncio.sleep(max(0.0, started + number * every_s - time.perf_counter()))
            first = number * options.together
            task = asyncio.create_task(post([event(first + i, options.people) for i in range(options.together)]))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
        await asyncio.gather(*waiting)
        seconds = time.perf_counter() - started
    cut = statistics.quantiles(took, n=100)
    taken = answers[207] * options.together
    return {"sent": len(took) * options.together, "taken": taken, "a second": round(taken / seconds),
            "answers": dict(answers), "answer p50 ms": round(cut[49] * 1000, 1),
            "answer p99 ms": round(cut[98] * 1000, 1)}  # fmt: skip


def lags(folder: Path) -> dict[str, Any]:
    """Return how long it took each event from its POST to the end of the evaluation that counts it."""
    lake = Workspace(folder).lake
    runs = [row for row in lake.log.rows() if row["outcome"] != "failed"]
    loads = [row for row in runs if row["verb"] == "load"]
    ends = [row["started_at"] + timedelta(seconds=row["seconds"]) for row in runs if row["verb"] == "evaluate"]
    known = [next((end for end in ends if end > load["started_at"]), None) for load in loads]
    rounds = pl.LazyFrame({"load_at": [row["started_at"] for row in loads], "known_at": known}).sort("load_at")
    events = lake.scan("entities/event").to_native().select("timestamp", "loaded_at").sort("loaded_at")
    told = events.join_asof(rounds, left_on="loaded_at", right_on="load_at")
    lag = told.select(lag=(pl.col("known_at") - pl.col("timestamp")).dt.total_milliseconds() / 1000)
    found = lag.select(
        pl.len().alias("in the lake"),
        pl.col("lag").null_count().alias("not evaluated"),
        *(pl.col("lag").quantile(q).round(2).alias(f"lag p{round(q * 100)} s") for q in (0.5, 0.9, 0.99, 1)),
    )
    return {**found.collect().row(0, named=True), "rounds": len(loads)}


def memory_mb(pid: int) -> int:
    """Return the memory that a process holds now."""
    told = Path(f"/proc/{pid}/status").read_text("utf-8")
    return int(re.findall(r"VmRSS:\s+(\d+)", told)[0]) // 1024


def rounds_of(pid: int) -> list[int]:
    """Return the processes that rounds are carried out in, which an endpoint started."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    found = [int(each) for file in children for each in file.read_text("utf-8").split()]
    return [each for each in found if "spawn_main" in Path(f"/proc/{each}/cmdline").read_text("utf-8")]


def watch(pid: int, every_s: float, ending: threading.Event, found: list[tuple[int, ...]]) -> None:
    """Note the memory of the endpoint and of the rounds now and then."""
    while not ending.wait(every_s):
        found.append((memory_mb(pid), *map(memory_mb, rounds_of(pid))))


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-second", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--together", type=int, default=50, help="messages a request")
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--every", type=float, default=1, help="seconds between two rounds")
    parser.add_argument("--rounds", action="store_true", help="show what each round did")
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
        ending, memory = threading.Event(), []
        watching = threading.Thread(target=watch, args=(served.pid, options.seconds / 10, ending, memory))
        watching.start()
        found = asyncio.run(send(address, options))
        ending.set()
        watching.join()
        while IDLE not in httpx.get(f"{address}/metrics").text:
            time.sleep(0.5)
        served.send_signal(signal.SIGINT)
        served.wait()
        reading.join()
        if options.rounds:
            print("\n".join(told), file=sys.stderr)
        files = {table: len([*(folder / "lake" / table).rglob("*.parquet")]) for table in TABLES}
        told_of = {
            "cpus": os.cpu_count(),
            "load": os.getloadavg(),
            "memory MB, endpoint and rounds": memory,
            "files": files,
        }
        print(json.dumps({"benchmark": "stream", **found, **lags(folder), **told_of}))


if __name__ == "__main__":
    main()

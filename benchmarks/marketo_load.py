"""Load a Marketo that fails all the time, and kill the load: every row is there once afterwards.

``python benchmarks/marketo_load.py soak --leads 1000000 --each 5`` loads leads and activities through the stand-in with
its faults on, and prints seconds, peak memory and what is there. ``… kill --times 50`` kills a load at random moments,
half of them in a backfill and half in an increment, lets the next one finish and compares all tables with those of a
load that nobody disturbed.
"""

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

FAULTS = {
    "expire": 31, "606": 37, "615": 41, "502": 29, "500": 43, "cut": 3, "corrupt": 5, "late": 4, "fail": 7, "empty": 5, "repeat": 7,
}  # fmt: skip
DAYS = 700  # Marketo keeps activities for 25 months
PACE = {"poll_s": 0.01, "first_pause_s": 0.01, "calls": 45, "seconds": 0.2}
STAMPS = ("_batch", "_line", "_loaded_at", "loaded_at", "rejected_at", "seen_at")


def make_workspace(home: Path, url: str, days: int) -> None:
    """Write a workspace with the instance as its source."""
    home.mkdir(parents=True)
    since = (datetime.now(UTC) - timedelta(days=days + 10)).date()
    source = {
        "type": "marketo", "instance": "123-ABC-456", "base_url": url, "client_id": "ours",
        "client_secret": "${env:MARKETO_SECRET}", "since": since.isoformat(), "pace": PACE, "calls_a_day": 10**9,
    }  # fmt: skip
    (home / "cdp.yaml").write_text(json.dumps({"name": "soak", "sources": {"mk": source}}), "utf-8")


def start_load(home: Path, outcome: Path | None = None) -> subprocess.Popen[bytes]:
    """Start a load in a process of its own."""
    command = [sys.executable, __file__, "load", str(home), *([str(outcome)] if outcome else [])]
    environment = {**os.environ, "MARKETO_SECRET": "secret-of-ours"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)  # noqa: S603 - this file


def load(home: Path, outcome: Path | None) -> None:
    """Say that it begins, load, and tell how it went."""
    from cdp_toolkit import Workspace, pipeline

    workspace = Workspace(home)
    sys.stdout.write("begins\n")
    sys.stdout.flush()
    began, landed = time.perf_counter(), {}

    def tell(*_: str, **__: Any) -> None:
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        landed.update(landing_seconds=time.perf_counter() - began, landing_peak_mib=peak_mib)

    run = pipeline.load(workspace.lake, workspace.sources, only=list(workspace.sources), progress=tell)
    told = {"outcome": run.outcome, "problems": run.problems, "seconds": time.perf_counter() - began, **landed}
    if outcome is not None:
        outcome.write_text(json.dumps(told), "utf-8")


def finish(home: Path) -> dict[str, Any]:
    """Load until the end."""
    outcome = home.with_suffix(".json")
    process = start_load(home, outcome)
    process.communicate()
    assert process.returncode == 0, home
    told: dict[str, Any] = json.loads(outcome.read_text("utf-8"))
    assert told["outcome"] in {"done", "unchanged"}, told
    return told


def killed_at(home: Path, after_s: float) -> bool:
    """Start a load, kill it some time after it has begun, and tell whether it still ran."""
    process = start_load(home)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(after_s)
    is_running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    return is_running


def tables(home: Path) -> dict[str, Any]:
    """Return all rows of all tables that a load writes, without when and in which piece they came."""
    import polars as pl

    found = {}
    for table in sorted((home / "lake").glob("*/**/_delta_log")):
        name = table.parent.relative_to(home / "lake").as_posix()
        if name.startswith(("landing/", "entities/")) and name != "landing/_fields":
            rows = pl.read_delta(str(table.parent))
            kept = rows.select(sorted(set(rows.columns) - {*STAMPS, "_file"}))
            found[name] = kept.sort(kept.columns) if kept.width else kept
    return {name: rows for name, rows in found.items() if rows.width and rows.height}


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Return the tables that are not equal."""
    return [
        f"{name}: {one[name].shape if name in one else None}, {other[name].shape if name in other else None}"
        for name in sorted(one.keys() | other.keys())
        if name not in one or name not in other or not one[name].equals(other[name])
    ]


def soak(leads: int, each: int) -> None:
    """Load a large instance with its faults on."""
    import polars as pl

    from tests.stand_ins.serve import serving_apart

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "soak"
        options = {"leads": leads, "activities_each": each, "every": FAULTS, "window": [100, 0.2], "days": DAYS}
        with serving_apart("tests.stand_ins.marketo:make_app", **options) as url:
            make_workspace(home, url, DAYS)
            told = finish(home)
            again = finish(home)
        landed = {
            name: pl.scan_delta(str(home / "lake" / "landing" / "mk" / name)).select(
                rows=pl.len(), distinct=pl.col(key).n_unique(), last=pl.col(key).cast(pl.Int64).max()
            ).collect().row(0, named=True)
            for name, key in {"leads": "id", "activities": "marketoGUID"}.items()
        }  # fmt: skip
    assert landed["leads"] == {"rows": leads, "distinct": leads, "last": leads}, landed
    assert landed["activities"] == {"rows": leads * each, "distinct": leads * each, "last": leads * each}, landed
    print(json.dumps({"landed": landed, "first": told, "again": again}))


def kill(leads: int, each: int, times: int, days: int) -> None:
    """Kill loads at random moments and compare what is there in the end."""
    from tests.stand_ins.marketo import MarketoStandIn
    from tests.stand_ins.marketo_world import World
    from tests.stand_ins.serve import serving

    stand_in = MarketoStandIn(World.of(leads, each, days=days), {**FAULTS}, window=(100, 0.2), quota=10**9)
    chance = random.Random(7)  # noqa: S311 - moments of a proof, no secrets
    with tempfile.TemporaryDirectory() as folder, serving(stand_in.app) as url:
        base, reference = Path(folder) / "base", Path(folder) / "reference"
        make_workspace(base, url, days)
        shutil.copytree(base, reference)
        seconds = finish(reference)["seconds"]
        print(json.dumps({"backfill": trials(base, reference, times // 2, seconds=seconds, chance=chance)}), flush=True)
        base = Path(folder) / "loaded"
        shutil.copytree(reference, base)
        happen(stand_in.world, leads)
        seconds = finish(reference)["seconds"]
        increment = trials(base, reference, times - times // 2, seconds=seconds, chance=chance)
    print(json.dumps({"increment": increment, "faults": stand_in.codes}))


def trials(base: Path, reference: Path, times: int, *, seconds: float, chance: random.Random) -> dict[str, int]:
    """Kill a load of a copy of a workspace, finish it, and compare it with one that nobody disturbed."""
    expected = tables(reference)
    hit = wrong = 0
    for number in range(times):
        home = base.with_name(f"trial{number}")
        shutil.copytree(base, home)
        hit += killed_at(home, chance.uniform(0, seconds))
        finish(home)
        if unequal := differences(expected, tables(home)):
            wrong += 1
            print(f"trial {number}: {unequal}", flush=True)
        shutil.rmtree(home)
    return {"kills": times, "while it ran": hit, "wrong": wrong}


def happen(world: Any, leads: int) -> None:
    """Let leads be made, changed, deleted, merged and listed."""
    world.lists = {1001: {"id": 1001, "name": "List", "updatedAt": "2026-01-01T00:00:00Z+0000"}}
    for lead in range(1, leads, max(leads // 400, 1)):
        world.change(lead, "firstName", f"Changed {lead}")
        world.put(lead, 1001)
    for lead in range(2, 22, 2):
        world.delete(lead)
        world.merge(lead + 1, lead + 101)
        world.add(email=f"new{lead}@acme.example")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["soak", "kill", "load"])
    parser.add_argument("rest", nargs="*", type=Path)
    parser.add_argument("--leads", type=int, default=2_000)
    parser.add_argument("--each", type=int, default=5)
    parser.add_argument("--times", type=int, default=4)
    parser.add_argument("--days", type=int, default=200)
    asked = parser.parse_args()
    if asked.what == "load":
        load(asked.rest[0], asked.rest[1] if len(asked.rest) > 1 else None)
    elif asked.what == "soak":
        soak(asked.leads, asked.each)
    else:
        kill(asked.leads, asked.each, asked.times, asked.days)

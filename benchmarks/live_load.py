"""Load a vendor that fails all the time, and kill the load: every row is there once afterwards.

``python benchmarks/live_load.py soak --records 1000000 --each 5`` loads leads of Marketo, and activities of each, through
the stand-in with its faults on, and prints seconds, peak memory and what is there; ``--vendor salesforce`` loads contacts,
and for so many of them an account. ``… kill --times 50`` kills a load at random moments, half of them in a backfill and
half in an increment, lets the next one finish and compares all tables with those of a load that nobody disturbed.
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
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
STAMPS = ("_batch", "_line", "_loaded_at", "loaded_at", "rejected_at", "seen_at")


def make_workspace(home: Path, source: dict[str, Any]) -> None:
    """Write a workspace with one source."""
    home.mkdir(parents=True)
    (home / "cdp.yaml").write_text(json.dumps({"name": "soak", "sources": {"live": source}}), "utf-8")


def start_load(home: Path, outcome: Path | None = None) -> subprocess.Popen[bytes]:
    """Start a load in a process of its own."""
    command = [sys.executable, __file__, "load", str(home), *([str(outcome)] if outcome else [])]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)  # noqa: S603 - this file


def load(home: Path, outcome: Path | None) -> None:
    """Say that it begins, load, and tell how it went."""
    from benchmarks.live_vendors import VENDORS
    from cdp_toolkit import Workspace, pipeline

    workspace = Workspace(home)
    vendor = VENDORS[workspace.settings.sources["live"]["type"]]
    os.environ.update(vendor.secrets)
    vendor.hurry()
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


def soak(vendor: Any) -> None:
    """Load a large vendor with its faults on."""
    import polars as pl

    from tests.stand_ins.serve import serving_apart

    factory, options = vendor.apart()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "soak"
        with serving_apart(factory, **options) as url:
            make_workspace(home, vendor.source(url))
            told = finish(home)
            again = finish(home)
        landed = {
            name: pl.scan_delta(str(home / "lake" / "landing" / "live" / name)).select(
                rows=pl.len(), distinct=pl.col(key).n_unique()
            ).collect().row(0)
            for name, key in vendor.keys.items()
        }  # fmt: skip
    assert landed == {name: (rows, rows) for name, rows in vendor.expected().items()}, landed
    print(json.dumps({"landed": landed, "first": told, "again": again}))


def kill(vendor: Any, times: int, seed: int) -> None:
    """Kill loads at random moments and compare what is there in the end."""
    from tests.stand_ins.serve import serving

    chance = random.Random(seed)  # noqa: S311 - moments of a proof, no secrets
    with tempfile.TemporaryDirectory() as folder, serving(vendor.serve()) as url:
        base, reference = Path(folder) / "base", Path(folder) / "reference"
        make_workspace(base, vendor.source(url))
        shutil.copytree(base, reference)
        seconds = finish(reference)["seconds"]
        print(json.dumps({"backfill": trials(base, reference, times // 2, seconds=seconds, chance=chance)}), flush=True)
        base = Path(folder) / "loaded"
        shutil.copytree(reference, base)
        vendor.happen()
        seconds = finish(reference)["seconds"]
        increment = trials(base, reference, times - times // 2, seconds=seconds, chance=chance)
    print(json.dumps({"increment": increment, "vendor": vendor.told()}))


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


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["soak", "kill", "load"])
    parser.add_argument("rest", nargs="*", type=Path)
    parser.add_argument("--vendor", choices=["marketo", "salesforce"], default="marketo")
    parser.add_argument("--records", type=int, default=2_000)
    parser.add_argument("--each", type=int, default=5)
    parser.add_argument("--times", type=int, default=4)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--days", type=int, default=200, help="of Marketo: over which its activities happened")
    asked = parser.parse_args()
    if asked.what == "load":
        load(asked.rest[0], asked.rest[1] if len(asked.rest) > 1 else None)
    else:
        from benchmarks.live_vendors import VENDORS

        own = {"days": asked.days} if asked.vendor == "marketo" else {}
        chosen = VENDORS[asked.vendor](asked.records, asked.each, **own)
        if asked.what == "soak":
            soak(chosen)
        else:
            kill(chosen, asked.times, asked.seed)

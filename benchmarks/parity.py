"""Run the same world on every engine and compare every table of their lakes, sorted and exact.

``python benchmarks/parity.py --persons 20000`` makes a demo world and runs load, stitch and evaluate on Polars, DuckDB, Sail
and Spark, each in a process of its own, and compares with Polars. ``sail-cluster`` and ``spark-cluster`` run with workers;
``spark-killed`` has one of its two workers killed in the middle of each verb. The last line is the result as JSON.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests import parity
from tests.stand_ins import clusters

ENGINES = ("duckdb", "sail", "sail-cluster", "spark", "spark-cluster", "spark-killed")
TWO_WORKERS = "local-cluster[2,1,2048]"


@contextmanager
def running(engine: str, folder: Path) -> Iterator[tuple[str, Any]]:
    """Start what an engine needs; yield its name in ``cdp.yaml`` and what kills a worker."""
    match engine:
        case "sail" | "sail-cluster":
            with clusters.sail(folder, mode="local-cluster" if engine.endswith("cluster") else "local") as address:
                yield f'{{spark: "{address}"}}', None
        case "spark" | "spark-cluster" | "spark-killed":
            with clusters.spark(folder, master="local[2]" if engine == "spark" else TWO_WORKERS) as (address, kill):
                yield f'{{spark: "{address}"}}', kill if engine == "spark-killed" else None
        case _:
            yield engine, None


def walk(world: Path, folder: Path, engine: str, kill_after_s: float) -> dict[str, float]:
    """Run the line on an engine and return the seconds of each verb."""
    with running(engine, folder / f"{engine}-server") as (address, kill):
        workspace = parity.workspace_on(world, folder / engine, address)
        seconds = {}
        for verb in parity.VERBS:
            started = time.perf_counter()
            killer = threading.Timer(kill_after_s, kill) if kill else None
            if killer:
                killer.start()
            parity.run(workspace, verb)
            if killer:
                killer.cancel()
            seconds[verb] = round(time.perf_counter() - started, 2)
    return seconds


def main() -> None:
    """Read the command line, run and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=20_000)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=["duckdb", "sail", "spark"])
    parser.add_argument("--kill-after", type=float, default=8, help="seconds into a verb at which a worker is killed")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # and the servers with it
    if options.one:
        engine, folder = options.one[0], Path(options.one[1])
        print(json.dumps(walk(folder / "world", folder, engine, options.kill_after)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        parity.make_world(folder / "world", options.persons)
        found = {}
        for engine in ("polars", *options.engines):
            command = [sys.executable, __file__, "--one", engine, scratch, "--kill-after", str(options.kill_after)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own file
            differing = parity.differences(folder / "polars" / "lake", folder / engine / "lake")
            found[engine] = {"seconds": json.loads(done.stdout.splitlines()[-1]), "differing": differing}
            print(engine, found[engine], flush=True)
    print(json.dumps({"benchmark": "parity", "persons": options.persons, "engines": found}))
    sys.exit(any(each["differing"] for each in found.values()))


if __name__ == "__main__":
    main()

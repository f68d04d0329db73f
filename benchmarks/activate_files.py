"""Tell a file destination of a whole audience, beside a bare script that moves the same bytes.

``python benchmarks/activate_files.py --persons 1000000`` makes people who are all in an audience, then runs in turns, each in a
process of its own:

- ``file``: the same CSV file written and flushed by itself,
- ``limit``: the least that any way must do, by Polars, NumPy and deltalake without the toolkit: read membership, identity and
  consent, join them, hash and sort the rows, write and flush the file, take its digest, and write the rows that tell
  what was sent twice, before and after, as Delta tables,
- ``ours``: ``ws.activate``, with plan, gate, ledger, manifest and the log of runs,
- ``again``: the next activation, without a change.

What counts is the best of each: others use the machine too. The last line is JSON, so that runs can be compared.
"""

import argparse
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
# Every step imports its own: this process stays small, since on Linux a child's peak memory begins at that of its parent.

FIELDS = {"mail": "email", "name": "first_name", "country": "country"}


def make(folder: Path, persons: int) -> None:
    """Write what a stitch and an evaluation would have written."""
    from benchmarks.activate import make_workspace

    make_workspace(folder, persons, {"type": "files", "mode": "mirror", "format": "csv", "mapping": FIELDS})


def limit(folder: Path) -> Callable[[], object]:
    """Move the bytes that must be moved, without the toolkit."""
    import numpy as np
    import polars as pl
    import polars_hash as plh
    from deltalake import DeltaTable, write_deltalake

    def scan(name: str) -> pl.LazyFrame:
        return pl.scan_parquet(DeltaTable(folder / "lake" / name).file_uris())

    def members() -> pl.LazyFrame:
        is_in = (pl.col("segment") == "buyers") & (pl.col("status") == "realized")
        (bits,) = scan("segments/membership").filter(is_in).select("bits").collect()["bits"]
        stretches = scan("segments/numbering").sort("start").collect()["ids"]
        ids = np.concatenate([np.frombuffer(each, "<i8") for each in stretches])
        return pl.LazyFrame({"profile_id": ids[np.unpackbits(np.frombuffer(bits, "u1"), bitorder="little").nonzero()]})

    def run() -> None:
        people = scan("profiles/person").select("profile_id", *FIELDS.values(), "consent_email", "consent_any")
        refuses = pl.coalesce("consent_email", "consent_any").is_in(["n", "dn", "p"])
        text = pl.concat_str(pl.col(*FIELDS.values()), separator="\x1f", ignore_nulls=True)
        rows = (
            members().join(people, on="profile_id").filter(~refuses.fill_null(value=False)).with_columns(text=text)
            .with_columns(row_key=pl.col("profile_id").cast(pl.String),
                          digest=plh.col("text").nchash.xxhash64(seed=42).reinterpret(signed=True))
            .sort("row_key").collect()
        )  # fmt: skip
        with (folder / "limit.csv").open("w+b") as file:
            rows.select("profile_id", *FIELDS.values(), action=pl.lit("add")).write_csv(file)
            os.fsync(file.fileno())
            file.seek(0)
            hashlib.file_digest(file, "sha256")
        told = {"destination": "out", "audience": "buyers", "action": "add", "outcome": "delivered", "plan_id": "0" * 16,
                "batch": f"{'0' * 16}-buyers-0", "entry": 1, "at": 0}  # fmt: skip
        said = rows.select("row_key", "profile_id", "digest", **{name: pl.lit(value) for name, value in told.items()})
        write_deltalake(folder / "limit" / "attempts", said.drop("outcome"))
        write_deltalake(folder / "limit" / "ledger", said)

    return run


def file(folder: Path) -> Callable[[], object]:
    """Write and flush the file by itself."""
    import polars as pl

    rows = pl.read_csv(folder / "limit.csv")

    def run() -> None:
        with (folder / "file.csv").open("wb") as out:
            rows.write_csv(out)
            os.fsync(out.fileno())

    return run


def ours(folder: Path) -> Callable[[], object]:
    """Activate, everything from the plan to the log."""
    for each in ("lake/activation", "out"):
        shutil.rmtree(folder / each, ignore_errors=True)
    run = again(folder)

    def activate() -> None:
        done = run()
        assert done.outcome == "done", done.problems
        assert sum(1 for _ in next((folder / "out" / "out").glob("*.csv")).open("rb")) == done.counts["added"] + 1

    return activate


def again(folder: Path) -> Callable[[], Any]:
    """Activate without a change."""
    import pyarrow as pa

    import cdp_toolkit as cdp
    import cdp_toolkit.connectors.files.destination  # or it would be imported within what is measured

    pa.array([0])  # where pandas is installed, Arrow imports it now
    workspace = cdp.Workspace(folder)
    return lambda: workspace.activate("out")


STEPS: dict[str, Callable[[Path], Callable[[], object]]] = {each.__name__: each for each in (limit, file, ours, again)}


def run_step(step: str, folder: Path) -> None:
    """Run one step in this process, and print its seconds and peak memory."""
    run = STEPS[step](folder)
    began, used = time.perf_counter(), time.process_time()
    run()
    seconds, processor = time.perf_counter() - began, time.process_time() - used
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "processor": processor, "peak_mb": peak_mb}), flush=True)
    os._exit(0)  # what was measured is over; freeing memory is nobody's concern


def in_process(*words: str) -> str:
    """Run this file in a process of its own and return the last line that it prints."""
    done = subprocess.run([sys.executable, __file__, *words], check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    return (done.stdout.splitlines() or [""])[-1]


def measure(folder: Path, persons: int, turns: int) -> dict[str, dict[str, float]]:
    """Run all steps in turns and keep the best of each."""
    in_process("--step", "make", "--folder", str(folder), "--persons", str(persons))
    found: dict[str, list[dict[str, float]]] = {step: [] for step in STEPS}
    for _ in range(turns):
        for step, times in found.items():
            shutil.rmtree(folder / "limit", ignore_errors=True)
            times.append(json.loads(in_process("--step", step, "--folder", str(folder))))
    return {step: {key: min(each[key] for each in times) for key in times[0]} for step, times in found.items()}


def show(persons: int, best: dict[str, dict[str, float]]) -> None:
    """Print the figures for people, and on the last line for machines."""
    from rich.console import Console
    from rich.table import Table

    table = Table("way", "seconds", "÷ limit", "of processor", "÷ limit ", "peak MB", title=f"{persons:,} people")
    for step, each in best.items():
        ratios = [f"{each[key] / best['limit'][key]:.2f}" for key in ("seconds", "processor")]
        table.add_row(
            step, f"{each['seconds']:.2f}", ratios[0], f"{each['processor']:.2f}", ratios[1], f"{each['peak_mb']:,.0f}"
        )
    Console(width=100).print(table)
    print(json.dumps({"benchmark": "activate_files", "cpus": os.cpu_count(), "persons": persons, "best": best}))


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=3, help="how often each way is run")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step == "make":
        make(given.folder, given.persons)
    elif given.step:
        run_step(given.step, given.folder)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            show(given.persons, measure(Path(scratch) / "workspace", given.persons, given.turns))


if __name__ == "__main__":
    main()

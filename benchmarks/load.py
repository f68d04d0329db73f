"""Land a CSV export, beside Polars' own way from CSV to Delta on the same bytes.

``python benchmarks/load.py --rows 2000000`` makes a file of leads, lands it and writes it by ``scan_csv`` and
``sink_delta``, in turns and each in a process of its own. What counts is the best of each: others use the machine too. The
last line is JSON, so that runs can be compared.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Every step imports its own: this process stays small, since on Linux a child's peak memory begins at that of its parent.


def make_file(home: Path, rows: int) -> None:
    """Write an export of leads: 12 columns, 173 bytes a row."""
    import polars as pl

    i = pl.int_range(rows, eager=True)
    at = "2025-0{}-11T08:4{}:12Z"
    pl.select(
        id=i, email=pl.format("user{}@example{}.com", i, i % 997), firstName=pl.format("First{}", i % 5_003),
        lastName=pl.format("Last{}", i % 20_011), company=pl.format("Company {} Inc.", i % 30_011),
        title=pl.format("Manager of thing {}", i % 97), country=pl.lit("Germany"), phone=pl.format("+4930{}", i + 1_000_000),
        leadScore=i % 100, createdAt=pl.format(at, i % 9 + 1, i % 10), updatedAt=pl.format(at, i % 9 + 1, i % 7),
        notes=pl.when(i % 3 > 0).then(pl.lit("called, wants a demo")),
    ).write_csv(home / "exports" / "leads.csv")  # fmt: skip


def land_file(home: Path) -> Callable[[], object]:
    """Land the file as the toolkit does: known by its digest, each row with its line, in one commit."""
    from cdp_toolkit.connectors.files.source import FilesSource
    from cdp_toolkit.engines import open_engine
    from cdp_toolkit.lake import Lake
    from cdp_toolkit.sources.land import land

    lake = Lake(home / "lake", engine=open_engine("polars"))
    source = FilesSource({"type": "files", "path": "exports"}, folder=home)
    return lambda: land("crm", source, lake)


def sink_texts(home: Path) -> Callable[[], object]:
    """Read the file as texts by Polars and write it as a Delta table."""
    import deltalake  # noqa: F401 - or Polars would import it within what is measured
    import polars as pl

    return lambda: pl.scan_csv(home / "exports" / "leads.csv", infer_schema=False).sink_delta(home / "texts")


def sink_typed(home: Path) -> Callable[[], object]:
    """Read the file by Polars with types that it guesses and write it as a Delta table."""
    import deltalake  # noqa: F401 - see above
    import polars as pl

    return lambda: pl.scan_csv(home / "exports" / "leads.csv").sink_delta(home / "typed")


STEPS = {each.__name__: each for each in (land_file, sink_texts, sink_typed)}


def run_step(step: str, home: Path) -> None:
    """Run one step in this process, and print its seconds and peak memory."""
    run = STEPS[step](home)
    started, used = time.perf_counter(), _processor()
    run()
    seconds, processor = time.perf_counter() - started, _processor() - used
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "processor": processor, "peak_mb": peak_mb}), flush=True)
    os._exit(0)  # what was measured is over; freeing memory is nobody's concern


def _processor() -> float:
    used = os.times()
    return used.user + used.system


def in_process(step: str, home: Path) -> dict[str, float]:
    """Run a step in a process of its own, on a lake that is empty."""
    with tempfile.TemporaryDirectory(dir=home.parent) as fresh:
        (Path(fresh) / "exports").symlink_to(home / "exports")
        command = [sys.executable, __file__, "--step", step, "--home", fresh]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own file
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(home: Path, rows: int, turns: int) -> dict[str, Any]:
    """Run all steps in turns and keep the best of each."""
    (home / "exports").mkdir()
    make_file(home, rows)
    found: dict[str, list[dict[str, float]]] = {step: [] for step in STEPS}
    for _ in range(turns):
        for step, times in found.items():
            times.append(in_process(step, home))
    best = {step: {key: min(each[key] for each in times) for key in times[0]} for step, times in found.items()}
    size_mb = (home / "exports" / "leads.csv").stat().st_size / 1e6
    return {"rows": rows, "file_mb": round(size_mb), "best": best}


def show(found: dict[str, Any]) -> None:
    """Print the figures for people, and on the last line for machines."""
    from rich.console import Console
    from rich.table import Table

    limit = found["best"]["sink_texts"]
    title = f"{found['rows']:,} rows, {found['file_mb']} MB"
    table = Table("way", "seconds", "ratio", "of processor", "ratio ", "peak MB", title=title)
    for step, each in found["best"].items():
        ratios = {key: each[key] / limit[key] for key in ("seconds", "processor")}
        table.add_row(
            step, f"{each['seconds']:.2f}", f"{ratios['seconds']:.2f}", f"{each['processor']:.2f}",
            f"{ratios['processor']:.2f}", f"{each['peak_mb']:,.0f}",
        )  # fmt: skip
    Console(width=100).print(table)
    print(json.dumps({"benchmark": "load", "cpus": os.cpu_count(), **found}))


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the file")
    parser.add_argument("--turns", type=int, default=5, help="how often each way is run")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        run_step(options.step, options.home)
        return
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home"
        home.mkdir()
        show(measure(home, options.rows, options.turns))


if __name__ == "__main__":
    main()

"""Time the whole line, a process a stage, beside the bare limit of each on the same bytes.

``python benchmarks/line.py --persons 1000000`` makes a world, runs load, stitch, evaluate and activate on it, and prints
seconds and peak memory. The last line is the ratios as JSON, so that runs can be compared.
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
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

# This process stays small: on Linux a child's peak memory begins at that of its parent. So every step imports its own.

STAGES = ("load", "stitch", "evaluate", "activate")
PACKAGES = ("cdp-toolkit", "polars", "deltalake", "narwhals", "numpy", "scipy")
# What each stage is measured against: the stage, the limit's step, what the limit does.
LIMITS = (
    ("load", "read_exports", "read the exports as text, write Parquet"),
    ("stitch", "find_components", "component search on ready integers"),
    ("stitch", "copy_profiles", "read the records, write the profiles' bytes"),
    ("evaluate", "read_profiles", "read every column of the profiles"),
    ("activate", "copy_people", "read people and memberships, write CSV"),
)


def make_world(home: Path, persons: int, shape: str) -> None:
    """Make the workspace."""
    from cdp_toolkit.demo import make_workspace

    make_workspace(home, persons=persons, format=shape)  # type: ignore[arg-type]


def run_stage(home: Path, verb: str) -> None:
    """Run a verb of the toolkit."""
    from cdp_toolkit import Workspace

    getattr(Workspace(home), verb)()


def read_exports(home: Path, out: Path) -> None:
    """Read all exports as text and write them as Parquet, nothing else."""
    import polars as pl

    readers: dict[str, Callable[[Path], pl.LazyFrame]] = {
        ".csv": lambda file: pl.scan_csv(file, infer_schema=False),
        ".ndjson": pl.scan_ndjson,
        ".json": lambda file: pl.read_json(file).lazy(),
        ".parquet": pl.scan_parquet,
    }
    files = [file for file in sorted((home / "exports").rglob("*")) if file.is_file()]
    for number, file in enumerate(files):
        suffix = next(suffix for suffix in file.suffixes if suffix in readers)
        readers[suffix](file).sink_parquet(out / f"{number}.parquet")


def find_components(home: Path, out: Path) -> None:  # noqa: ARG001 - all limits are called alike
    """Search the components of the links, given as integers in memory; only the search is timed."""
    import numpy as np
    import polars as pl
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = pl.scan_parquet(table_files(home, "identity/links")).select("record_key", "hub_key").collect()
    keys = np.concatenate([links["record_key"].to_numpy(), links["hub_key"].to_numpy()])
    nodes, ends = np.unique(keys, return_inverse=True)
    a, b, size = ends[: links.height].astype(np.int32), ends[links.height :].astype(np.int32), len(nodes)
    started = time.perf_counter()
    connected_components(coo_array((np.ones(a.size, np.bool_), (a, b)), shape=(size, size)), directed=False)
    report(started)


def copy_profiles(home: Path, out: Path) -> None:
    """Read the records and write the profiles as they are."""
    import polars as pl

    for table in tables(home, "entities"):
        pl.scan_parquet(table_files(home, table)).select(pl.all().null_count()).collect()
    for number, table in enumerate(tables(home, "profiles")):
        pl.scan_parquet(table_files(home, table)).sink_parquet(out / f"{number}.parquet")


def read_profiles(home: Path, out: Path) -> None:  # noqa: ARG001 - all limits are called alike
    """Read every column of every profile table."""
    import polars as pl

    for table in tables(home, "profiles"):
        pl.scan_parquet(table_files(home, table)).select(pl.all().null_count()).collect()


def copy_people(home: Path, out: Path) -> None:
    """Read people and memberships and write the members as CSV."""
    import polars as pl

    people = pl.scan_parquet(table_files(home, "profiles/person")).select("profile_id", "email", "first_name")
    members = pl.scan_parquet(table_files(home, "segments/membership")).select("segment", "profile_id")
    members.join(people, on="profile_id", how="inner").sink_csv(out / "members.csv")


def tables(home: Path, folder: str) -> list[str]:
    """Return the tables of a folder of the lake."""
    return [f"{folder}/{table.name}" for table in sorted((home / "lake" / folder).iterdir()) if table.is_dir()]


def table_files(home: Path, table: str) -> list[str]:
    """Return the files of the newest version of a table."""
    from deltalake import DeltaTable

    return DeltaTable(home / "lake" / table).file_uris()


def report(started: float) -> None:
    """Print seconds since the start and this process's peak memory, and end the process."""
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": time.perf_counter() - started, "peak_mb": peak_mb}), flush=True)
    os._exit(0)  # what was measured is over; freeing memory is nobody's concern


def run_step(step: str, home: Path, persons: int, shape: str) -> None:
    """Run one step in this process and report it."""
    limits: dict[str, Callable[[Path, Path], None]] = {
        each.__name__: each for each in (read_exports, find_components, copy_profiles, read_profiles, copy_people)
    }
    for module in ("polars", "deltalake", "cdp_toolkit.workspace"):
        import_module(module)  # once a process, however large the world: not what is measured
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home) as scratch:
        started = time.perf_counter()
        if step == "world":
            make_world(home, persons, shape)
        elif step in limits:
            limits[step](home, Path(scratch))
        else:
            run_stage(home, step)
        report(started)


def in_process(step: str, home: Path, options: argparse.Namespace) -> dict[str, float]:
    """Run a step in a process of its own and return its seconds and peak memory."""
    command = [sys.executable, __file__, "--step", step, "--workspace", str(home)]
    command += ["--persons", str(options.persons), "--format", options.format]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own file
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(home: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Run all stages, then all limits, and return one row a comparison."""
    in_process("world", home, options)
    ours = {stage: in_process(stage, home, options) for stage in STAGES}
    rows = []
    for stage, step, what in LIMITS:
        limit = in_process(step, home, options)
        rows.append(
            {
                "name": stage,
                "against": what,
                "ours": round(ours[stage]["seconds"], 3),
                "limit": round(limit["seconds"], 3),
                "ratio": round(ours[stage]["seconds"] / limit["seconds"], 2),
                "ours_peak_mb": round(ours[stage]["peak_mb"]),
                "limit_peak_mb": round(limit["peak_mb"]),
            }
        )
    return rows


def show(rows: list[dict[str, Any]], persons: int) -> None:
    """Print the rows for people, and on the last line for machines."""
    from rich.console import Console
    from rich.table import Table

    table = Table("stage", "seconds", "peak MB", "limit", "seconds ", "peak MB ", "ratio", title=f"{persons:,} people")
    for row in rows:
        own, bare = (
            (f"{row['ours']:.2f}", f"{row['ours_peak_mb']:,}"),
            (f"{row['limit']:.2f}", f"{row['limit_peak_mb']:,}"),
        )
        table.add_row(row["name"], *own, row["against"], *bare, f"{row['ratio']:.1f}")
    Console(width=120).print(table)
    versions = {"python": sys.version.split()[0], **{package: version(package) for package in PACKAGES}}
    print(
        json.dumps(
            {"benchmark": "line", "persons": persons, "cpus": os.cpu_count(), "versions": versions, "ratios": rows}
        )
    )


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=20_000, help="true people in the world")
    parser.add_argument("--format", choices=("csv", "parquet"), default="csv", help="shape of the exports")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--workspace", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        run_step(options.step, options.workspace, options.persons, options.format)
        return
    with tempfile.TemporaryDirectory() as scratch:
        show(measure(Path(scratch) / "world", options), options.persons)


if __name__ == "__main__":
    main()

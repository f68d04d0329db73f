"""Time the whole line, a process a stage, beside the bare limit of each and other ways, on the same bytes.

``python benchmarks/line.py --persons 10000 100000 1000000`` makes a world of each size and runs load, stitch, evaluate (a
thousand segments beside the demo's own), preview, plan and activate on it; then one event in a hundred comes anew, and
load, stitch and evaluate run again. It prints seconds and peak memory, and with several sizes the power of the number of
people with which each stage grows. The last line is JSON. ``--check`` compares the ratios with those that are kept in
``kept.json`` and fails where one is half as large again; ``--keep`` keeps them. Seconds are never compared.
"""

import argparse
import json
import math
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

# This process stays small: on Linux a child's peak memory begins at that of its parent. So every step imports its own.

VERBS = ("load", "stitch", "evaluate", "preview", "plan", "activate")
AGAIN = ("load again", "stitch again", "evaluate again")  # after one event in a hundred has come
PACKAGES = ("cdp-toolkit", "polars", "deltalake", "narwhals", "numpy", "scipy")
# What each stage is measured against: the stage, the other way's step, what that does.
LIMITS = (
    ("load", "read_exports", "read the exports as text, write Parquet"),
    ("stitch", "find_components", "component search on ready integers"),
    ("stitch", "copy_profiles", "read the records, write the profiles' bytes"),
    ("evaluate", "read_profiles", "read every column of the profiles"),
    ("activate", "copy_people", "read people and who was sent, write CSV"),
)
# pandas makes the same tables; PySpark much less: no cleaning, no mapping, no refusals, and its components are given.
PEERS = (
    ("load", "pandas_load", "pandas: the same tables by the same mappings"),
    ("stitch", "pandas_stitch", "pandas: the same tables, row for row"),
    ("stitch", "pandas_stitch_uncopied", "pandas: the same, no copies to look rows up in"),
    ("load", "pyspark_load", "PySpark, local: read as text, a row an id, write Parquet"),
    ("stitch", "pyspark_stitch", "PySpark, local: latest values of people, events by person"),
)
KEPT = Path(__file__).with_name("kept.json")
WORSE = 1.5


def make_world(home: Path, persons: int, shape: str) -> None:
    """Make the workspace in the folder of its size, once, and link to its files: nothing writes into those."""
    from worlds import REGION, make_regions

    from cdp_toolkit.demo import make_workspace

    made = home.parents[1] / f"{persons}-{shape}"
    if not made.exists():
        part = made.with_suffix(".part")  # of a run that was stopped, perhaps
        shutil.rmtree(part, ignore_errors=True)
        if persons > REGION:
            make_regions(part, persons, shape)  # type: ignore[arg-type]
        else:
            make_workspace(part, persons=persons, format=shape)  # type: ignore[arg-type]
        part.rename(made)
    shutil.copytree(made, home, copy_function=os.link, dirs_exist_ok=True)


def add_segments(home: Path, size: int) -> None:
    """Write so many segments of all kinds beside those of the demo."""
    from segments_rules import mixed_rules

    for name, rule in mixed_rules(size).items():
        told = json.dumps({"name": name, "entity": "person", "pql": rule.pql})  # JSON is YAML
        (home / "segments" / f"{name}.yaml").write_text(told, "utf-8")


def add_events(home: Path) -> None:
    """Deliver one event in a hundred again under a new number, as a further part of the export."""
    import polars as pl

    for folder in (home / "exports").rglob("activities"):
        parts = sorted(folder.iterdir())
        own = parts[0].name.split(".", 1)[1]
        known = pl.read_parquet(parts[0]) if own == "parquet" else pl.read_csv(parts[0], infer_schema=False)
        # The column comes first, since the sum has the name of its first part.
        new = known.gather_every(100).with_columns(pl.col(known.columns[0]).cast(pl.String).str.replace("^", "9"))
        new = new.cast({known.columns[0]: known.schema[known.columns[0]]})
        new.write_parquet(folder / "part-9999.parquet") if own == "parquet" else new.write_csv(folder / "part-9999.csv")


def run_stage(home: Path, verb: str) -> None:
    """Run a verb of the toolkit."""
    from cdp_toolkit import Workspace

    workspace = Workspace(home)
    match verb.removesuffix(" again"):
        case "preview":
            visits = 'event_type = "web.webpagedetails.pageViews" and timestamp occurs <= 30 days before now'
            workspace.preview(f"(xEvent[{visits}].count() >= 2)")
        case "plan":
            for destination in workspace.destinations:
                workspace.plan(destination)
        case other:
            done = getattr(workspace, other)()
            assert done.outcome != "failed", done.problems


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
    """Read people and who was sent, and write those as CSV."""
    import polars as pl

    people = pl.scan_parquet(table_files(home, "profiles/person")).select("profile_id", "email", "first_name")
    sent = pl.scan_parquet(table_files(home, "activation/ledger")).select("destination", "profile_id")
    sent.join(people, on="profile_id", how="inner").sink_csv(out / "members.csv")


def tables(home: Path, folder: str) -> list[str]:
    """Return the tables of a folder of the lake that have rows."""
    found = [f"{folder}/{table.name}" for table in sorted((home / "lake" / folder).iterdir()) if table.is_dir()]
    return [table for table in found if table_files(home, table)]


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
    import line_peers

    limits: dict[str, Callable[[Path, Path], None]] = {
        each.__name__: each for each in (read_exports, find_components, copy_profiles, read_profiles, copy_people)
    }
    limits |= {step: getattr(line_peers, step) for _, step, _ in PEERS}
    own = {"pandas": ("pandas_identity", "pandas_profiles"), "pyspark": ("pyspark.sql.connect.session",)}
    asked = ("cdp_toolkit.workspace", "pyarrow", "polars", "deltalake")
    if step in limits:  # the toolkit, loaded first, says how memory is asked for: others do that in their own way
        asked = asked[::-1]
    for module in (*asked, *own.get(step.partition("_")[0], ())):
        import_module(module)  # once a process, however large the world: not what is measured
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home) as scratch:
        started = time.perf_counter()
        if step == "world":
            make_world(home, persons, shape)
        elif step == "more":
            add_events(home)
        elif step in limits:
            limits[step](home, Path(scratch))
        else:
            run_stage(home, step)
        report(started)


def in_process(step: str, home: Path, persons: int, options: argparse.Namespace) -> dict[str, float]:
    """Run a step in a process of its own and return its seconds and peak memory."""
    command = [sys.executable, __file__, "--step", step, "--workspace", str(home)]
    command += ["--persons", str(persons), "--format", options.format]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own file
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(home: Path, persons: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Run all stages, then the limits and peers, and return one row a stage, with one more a comparison."""
    in_process("world", home, persons, options)
    add_segments(home, options.segments)
    ours = {}
    for stage in VERBS:
        ours[stage] = in_process(stage, home, persons, options)
        print(f"{persons:,} {stage}: {ours[stage]}", file=sys.stderr, flush=True)
    rows = []
    peers = [each for each in PEERS if each[1].partition("_")[0] in options.peers]
    with spark_if(home.parent / "server", is_needed="pyspark" in options.peers):
        for stage, step, what in (*LIMITS, *peers):
            rows.append(compared(stage, what, ours[stage], in_process(step, home, persons, options)))
            print(f"{persons:,} {rows[-1]}", file=sys.stderr, flush=True)
    in_process("more", home, persons, options)
    for stage in AGAIN:
        ours[stage] = in_process(stage, home, persons, options)
        rows.append(compared(stage, "the same of everything", ours[stage], ours[stage.removesuffix(" again")]))
        print(f"{persons:,} {rows[-1]}", file=sys.stderr, flush=True)
    alone = [stage for stage in ours if stage not in {row["name"] for row in rows}]
    return rows + [compared(stage, "", ours[stage], None) for stage in alone]


def compared(stage: str, what: str, ours: dict[str, float], other: dict[str, float] | None) -> dict[str, Any]:
    """Return a stage beside another way to it, or by itself."""
    return {
        "name": stage,
        "against": what,
        "ours": round(ours["seconds"], 3),
        "ours_peak_mb": round(ours["peak_mb"]),
        "limit": None if other is None else round(other["seconds"], 3),
        "limit_peak_mb": None if other is None else round(other["peak_mb"]),
        "ratio": None if other is None else round(ours["seconds"] / other["seconds"], 3),
    }


@contextmanager
def spark_if(folder: Path, *, is_needed: bool) -> Iterator[None]:
    """Have a Spark stand ready on this machine, where a peer needs it."""
    if not is_needed:
        yield
        return
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.stand_ins import clusters

    with clusters.spark(folder) as (address, _):
        os.environ["BENCH_SPARK"] = address
        yield


def growth(found: dict[int, list[dict[str, Any]]]) -> dict[str, float]:
    """Return the power of the number of people with which the seconds of each stage grow."""
    seconds: dict[str, dict[int, float]] = {}
    for persons, rows in found.items():
        for row in rows:
            seconds.setdefault(row["name"], {})[persons] = row["ours"]
    return {
        name: round(statistics.linear_regression(list(map(math.log, at)), list(map(math.log, at.values()))).slope, 2)
        for name, at in seconds.items()
        if len(at) > 1
    }


def worse(found: dict[int, list[dict[str, Any]]]) -> list[str]:
    """Return the ratios that are much larger than those that are kept."""
    kept = json.loads(KEPT.read_text("utf-8"))
    pairs = [
        (f"{persons:,} people, {row['name']}, {row['against']}", row["ratio"], kept[str(persons)][_key(row)])
        for persons, rows in found.items()
        for row in rows
        if row["ratio"] is not None and _key(row) in kept.get(str(persons), {})
    ]
    assert pairs, f"nothing is kept for {list(found)} people: run with --keep first"
    return [f"{what}: {now} instead of {then}" for what, now, then in pairs if now > WORSE * then]


def keep(found: dict[int, list[dict[str, Any]]]) -> None:
    """Write the ratios that later runs are compared with; those of other sizes stay."""
    kept = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    for persons, rows in found.items():
        kept[str(persons)] = {_key(row): row["ratio"] for row in rows if row["ratio"] is not None}
    KEPT.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


def _key(row: dict[str, Any]) -> str:
    return f"{row['name']} / {row['against']}"


def show(rows: list[dict[str, Any]], persons: int) -> None:
    """Print the rows of one size."""
    from rich.console import Console
    from rich.table import Table

    table = Table("stage", "seconds", "peak MB", "beside", "seconds ", "peak MB ", "ratio", title=f"{persons:,} people")
    for row in rows:
        other = ("", "", "") if row["limit"] is None else (
            f"{row['limit']:.2f}", f"{row['limit_peak_mb']:,}", f"{row['ratio']:.2f}"
        )  # fmt: skip
        table.add_row(row["name"], f"{row['ours']:.2f}", f"{row['ours_peak_mb']:,}", row["against"], *other)
    Console(width=120).print(table)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, nargs="+", default=[20_000], help="true people in the world; sizes")
    parser.add_argument("--format", choices=("csv", "parquet"), default="csv", help="shape of the exports")
    parser.add_argument("--segments", type=int, default=1000, help="segments beside those of the demo")
    parser.add_argument("--peers", nargs="*", choices=("pandas", "pyspark"), default=[], help="others to measure too")
    parser.add_argument("--home", type=Path, help="folder where worlds stay, by default one that is deleted")
    parser.add_argument("--check", action="store_true", help="fail where a ratio is much worse than the kept one")
    parser.add_argument("--keep", action="store_true", help="keep the ratios of this run")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--workspace", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        run_step(options.step, options.workspace, options.persons[0], options.format)
        return
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # no installed package is compiled anew by every process
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        worlds = options.home or Path(scratch)
        for persons in options.persons:
            with tempfile.TemporaryDirectory(dir=worlds) as own:
                found[persons] = measure(Path(own) / "world", persons, options)
            show(found[persons], persons)
    versions = {"python": sys.version.split()[0], **{package: version(package) for package in PACKAGES}}
    grows = growth(found)
    print("grows with the power:", grows)
    print(
        json.dumps(
            {"benchmark": "line", "cpus": os.cpu_count(), "versions": versions, "growth": grows, "ratios": found}
        )
    )
    if options.keep:
        keep(found)
    if options.check and (failed := worse(found)):
        sys.exit("Worse than what is kept:\n" + "\n".join(failed))


if __name__ == "__main__":
    main()

"""Time the evaluation of a thousand audiences, beside other ways to the same answer and the bare scan of the data.

``python benchmarks/segments.py --persons 1000000`` makes a world and runs each contender in a process of its own. Those
that take one audience after the other are timed on a sample that is spread over all kinds, and scaled; the table says
so. All must count the same people. The last line is JSON, so that runs can be compared. ``--different`` takes 250
audiences whose conditions on events all differ, ``--by-person`` has the events in the order of people, not of time.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

# This process stays small: on Linux a child's peak memory begins at that of its parent. So every step imports its own.

PACKAGES = ("cdp-toolkit", "polars", "duckdb", "pandas", "deltalake", "narwhals", "numpy")
SAMPLES = {"duckdb_each": 50, "duckdb_fused": 100, "polars_each": 50, "pandas": 50}
CHANGED = 100  # one person in so many
TABLES = ("person", "account", "opportunity", "person_account", "opportunity_person", "event")
Counts = dict[str, int]
Found = dict[str, Any]


def rules_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the audiences."""
    from segments_rules import different_rules, mixed_rules

    return different_rules(options.segments or 250) if options.different else mixed_rules(options.segments or 1000)


def sampled(rules: dict[str, Any], size: int) -> dict[str, Any]:
    """Return audiences spread evenly over all kinds."""
    step = max(1, len(rules) // size)
    step += step % 2 == 0 or step % 5 == 0  # kinds take turns by ten, so that a step prime to ten meets them all
    step = step if step % 5 else step + 2
    return dict(list(rules.items())[::step][:size]) if len(rules) > size else rules


def files_of(options: argparse.Namespace, table: str) -> list[str]:
    """Return the files of a table as the other contenders read them."""
    return [str(file) for file in sorted((options.home / "made" / table).iterdir())]


def world(options: argparse.Namespace) -> Found:
    """Make the tables."""
    from segments_world import make_tables

    make_tables(options.home / "made", options.persons, by_person=options.by_person)
    return {}


def layout(options: argparse.Namespace) -> Found:
    """Write the tables as a stitch does: once, for all evaluations that follow."""
    import pyarrow.parquet as pq

    from cdp_toolkit.engines import open_engine
    from cdp_toolkit.lake import Lake

    engine = open_engine("polars")
    with Lake(options.home / "lake", engine=engine).run("stitch") as run:
        for table in TABLES:
            files = files_of(options, table)
            run.replace(f"profiles/{table}", engine.scan(files, pq.read_schema(files[0])))
    return {}


def ours(options: argparse.Namespace) -> Found:
    """Evaluate all audiences for the first time, from tables as a stitch writes them, and write the membership."""
    shutil.rmtree(options.home / "run", ignore_errors=True)
    shutil.copytree(options.home / "lake", options.home / "run", copy_function=os.link)
    return _evaluated(options)


def restitch(options: argparse.Namespace) -> Found:
    """Write people and events as a stitch does that changed one person in a hundred and their events."""
    import narwhals as nw
    import pyarrow.parquet as pq

    from cdp_toolkit.engines import open_engine
    from cdp_toolkit.lake import Lake

    is_changed = nw.col("profile_id") % CHANGED == 0
    score = (nw.col("person_score") + 37) % 101
    page = nw.when(nw.col("page_name") == "Page 1").then(nw.lit("Page 2")).otherwise(nw.lit("Page 1"))
    with Lake(options.home / "run", engine=open_engine("polars")).run("stitch") as run:
        for table, column, other in (("person", "person_score", score), ("event", "page_name", page)):
            value = nw.when(is_changed).then(other).otherwise(nw.col(column))
            rows = run.scan(f"profiles/{table}").select(pq.read_schema(files_of(options, table)[0]).names)
            run.replace(f"profiles/{table}", rows.with_columns(value.alias(column)))
    return {}


def ours_changed(options: argparse.Namespace) -> Found:
    """Evaluate again after that: find who changed, evaluate them, write who moved."""
    return _evaluated(options) | {"counts": {}}


def ours_session(options: argparse.Namespace) -> Found:
    """Evaluate for the first time, and once another process has written the same change, again: as a notebook does."""
    ours(options)
    in_process("restitch", options)
    return _evaluated(options) | {"counts": {}}


def ours_later(options: argparse.Namespace) -> Found:
    """Evaluate a day later, when no data came: windows of time have slid."""
    return _evaluated(options, days=1) | {"counts": {}}


def ours_next(options: argparse.Namespace) -> Found:
    """Evaluate everybody again, two days later, because a definition changed: few enter or leave."""
    return _evaluated(options, days=2, description="said again") | {"counts": {}}


def _evaluated(options: argparse.Namespace, *, days: int = 0, description: str = "") -> Found:
    """Run the verb, and tell the seconds of its parts."""
    from segments_world import AS_OF

    from cdp_toolkit import Segment
    from cdp_toolkit.engines import open_engine
    from cdp_toolkit.lake import Lake
    from cdp_toolkit.pipeline import evaluate
    from cdp_toolkit.segments import step
    from cdp_toolkit.segments.evaluate import Evaluation

    engine = {"spark": options.engine} if options.engine.startswith("sc://") else options.engine
    lake = Lake(options.home / "run", engine=open_engine(engine))
    segments = [Segment(name=rule.name, pql=rule.pql, description=description) for rule in rules_of(options).values()]
    seconds = dict.fromkeys(("finding", "evaluation"), 0.0)

    def timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            started = time.perf_counter()
            found = function(*arguments, **named)
            seconds[part] += time.perf_counter() - started
            return found

        return run

    def parts(evaluation: Evaluation) -> Iterator[Any]:
        following = timed("evaluation", partial(next, each_part(evaluation), None))
        yield from iter(following, None)

    each_part, Evaluation.parts = Evaluation.parts, parts  # type: ignore[method-assign]  # only here, to look at the clock
    step.again, step.evaluate = timed("finding", step.again), timed("evaluation", step.evaluate)
    used = sum(os.times()[:2])
    started = time.perf_counter()
    run = evaluate(lake, segments, as_of=AS_OF + timedelta(days=days), timezone="UTC")
    whole = time.perf_counter() - started
    assert not run.problems, run.problems[:3]
    print(run.counts, run.details["evaluation"], file=sys.stderr)
    told = {"seconds": seconds["evaluation"], "finding": seconds["finding"]}
    told |= {"writing": whole - sum(seconds.values()), "cpu": sum(os.times()[:2]) - used}
    return told | {"counts": run.details["audiences"]}


def scan(options: argparse.Namespace) -> Found:
    """Read the same columns, nothing else."""
    import polars as pl

    for table in TABLES:
        pl.scan_parquet(files_of(options, table)).drop("source_key", strict=False).select(pl.all().max()).collect()
    return {}


def _duckdb(options: argparse.Namespace) -> Any:
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for table in TABLES:
        connection.read_parquet(files_of(options, table)).create_view(table)
    return connection


def duckdb_each(options: argparse.Namespace) -> Found:
    """Ask one query an audience, in SQL."""
    rules, connection = rules_of(options), _duckdb(options)
    counts = {}
    for name, rule in sampled(rules, SAMPLES["duckdb_each"]).items():
        query = f"SELECT count(*) FROM (SELECT p.profile_id FROM person p WHERE {rule.sql(rules)})"  # noqa: S608 - ours
        counts[name] = connection.sql(query).fetchall()[0][0]
    return {"counts": counts}


def duckdb_fused(options: argparse.Namespace) -> Found:
    """Ask one query for all audiences: each fact once, a column each."""
    rules, connection = rules_of(options), _duckdb(options)
    chosen = sampled(rules, SAMPLES["duckdb_fused"])
    facts = {
        fact: f"f{number}"
        for number, fact in enumerate(dict.fromkeys(f for r in chosen.values() for f in r.rows(rules)))
    }
    joins = []
    for way in dict.fromkeys(fact.way for fact in facts):
        mine = {fact: name for fact, name in facts.items() if fact.way == way}
        columns = ", ".join(
            f"count(*) FILTER (WHERE {fact.where}) >= {fact.at_least} AS {name}" for fact, name in mine.items()
        )
        start = next(iter(mine)).sql
        source = start[start.index("FROM") : start.index(" WHERE")]
        owner = "profile_id" if way == "event" else "t.profile_id"
        joins.append(
            f"LEFT JOIN (SELECT {owner} AS id, {columns} {source} GROUP BY 1) AS {way}_ ON {way}_.id = p.profile_id"
        )
    tests = [rule.sql(rules, lambda fact: f"coalesce({facts[fact]}, false)") for rule in chosen.values()]
    counted = ", ".join(f"count(*) FILTER (WHERE {test})" for test in tests)
    (numbers,) = connection.sql(f"SELECT {counted} FROM person p {' '.join(joins)}").fetchall()  # noqa: S608 - ours
    return {"counts": dict(zip(chosen, numbers, strict=True))}


def polars_each(options: argparse.Namespace) -> Found:
    """Ask one query an audience, in Polars."""
    import polars as pl

    rules, tables = rules_of(options), {table: pl.scan_parquet(files_of(options, table)) for table in TABLES}
    return {
        "counts": {
            name: rule.polars(rules, tables.__getitem__).select(pl.len()).collect().item()
            for name, rule in sampled(rules, SAMPLES["polars_each"]).items()
        }
    }


def pandas(options: argparse.Namespace) -> Found:
    """Take one audience after the other, on tables in memory; reading them is not counted."""
    import polars as pl

    rules, tables = rules_of(options), {}
    for table in TABLES:
        rows = pl.scan_parquet(files_of(options, table)).drop("source_key", strict=False)
        # texts as categories, as a careful user of pandas has them
        tables[table] = rows.with_columns(pl.col(pl.String).cast(pl.Categorical)).collect().to_pandas()
    started = time.perf_counter()
    counts = {name: int(rule.pandas(rules, tables).sum()) for name, rule in sampled(rules, SAMPLES["pandas"]).items()}
    return {"seconds": time.perf_counter() - started, "counts": counts}


STEPS: dict[str, Callable[[argparse.Namespace], Found]] = {
    each.__name__: each
    for each in (
        world,
        layout,
        ours,
        restitch,
        ours_changed,
        ours_session,
        ours_later,
        ours_next,
        scan,
        duckdb_each,
        duckdb_fused,
        polars_each,
        pandas,
    )
}
CONTENDERS = (
    "ours",
    "ours_changed",
    "ours_session",
    "ours_later",
    "ours_next",
    "scan",
    "duckdb_each",
    "duckdb_fused",
    "polars_each",
    "pandas",
)


def run_step(options: argparse.Namespace) -> None:
    """Run one step in this process, print seconds and peak memory, and end the process."""
    import cdp_toolkit.workspace  # noqa: F401 - once a process: not what is measured

    started = time.perf_counter()
    found = STEPS[options.step](options)
    found.setdefault("seconds", time.perf_counter() - started)
    used = resource.getrusage(resource.RUSAGE_SELF)
    found = {"cpu": used.ru_utime + used.ru_stime} | found | {"peak_mb": used.ru_maxrss / 1024}
    print(json.dumps(found), flush=True)
    os._exit(0)  # what was measured is over; freeing memory is nobody's concern


def in_process(step: str, options: argparse.Namespace) -> Found:
    """Run a step in a process of its own and return its seconds, peak memory and counts."""
    command = [sys.executable, __file__, "--step", step, "--home", str(options.home), "--engine", options.engine]
    command += ["--persons", str(options.persons), "--segments", str(options.segments)]
    command += [f"--{name}" for name in ("different", "by-person") if getattr(options, name.replace("-", "_"))]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own file
    found: Found = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Make the world if it is not there, run the contenders, and return one row each."""
    steps = [] if (options.home / "lake").exists() else ["world", "layout"]
    for step in (step for step in CONTENDERS if step in options.contenders):
        steps += ["restitch", step] if step == "ours_changed" else [step]
    rows, all_of, known = [], len(rules_of(options)), {}
    for step in steps:
        found = in_process(step, options)
        counts = found.get("counts", {})
        if counts:
            differing = {
                name: (known[name], count) for name, count in counts.items() if known.get(name, count) != count
            }
            assert not differing, f"{step} counts others than those before: {differing}"
            known |= counts
        scale = all_of / len(counts) if counts else 1
        rows.append(
            {
                "name": step,
                "seconds": round(found["seconds"] * scale, 2),
                "cpu_seconds": round(found["cpu"] * scale, 2),
                **{part: round(found[part], 2) for part in ("finding", "writing") if part in found},
                "scaled_from": len(counts) if scale != 1 else None,
                "peak_mb": round(found["peak_mb"]),
            }
        )
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    return rows


def show(rows: list[dict[str, Any]], options: argparse.Namespace) -> None:
    """Print the rows for people, and on the last line for machines."""
    from rich.console import Console
    from rich.table import Table

    own = next((row["seconds"] for row in rows if row["name"] == "ours"), None)
    columns = ("contender", "seconds", "finding who", "writing", "scaled from", "peak MB", "seconds / ours")
    table = Table(*columns, title=f"{options.persons:,} people")
    for row in rows:
        row["ratio"] = round(row["seconds"] / own, 2) if own else None
        scaled = f"{row['scaled_from']} audiences" if row["scaled_from"] else ""
        apart = [f"{row[part]:,.2f}" if part in row else "" for part in ("finding", "writing")]
        table.add_row(row["name"], f"{row['seconds']:,.2f}", *apart, scaled, f"{row['peak_mb']:,}", str(row["ratio"]))
    Console(width=120).print(table)
    versions = {"python": sys.version.split()[0]}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "absent"
    about = {name: getattr(options, name) for name in ("persons", "different", "by_person", "engine")}
    print(json.dumps({"benchmark": "segments", **about, "cpus": os.cpu_count(), "versions": versions, "rows": rows}))


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=100_000, help="people in the world; ten events each")
    parser.add_argument("--segments", type=int, default=0, help="audiences; 1000, or 250 that all differ, by default")
    parser.add_argument("--different", action="store_true", help="audiences whose conditions on events all differ")
    parser.add_argument("--by-person", action="store_true", help="events in the order of people")
    parser.add_argument("--engine", default="polars", help="engine of the toolkit: polars, duckdb or sc://host:port")
    parser.add_argument("--contenders", nargs="*", choices=CONTENDERS, default=CONTENDERS)
    parser.add_argument("--home", type=Path, help="folder of a world to make, or to use again")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        run_step(options)
        return
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # no installed package is compiled anew by every process
    with tempfile.TemporaryDirectory() as scratch:
        options.home = options.home or Path(scratch)
        show(measure(options), options)


if __name__ == "__main__":
    main()

"""Time what a click in the explorer of audiences takes, however many people there are.

``python benchmarks/explore.py --persons 100000 1000000 10000000`` makes a world a size, opens the explorer on people and on
accounts, and clicks: the messages that the page sends go into the widget itself, in a running loop, as in a notebook. A
click is answered when the widget shows the new estimate. The clicks of a second are followed by counting exactly, which the
next click drops, as in use. Each rule is clicked through twice: what relations lead to is read where it is first asked
for, so the first turn is told apart. The last line is JSON.
"""

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("cdp-toolkit", "polars", "narwhals", "anywidget")
TABLES = ("person", "account", "opportunity", "person_account", "opportunity_person", "event")
Found = dict[str, Any]
Message = dict[str, Any]

AUDIENCES = {
    "sales": 'department = "Sales"',
    "leaders": "person_score > 80",
    "readers": 'xEvent[event_type = "web.webpagedetails.pageViews"].count() > 6',
    "in_finance": 'accounts.exists(industry = "Industry 3")',
    "deciders": 'opportunityRoles.exists(role = "Decision Maker" and opportunity.is_closed = false)',
    "large": 'accounts.exists(employees > 5000) and country = "Country 1"',
}


def world(home: Path, persons: int) -> Found:
    """Make a workspace whose line has run: tables as a stitch writes them, and six audiences."""
    import polars as pl
    import pyarrow.parquet as pq
    from segments_world import AS_OF, make_tables

    from cdp_toolkit import Segment, Workspace

    home.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=home) as scratch:
        made = Path(scratch)
        make_tables(made, persons, by_person=False)
        _widen(made)
        (home / "cdp.yaml").write_text("name: world\n", "utf-8")
        ws = Workspace(home)
        with ws.lake.run("stitch") as run:
            for table in TABLES:
                files = [str(file) for file in sorted((made / table).iterdir())]
                run.replace(f"profiles/{table}", ws.lake.engine.scan(files, pq.read_schema(files[0])))
    for name, rule in AUDIENCES.items():
        ws.save(Segment(name=name, pql=rule))
    ws.evaluate(as_of=AS_OF)
    return {"events": ws.scan("event").select(pl.len()).collect().item()}


def _widen(made: Path) -> None:
    """Add the texts by which the explorer counts."""
    import polars as pl

    texts = {
        "person": {"job_title": pl.format("Head of {}", "department"), "first_name": pl.lit("Ann"), "last_name": pl.lit("Example")},
        "account": {"account_name": pl.format("Company {}", pl.col("profile_id") % 100_000), "open_opportunities": pl.lit(1)},
        "opportunity": {"stage": pl.when("is_won").then(pl.lit("Won")).when("is_closed").then(pl.lit("Lost")).otherwise(pl.lit("Open"))},
    }  # fmt: skip
    for table, columns in texts.items():
        for file in (made / table).iterdir():
            pl.read_parquet(file).with_columns(**columns).write_parquet(file)


def clicks(entity: str) -> Iterator[Message]:
    """Return what a person does: rows are added, filled in, changed, filtered by and removed; then rules are written."""
    field, values, relation, path, inside, facet = ROWS[entity]
    yield {"do": "type", "text": ""}
    yield {"do": "add", "at": [], "kind": "comparison"}
    yield {"do": "field", "at": [0], "path": field}
    yield from ({"do": "values", "at": [0], "values": [f"{values} {each}"]} for each in range(4))
    yield {"do": "add", "at": [], "kind": "related"}
    yield {"do": "relation", "at": [1], "path": relation}
    yield {"do": "add", "at": [1], "kind": "comparison"}
    yield {"do": "field", "at": [1, 0], "path": path}
    yield from ({"do": "values", "at": [1, 0], "values": [f"{inside} {each}"]} for each in range(4))
    yield {"do": "negate", "at": [1], "negated": True}
    yield {"do": "negate", "at": [1], "negated": False}
    yield {"do": "add", "at": [], "kind": "event"}
    yield {"do": "values", "at": [2, 0], "values": ["web.webpagedetails.pageViews"]}
    yield from ({"do": "quantity", "at": [2], "amount": each} for each in range(2, 6))
    yield {"do": "filter", "path": facet, "value": "Industry 1"}
    yield {"do": "filter", "path": facet, "value": "Industry 1"}
    yield {"do": "join", "at": [], "joined": "or"}
    yield {"do": "join", "at": [], "joined": "and"}
    yield from ({"do": "remove", "at": [0]} for _ in range(3))
    yield from ({"do": "type", "text": rule} for rule in RULES[entity])


ROWS = {
    "person": ("country", "Country", "accounts", "industry", "Industry", "accounts.industry"),
    "account": ("industry", "Industry", "people", "country", "Country", "industry"),
}
RULES = {
    "person": [
        *AUDIENCES.values(),
        'opportunityRoles.exists(role = "Influencer" and opportunity.amount > 100000)',
        'opportunityRoles.exists(opportunity.account.industry = "Industry 2" and opportunity.is_won = true)',
        "accounts.exists(opportunities.exists(is_closed = false and amount > 500000))",
        "accounts.exists(people.count() > 30)",
        'accounts.exists(people.exists(xEvent[event_type = "web.formFilledOut"].count() > 2))',
        'inSegment("leaders") and not inSegment("sales")',
        'xEvent[event_type = "web.formFilledOut" and timestamp occurs <= 30 days before now].count() >= 1',
        "(person_score > 50 or accounts.exists(employees > 1000)) and xEvent.count() > 8",
    ],
    "account": [
        'industry = "Industry 3"',
        "employees > 5000 and annual_revenue > 1000000",
        "people.count() > 20",
        "people.exists(person_score > 95)",
        "opportunities.exists(is_closed = false and amount > 200000)",
        'people.exists(xEvent[event_type = "web.formFilledOut"].count() > 2)',
        'people.exists(opportunityRoles.exists(role = "Decision Maker"))',
        "people[person_score > 50].count() > 10 and opportunities.count() > 2",
    ],
}


def explore(home: Path, entity: str) -> Found:
    """Open the explorer twice, as on the first day after a stitch and on any other, click, and count exactly."""
    from segments_world import AS_OF

    from cdp_toolkit import Workspace
    from cdp_toolkit.explore.explorer import Explorer

    ws = Workspace(home)
    opened = []
    for _ in range(2):
        began = time.perf_counter()
        explorer = Explorer(ws, entity=entity, as_of=AS_OF)
        opened.append(time.perf_counter() - began)
    first, again = asyncio.run(_clicked(explorer, 2))
    found: Found = {"opening_s": opened, "first": first, "again": again}
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for rule in RULES[entity][:6]:
        explorer.do({"do": "type", "text": rule})
        explorer.look()
        began, seen = time.perf_counter(), explorer.seen
        exact = explorer.count()
        low, high = seen.interval or (seen.count, seen.count)
        found.setdefault("exact_s", []).append(time.perf_counter() - began)
        found.setdefault("in_interval", []).append(low <= exact <= high)
    return found


async def _clicked(explorer: Any, turns: int) -> list[list[float]]:
    """Return the seconds from each click to its estimate, by turn."""
    from cdp_toolkit.explore.explorer.view import ExplorerView

    view, found = ExplorerView(explorer), []
    shown = asyncio.Event()
    view.observe(lambda _: shown.set(), "sight")
    for _ in range(turns):
        taken = []
        for number, message in enumerate(clicks(explorer.draft.entity)):
            shown.clear()
            before, began = explorer.pql, time.perf_counter()
            view._received(None, message, None)  # noqa: SLF001 - what the page's message calls
            if view.is_busy:
                await shown.wait()
                taken.append(time.perf_counter() - began)
            assert not explorer.problem, (before, message, explorer.problem)
            await asyncio.sleep(1 if number % 5 == 0 else 0.3)
        found.append(taken)
    return found


STEPS: dict[str, Callable[..., Found]] = {"world": world, "person": explore, "account": explore}


def run_step(step: str, home: Path, persons: int) -> None:
    """Run one step in this process, print what it found, and end the process."""
    print(json.dumps(world(home, persons) if step == "world" else explore(home, step)), flush=True)
    os._exit(0)  # what was measured is over; a count that still runs is nobody's concern


def in_process(step: str, home: Path, persons: int) -> Found:
    """Run a step in a process of its own."""
    command = [sys.executable, __file__, "--step", step, "--home", str(home), "--persons", str(persons)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own file
    found: Found = json.loads(done.stdout.splitlines()[-1])
    return found


def told(persons: int, entity: str, found: Found) -> Found:
    """Return a row of the table."""

    def part(seconds: list[float], share: float) -> float:
        return round(1000 * sorted(seconds)[min(int(share * len(seconds)), len(seconds) - 1)])

    return {
        "persons": persons,
        "entity": entity,
        "opening, s": round(found["opening_s"][0], 2),
        "again, s": round(found["opening_s"][1], 2),
        "clicks": len(found["again"]),
        "p50, ms": part(found["again"], 0.5),
        "p95, ms": part(found["again"], 0.95),
        "p95 first, ms": part(found["first"], 0.95),
        "worst first, ms": part(found["first"], 1),
        "exact p50, s": round(statistics.median(found["exact_s"]), 2),
        "exact max, s": round(max(found["exact_s"]), 2),
        "in interval": f"{sum(found['in_interval'])} of {len(found['in_interval'])}",
        "peak MB": round(found["peak_mb"]),
    }


def main() -> None:
    """Read the command line and measure."""
    from rich.console import Console
    from rich.table import Table

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, nargs="+", default=[100_000], help="people in each world")
    parser.add_argument("--entities", nargs="+", default=["person", "account"], choices=["person", "account"])
    parser.add_argument("--home", type=Path, help="folder of worlds to make, or to use again")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        run_step(options.step, options.home, options.persons[0])
        return
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for persons in options.persons:
            home = (options.home or Path(scratch)) / str(persons)
            if not home.exists():
                in_process("world", home, persons)
            for entity in options.entities:
                subprocess.run(["rm", "-rf", str(home / ".samples")], check=True)  # noqa: S603, S607 - as after a stitch
                rows.append(told(persons, entity, in_process(entity, home, persons)))
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int | float) else value for value in row.values()))
    Console(width=160).print(table)
    versions = {"python": sys.version.split()[0], **{name: version(name) for name in PACKAGES}}
    print(json.dumps({"benchmark": "explore", "cpus": os.cpu_count(), "versions": versions, "rows": rows}))


if __name__ == "__main__":
    main()

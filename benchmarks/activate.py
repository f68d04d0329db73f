"""What an activation costs beside what the destination itself takes.

``python benchmarks/activate.py --persons 300000`` adds leads to a static list of a stand-in that allows Marketo's 100 calls in 20
seconds. The limit is the time of its calls at that rate. For files see ``activate_files.py``.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))
import cdp_toolkit as cdp
from cdp_toolkit.lake.runs import OpenRun
from cdp_toolkit.lake.tables import table
from cdp_toolkit.model.types import arrow_type
from tests.stand_ins.serve import serving_apart

WINDOW = (100, 20.0)  # of Marketo, for all users of an instance


def make_workspace(folder: Path, persons: int, destination: dict[str, Any]) -> cdp.Workspace:
    """Write what a stitch would have written of so many people, all of them in the audience."""
    (folder / "segments").mkdir(parents=True)
    (folder / "destinations").mkdir()
    (folder / "cdp.yaml").write_text("name: benchmark\n")
    (folder / "segments/buyers.yaml").write_text(
        'name: buyers\nentity: person\npql: extendedWorkDetails.jobTitle = "Buyer"\n'
    )
    (folder / "destinations/out.yaml").write_text(json.dumps({"name": "out", "audiences": ["buyers"], **destination}))
    workspace = cdp.Workspace(folder)
    number = pl.int_range(1, persons + 1, eager=True).alias("profile_id")
    text = number.cast(pl.String)
    people = pl.DataFrame(
        {
            "profile_id": number,
            "email": pl.select("p" + text + "@company" + (number % 997).cast(pl.String) + ".example").to_series(),
            "first_name": "Ana" + text,
            "country": "AT",
            "job_title": "Buyer",
            "source_keys": (text + "@123-ABC-456.Marketo").reshape((persons, 1)).cast(pl.List(pl.String)),
        }
    )
    records = people.select(
        "email",
        source_key=pl.col("source_keys").list.first(),
        source_type=pl.lit("Marketo"),
        source_instance=pl.lit("123-ABC-456"),
        is_deleted=pl.lit(False),
        updated_at=pl.lit("2026-01-01").str.to_datetime(time_zone="UTC"),
    )
    with workspace.lake.run("stitch") as run:
        for name, frame in {"profiles/person": people, "entities/person": records}.items():
            known = {column: arrow_type(kind) for column, kind in table(name).columns.items()}
            missing = [pl.lit(None).alias(column) for column in known if column not in frame.columns]
            whole = frame.with_columns(missing).to_arrow()
            typed = whole.cast(whole.schema.empty_table().schema) if not known else whole
            for place, column in enumerate(typed.column_names):
                if column in known:
                    typed = typed.set_column(place, column, typed[column].cast(known[column]))
            run.replace(name, workspace.lake.engine.load(typed))
    workspace.evaluate()
    return workspace


@contextmanager
def timed(kind: type, name: str, spent: dict[str, float]) -> Iterator[None]:
    """Add up the seconds that a method takes."""
    method: Callable[..., Any] = getattr(kind, name)

    def measured(*args: Any, **settings: Any) -> Any:
        began = time.perf_counter()
        try:
            return method(*args, **settings)
        finally:
            spent[name] = spent.get(name, 0.0) + time.perf_counter() - began

    setattr(kind, name, measured)
    try:
        yield
    finally:
        setattr(kind, name, method)


def activate(workspace: cdp.Workspace) -> dict[str, Any]:
    """Plan and activate, and tell the seconds of each part."""
    spent: dict[str, float] = {}
    began = time.perf_counter()
    plan = workspace.plan("out")
    planned = time.perf_counter() - began
    with timed(OpenRun, "record", spent):
        began = time.perf_counter()
        run = workspace.activate("out")
        seconds = time.perf_counter() - began
    assert run.outcome == "done", run.problems
    assert workspace.plan("out").is_empty
    told = {"rows": run.counts["added"], "calls": plan.calls, "seconds": seconds, "a plan alone": planned}
    return told | {f"in {name}": each for name, each in spent.items()}


def marketo(folder: Path, persons: int, calls: int) -> dict[str, Any]:
    """Add leads to a static list, at the rate that Marketo allows."""
    os.environ["MARKETO_SECRET"] = "secret-of-ours"  # noqa: S105 - of the stand-in
    options = {"leads": persons, "activities_each": 0, "every": {}, "window": WINDOW}
    with serving_apart("tests.stand_ins.marketo:make_app", **options) as url:
        pace = {"calls": calls, "seconds": WINDOW[1]}
        settings = {"type": "marketo", "base_url": url, "client_id": "ours", "client_secret": "${env:MARKETO_SECRET}",
                    "list": "Buyers", "folder": "Lead Database", "pace": pace}  # fmt: skip
        told = activate(make_workspace(folder, persons, settings))
    windows = (told["calls"] - 1) // WINDOW[0]
    limit = windows * WINDOW[1]
    return told | {"the limit of the calls": limit, "overhead": told["seconds"] / limit - 1}


def main() -> None:
    """Measure, and print a line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--persons", type=int, default=100_000)
    parser.add_argument("--calls", type=int, default=98, help="calls in Marketo's 20 seconds")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        told = marketo(Path(name) / "workspace", given.persons, given.calls)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"benchmark": "activate", **told, "peak_mib": peak}))


if __name__ == "__main__":
    main()

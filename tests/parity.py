"""The same world through the line on any engine, and whether two lakes hold the same tables."""

import datetime as dt
import shutil
from pathlib import Path

import polars as pl
import polars.selectors as cs

import cdp_toolkit as cdp
from cdp_toolkit.demo import make_workspace
from cdp_toolkit.engines import open_engine
from cdp_toolkit.lake import Lake

AS_OF = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)
VERBS = ("load", "stitch", "evaluate")
_SOURCES = ("marketo", "salesforce", "web")
# The clock on the wall, which is another for each run.
_STAMPS = ("_batch", "_loaded_at", "loaded_at", "recorded_at", "rejected_at")


def make_world(folder: Path, persons: int) -> Path:
    """Make a workspace that has run nothing yet."""
    make_workspace(folder, persons=persons, as_of=AS_OF)
    return folder


def workspace_on(world: Path, folder: Path, engine: str, *, lake: str = "lake") -> cdp.Workspace:
    """Copy a workspace, for an engine as ``cdp.yaml`` names it."""
    shutil.copytree(world, folder)
    settings = folder / "cdp.yaml"
    settings.write_text(f"{settings.read_text('utf-8')}\nengine: {engine}\nlake: {lake}\n", "utf-8")
    return cdp.Workspace(folder)


def run(workspace: cdp.Workspace, verb: str) -> cdp.Run:
    """Run a verb at the moment at which the world was made."""
    done: cdp.Run = getattr(workspace, verb)(**({} if verb == "load" else {"as_of": AS_OF}))
    assert done.outcome == "done", done.problems
    return done


def differences(expected: str | Path, found: str | Path, options: dict[str, str] | None = None) -> dict[str, str]:
    """Compare all tables of two lakes, sorted and exact; by table what differs, and nothing for those that do not."""
    lakes = [
        Lake(uri, engine=open_engine("polars"), options=options if "://" in str(uri) else None)
        for uri in (expected, found)
    ]
    names = [{*lake.log.versions(), *_landed(lake)} for lake in lakes]
    missing = dict.fromkeys(names[0] ^ names[1], "is in one lake only")
    return missing | {name: what for name in names[0] & names[1] if (what := _difference(lakes, name))}


def _landed(lake: Lake) -> list[str]:
    return [f"landing/{source}/{name}" for source in _SOURCES for name in lake.objects(source)]


def _difference(lakes: list[Lake], name: str) -> str:
    one, other = (lake.packed(name).to_native().collect() for lake in lakes)
    if sorted(one.schema.items()) != sorted(other.schema.items()):
        return f"columns {sorted(set(one.schema.items()) ^ set(other.schema.items()))}"
    columns = [each for each in sorted(one.columns) if each not in _STAMPS]
    missing = [_texts(a.select(columns)).join(_texts(b.select(columns)), on=["row", "nth"], how="anti")
               for a, b in ((one, other), (other, one))]  # fmt: skip
    if not any(map(len, missing)):
        return ""
    examples = [rows["row"].head(1).to_list() for rows in missing]
    return f"{len(missing[0])} of {len(one)} and {len(missing[1])} of {len(other)} rows, such as {examples}"


def _texts(rows: pl.DataFrame) -> pl.DataFrame:
    """Return each row as a text, numbered among its equals."""
    readable = rows.with_columns(cs.binary().bin.encode("hex"))
    texts = readable.select(row=pl.struct(pl.all()).struct.json_encode())
    return texts.with_columns(nth=pl.int_range(pl.len()).over("row"))

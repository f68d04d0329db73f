"""Worlds of more people than are made at once: regions of a million, each with systems of its own and nobody in common."""

import io
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import yaml

from cdp_toolkit.demo import make_workspace
from cdp_toolkit.demo.folder import SEED
from cdp_toolkit.demo.world import World, make_world
from cdp_toolkit.demo.write import Format, write_world

REGION = 1_000_000  # people; making so many takes 7 GB
_SALESFORCE = "00D5g000000demo"
_MARKETO = "123-ABC-456"
_NAMES = {"company", "Company", "companyName"}  # of companies, beside the Name of an Account


def make_regions(home: Path, persons: int, shape: Format) -> None:
    """Make a workspace of a region, and beside it the exports of further ones, all of them loaded by one ``cdp.yaml``.

    Parameters
    ----------
    home
        Where to.
    persons
        Number of people: a multiple of a million.
    shape
        Shape of the exports.
    """
    now = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    make_workspace(home, persons=REGION, as_of=now, format=shape)
    settings = yaml.safe_load((home / "cdp.yaml").read_text("utf-8"))
    sources = settings["sources"]
    for region in range(1, persons // REGION):
        _write_region(home / "exports" / f"region-{region}", region, now, shape)
        for name in ("marketo", "salesforce", "web"):
            own = sources[name] | {"path": f"exports/region-{region}/exports/{name}"}
            own |= {"instance": _instance(own["instance"], region)} if "instance" in own else {}
            own |= {"crm": own["crm"] | {"instance": _instance(_SALESFORCE, region)}} if "crm" in own else {}
            sources[f"{name}_{region}"] = own
    (home / "cdp.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")


def _write_region(folder: Path, region: int, now: datetime, shape: Format) -> None:
    world = make_world(REGION, SEED + region, now)
    own = {
        source: {name: _renamed(name, rows, region) for name, rows in tables.items()}
        for source, tables in world.sources.items()
    }
    write_world(
        World(world.people, world.companies, own, world.truth, world.employers, world.facts), folder, format=shape
    )


def _renamed(table: str, rows: pl.DataFrame, region: int) -> pl.DataFrame:
    """Let no value of a region lead to another one: domains, private addresses, names of companies, ids of events."""
    if table == "account":  # nested, and small
        text = rows.write_json().replace(_SALESFORCE, _instance(_SALESFORCE, region))
        return pl.read_json(io.StringIO(text.replace('"demo"', f'"demo{region}"').replace("demo.R", f"demo{region}.R")))
    private = {f"@{host}": f".r{region}@{host}" for host in ("gmail.example", "webmail.example")}
    texts = pl.selectors.string() - pl.selectors.by_name("_id", require_all=False)
    rows = rows.with_columns(texts.str.replace_many(private | {".example": f"-{region}.example"}, leftmost=True))
    names = [name for name in rows.columns if name in _NAMES or (table, name) == ("Account", "Name")]
    rows = rows.with_columns(pl.col(names).str.replace(r"^(\w+)", f"${{1}}{'abcdefghijklmnopqrstuvwxyz'[region]}o"))
    return rows.with_columns(pl.col("_id").str.replace("web", f"web{region}")) if "_id" in rows.columns else rows


def _instance(name: str, region: int) -> str:
    """Return the name of the same system of another region."""
    return f"{name[:-3]}{700 + region}" if name == _MARKETO else f"{name[:-4]}re{region:02}"

"""Write the world's exports as files, each source in its own shape, and the truth beside them."""

import json
from pathlib import Path
from typing import Literal

import polars as pl

from cdp_toolkit.demo.world import World

Format = Literal["csv", "parquet"]

PART_ROWS = 1_000_000
ZIP_ROWS = 2_000  # larger tables are compressed
_TIMES = {"marketo": "%Y-%m-%dT%H:%M:%SZ", "salesforce": "%Y-%m-%dT%H:%M:%S%.3fZ", "web": "%Y-%m-%dT%H:%M:%S%.3fZ"}
_WITH_BOM = {"companies", "Lead"}
_IN_PARTS = {"leads", "activities", "event"}
# The shape in which a source exports an object, where that is not a CSV file.
_SHAPES = {"event": "ndjson", "account": "ndjson", "activity_types": "json"}


def write_world(world: World, folder: str | Path, *, format: Format = "csv") -> None:  # noqa: A002 - as pandas names it
    """Write ``exports/<source>/<object>…`` and ``truth/`` into a folder.

    Parameters
    ----------
    world
        The world.
    folder
        Where to; made if need be. Files of the same names are replaced.
    format
        ``csv`` as the vendors export it (what is nested as JSON), or ``parquet`` for large worlds.
    """
    home = Path(folder)
    for source, tables in world.sources.items():
        for name, rows in tables.items():
            for stem, part in _parts(name, rows):
                path = home / "exports" / source / stem
                path.parent.mkdir(parents=True, exist_ok=True)
                _write(part, path, source, name, "parquet" if format == "parquet" else _SHAPES.get(name, "csv"))
    write_truth(world, home / "truth")


def write_truth(world: World, folder: Path) -> None:
    """Write ``records.parquet``, ``employers.parquet`` and ``facts.json``.

    Parameters
    ----------
    world
        The world.
    folder
        Where to; made if need be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    world.truth.write_parquet(folder / "records.parquet")
    world.employers.write_parquet(folder / "employers.parquet")
    (folder / "facts.json").write_text(json.dumps(world.facts, indent=2) + "\n", encoding="utf-8")


def _parts(name: str, rows: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """Cut what vendors deliver in parts: at least two, the last one short."""
    if name not in _IN_PARTS:
        return [(name, rows)]
    size = min(PART_ROWS, max(1, rows.height * 9 // 10))
    return [(f"{name}/part-{n + 1:04}", part) for n, part in enumerate(rows.iter_slices(size))]


def _write(rows: pl.DataFrame, path: Path, source: str, name: str, shape: str) -> None:
    zipped = rows.height > ZIP_ROWS
    ending = f".{shape}{'.gz' if zipped else ''}"
    compression: Literal["gzip", "uncompressed"] = "gzip" if zipped else "uncompressed"
    match shape:
        case "parquet":
            rows.write_parquet(f"{path}.parquet")
        case "json":
            rows.write_json(f"{path}.json")
        case "ndjson":
            rows.write_ndjson(f"{path}{ending}", compression=compression)
        case _:
            rows.write_csv(
                f"{path}{ending}",
                compression=compression,
                datetime_format=_TIMES[source],
                include_bom=name in _WITH_BOM,
            )

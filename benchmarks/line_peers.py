"""Other ways to the bulk of a load and of a stitch, for ``benchmarks/line.py``: pandas, and PySpark on this machine.

What pandas does is in ``line_pandas``: nearly all of a load, and all tables of a stitch. PySpark does much less: it cleans
nothing, maps nothing to one model, refuses nothing and keeps no origins. A load reads every export as text, keeps the last
row of each identifier and writes Parquet. A stitch takes which record belongs to which person as given, finds the latest
value of each column of each person, and gives each event its person.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Exports = dict[str, list[Path]]


def exports(home: Path) -> Exports:
    """Return the files of each exported object."""
    found: Exports = {}
    for file in sorted((home / "exports").rglob("*")):
        if file.is_file():
            whole = file.parent if file.parent.parent.name != "exports" else file
            found.setdefault(f"{file.parts[-2 if whole is file else -3]}-{whole.name.split('.')[0]}", []).append(file)
    return found


def pandas_load(home: Path, out: Path) -> None:
    """Do as a load does; see ``line_pandas``."""
    import line_pandas
    import pandas as pd

    def read(file: Path) -> Any:
        if ".csv" in file.suffixes:
            return pd.read_csv(file, dtype=str)
        if ".parquet" in file.suffixes:
            return pd.read_parquet(file).map(_text)
        return pd.read_json(file, lines=".ndjson" in file.suffixes, dtype=False).map(_text)

    print(line_pandas.load(home, out, read), file=sys.stderr)


def _text(value: Any) -> str | None:
    if value is None or (not hasattr(value, "__len__") and value != value):  # noqa: PLR0124 - NaN, NaT
        return None
    if isinstance(value, str | int | float):
        return str(value)
    return value.isoformat() if hasattr(value, "isoformat") else json.dumps(value, default=_plain)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def pandas_stitch(home: Path, out: Path) -> None:
    """Do as a stitch does; see ``line_pandas``."""
    import line_pandas

    print(line_pandas.stitch(home, out), file=sys.stderr)


def pandas_stitch_uncopied(home: Path, out: Path) -> None:
    """Do as a stitch does, but keep no copies in which rows are looked up; see ``line_pandas``."""
    import line_pandas

    print(line_pandas.stitch(home, out, is_copied=False), file=sys.stderr)


def pyspark_load(home: Path, out: Path) -> None:
    """Read every export as text, keep one row of each identifier, write Parquet."""
    with _session() as session:
        for name, files in exports(home).items():
            paths = [str(file) for file in files if file.stat().st_size]
            if ".csv" in files[0].suffixes:
                rows = session.read.csv(paths, header=True, multiLine=True, quote='"', escape='"')
            elif ".parquet" in files[0].suffixes:
                rows = session.read.parquet(*paths)
            else:
                rows = session.read.json(paths, multiLine=".ndjson" not in files[0].suffixes)
            rows.dropDuplicates([rows.columns[0]]).write.parquet(str(out / name))


def pyspark_stitch(home: Path, out: Path) -> None:
    """Find the latest values of people, and give events their person."""
    with _session() as session:
        from pyspark.sql import functions as f

        ids = session.read.parquet(*files_of(home, "identity/person_ids")).select("source_key", "profile_id")
        records = session.read.parquet(*files_of(home, "entities/person")).join(ids, "source_key")
        values = [
            f.max_by(name, f.when(f.col(name).isNotNull(), f.col("updated_at"))).alias(name)
            for name in records.columns
            if name != "profile_id"
        ]
        records.groupBy("profile_id").agg(*values).write.parquet(str(out / "person"))
        events = session.read.parquet(*files_of(home, "entities/event"))
        events.join(ids.withColumnRenamed("source_key", "person_key"), "person_key").write.parquet(str(out / "event"))


def files_of(home: Path, table: str) -> list[str]:
    """Return the files of the newest version of a table."""
    from deltalake import DeltaTable

    return DeltaTable(home / "lake" / table).file_uris()


@contextmanager
def _session() -> Iterator[Any]:
    """Open a session on a Spark that stands already; its start is not timed."""
    import os

    from pyspark.sql import SparkSession

    yield SparkSession.builder.remote(os.environ["BENCH_SPARK"]).create()

"""Whether the tables that pandas makes are those of the lake: ``python benchmarks/pandas_check.py WORKSPACE``.

The workspace is one that was loaded and stitched once. Tables are compared row for row, in whatever order rows lie, numbers
to nine digits behind the point. Keys of values are compared by what they stand for: a namespace and a value in ``evidence``.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

Frame = pd.DataFrame


def differing(mine: Frame, lake: pa.Table) -> str:
    """Return in words how two tables differ; an empty text if they do not."""
    if others := sorted(set(mine.columns) ^ set(lake.column_names)):
        return f"columns {others}"
    if len(mine) != len(lake):
        return f"{len(mine):,} rows, not {len(lake):,}"
    told = pa.Table.from_pandas(mine[lake.column_names], preserve_index=False).cast(lake.schema)
    ours, theirs = _ordered(told), _ordered(lake)
    counts = {name: _unequal(ours[name], theirs[name]) for name in lake.column_names}
    return ", ".join(f"{name} in {count:,} rows" for name, count in counts.items() if count)


def _ordered(table: pa.Table) -> pa.Table:
    plain = pa.table({name: _plain(table[name]) for name in table.column_names})
    numbers = [name for name in sorted(plain.column_names) if pa.types.is_integer(plain.schema.field(name).type)]
    return plain.sort_by([(name, "ascending") for name in dict.fromkeys([*numbers, *sorted(plain.column_names)])])


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return pc.binary_join(column.cast(pa.list_(pa.string())), "\x1f")
    return pc.round(column, 9) if pa.types.is_floating(column.type) else column


def _unequal(one: pa.ChunkedArray, other: pa.ChunkedArray) -> int:
    same = pc.fill_null(pc.equal(one, other), False)
    return len(one) - pc.sum(pc.or_(same, pc.and_(one.is_null(), other.is_null()))).as_py() if len(one) else 0


def check(home: Path) -> Iterator[tuple[str, str]]:
    """Make all tables of ``identity/`` and ``profiles/``, and give how each differs."""
    from line_pandas import make

    evidence, carriers = (_lake(home, f"identity/{name}") for name in ("evidence", "carriers"))
    mine = make(home, max(_lake(home, "identity/person_ids")["since"].to_pylist()))
    values = _pairs(mine["identity/evidence"], evidence, ["namespace", "value"], "value_key")
    for name in [name for name, rows in mine.items() if "value_key" in rows]:
        mine[name] = mine[name].assign(value_key=mine[name]["value_key"].map(values))
    checks = _pairs(mine["identity/carriers"], carriers, ["value_key", "record_key"], "check")
    mine["identity/carriers"]["check"] = mine["identity/carriers"]["check"].map(checks)
    for folder in ("identity", "profiles"):
        for name in sorted(f"{folder}/{path.name}" for path in (home / "lake" / folder).iterdir()):
            yield name, differing(mine.pop(name), _lake(home, name)) if name in mine else "not made"


def _lake(home: Path, table: str) -> pa.Table:
    return DeltaTable(home / "lake" / table).to_pyarrow_table()


def _pairs(mine: Frame, lake: pa.Table, on: list[str], key: str) -> pd.Series:
    """Return the number that the lake has for a key that stands for the same in both, and for nothing else."""
    text = dict.fromkeys(set(on) & {"namespace", "value"}, "str")
    theirs = lake.select([*on, key]).to_pandas().drop_duplicates().astype(text)
    both = mine[[*on, key]].drop_duplicates().astype(text).merge(theirs, on=on)
    both = both[[f"{key}_x", f"{key}_y"]].drop_duplicates()
    assert not any(both[side].duplicated().any() for side in both), f"{key} stands for several"
    return both.set_index(f"{key}_x")[f"{key}_y"].astype("Int64")


def main() -> None:
    """Check, and end with an error if any table differs."""
    is_other = False
    for name, words in check(Path(sys.argv[1])):
        print(f"{name:32} {words or 'the same'}", flush=True)
        is_other |= bool(words)
    sys.exit(is_other)


if __name__ == "__main__":
    main()

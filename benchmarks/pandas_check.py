"""Whether the tables that pandas makes are those of the lake: ``python benchmarks/pandas_check.py WORKSPACE``.

The workspace is one that was loaded and stitched once. Tables are compared row for row, in whatever order rows lie, numbers
to nine digits behind the point. Keys of values are compared by what they stand for: a namespace and a value in ``evidence``.
"""

import sys
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
    return plain.sort_by([(name, "ascending") for name in sorted(plain.column_names)])


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return pc.binary_join(column.cast(pa.list_(pa.string())), "\x1f")
    return pc.round(column, 9) if pa.types.is_floating(column.type) else column


def _unequal(one: pa.ChunkedArray, other: pa.ChunkedArray) -> int:
    same = pc.fill_null(pc.equal(one, other), False)
    return len(one) - pc.sum(pc.or_(same, pc.and_(one.is_null(), other.is_null()))).as_py() if len(one) else 0


def check_identities(home: Path) -> dict[str, str]:
    """Make the tables of ``identity/`` and return how each differs."""
    from line_peers import files_of
    from pandas_identity import identities

    from cdp_toolkit import Workspace

    workspace = Workspace(home)
    names = sorted(path.name for path in (home / "lake/identity").iterdir())
    lake = {name: DeltaTable(home / "lake/identity" / name).to_pyarrow_table() for name in names}
    mine = identities(
        lambda name, columns: pd.read_parquet(files_of(home, f"entities/{name}"), columns=list(columns)),
        workspace.settings.identity,
        workspace.model.namespaces,
        max(lake["person_ids"]["since"].to_pylist()),
    )
    _rename(mine, lake)
    return {name: differing(mine[name], rows) for name, rows in lake.items()}


def _rename(mine: dict[str, Frame], lake: dict[str, pa.Table]) -> None:
    """Give keys of values the numbers that the lake has, where a key stands for the same in both and for nothing else."""
    values = _pairs(mine["evidence"], lake["evidence"].to_pandas(), ["namespace", "value"], "value_key")
    for name, rows in mine.items():
        if "value_key" in rows:
            mine[name] = rows.assign(value_key=rows["value_key"].map(values))
    carried = ["value_key", "record_key"]
    checks = _pairs(mine["carriers"], lake["carriers"].to_pandas(), carried, "check")
    mine["carriers"] = mine["carriers"].assign(check=mine["carriers"]["check"].map(checks))


def _pairs(mine: Frame, lake: Frame, on: list[str], key: str) -> pd.Series:
    text = dict.fromkeys(set(on) & {"namespace", "value"}, "str")
    both = mine[[*on, key]].astype(text).merge(lake[[*on, key]].astype(text), on=on)
    both = both[[f"{key}_x", f"{key}_y"]].drop_duplicates()
    assert not any(both[side].duplicated().any() for side in both), f"{key} stands for several"
    return both.set_index(f"{key}_x")[f"{key}_y"].astype("Int64")


def main() -> None:
    """Check, and end with an error if any table differs."""
    found = check_identities(Path(sys.argv[1]))
    for name, words in found.items():
        print(f"{name:20} {words or 'the same'}")
    sys.exit(any(found.values()))


if __name__ == "__main__":
    main()

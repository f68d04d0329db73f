"""How pandas reads and writes the tables of a stitch: as Parquet, and the copies in which rows are looked up."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

Frame = Any  # a pandas DataFrame
Column = Any  # a pandas Series
Array = Any  # a NumPy array


def read_table(files: Sequence[str], columns: Sequence[str] | None = None) -> Frame:
    """Read a table: texts as ``str``, days, booleans and lists as Arrow has them, all else as NumPy has it."""
    return pq.read_table(list(files), columns=columns).to_pandas(types_mapper=_kind)


def _kind(kind: Any) -> Any:
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pd.StringDtype(na_value=np.nan)
    is_kept = pa.types.is_boolean(kind) or pa.types.is_date(kind) or pa.types.is_nested(kind)
    return pd.ArrowDtype(kind) if is_kept else None


def write(tables: Mapping[str, Frame], out: Path) -> None:
    """Write each table as Parquet, as it lies."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: tables[name].to_parquet(out / f"{name}.parquet", index=False), tables))


def copy(tables: Mapping[str, Frame], by: Mapping[str, str], out: Path) -> None:
    """Write what a stitch keeps beside its Delta files to look rows up in and to compare them with later ones.

    The tables that ``by`` has the key of lie in the order of their keys, those without one first. A copy has the rows that have
    a key, texts of few kinds as categories, and the place of the first row of each key with a hash of its rows. Hashes are
    those of pandas.
    """
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: _copy(tables[name], by[name], out / name), by))


def _copy(rows: Frame, by: str, out: Path) -> None:
    rows = rows.iloc[rows[by].isna().sum() :]
    keys = rows[by].to_numpy("int64")
    starts, kept = starts_of(keys), compact(rows.drop(columns=by))
    lists = [name for name, kind in kept.dtypes.items() if isinstance(kind, pd.ArrowDtype) and kind.kind == "O"]
    plain = kept.assign(**{name: _hashed(kept[name]) for name in lists})
    hashes = pd.util.hash_pandas_object(plain, index=False).to_numpy()
    about = {"key": keys[starts], "start": starts, "print": np.add.reduceat(hashes, starts)}
    pd.DataFrame(about).to_feather(out.with_suffix(".keys"), compression="uncompressed")
    kept.to_feather(out.with_suffix(".rows"), compression="uncompressed")


def starts_of(keys: Array) -> Array:
    """Return where the rows of each key begin, of keys in order."""
    return np.flatnonzero(np.append(True, keys[1:] != keys[:-1])) if len(keys) else np.empty(0, np.int64)


def compact(rows: Frame) -> Frame:
    """Return rows with texts of few kinds as categories, judged by the first 10,000 of them."""
    kinds = rows.head(10_000).select_dtypes("str").nunique()
    return rows.astype(dict.fromkeys(kinds.index[kinds * 4 <= min(len(rows), 10_000)], "category"))


def _hashed(lists: Column) -> Array:
    """Return a hash of each list, which pandas has for single values only."""
    sizes = lists.list.len().fillna(0).to_numpy("int64")
    each = pd.util.hash_pandas_object(lists.list.flatten(), index=False).to_numpy()
    return np.diff(np.append(np.uint64(0), np.cumsum(each))[np.cumsum(sizes)], prepend=np.uint64(0))

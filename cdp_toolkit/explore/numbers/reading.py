"""How numbers are read from the lake: one small frame at a time."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeAlias

import narwhals as nw
import polars as pl

from cdp_toolkit.engines import Frame
from cdp_toolkit.lake import Lake

TIME = pl.Datetime("us", "UTC")
Asked = ParamSpec("Asked")
Numbers: TypeAlias = Callable[Concatenate[Lake, Asked], pl.DataFrame]


def made_of(table: str, **columns: pl.DataType) -> Callable[[Numbers[Asked]], Numbers[Asked]]:
    """Let a function give no rows where no run has written its table.

    Parameters
    ----------
    table
        Folder and name.
    **columns
        Those that it returns.

    Returns
    -------
    callable
        Takes the function, and gives it these columns in this order.
    """
    schema = pl.Schema(columns)

    def _given(count: Numbers[Asked]) -> Numbers[Asked]:
        @wraps(count)
        def _counted(lake: Lake, /, *asked: Asked.args, **named: Asked.kwargs) -> pl.DataFrame:
            if not lake.exists(table):
                return pl.DataFrame(schema=schema)
            return count(lake, *asked, **named).select(schema.names()).cast(schema)

        return _counted

    return _given


def read(lake: Lake, frame: Frame) -> pl.DataFrame:
    """Run a frame.

    Parameters
    ----------
    lake
        Whose engine runs it.
    frame
        Few rows.

    Returns
    -------
    polars.DataFrame
        Its rows.
    """
    return pl.DataFrame(lake.engine.collect(frame))


def count_of(lake: Lake, frame: Frame) -> int:
    """Count the rows of a frame.

    Parameters
    ----------
    lake
        Whose engine runs it.
    frame
        Any rows.

    Returns
    -------
    int
        How many they are.
    """
    return int(lake.engine.collect(frame.select(nw.len()))[0][0].as_py())


def count_rows(lake: Lake, table: str, *only: nw.Expr) -> int:
    """Count the rows of a table.

    Parameters
    ----------
    lake
        Tables of the workspace.
    table
        Folder and name.
    *only
        What the rows that count must meet.

    Returns
    -------
    int
        How many they are.
    """
    frame = lake.scan(table)
    return count_of(lake, frame.filter(*only) if only else frame)


def count_by(lake: Lake, table: str, keys: tuple[str, ...], count: str) -> pl.DataFrame:
    """Count the rows of a table by the values of columns.

    Parameters
    ----------
    lake
        Tables of the workspace.
    table
        Folder and name; where no run has written it, no rows come out.
    keys
        The columns.
    count
        What the number is called.

    Returns
    -------
    polars.DataFrame
        One row per combination of values, the most first.
    """
    if not lake.exists(table):
        return pl.DataFrame(schema=dict.fromkeys(keys, pl.String) | {count: pl.Int64})
    counted = lake.scan(table).group_by(*keys).agg(nw.len().cast(nw.Int64).alias(count))
    return read(lake, counted).sort(count, *keys, descending=[True, *(False for _ in keys)])

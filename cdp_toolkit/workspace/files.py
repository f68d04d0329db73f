"""A table as a file for a spreadsheet or another tool."""

from pathlib import Path

import pyarrow as pa

from cdp_toolkit.errors import ConfigError


def write_table(table: pa.Table, file: Path) -> Path:
    """Write a table into a file.

    Parameters
    ----------
    table
        The rows.
    file
        Where to; ``.csv``, where a list is its items with semicolons between, or ``.parquet``.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ConfigError
        If its ending is another.
    """
    import polars as pl

    rows = pl.DataFrame(table)
    if file.suffix == ".parquet":
        rows.write_parquet(file)
    elif file.suffix == ".csv":
        lists = [column for column, kind in rows.schema.items() if isinstance(kind, pl.List)]
        rows.with_columns(pl.col(lists).list.join(";")).write_csv(file)
    else:
        raise ConfigError(
            f"No table is written as {file.suffix or 'a file without an ending'}.",
            where=str(file),
            hint="End it in .csv or .parquet.",
        )
    return file

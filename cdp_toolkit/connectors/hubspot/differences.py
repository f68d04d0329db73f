"""What is told in full, such as the members of a list, landed as what changed in it.

HubSpot does not tell who left: whoever had landed and is told no more, has.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa

IS_GONE = "isDeleted"
_AT, _COMMIT = "readAt", "_batch"


def differences(
    told: Sequence[Mapping[str, str | None]],
    landed: Iterable[pa.RecordBatch],
    *,
    key: Sequence[str],
    columns: Sequence[str],
    scope: tuple[str, Iterable[str]],
    at: str,
) -> list[dict[str, Any]]:
    """Return the rows that say how what is told differs from what has landed.

    Parameters
    ----------
    told
        All rows of the scope, as they are now.
    landed
        What has landed so far, with ``landed_columns``.
    key
        Columns that name a row.
    columns
        What else a row says.
    scope
        A column of the key and its values: only rows of these are told, and only these can be gone.
    at
        Time of the look.

    Returns
    -------
    list of dict
        Rows that are new or say something else, and the keys of those that are gone, with ``isDeleted``.

    Examples
    --------
    >>> once = pa.table({"list": ["1", "1"], "who": ["7", "8"], "isDeleted": ["false"] * 2, "_batch": [1, 1]})
    >>> now = [{"list": "1", "who": "8"}, {"list": "1", "who": "9"}]
    >>> differences(now, once.to_batches(), key=["list", "who"], columns=[], scope=("list", ["1"]), at="2027")
    ... # doctest: +NORMALIZE_WHITESPACE
    [{'list': '1', 'who': '9', 'isDeleted': 'false', 'readAt': '2027'},
     {'list': '1', 'who': '7', 'isDeleted': 'true', 'readAt': '2027'}]
    """
    texts = dict.fromkeys([*key, *columns], pl.String)
    now = pl.DataFrame(told, schema=texts).unique(key, keep="last", maintain_order=True)
    before = _latest(landed, texts, key).filter(pl.col(scope[0]).is_in(list(scope[1])))
    changed = now.join(before, on=[*key, *columns], how="anti", nulls_equal=True)
    gone = before.join(now, on=list(key), how="anti").select(
        pl.col(key), *(pl.lit(None, pl.String).alias(c) for c in columns)
    )
    stamps = [(changed, "false"), (gone.sort(key), "true")]
    rows = pl.concat(
        [rows.with_columns(pl.lit(is_gone).alias(IS_GONE), pl.lit(at).alias(_AT)) for rows, is_gone in stamps]
    )
    return rows.to_dicts()


def landed_columns(key: Sequence[str], columns: Sequence[str]) -> list[str]:
    """Return the columns that ``differences`` asks for.

    Parameters
    ----------
    key, columns
        As there.

    Returns
    -------
    list of str
        With those that tell what of them is the latest.
    """
    return [*key, *columns, IS_GONE, _COMMIT]


def _latest(landed: Iterable[pa.RecordBatch], texts: Mapping[str, Any], key: Sequence[str]) -> pl.DataFrame:
    schema = {**texts, IS_GONE: pl.String, _COMMIT: pl.Int64}
    frames = [pl.DataFrame(schema=schema), *(pl.DataFrame(batch).select(*schema) for batch in landed)]
    latest = pl.concat(frames).sort(_COMMIT).unique(key, keep="last", maintain_order=True)
    return latest.filter(pl.col(IS_GONE) != "true").select(*texts)

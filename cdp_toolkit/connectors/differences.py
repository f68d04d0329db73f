"""What a vendor tells in full, such as the members of a list, landed as what changed in it.

Who left is told nowhere: whoever had landed and is told no more, has.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa

_GONE, _COMMIT = "isDeleted", "_batch"


def differences(
    told: Sequence[Mapping[str, str | None]],
    landed: Iterable[pa.RecordBatch],
    *,
    key: Sequence[str],
    columns: Sequence[str],
    scope: tuple[str, Iterable[str]],
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

    Returns
    -------
    list of dict
        Rows that are new or say something else, and the keys of those that are gone, with ``isDeleted``.

    Examples
    --------
    >>> once = pa.table({"list": ["1", "1"], "who": ["7", "8"], "isDeleted": ["false"] * 2, "_batch": [1, 1]})
    >>> now = [{"list": "1", "who": "8"}, {"list": "1", "who": "9"}]
    >>> rows = differences(now, once.to_batches(), key=["list", "who"], columns=[], scope=("list", ["1"]))
    >>> [(row["who"], row["isDeleted"]) for row in rows]
    [('9', 'false'), ('7', 'true')]
    """
    texts = dict.fromkeys([*key, *columns], pl.String)
    now = pl.DataFrame(told, schema=texts).unique(key, keep="last", maintain_order=True)
    before = _there(landed, key, columns, _GONE).filter(pl.col(scope[0]).is_in(list(scope[1])))
    changed = now.join(before, on=[*key, *columns], how="anti", nulls_equal=True)
    gone = before.join(now, on=list(key), how="anti").sort(key).select(key)
    told_of = [(changed, "false"), (gone, "true")]
    marked = [rows.with_columns(pl.lit(mark).alias(_GONE)) for rows, mark in told_of]
    return pl.concat(marked, how="diagonal").to_dicts()


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
    return [*key, *columns, _GONE, _COMMIT]


def missing(landed: Iterable[pa.RecordBatch], there: Iterable[Iterable[str]], *, key: str, gone: str) -> list[str]:
    """Return the records that have landed and are there no more.

    Parameters
    ----------
    landed
        What has landed so far: ``key``, ``gone`` and ``_batch``.
    there
        Pages of the ids that are there.
    key
        Column of the id.
    gone
        Column that is ``true`` where a record was deleted.

    Returns
    -------
    list of str
        Ids in order; without those of which that has landed already.
    """
    ids = pl.concat([pl.Series(key, [], pl.String), *(pl.Series(key, page, pl.String) for page in there)]).to_frame()
    return _there(landed, [key], [], gone).join(ids, on=key, how="anti")[key].sort().to_list()


def _there(landed: Iterable[pa.RecordBatch], key: Sequence[str], columns: Sequence[str], gone: str) -> pl.DataFrame:
    """Return the latest row of each key, but for those that are gone."""
    schema = {**dict.fromkeys([*key, *columns, gone], pl.String), _COMMIT: pl.Int64}
    rows = pl.concat([pl.DataFrame(schema=schema), *(pl.DataFrame(batch).select(*schema) for batch in landed)])
    latest = rows.sort(_COMMIT, maintain_order=True).unique(key, keep="last", maintain_order=True)
    return latest.filter(pl.col(gone).fill_null("false") != "true").select(*key, *columns)

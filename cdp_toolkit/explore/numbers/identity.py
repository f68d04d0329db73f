"""Records and what makes them one person."""

import polars as pl

from cdp_toolkit.explore.numbers.reading import count_by
from cdp_toolkit.lake import Lake


def records_per_person(lake: Lake) -> pl.DataFrame:
    """Count people by the number of their records.

    Parameters
    ----------
    lake
        Tables of the workspace.

    Returns
    -------
    polars.DataFrame
        One row per number of ``records``, rising: ``people`` who have so many.
    """
    counted = count_by(lake, "profiles/person", ("records",), "people")
    return counted.cast({"records": pl.Int64}).sort("records")


def links(lake: Lake) -> pl.DataFrame:
    """Count links by what made them.

    Parameters
    ----------
    lake
        Tables of the workspace.

    Returns
    -------
    polars.DataFrame
        One row per ``entity`` and ``namespace``: ``links``, most first.
    """
    return count_by(lake, "identity/links", ("entity", "namespace"), "links")


def refused_links(lake: Lake) -> pl.DataFrame:
    """Count the identities that were not allowed to link.

    Parameters
    ----------
    lake
        Tables of the workspace.

    Returns
    -------
    polars.DataFrame
        One row per ``entity``, ``namespace`` and ``reason``: ``links``, most first.
    """
    return count_by(lake, "identity/refused_links", ("entity", "namespace", "reason"), "links")

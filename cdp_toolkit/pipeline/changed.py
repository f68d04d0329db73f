"""Which records a stitch has not seen as they are, as loads have told it."""

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.entities.latest import rows_of
from cdp_toolkit.lake import OpenRun

CHANGES, _IDENTITIES = "entities/changes", "identity/identities"
"""Where loads tell it, and where identities are found."""

_MOST_CHANGED = 0.3  # above this share of the records, looking at all of them is as quick as looking for what changed


def changed_records(run: OpenRun, engine: Engine) -> Frame | None:
    """Return the records that came, changed or left since the last run, or whose identities did.

    Parameters
    ----------
    run
        The stitch that is on.
    engine
        Keeps what is found.

    Returns
    -------
    Frame or None
        ``entity`` and ``source_key``, run, each once; of events nothing. None if all records are to be looked at.
    """
    came = run.came(CHANGES)
    if came is None:
        return None
    found = engine.materialise(came.select("entity", "source_key").unique(["entity", "source_key"]))
    return found if rows_of(found, engine) <= _MOST_CHANGED * run.rows("entities/person") else None


def remapped(run: OpenRun, engine: Engine) -> Frame | None:
    """Return the identities that mean another profile than when the last stitch ran, or are new or gone.

    Parameters
    ----------
    run
        The stitch that is on, which has said which records are one.
    engine
        Keeps what is found.

    Returns
    -------
    Frame or None
        ``entity``, ``namespace``, ``value_key`` and ``profile_id``, run: rows that only one of the two has. None if there was no
        such run.
    """
    before, columns = run.version_before(_IDENTITIES), ["entity", "namespace", "value_key", "profile_id"]
    if before is None:
        return None
    differing = run.differing(_IDENTITIES, before)
    if differing is None:
        return engine.materialise(run.scan(_IDENTITIES).select(*columns).head(0))
    signed = [rows.select(*columns, _one=nw.lit(sign)) for rows, sign in zip(differing, (-1, 1), strict=True)]
    counted = nw.concat(signed).group_by(columns).agg(nw.col("_one").sum())
    return engine.materialise(counted.filter(nw.col("_one") != 0).drop("_one"))

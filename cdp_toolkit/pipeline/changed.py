"""Which records a stitch has not seen as they are, as loads have told it."""

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.entities.latest import rows_of
from cdp_toolkit.lake import OpenRun

CHANGES = "entities/changes"
"""Where loads tell it."""

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

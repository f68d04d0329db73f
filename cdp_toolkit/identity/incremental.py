"""What changed since the last run → the records whose profiles may be other ones now.

Records of one cluster are those that links could make one before any was refused. A change of a record can reach its own
cluster and the clusters of all who carry one of its values, then or now, and no others. A value that linked nobody then
and links nobody now, for the same reason, carries nothing on: a mailbox of a thousand records does not make a
thousand changes of one.
"""

from typing import NamedTuple

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.identity.definition import IdentityRules
from cdp_toolkit.identity.links import carriers_of, refuse_values, silent
from cdp_toolkit.identity.past import Past

# The key of a value is a hash of its namespace and the value.
_VALUE, _RECORD = "value_key", "record_key"
_ROW = [_RECORD, _VALUE, "seen_at", "_told"]


class Came(NamedTuple):
    """What is new: the ``record_key`` of the records that are new, differ or are gone, in ``keys``, each once.

    ``said`` is what those that are there say now, and ``records`` has their ``source_key``, ``record_key``, ``is_deleted``.
    """

    keys: Frame
    said: Frame
    records: Frame


class Reached(NamedTuple):
    """The records whose profiles may have changed, ``record_key``, and what was looked up to find them.

    ``values`` are the ``value_key`` that changed records carry or carried; ``carriers`` who carries them now, as
    ``carriers_of`` has it, ``came`` and ``left`` of these the changed records, as they are and as they were; ``members`` the
    rows of all ``clusters`` that are touched, as they were.
    """

    records: Frame
    values: Frame
    carriers: Frame
    came: Frame
    left: Frame
    members: Frame


def find_changes(before: Frame, now: Frame, records: Frame, ids: Frame, engine: Engine) -> Frame:
    """Find out which records are new, differ or are gone.

    Parameters
    ----------
    before, now
        One row per record and identity, as the last run read them and as they are: all, or those that may differ, with
        the ``reason`` of those that identify nobody.
    records
        One row per record as it is: ``record_key``, ``is_deleted``; all, or those that may differ.
    ids
        As the last run left them, of these records at least.
    engine
        Keeps what is found.

    Returns
    -------
    Frame
        ``record_key``, each once.
    """
    sides = [frame.select(_RECORD, _VALUE, "seen_at", _told=nw.col("reason").fill_null("")) for frame in (before, now)]
    differing = [one.join(other, on=_ROW, how="anti").select(_RECORD) for one, other in (sides, sides[::-1])]
    return engine.materialise(nw.concat([*differing, _flipped(records, ids)]).unique())


def find_affected(came: Came, said: Frame, past: Past, rules: IdentityRules, engine: Engine) -> Reached:
    """Find the records whose profiles may have changed.

    Parameters
    ----------
    came
        What changed.
    said
        What the changed records said in the last run.
    past
        The last run.
    rules
        Which identities link nobody; the same as in the last run.
    engine
        Keeps the few rows that matter.

    Returns
    -------
    Reached
        Changed, new and vanished records, and all of their clusters.
    """
    values = engine.materialise(nw.concat([said.select(_VALUE), came.said.select(_VALUE)]).unique())
    before = past.tables["carriers"].find(values)
    others = before.join(came.keys, on=_RECORD, how="anti")
    fresh = engine.materialise(carriers_of(came.said, engine))
    now = engine.materialise(nw.concat([others.select(*fresh.collect_schema().names()), fresh]))
    linking = [frame.filter(~nw.col("namespace").is_in(silent(rules))) for frame in (before, now)]
    refused = [refuse_values(carriers, rules, engine) for carriers in linking]
    idle = engine.materialise(refused[0].join(refused[1], on=[_VALUE, "reason"], how="semi").select(_VALUE))
    reached = [carriers.join(idle, on=_VALUE, how="anti").select(_RECORD) for carriers in linking]
    touched = engine.materialise(nw.concat([*reached, came.keys]).unique())
    numbers = engine.materialise(past.tables["clusters"].find(touched).select("cluster").unique())
    members = past.tables["members"].find(numbers)
    records = engine.materialise(nw.concat([members.select(_RECORD), touched]).unique())
    left = engine.materialise(before.join(came.keys, on=_RECORD, how="semi"))
    return Reached(records, values, now, fresh, left, members)


def _flipped(records: Frame, ids: Frame) -> Frame:
    """Return the records that were deleted or came back, whatever identities they have."""
    # who is deleted with their whole cluster has no id
    known = ids.select(_RECORD, was_deleted="is_deleted")
    both = records.join(known, on=_RECORD, how="left").filter(
        nw.col("is_deleted") != nw.col("was_deleted").fill_null(value=True)
    )
    return both.select(_RECORD)

"""What changed since the last run → the records whose profiles may be other ones now.

Records of one cluster are those that links could make one before any was refused. A change of a record can reach its own
cluster and the clusters of all who carry one of its values, then or now, and no others. A value that linked nobody then
and links nobody now, for the same reason, carries nothing on: a mailbox of a thousand records does not make a
thousand changes of one.
"""

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.identity.definition import IdentityRules
from cdp_toolkit.identity.links import link_records

# The key of a value is a hash of its namespace and the value.
_VALUE = "value_key"


def find_affected(
    now: Frame,
    before: Frame,
    clusters: Frame,
    ids: Frame,
    records: Frame,
    *,
    rules: IdentityRules,
    engine: Engine,
    changed: Frame | None = None,
) -> Frame:
    """Find the records whose profiles may have changed.

    Parameters
    ----------
    now, before
        Identities of one entity, one row per record and identity, as they are and as the last run read them.
    clusters, ids
        What the last run made of them, as ``identity/clusters`` and ``identity/<entity>_ids``, of this entity.
    records
        One row per record as it is: ``record_key``, ``is_deleted``.
    rules
        Which identities link nobody; the same as in the last run.
    engine
        Keeps the changed rows.
    changed
        ``record_key`` of the records that are new, differ or are gone, where that is known; found by comparing by default.

    Returns
    -------
    Frame
        ``record_key``, each once: changed, new and vanished records, and all of their clusters.
    """
    if changed is None:
        found = nw.concat([_changed(now, before), _flipped(records, ids)]).unique("record_key")
        changed = engine.materialise(found)
    values = nw.concat([_values(frame, changed, rules, engine) for frame in (now, before)])
    values = engine.materialise(values.unique(_VALUE))
    carriers = [engine.materialise(engine.among(frame, _VALUE, values)) for frame in (now, before)]
    is_idle = _idle(carriers[0], carriers[1], rules, engine)
    reached = [frame.join(is_idle, on=_VALUE, how="anti").select("record_key") for frame in carriers]
    touched = engine.materialise(nw.concat([*reached, changed]).unique("record_key"))
    numbers = engine.materialise(engine.among(clusters, "record_key", touched).select("cluster").unique())
    members = engine.among(clusters, "cluster", numbers).select("record_key")
    return engine.materialise(nw.concat([members, touched]).unique("record_key"))


def splice(table: Frame, rows: Frame, affected: Frame, on: str = "record_key") -> Frame:
    """Put the new rows of the affected records in the place of the old.

    Parameters
    ----------
    table
        Rows of all records, as the last run wrote them.
    rows
        New rows of the affected ones.
    affected
        The column ``on`` of those whose rows are replaced.
    on
        What tells whose a row is.

    Returns
    -------
    Frame
        Rows of all records, with the columns that both have.
    """
    known = {*table.collect_schema().names()}
    names = [name for name in rows.collect_schema().names() if name in known]
    kept = table.select(names).join(affected.select(on).unique(), on=on, how="anti")
    return nw.concat([kept, rows.select(names)])


def _changed(now: Frame, before: Frame) -> Frame:
    row = ["record_key", _VALUE, "seen_at"]
    sides = [one.join(other.select(row), on=row, how="anti") for one, other in ((now, before), (before, now))]
    return nw.concat([side.select("record_key") for side in sides])


def _flipped(records: Frame, ids: Frame) -> Frame:
    """Return the records that were deleted or came back, whatever identities they have."""
    # who is deleted with their whole cluster has no id
    known = ids.select("record_key", was_deleted="is_deleted")
    both = records.join(known, on="record_key", how="left").filter(
        nw.col("is_deleted") != nw.col("was_deleted").fill_null(value=True)
    )
    return both.select("record_key")


def _values(identities: Frame, changed: Frame, rules: IdentityRules, engine: Engine) -> Frame:
    """Return the values that may tie a changed record to others; what only is to be unique counts within its cluster."""
    silent = [name for name, rule in rules.namespaces.items() if not rule.links]
    linking = identities.filter(~nw.col("namespace").is_in(silent))
    return engine.among(linking, "record_key", changed).select(_VALUE)


def _idle(now: Frame, before: Frame, rules: IdentityRules, engine: Engine) -> Frame:
    """Return the values that are refused as they were, each with one reason for all who carry it."""
    reasons = [_reasons(frame, rules, engine) for frame in (now, before)]
    return reasons[0].join(reasons[1], on=[_VALUE, "reason"], how="semi").select(_VALUE)


def _reasons(carriers: Frame, rules: IdentityRules, engine: Engine) -> Frame:
    refused = link_records(carriers, rules, engine).refused
    return refused.group_by(_VALUE).agg(reason=nw.col("reason").min())

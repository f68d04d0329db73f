"""The step of a stitch that gives events to people: only the new ones, and those whose owner may be another one now."""

import narwhals as nw

from cdp_toolkit.engines import Frame
from cdp_toolkit.entities.latest import rows_of
from cdp_toolkit.lake import Lake, OpenRun
from cdp_toolkit.pipeline.people import People
from cdp_toolkit.profiles.build import events_of
from cdp_toolkit.profiles.relations import REFERENCES, identities_of_events

_EVENTS, _PROFILES = "entities/event", "profiles/event"
_MOST_MOVED = 10_000  # of more events, making the table anew is as quick as taking each out

_MOST_BEHIND = 0.3  # so a lake is written anew each time that it has grown by this share


def grow_events(run: OpenRun, lake: Lake, people: People, *, is_in_order: bool) -> bool:
    """Write new events after those of ``profiles/event``, and give those to others that belong to others now.

    Parameters
    ----------
    run
        The stitch that is on.
    lake
        Its model and engine.
    people
        Knows which identities mean another profile.
    is_in_order
        Whether most of the table must lie in the order of people, so that the events of a few are found without a scan.

    Returns
    -------
    bool
        False if the table is to be made anew: it was not there, events are gone or changed, too many change hands, or
        too many lie behind those in order.
    """
    then = run.version_before(_EVENTS)
    grown = None if then is None or not run.exists(_PROFILES) else run.grown(_EVENTS, then)
    if grown is None:
        return False
    new, count = grown
    if is_in_order and run.rows_behind(_PROFILES) + count > _MOST_BEHIND * run.rows(_PROFILES):
        return False
    moved = _moved(run, lake, people.moved)
    keys = [] if moved is None else lake.engine.collect(moved)["source_key"].to_pylist()
    if len(keys) > _MOST_MOVED:
        return False
    rows = [new] if count else []
    if keys and moved is not None:
        run.remove(_PROFILES, "source_key", keys)
        rows.append(run.scan(_EVENTS).join(moved, on="source_key", how="semi").select(new.collect_schema().names()))
    if rows:
        told = nw.concat(rows)
        run.append(
            _PROFILES, events_of(lambda name: told if name == _EVENTS else run.scan(name), lake.model, lake.engine)
        )
    return True


def _moved(run: OpenRun, lake: Lake, mapped: Frame | None) -> Frame | None:
    """Return the ``source_key`` of the known events that belong to somebody else now, or name something else, if any."""
    engine = lake.engine
    if mapped is None or not rows_of(mapped, engine):
        return None
    entity, known = lake.model.entity("event"), run.scan(_PROFILES)
    keys = engine.materialise(mapped.select("value_key").unique())
    namespaces = engine.collect(mapped.select("namespace").unique())["namespace"].to_pylist()
    carried = identities_of_events(known, entity, engine, namespaces)
    found = [engine.materialise(engine.among(rows, "value_key", keys).select("source_key")) for rows in carried]
    if not found:
        return None
    asked = engine.materialise(nw.concat(found).unique())
    few = engine.among(run.scan(_EVENTS), "source_key", asked)
    now = events_of(lambda name: few if name == _EVENTS else run.scan(name), lake.model, engine)
    ids = [name for name in ("profile_id", *REFERENCES.values()) if name in now.collect_schema().names()]
    # an id is no negative number
    was, now = (
        rows.select("source_key", *(nw.col(name).fill_null(-1) for name in ids))
        for rows in (engine.among(known, "source_key", asked), now)
    )
    return engine.materialise(now.join(was, on=["source_key", *ids], how="anti").select("source_key"))

"""The step of a stitch that says which records are one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.engines.ahead import Ahead
from cdp_toolkit.entities.latest import rows_of
from cdp_toolkit.identity import IdentityRules
from cdp_toolkit.identity.evidence import derive_identities
from cdp_toolkit.identity.incremental import Came, find_changes
from cdp_toolkit.identity.judgements import Judgement, judged_identities
from cdp_toolkit.identity.past import Past
from cdp_toolkit.identity.places import PLACED_BY, at_the_same_places
from cdp_toolkit.identity.proposals import decide, probable_identities, propose
from cdp_toolkit.identity.stitch import Evidence, Stitcher
from cdp_toolkit.identity.values import Values, add_spellings, settle_values
from cdp_toolkit.lake import Lake, OpenRun
from cdp_toolkit.lake.tables import TABLES
from cdp_toolkit.pipeline.changed import changed_records
from cdp_toolkit.pipeline.kept import EVIDENCE, HeldShelf, LakeShelf, Told, past_of, write_held
from cdp_toolkit.profiles.build import PROFILES

IDENTIFIED_BY = ("entities/identities", *(f"entities/{entity}" for entity in PROFILES))
"""Tables that decide which records are one."""

_FEW = 300_000  # records that are no people's: their tables are held in memory while those of people are made
_MOST_CHANGED = 0.3  # above this share of the records, looking at all of them is as quick as looking for what changed


def stitch_identities(
    run: OpenRun, lake: Lake, rules: IdentityRules, judgements: Sequence[Judgement], as_of: datetime
) -> None:
    """Write ``identity/`` from what the records say and from what the last run wrote.

    Parameters
    ----------
    run
        The stitch that is on.
    lake
        Shows the tables as they were before it.
    rules
        Which identities link records.
    judgements
        What people decided about records.
    as_of
        Time of the run, in UTC.
    """
    engine, past = lake.engine, {entity: past_of(lake, entity) for entity in PROFILES}
    stitcher = Stitcher(rules, engine, as_of)
    if _update_few(run, lake, stitcher, judgements, past):
        return
    values = _settle_values(run, lake, rules, judgements)
    run.replace("identity/spellings", values.spellings)
    # worked out once and read several times: what differs from the last run is a part of it
    with engine.set_aside(values.judged) as judged:
        proposals = [_propose(run, engine, rules, entity, judged) for entity in rules.probable]
        evidence = nw.concat([judged, *(found.sure for found in proposals)])
        step = _Step(run, lake, stitcher, past, evidence)
        changed = _changed(step)
        if changed is None:
            _stitch(step)
        else:
            _update(step, changed)
    _add_spellings(run, lake, is_whole=changed is None)
    if proposals or run.exists("identity/proposals"):
        told = [
            decide(found.pairs, run.scan(f"identity/{entity}_ids"))
            for entity, found in zip(rules.probable, proposals, strict=True)
        ]
        run.replace("identity/proposals", nw.concat(told) if told else run.scan("identity/proposals").head(0))


def _update_few(
    run: OpenRun, lake: Lake, stitcher: Stitcher, judgements: Sequence[Judgement], past: Mapping[str, Past | None]
) -> bool:
    """Ask only the records that may say something else; return whether that is known, and all that there is to ask."""
    if not all(each is not None and each.said for each in past.values()) or lake.rows("identity/spellings"):
        return False
    engine, asked = lake.engine, _asked(run, lake, stitcher.rules)
    if asked is None:
        return False
    values = _settle_values(run, lake, stitcher.rules, judgements, asked)
    if rows_of(values.spellings, engine):  # which of them others have too, these do not say
        return False
    own = ["entity", "record_key"]  # records of two entities may have one key
    told = engine.materialise(values.judged.join(asked.select(*own), on=own, how="semi"))
    step = _Step(run, lake, stitcher, past, told)
    _update(step, _changed_of(step, asked))
    return True


def _asked(run: OpenRun, lake: Lake, rules: IdentityRules) -> Frame | None:
    """Return the ``entity``, ``source_key`` and ``record_key`` of all records that may say something else; None if unknown.

    No record says by itself with whom it is probably one.
    """
    engine, changed, before = lake.engine, changed_records(run, lake.engine), run.before()
    if changed is None or before is None or rules.probable:
        return None
    people = engine.materialise(changed.filter(nw.col("entity") == "person").select("source_key"))
    then, now = (scan("entities/person").select(*PLACED_BY) for scan in (before, run.scan))
    told = nw.concat([engine.among(frame, "source_key", people) for frame in (then, now)])
    mates = at_the_same_places(now, engine.materialise(told), rules, engine)
    asked = nw.concat([changed, mates.select(entity=nw.lit("person"), source_key="source_key")])
    asked = asked.unique(["entity", "source_key"]).filter(nw.col("entity").is_in(PROFILES))
    return engine.materialise(engine.key64(asked, {"record_key": "source_key"}))


class _Proposed(NamedTuple):
    """Pairs that are probably one, and the identities by which those are linked that are sure enough."""

    pairs: Frame
    sure: Frame


class _Step(NamedTuple):
    """What the two ways to stitch need."""

    run: OpenRun
    lake: Lake
    stitcher: Stitcher
    past: Mapping[str, Past | None]
    evidence: Frame


def _stitch(step: _Step) -> None:
    """Look at all records."""
    run, engine, namespaces = step.run, step.lake.engine, tuple(step.lake.model.namespaces)
    first, *others = PROFILES

    def stitch(shelf: LakeShelf | HeldShelf, told: Frame) -> None:
        now = Evidence(_said(told, shelf.entity), run.scan(f"entities/{shelf.entity}"), namespaces)
        step.stitcher.stitch(shelf.entity, now, step.past[shelf.entity], shelf)

    if engine.is_concurrent and sum(run.rows(f"entities/{entity}") for entity in others) <= _FEW:
        shelves = [HeldShelf(engine, entity) for entity in others]
        with Ahead(engine, threads=1) as ahead:
            written = ahead.begin(partial(run.replace, EVIDENCE, step.evidence))
            stitched = [ahead.begin(partial(stitch, shelf, step.evidence)) for shelf in shelves]
            stitch(LakeShelf(run, first), step.evidence)
            told = written()
            for done in stitched:
                done()
        write_held(run, shelves)
    else:
        told = run.replace(EVIDENCE, step.evidence)
        for entity in PROFILES:
            stitch(LakeShelf(run, entity), told)
    refused = told.filter(~nw.col("reason").is_null()).with_columns(kind=nw.lit("value"))
    run.append("identity/refused_links", refused.select(*TABLES["identity/refused_links"].columns))


def _update(step: _Step, changed: Mapping[str, Frame]) -> None:
    """Look at the records that a change can reach."""
    run, engine, looked_at = step.run, step.lake.engine, 0
    for entity, keys in changed.items():
        past = step.past[entity]
        if past is None or not rows_of(keys, engine):
            continue
        own = step.evidence.filter(nw.col("entity") == entity)
        told = engine.materialise(engine.among(own, "record_key", keys))
        run.change(EVIDENCE, told, keys.with_columns(entity=nw.lit(entity)))
        records = engine.among(_keyed(run.scan(f"entities/{entity}"), engine), "record_key", keys)
        came = Came(keys, told.filter(nw.col("reason").is_null()), engine.materialise(records))
        namespaces = tuple(step.lake.model.namespaces)
        shelf = LakeShelf(run, entity, Told(keys, told))
        looked_at += step.stitcher.update(entity, came, past, namespaces, shelf)
    run.notes.append(f"{looked_at} records were linked anew; all others are as they were.")


def _changed(step: _Step) -> dict[str, Frame] | None:
    """Return the keys of the records that differ from the last run, by entity; None if all are to be looked at."""
    run, lake, engine = step.run, step.lake, step.lake.engine
    if run.read_before() is None or not all(each is not None and each.said for each in step.past.values()):
        return None
    found = {}
    for entity in PROFILES:
        before, now = (frame.filter(nw.col("entity") == entity) for frame in (lake.scan(EVIDENCE), step.evidence))
        records, ids = _keyed(run.scan(f"entities/{entity}"), engine), lake.scan(f"identity/{entity}_ids")
        found[entity] = find_changes(before, now, records, ids, engine)
    count = sum(rows_of(keys, engine) for keys in found.values())
    return found if count <= _MOST_CHANGED * sum(run.rows(f"entities/{entity}") for entity in PROFILES) else None


def _changed_of(step: _Step, asked: Frame) -> dict[str, Frame]:
    """Return the keys of the records that differ from the last run among those that may."""
    lake, engine, found = step.lake, step.lake.engine, {}
    for entity in PROFILES:
        is_own = nw.col("entity") == entity
        keys = engine.materialise(asked.filter(is_own).select("source_key", "record_key"))
        if rows_of(keys, engine):
            records = _keyed(engine.among(step.run.scan(f"entities/{entity}"), "source_key", keys), engine)
            before, ids = lake.find(EVIDENCE, keys).filter(is_own), lake.find(f"identity/{entity}_ids", keys)
            found[entity] = find_changes(before, step.evidence.filter(is_own), records, ids, engine)
    return found


def _keyed(records: Frame, engine: Engine) -> Frame:
    return engine.key64(records.select("source_key", "is_deleted"), {"record_key": "source_key"})


def _said(evidence: Frame, entity: str) -> Frame:
    return evidence.filter(nw.col("reason").is_null(), nw.col("entity") == entity)


def _add_spellings(run: OpenRun, lake: Lake, *, is_whole: bool) -> None:
    """Let identities be found as records wrote them; where any did, the table is written anew."""
    name, spellings = "identity/identities", "identity/spellings"
    mapped, was_spelt = run.scan(name), not is_whole and lake.rows(spellings)
    if was_spelt:
        mapped = mapped.join(lake.scan(spellings), on=["entity", "namespace", "value_key"], how="anti")
    if was_spelt or run.rows(spellings):
        run.replace(name, add_spellings(mapped, run.scan(spellings)))


def _propose(run: OpenRun, engine: Engine, rules: IdentityRules, entity: str, judged: Frame) -> _Proposed:
    """Propose profiles that are probably one, and let those that are sure enough be linked."""
    found = propose(entity, _said(judged, entity), run.scan(f"entities/{entity}"), rules, engine)
    pairs = engine.materialise(found)
    sure = probable_identities(pairs, rules.probable[entity], engine).with_columns(reason=nw.lit(None, nw.String))
    return _Proposed(pairs, engine.materialise(sure.select(*judged.collect_schema().names())))


def _settle_values(
    run: OpenRun, lake: Lake, rules: IdentityRules, judgements: Sequence[Judgement], asked: Frame | None = None
) -> Values:
    """Return what all records say, or those that are asked."""
    stated, people, accounts = (run.scan(f"entities/{name}") for name in ("identities", "person", "account"))
    records = _records(run)
    if asked is not None:
        stated, people, accounts, records = (
            lake.engine.among(frame, "source_key", asked) for frame in (stated, people, accounts, records)
        )
    derived = derive_identities(people, accounts, rules, lake.engine)
    countries = nw.concat([
        people.select("source_key", "country"), accounts.select("source_key", country="billing_country")
    ])  # fmt: skip
    judged = judged_identities(judgements, records, lake.engine)
    columns = stated.collect_schema().names()
    carried = nw.concat([stated, derived.select(columns), judged.select(columns)])
    # Values of some namespaces are written anew and others not: the engine would hold what both are worked out of.
    return settle_values(run.set_aside(carried), countries, rules, lake.engine)


def _records(run: OpenRun) -> Frame:
    """Return every record that can be stitched, as ``entity`` and ``source_key``."""
    return nw.concat(
        run.scan(f"entities/{entity}").select("source_key", entity=nw.lit(entity)) for entity in PROFILES
    )  # fmt: skip

"""The line: for each verb versions in, room functions, versions out."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial

import narwhals as nw

from cdp_toolkit.destinations.deliver import deliver
from cdp_toolkit.destinations.destination import Connection
from cdp_toolkit.destinations.plan import Plan
from cdp_toolkit.engines import Frame
from cdp_toolkit.entities.build import build_entities
from cdp_toolkit.entities.identities import record_identities
from cdp_toolkit.entities.landed import LandedSource
from cdp_toolkit.errors import UnknownNameError
from cdp_toolkit.identity import IdentityRules
from cdp_toolkit.identity.evidence import derive_identities
from cdp_toolkit.identity.judgements import Judgement, judged_identities
from cdp_toolkit.identity.matching import MATCHED_FROM, match_accounts
from cdp_toolkit.identity.proposals import decide, probable_identities, propose
from cdp_toolkit.identity.stitch import Evidence, Past, Stitcher
from cdp_toolkit.identity.values import Values, add_spellings, settle_values
from cdp_toolkit.lake import Lake, OpenRun, Run
from cdp_toolkit.lake.tables import TABLES
from cdp_toolkit.profiles.build import PROFILES, build_profiles, table_of
from cdp_toolkit.profiles.definition import DEFAULT
from cdp_toolkit.profiles.policies import Policy
from cdp_toolkit.segments.computed import Computed, changes, compute, with_values
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.step import Found, Step
from cdp_toolkit.sources.land import land
from cdp_toolkit.sources.source import Source

IDENTITY_TABLES = ("links", "refused_links", "clusters", "identities", "aliases")


def digest(*definitions: object) -> str:
    """Return a digest of definitions, by which a change of them is noticed.

    Parameters
    ----------
    *definitions
        Anything that JSON can hold.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    text = json.dumps(definitions, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def load(lake: Lake, sources: Mapping[str, tuple[LandedSource, Source]], *, only: Sequence[str]) -> Run:
    """Read what is new in the sources and make records of it.

    Parameters
    ----------
    lake
        Writes ``landing/`` and ``entities/``.
    sources
        All sources of the workspace by name: what they are, and the way to read them.
    only
        Names of those to read now; records are made of what all have delivered.

    Returns
    -------
    Run
        Counts of rows landed, records and rejected values; ``details`` has the records of each entity.
    """
    mappings = [about.mapping.model_dump() for about, _ in sources.values()]
    with lake.run("load", definitions=digest(_recorded(lake), mappings)) as run:
        run.next_step = "Find out who is who: `stitch`."
        run.counts["rows landed"] = 0
        for name in only:
            about, source = sources[name]
            landed = land(name, source, lake, check=about.mapping.check_columns)
            run.counts["rows landed"] += landed.rows
            run.problems += [f"{error.where}: {error.message}" for error in landed.refused]
            run.notes += landed.notes
        delivered = [replace(about, objects=tuple(lake.objects(name))) for name, (about, _) in sources.items()]
        if run.is_repeat(*(f"landing/{each.name}/{name}" for each in delivered for name in each.objects)):
            run.nothing_to_do()
        else:
            _make_records(run, lake, delivered)
        sizes = {entity: run.rows(f"entities/{entity}") for entity in lake.model.recorded}
        run.counts |= {"records": sum(sizes.values()), "rejected values": run.rows("entities/_rejected")}
        run.details["records"] = sizes
    return _result(run)


def _recorded(lake: Lake) -> dict[str, list[dict[str, object]]]:
    """Return what the model says of records; what it says of profiles only does not decide how records are made."""
    entities = lake.model.recorded.items()
    return {name: [field.model_dump() for field in entity.recorded.values()] for name, entity in entities}


def _make_records(run: OpenRun, lake: Lake, sources: Sequence[LandedSource]) -> None:
    built = build_entities(sources, run.scan, lake.model, lake.engine)
    # Identities are taken from the tables just written: the landed text is read and typed once.
    records = {entity: run.replace(f"entities/{entity}", rows) for entity, rows in built.entities.items()}
    run.replace("entities/identities", record_identities(records, built.merges, lake.model, lake.engine))
    run.replace("entities/_rejected", built.rejected)
    for name, columns in built.unknown_columns.items():
        run.notes.append(f"{name} has columns that nothing reads: {', '.join(columns)}. They stay in landing.")


def stitch(
    lake: Lake,
    rules: IdentityRules,
    *,
    as_of: datetime,
    policies: Sequence[Policy] = (Policy(),),
    judgements: Sequence[Judgement] = (),
    computed: Computed | None = None,
) -> Run:
    """Find out which records are one, and make their profiles.

    Parameters
    ----------
    lake
        Reads ``entities/``, writes ``identity/`` and ``profiles/``.
    rules
        Which identities link records.
    as_of
        Time of the run, in UTC.
    policies
        Merge policies, the default one first: each gives profiles of its own.
    judgements
        What people decided about records.
    computed
        Computed attributes, which are columns of ``lake.model``; they are worked out anew even where no record changed,
        if they look at the time.

    Returns
    -------
    Run
        Counts of people, accounts, opportunities, events and refused links.
    """
    read = ["entities/identities", *(f"entities/{entity}" for entity in lake.model.recorded)]
    definitions = digest(
        rules.model_dump(),
        lake.model.model_dump(),
        [asdict(policy) for policy in policies],
        [judgement.model_dump() for judgement in judgements],
    )
    with lake.run("stitch", definitions=definitions) as run:
        run.next_step = "Evaluate the audiences: `evaluate`."
        if run.is_repeat(*read):
            if not (computed and computed.is_timed and _compute(run, lake, computed, policies, as_of)):
                run.nothing_to_do()
        else:
            _stitch_identities(run, lake, rules, judgements, as_of)
            _match_accounts(run, lake, rules, as_of)
            for name, frame in build_profiles(run.scan, lake.model, policies, lake.engine):
                run.replace(f"profiles/{name}", frame)
            _note_accounts(run)
            if computed:
                _compute(run, lake, computed, policies, as_of)
        _count_profiles(run)
    return _result(run)


def _stitch_identities(
    run: OpenRun, lake: Lake, rules: IdentityRules, judgements: Sequence[Judgement], as_of: datetime
) -> None:
    before = run.before()
    values = _settle_values(run, lake, rules, judgements)
    values = values._replace(judged=run.replace("identity/evidence", values.judged))
    run.replace("identity/spellings", values.spellings)
    proposals = [_propose(run, lake, rules, entity) for entity in rules.probable]
    stitcher = Stitcher(rules, lake.engine, as_of)
    looked_at = {
        entity: stitcher.stitch(
            entity,
            _evidence(run.scan, lake, entity, run.scan),
            _past(lake, entity, before),
            partial(_keep, run, entity),
        )
        for entity in PROFILES
    }
    run.append("identity/refused_links", values.refused.with_columns(kind=nw.lit("value")))
    if run.rows("identity/spellings"):
        spelt = add_spellings(run.scan("identity/identities"), run.scan("identity/spellings"))
        run.replace("identity/identities", spelt)
    if proposals or run.exists("identity/proposals"):
        told = [
            decide(found, run.scan(f"identity/{entity}_ids"))
            for entity, found in zip(rules.probable, proposals, strict=True)
        ]
        run.replace("identity/proposals", nw.concat(told) if told else run.scan("identity/proposals").head(0))
    again = [rows for rows in looked_at.values() if rows is not None]
    if len(again) == len(looked_at):
        run.notes.append(f"{sum(again)} records were linked anew; all others are as they were.")


def _propose(run: OpenRun, lake: Lake, rules: IdentityRules, entity: str) -> Frame:
    """Propose profiles that are probably one, and let those that are sure enough be linked."""
    own = run.scan("identity/evidence").filter(nw.col("reason").is_null(), nw.col("entity") == entity)
    found = lake.engine.materialise(propose(entity, own, run.scan(f"entities/{entity}"), rules, lake.engine))
    sure = probable_identities(found, rules.probable[entity], lake.engine)
    judged = sure.with_columns(reason=nw.lit(None, nw.String))
    run.append("identity/evidence", judged.select(*TABLES["identity/evidence"].columns))
    return found


def _settle_values(run: OpenRun, lake: Lake, rules: IdentityRules, judgements: Sequence[Judgement]) -> Values:
    stated = run.scan("entities/identities")
    people, accounts = run.scan("entities/person"), run.scan("entities/account")
    derived = derive_identities(people, accounts, rules, lake.engine)
    countries = nw.concat([
        people.select("source_key", "country"), accounts.select("source_key", country="billing_country")
    ])  # fmt: skip
    judged = judged_identities(judgements, _records(run), lake.engine)
    columns = stated.collect_schema().names()
    carried = nw.concat([stated, derived.select(columns), judged.select(columns)])
    return settle_values(carried, countries, rules, lake.engine)


def _records(run: OpenRun) -> Frame:
    """Return every record that can be stitched, as ``entity`` and ``source_key``."""
    return nw.concat(
        run.scan(f"entities/{entity}").select("source_key", entity=nw.lit(entity)) for entity in PROFILES
    )  # fmt: skip


def _evidence(scan: Callable[[str], Frame], lake: Lake, entity: str, evidence: Callable[[str], Frame]) -> Evidence:
    records = scan(f"entities/{entity}").select("source_key", "is_deleted")
    identities = evidence("identity/evidence").filter(nw.col("reason").is_null(), nw.col("entity") == entity)
    return Evidence(identities, records, tuple(lake.model.namespaces))


def _past(lake: Lake, entity: str, before: Callable[[str], Frame] | None) -> Past | None:
    """Return what the last run read and wrote, as the lake still shows it while this one writes."""
    if not lake.exists("identity/clusters"):
        return None
    tables = {name: lake.scan(f"identity/{name}").filter(nw.col("entity") == entity) for name in IDENTITY_TABLES}
    tables["ids"] = lake.scan(f"identity/{entity}_ids")
    tables["refused_links"] = tables["refused_links"].filter(nw.col("kind") == "link")
    spelt = lake.scan("identity/spellings")
    tables["identities"] = tables["identities"].join(spelt, on=["entity", "namespace", "value_key"], how="anti")
    return Past(tables, None if before is None else _evidence(before, lake, entity, lake.scan))


def _keep(run: OpenRun, entity: str, name: str, rows: Frame) -> Frame:
    if name == "ids":
        return run.replace(f"identity/{entity}_ids", rows)
    table = f"identity/{name}"
    is_first = entity == PROFILES[0] and name != "history"
    rows = rows.with_columns(entity=nw.lit(entity)).select(*TABLES[table].columns)
    whole = run.replace(table, rows) if is_first else run.append(table, rows)
    return whole.filter(nw.col("entity") == entity)


def _match_accounts(run: OpenRun, lake: Lake, rules: IdentityRules, as_of: datetime) -> None:
    name = "identity/account_matches"
    tables = {table: run.scan(table) for table in MATCHED_FROM}
    previous = run.scan(name) if run.exists(name) else None
    run.replace(name, match_accounts(tables, previous, rules, lake.engine, as_of=as_of))


def _note_accounts(run: OpenRun) -> None:
    if cycles := run.rows("profiles/account_cycle"):
        run.notes.append(
            f"{cycles} accounts are their own ancestors by the parents that sources name. They, and all below them, have "
            "no ultimate parent: see profiles/account_cycle."
        )
    if groups := run.rows("profiles/large_account_group"):
        run.notes.append(
            f"{groups} domains, names or parents are shared by too many accounts to relate them all: see "
            "profiles/large_account_group."
        )


def _compute(run: OpenRun, lake: Lake, computed: Computed, policies: Sequence[Policy], as_of: datetime) -> bool:
    """Work out the computed attributes and return whether any of them changed."""
    is_changed = False
    for policy in (policy.name for policy in policies):
        for names in computed.levels:
            scan = partial(_scan_profiles, run, policy)
            for entity, found in compute(computed, names, scan, lake.engine, as_of=as_of):
                table, values = f"profiles/{table_of(entity, policy)}", lake.engine.load(found)
                if changes(run.scan(table), values, lake.engine):
                    run.replace(table, with_values(run.scan(table), values))
                    is_changed = True
    return is_changed


def _count_profiles(run: OpenRun) -> None:
    counted = {
        "people": "profiles/person",
        "accounts": "profiles/account",
        "opportunities": "profiles/opportunity",
        "events": "profiles/event",
        "links": "identity/links",
        "links refused": "identity/refused_links",
    }
    run.counts |= {what: run.rows(table) for what, table in counted.items()}


def evaluate(
    lake: Lake,
    segments: Sequence[Segment],
    *,
    as_of: datetime,
    timezone: str,
    only: Sequence[str] | None = None,
    policies: Sequence[str] = (DEFAULT,),
) -> Run:
    """Find out who is in which audience, and who entered or left.

    Parameters
    ----------
    lake
        Reads ``profiles/``, writes ``segments/``.
    segments
        All segments of the workspace.
    as_of
        What ``now`` means, in UTC.
    timezone
        Where days begin.
    only
        Names of the segments to evaluate; all active ones by default.
    policies
        Names of the merge policies that there are.

    Returns
    -------
    Run
        Counts of segments, members, entered and left; ``details`` has the size of each audience.
    """
    definitions = digest([segment.model_dump() for segment in segments], timezone, lake.model.model_dump())
    with lake.run("evaluate", definitions=definitions) as run:
        run.next_step = "See what would be sent: `activate --dry-run`."
        last = lake.log.last("evaluate")
        is_same = last is not None and last["definitions"] == definitions
        numbering = lake.numbering()
        step = Step(run, segments, lake.model, lake.engine, numbering, as_of, timezone, last if is_same else None)
        active = {segment.name for segment in segments if segment.status == "active"}
        found = _by_policy(step, [each for each in segments if each.name in active & set(only or active)], policies)
        run.problems += [f"{name}: {problem}" for name, problem in found.failed.items()]
        # A segment that is no more, or no longer active, has no members: they leave it now.
        gone = {*_sizes(run, lake)} - active
        changed = step.keep([*found.moved, *step.moves.of_ended(gone)]) if found.methods else {}
        sizes = _sizes(run, lake)
        run.counts |= {"segments": len(found.methods), "members": sum(sizes.values()), "entered": 0, "exited": 0}
        run.counts |= changed
        run.details["audiences"] = {name: sizes.get(name, 0) for name in sorted({*sizes, *found.methods})}
        run.details["methods"] = {name: f"{method}: {reason}" for name, (method, reason) in found.methods.items()}
        run.details["evaluation"] = {"as_of": as_of.isoformat(), **found.looked_at}
        if not changed:
            run.nothing_to_do()
    return _result(run)


def _scan_profiles(run: OpenRun, policy: str, name: str) -> Frame:
    return run.scan(_table_of(policy, name))


def _table_of(policy: str, name: str) -> str:
    return name if "/" in name else f"profiles/{table_of(name, policy)}"


def _by_policy(step: Step, segments: Sequence[Segment], policies: Sequence[str]) -> Found:
    """Return who moved, of each segment among the profiles of its merge policy."""
    found = Found()
    for policy in dict.fromkeys(segment.merge_policy or DEFAULT for segment in segments):
        names = [segment.name for segment in segments if (segment.merge_policy or DEFAULT) == policy]
        if policy in policies:
            found += step.evaluate(names, partial(_table_of, policy))
        else:
            problem = UnknownNameError("merge policy", policy, policies)
            found += Found(failed=dict.fromkeys(names, problem.message))
    return found


def _sizes(run: OpenRun, lake: Lake) -> dict[str, int]:
    if not run.exists("segments/membership"):
        return {}
    realized = run.packed("segments/membership", only={"status": ["realized"]})
    counted = lake.engine.collect(realized.group_by("segment").agg(size=nw.col("profiles").sum()))
    return {row["segment"]: int(row["size"]) for row in counted.to_pylist()}


def activate(
    lake: Lake, connections: Mapping[str, Connection], plan: Callable[[str, OpenRun], Plan], *, at: datetime
) -> Run:
    """Tell destinations what changed.

    Parameters
    ----------
    lake
        Reads ``segments/`` and ``profiles/``, writes ``activation/``.
    connections
        The way to each destination, by name.
    plan
        Makes or takes the plan of a destination, from the tables of this run.
    at
        Time of the delivery, in UTC.

    Returns
    -------
    Run
        Counts over all destinations; ``details`` has those of each.
    """
    with lake.run("activate") as run:
        for name, connection in connections.items():
            _deliver(run, lake, name, connection, plan(name, run), at=at)
        for counts in run.details.values():
            for what, number in counts.items():
                run.counts[what] = run.counts.get(what, 0) + number
        if not any(run.counts.values()):
            run.nothing_to_do()
    return _result(run)


def _deliver(run: OpenRun, lake: Lake, name: str, connection: Connection, plan: Plan, *, at: datetime) -> None:
    if plan.is_empty:
        run.details[name] = dict.fromkeys(("added", "updated", "removed", "refused", "failed"), 0)
        return
    ledger = run.scan("activation/ledger") if run.exists("activation/ledger") else None
    done = deliver(plan, connection, ledger, engine=lake.engine, sent_at=at)
    run.problems += [f"{name}: {error.message}" for error in done.failed]
    run.details[name] = done.counts
    run.replace("activation/ledger", done.ledger)
    run.append("activation/deliveries", lake.engine.load(done.deliveries))


def _result(run: OpenRun) -> Run:
    assert run.result is not None  # noqa: S101 - a run that ended without an error has its result
    return run.result

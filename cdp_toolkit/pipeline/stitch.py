"""Stitch: which records are one, and the profiles that they make."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Literal

from cdp_toolkit.engines import Frame
from cdp_toolkit.identity import IdentityRules
from cdp_toolkit.identity.judgements import Judgement
from cdp_toolkit.identity.matching import MATCHED_FROM, match_accounts
from cdp_toolkit.lake import Lake, OpenRun, Run
from cdp_toolkit.pipeline.changed import CHANGES
from cdp_toolkit.pipeline.digests import digest
from cdp_toolkit.pipeline.identities import IDENTIFIED_BY, stitch_identities
from cdp_toolkit.pipeline.making import MATCHES, Making, make_profiles
from cdp_toolkit.pipeline.people import People, among_people, renew
from cdp_toolkit.profiles.build import Scan, address, build_profiles, table_of
from cdp_toolkit.profiles.policies import Policy
from cdp_toolkit.segments.computed import Computed, changes, compute, with_values

Pace = Literal["whole", "round", "brief"]
"""How much of a stitch is done now."""

_COMPUTED = "computed"


def stitch(
    lake: Lake,
    rules: IdentityRules,
    *,
    as_of: datetime,
    policies: Sequence[Policy] = (Policy(),),
    judgements: Sequence[Judgement] = (),
    computed: Computed | None = None,
    pace: Pace = "whole",
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
    pace
        ``whole`` does all there is to do. A ``round`` leaves new events behind those that lie in order. A ``brief`` one
        also leaves what is added up from events alone, such as the last engagement of an account and computed
        attributes, to the next that is not.

    Returns
    -------
    Run
        Counts of people, accounts, opportunities, events and refused links.
    """
    read = [CHANGES, "entities/identities", *(f"entities/{entity}" for entity in lake.model.recorded)]
    definitions = digest(
        rules.model_dump(),
        lake.model.model_dump(),
        [asdict(policy) for policy in policies],
        [judgement.model_dump() for judgement in judgements],
    )
    with lake.run("stitch", definitions=definitions) as run:
        run.next_step = "Evaluate the audiences: `evaluate`."
        late, is_brief = run.left_over(), pace == "brief"
        if run.is_repeat(*read) and (is_brief or not late):
            run.leave(late)
            if is_brief or not (
                computed and computed.is_timed and _compute(run, lake, computed, policies, as_of, held={})
            ):
                run.nothing_to_do()
        else:
            if run.is_changed(*IDENTIFIED_BY):
                stitch_identities(run, lake, rules, judgements, as_of)
            people = People(run, lake, is_held=_has_computed(computed, "person"))
            make_profiles(
                Making(run, lake, people, definitions, is_brief=is_brief, is_in_order=pace == "whole", late=late),
                build_profiles(lake.model, policies, lake.engine),
                match=partial(_match_accounts, run, lake, rules, as_of, people),
            )
            _note_accounts(run)
            if computed and (people.held or not is_brief or run.has_written(*_computed_tables(policies))):
                _compute(run, lake, computed, policies, as_of, held=people.held)
            elif computed:
                run.leave({_COMPUTED})
        _count_profiles(run)
    return run.result


def _match_accounts(run: OpenRun, lake: Lake, rules: IdentityRules, as_of: datetime, people: People) -> None:
    if not run.is_changed(*MATCHED_FROM):
        return
    name, engine = MATCHES, lake.engine
    previous = run.scan(name) if run.exists(name) else None
    few = None if previous is None else people.without_accounts()
    scan = run.scan if few is None else among_people(run.scan, few, engine)
    found = match_accounts({table: scan(table) for table in MATCHED_FROM}, previous, rules, engine, as_of=as_of)
    if few is None or previous is None:
        run.replace(name, found)
    elif (laid := renew(previous, found, few, engine)) is not None:
        run.replace(name, laid)


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


def _compute(
    run: OpenRun, lake: Lake, computed: Computed, policies: Sequence[Policy], as_of: datetime, *, held: dict[str, Frame]
) -> bool:
    """Work out the computed attributes and return whether any of them changed.

    Rows that are ``held`` are written with those of them that are worked out first.
    """
    is_changed = False

    def scan(table: str) -> Frame:
        return held[table] if table in held else run.scan(table)

    for policy in (policy.name for policy in policies):
        for names in computed.levels:
            asked = partial(_scan, scan, policy)
            for entity, found in compute(computed, names, asked, lake.engine, as_of=as_of):
                table, values = f"profiles/{table_of(entity, policy)}", lake.engine.load(found)
                if table in held or changes(scan(table), values, lake.engine):
                    run.replace(table, with_values(scan(table), values, lake.engine))
                    held.pop(table, None)
                    is_changed = True
    return is_changed


def _has_computed(computed: Computed | None, entity: str) -> bool:
    return computed is not None and any(each.entity == entity for each in computed.attributes.values())


def _computed_tables(policies: Sequence[Policy]) -> list[str]:
    return [f"profiles/{table_of(entity, policy.name)}" for entity in ("person", "account") for policy in policies]


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


def _scan(scan: Scan, policy: str, name: str) -> Frame:
    return scan(address(name, policy))

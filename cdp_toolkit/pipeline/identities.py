"""The step of a stitch that says which records are one."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

import narwhals as nw

from cdp_toolkit.engines import Frame
from cdp_toolkit.identity import IdentityRules
from cdp_toolkit.identity.evidence import derive_identities
from cdp_toolkit.identity.judgements import Judgement, judged_identities
from cdp_toolkit.identity.proposals import decide, probable_identities, propose
from cdp_toolkit.identity.stitch import Evidence, Past, Stitcher
from cdp_toolkit.identity.values import Values, add_spellings, settle_values
from cdp_toolkit.lake import Lake, OpenRun
from cdp_toolkit.lake.tables import TABLES
from cdp_toolkit.profiles.build import PROFILES

IDENTIFIED_BY = ("entities/identities", *(f"entities/{entity}" for entity in PROFILES))
"""Tables that decide which records are one."""

IDENTITY_TABLES = ("links", "refused_links", "clusters", "identities", "aliases")


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

"""The step of a load that makes records: of what is new where that is little, else of all that has landed."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import narwhals as nw

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.entities.build import Built, build_entities
from cdp_toolkit.entities.identities import record_identities
from cdp_toolkit.entities.increment import lay_over
from cdp_toolkit.entities.landed import LandedSource
from cdp_toolkit.entities.latest import rows_of
from cdp_toolkit.lake import Lake, OpenRun
from cdp_toolkit.pipeline.changed import CHANGES

_MOST_NEW = 0.3  # above this share of what has landed, reading all of it is as quick
_FEW = 1_000_000  # so many rows are read alone whatever their share, so that a stream that begins is not read again and again
_KEPT = ("entities/merges", "entities/identities", "entities/_rejected", CHANGES)


def make_records(run: OpenRun, lake: Lake, sources: Sequence[LandedSource]) -> dict[str, list[str]]:
    """Write ``entities/``.

    Parameters
    ----------
    run
        The load that is on.
    lake
        Shows the tables as they were before it.
    sources
        Sources, with the objects that they have delivered.

    Returns
    -------
    dict
        Delivered columns that nothing reads, by ``source/object``.
    """
    new = _new_rows(run, sources)
    with ExitStack() as aside:
        built = build_entities(
            sources,
            run.scan,
            lake.model,
            lake.engine,
            new=None if new is None else new.get,
            keep=lambda rows: aside.enter_context(lake.engine.set_aside(rows)),
        )
        if new is None:
            _write_all(run, lake, built)
        else:
            _lay_over(run, lake, built)
    return built.unknown_columns


def _write_all(run: OpenRun, lake: Lake, built: Built) -> None:
    told = {f"entities/{entity}": rows for entity, rows in built.entities.items()}
    told |= {"entities/merges": built.merges, "entities/_rejected": built.rejected}
    if lake.engine.is_concurrent:
        with ThreadPoolExecutor(2) as writers:  # a table is written by one core
            written = dict(zip(told, writers.map(run.replace, told, told.values()), strict=True))
    else:
        written = {table: run.replace(table, rows) for table, rows in told.items()}
    # Identities are taken from the tables just written: the landed text is read and typed once.
    records = {entity: written[f"entities/{entity}"] for entity in built.entities}
    run.replace("entities/identities", record_identities(records, written["entities/merges"], lake.model, lake.engine))
    run.replace(CHANGES, records["event"].select("source_key", entity=nw.lit("event")).head(0))


def _lay_over(run: OpenRun, lake: Lake, built: Built) -> None:
    engine = lake.engine
    changed: dict[str, Frame] = {}
    for name in built.told:
        table = f"entities/{name}"
        found = lay_over(run.scan(table), built.entities[name], lake.model.entities[name], engine)
        changed[name] = found.rows
        _write(run, table, found.rows, found.kept, engine)
    merges = engine.materialise(built.merges)
    _write(run, "entities/merges", merges, None, engine)
    keys = _keys(changed, merges, engine)
    _lay_over_identities(run, lake, keys)
    _note_changes(run, engine.materialise(keys.filter(nw.col("entity") != "event")), lake)
    _write(run, "entities/_rejected", engine.materialise(built.rejected), None, engine)


def _lay_over_identities(run: OpenRun, lake: Lake, keys: Frame) -> None:
    """Say anew what identifies the records of the given ``entity`` and ``source_key``."""
    own, engine = ["entity", "source_key"], lake.engine
    records = {
        name: run.scan(f"entities/{name}").join(keys.filter(nw.col("entity") == name), on="source_key", how="semi")
        for name in lake.model.recorded
    }
    told = record_identities(records, run.scan("entities/merges"), lake.model, engine)
    identities = run.scan("entities/identities")
    is_known = rows_of(identities.join(keys, on=own, how="semi"), engine)
    kept = identities.join(keys, on=own, how="anti") if is_known else None
    _write(run, "entities/identities", engine.materialise(told), kept, engine)


def _note_changes(run: OpenRun, keys: Frame, lake: Lake) -> None:
    """Say which records are other ones now, so that whoever reads them need not compare; of events, the table itself tells."""
    records = sum(run.rows(f"entities/{name}") for name in lake.model.recorded if name != "event")
    if run.rows(CHANGES) > records:  # many loads later; who reads them then looks at all once
        run.replace(CHANGES, keys)
    elif rows_of(keys, lake.engine):
        run.append(CHANGES, keys)


def _keys(changed: Mapping[str, Frame], merges: Frame, engine: Engine) -> Frame:
    """Return the records whose identities may be other ones now: those that changed, and the winners of merges."""
    told = [rows.select("source_key", entity=nw.lit(name)) for name, rows in changed.items()]
    found = nw.concat([*told, merges.select("source_key", "entity")]).unique(["entity", "source_key"])
    return engine.materialise(found)


def _write(run: OpenRun, table: str, rows: Frame, kept: Frame | None, engine: Engine) -> None:
    """Write rows after those that are kept, or after all; a table that stays as it is keeps its version."""
    if kept is not None:
        run.replace(table, nw.concat([kept.select(rows.collect_schema().names()), rows]))
    elif rows_of(rows, engine):
        run.append(table, rows)


def _new_rows(run: OpenRun, sources: Sequence[LandedSource]) -> dict[str, Frame] | None:
    """Return the rows of each landed table since the last load; None where all are to be read."""
    before = run.read_before()
    if before is None or not all(run.exists(table) for table in _KEPT):
        return None
    new: dict[str, Frame] = {}
    landed = added = 0
    for source in sources:
        asked = {lookup.object for lookup in source.mapping.lookups.values()}
        for name in source.objects:
            table = f"landing/{source.name}/{name}"
            grown = run.grown(table, before.get(table))
            if grown is None or (grown[1] and source.mapping.find(name) in asked):
                return None  # what is gone, or was looked up by others, changes records that are there
            rows, more = grown
            new |= {table: rows} if more else {}
            landed, added = landed + run.rows(table), added + more
    return new if added <= max(_MOST_NEW * landed, _FEW) else None

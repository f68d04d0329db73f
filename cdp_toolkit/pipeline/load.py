"""Load: from outside into landing, and from there into records."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from cdp_toolkit.entities.landed import LandedSource
from cdp_toolkit.errors import ConnectorStopped, QuotaExhausted
from cdp_toolkit.lake import Lake, OpenRun, Run
from cdp_toolkit.pipeline.digests import digest
from cdp_toolkit.pipeline.records import make_records
from cdp_toolkit.sources.land import land
from cdp_toolkit.sources.progress import Progress
from cdp_toolkit.sources.source import Source


def load(
    lake: Lake,
    sources: Mapping[str, tuple[LandedSource, Source]],
    *,
    only: Sequence[str],
    progress: Progress | None = None,
) -> Run:
    """Read what is new in the sources and make records of it.

    Parameters
    ----------
    lake
        Writes ``landing/`` and ``entities/``.
    sources
        All sources of the workspace by name: what they are, and the way to read them.
    only
        Names of those to read now; records are made of what all have delivered.
    progress
        Is told of each batch that has landed.

    Returns
    -------
    Run
        Counts of rows landed, records and rejected values; ``details`` has the records of each entity.
    """
    told = [asdict(about) | {"mapping": about.mapping.model_dump()} for about, _ in sources.values()]
    with lake.run("load", definitions=digest(_recorded(lake), told)) as run:
        run.next_step = "Find out who is who: `stitch`."
        run.counts["rows landed"] = 0
        for name in only:
            about, source = sources[name]
            landed = land(name, source, lake, check=about.mapping.check_columns, progress=progress)
            run.counts["rows landed"] += landed.rows
            run.problems += [f"{error.where}: {error.message}" for error in landed.refused]
            run.notes += landed.notes
            if landed.stopped is not None:
                _tell_stopped(run, name, landed.stopped)
        delivered = [replace(about, objects=tuple(lake.objects(name))) for name, (about, _) in sources.items()]
        if run.is_repeat(*(f"landing/{each.name}/{name}" for each in delivered for name in each.objects)):
            run.nothing_to_do()
        else:
            for name, columns in make_records(run, lake, delivered).items():
                run.notes.append(f"{name} has columns that nothing reads: {', '.join(columns)}. They stay in landing.")
        sizes = {entity: run.rows(f"entities/{entity}") for entity in lake.model.recorded}
        run.counts |= {"records": sum(sizes.values()), "rejected values": run.rows("entities/_rejected")}
        run.details["records"] = sizes
    return run.result


def _tell_stopped(run: OpenRun, name: str, stopped: ConnectorStopped) -> None:
    run.problems.append(f"{name}: {stopped.message} {stopped.hint}".rstrip())
    if isinstance(stopped, QuotaExhausted):
        run.next_step = f"Go on with {name} after {stopped.resume_at:%Y-%m-%d %H:%M} UTC: `load`."


def _recorded(lake: Lake) -> dict[str, list[dict[str, object]]]:
    """Return what the model says of records; what it says of profiles only does not decide how records are made."""
    entities = lake.model.recorded.items()
    return {name: [field.model_dump() for field in entity.recorded.values()] for name, entity in entities}

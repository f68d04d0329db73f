"""Load: from outside into landing, and from there into records."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial

from cdp_toolkit.engines.ahead import Ahead
from cdp_toolkit.entities.landed import LandedSource
from cdp_toolkit.errors import ConnectorStopped, QuotaExhausted
from cdp_toolkit.lake import Lake, OpenRun, Run
from cdp_toolkit.pipeline.digests import digest
from cdp_toolkit.pipeline.records import make_records
from cdp_toolkit.sources.land import Landed, land
from cdp_toolkit.sources.progress import Progress
from cdp_toolkit.sources.source import Local, Source


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
        for name, landed in _landed(lake, run, {name: sources[name] for name in only}, progress).items():
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


def _landed(
    lake: Lake, run: OpenRun, sources: Mapping[str, tuple[LandedSource, Source]], progress: Progress | None
) -> dict[str, Landed]:
    """Land sources; those that lie on this machine two at a time, beside the others."""
    landed: dict[str, Landed] = {}
    coming: dict[str, Callable[[], Landed]] = {}
    told = progress and _in_turn(progress)
    with Ahead(lake.engine) as ahead:
        for name, (about, source) in sources.items():
            # Times in the order of the sources: of what two of them say alike, the last one counts.
            asked = partial(
                land, name, source, lake, check=about.mapping.check_columns, progress=told, within=run,
                loaded_at=datetime.now(UTC), is_left=lambda: ahead.is_left,
            )  # fmt: skip
            if len(sources) > 1 and isinstance(source, Local) and source.is_local:
                coming[name] = ahead.begin(asked)
            else:
                landed[name] = asked()  # it may wait for long, which only this thread can be interrupted at
        return {name: coming[name]() if name in coming else landed[name] for name in sources}


def _in_turn(progress: Progress) -> Progress:
    turn = threading.Lock()

    def _tell(source: str, object: str, *, rows: int, share: float | None) -> None:  # noqa: A002 - the contract's noun
        with turn:
            progress(source, object, rows=rows, share=share)

    return _tell


def _tell_stopped(run: OpenRun, name: str, stopped: ConnectorStopped) -> None:
    run.problems.append(f"{name}: {stopped.message} {stopped.hint}".rstrip())
    if isinstance(stopped, QuotaExhausted):
        run.next_step = f"Go on with {name} after {stopped.resume_at:%Y-%m-%d %H:%M} UTC: `load`."


def _recorded(lake: Lake) -> dict[str, list[dict[str, object]]]:
    """Return what the model says of records; what it says of profiles only does not decide how records are made."""
    entities = lake.model.recorded.items()
    return {name: [field.model_dump() for field in entity.recorded.values()] for name, entity in entities}

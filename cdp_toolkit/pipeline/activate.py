"""Activate: destinations are told what changed."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime

from cdp_toolkit.destinations.answers import Answers
from cdp_toolkit.destinations.deliver import Delivered, deliver
from cdp_toolkit.destinations.doubts import clear_up
from cdp_toolkit.destinations.given import still_so
from cdp_toolkit.destinations.ledger import (
    ATTEMPTS_TABLE,
    LEDGER_TABLE,
    dead_letters,
    next_entry,
    of_destination,
    unclear,
)
from cdp_toolkit.destinations.plan import Plan
from cdp_toolkit.engines import Engine
from cdp_toolkit.errors import CdpError, LakeBusyError
from cdp_toolkit.lake import Lake, OpenRun, Run
from cdp_toolkit.pipeline.targets import Target, plan, renew_ledger, told

ABOUT = "(activation)"  # what a run says of itself, beside what it says of each destination


def activate(
    lake: Lake, targets: Sequence[Target], *, at: datetime, given: Plan | None = None, redrive: bool = False
) -> Run:
    """Tell destinations what changed.

    Parameters
    ----------
    lake
        Reads ``segments/`` and ``profiles/``, writes ``activation/``.
    targets
        The destinations.
    at
        Time of the delivery, in UTC.
    given
        A plan to carry out as far as it still holds; plans are made now by default.
    redrive
        Whether to send again what destinations refused.

    Returns
    -------
    Run
        Counts over all destinations; ``details`` has those of each. Other runs may go on meanwhile, but for one that
        tells the same destination: what they change is heeded as soon as it counts.

    Raises
    ------
    LakeBusyError
        If another run is telling the only destination.
    """
    renew_ledger(lake)
    with lake.run("activate", is_alone=False) as run:
        for target in targets:
            try:
                with _alone(lake, target):
                    run.look_again()
                    if redrive:
                        _redrive(run, target, lake.engine, at=at)
                    done = _activate(run, target, lake.engine, at=at, given=given)
            except LakeBusyError as error:
                if len(targets) == 1:
                    raise
                run.problems.append(f"{target.name}: {error.message}")
                continue
            except CdpError as error:
                if len(targets) == 1:
                    raise
                done = Delivered(failed=[error])  # the others go on
            run.problems += [f"{target.name}: {error.message}" for error in done.failed]
            run.details[target.name] = done.counts | {"errors": len(done.failed)}
            for what, number in done.counts.items():
                run.counts[what] = run.counts.get(what, 0) + number
        for name in (ATTEMPTS_TABLE, LEDGER_TABLE):
            lake.tidy(name)
        run.details[ABOUT] = {"as_of": at.isoformat()}
        if not any(run.counts.values()):
            run.nothing_to_do()
    return run.result


@contextmanager
def _alone(lake: Lake, target: Target) -> Iterator[None]:
    with ExitStack() as held:
        held.enter_context(lake.only_one(f"telling {target.name}"))
        if target.caps:  # two at a time would each add whom the other adds, and both together too often
            held.enter_context(lake.only_one(f"telling a destination of {target.destination.consent}"))
        yield


def _activate(run: OpenRun, target: Target, engine: Engine, *, at: datetime, given: Plan | None) -> Delivered:
    _clear_up(run, target, engine, at=at)
    whole = Delivered()
    while True:
        planned = plan(run, target, engine, as_of=at)
        if given is not None:
            planned, outdated, later = still_so(given, planned)
            if outdated and not whole.is_outdated:
                run.notes.append(f"{outdated:,} changes of the plan were left out, since they no longer hold.")
            if later and not whole.is_outdated:
                run.notes.append(f"{later:,} changes came after the plan and are left for the next one.")
        if planned.is_empty:
            return whole
        entry = _entry(run, engine)
        done = deliver(planned, target.connection, run.record, entry=entry, at=at, is_outdated=run.is_outdated)
        whole.failed += done.failed
        for what, number in done.counts.items():
            whole.counts[what] += number
        if not done.is_outdated:
            return whole
        whole.is_outdated = True
        run.look_again()
        run.notes.append(f"{target.name}: audiences changed while it was told, and the rest was planned again.")


def _redrive(run: OpenRun, target: Target, engine: Engine, *, at: datetime) -> None:
    dead = engine.collect(dead_letters(of_destination(*told(run, engine), target.name)))
    answers = Answers(target.name, "", _entry(run, engine), at)
    answers.add_redriven(dead)
    run.record(LEDGER_TABLE, answers.take())
    run.notes.append(f"{target.name}: {len(dead):,} rows that it had refused were tried again.")


def _clear_up(run: OpenRun, target: Target, engine: Engine, *, at: datetime) -> None:
    doubts = engine.collect(unclear(of_destination(*told(run, engine), target.name)))
    if len(doubts):
        found = clear_up(
            doubts, target.destination, target.connection, run.record, entry=_entry(run, engine), at=at
        )  # fmt: skip
        run.problems += [f"{target.name}: {problem}" for problem in found]


def _entry(run: OpenRun, engine: Engine) -> int:
    return int(engine.collect(next_entry(*told(run, engine)))["entry"][0].as_py())

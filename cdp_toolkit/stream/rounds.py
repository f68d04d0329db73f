"""The verbs in turn, again and again: what was sent is loaded, stitched, evaluated and activated.

A round is the batch line on the same lake, so that an audience is the same whichever way a message came. It runs in a
process of its own: the endpoint answers while a round computes, and a round that dies takes no message with it.
"""

import gc
import math
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path

from cdp_toolkit.errors import CdpError, LakeBusyError
from cdp_toolkit.secrets import redact
from cdp_toolkit.sources.inlets import log_file
from cdp_toolkit.sources.log import MessageLog
from cdp_toolkit.stream.appender import Landed
from cdp_toolkit.stream.metrics import Metrics
from cdp_toolkit.workspace import Workspace

_ROUNDS_A_PROCESS = 2_000  # memory that a library keeps goes with its process


@dataclass(frozen=True)
class Round:
    """What a round did.

    Parameters
    ----------
    outcome
        ``done``, ``partial``, ``failed``, or ``waited`` if another run was writing to the lake.
    seconds
        Seconds of each verb.
    entered, exited
        Changes of membership.
    lag_s
        Age of the oldest message that waited when the round began, now that it has ended; 0 if none did.
    problems
        What went wrong, as sentences.
    landed
        The number of the last message that was landed, by source and object.
    """

    outcome: str
    seconds: dict[str, float] = field(default_factory=dict)
    entered: int = 0
    exited: int = 0
    lag_s: float = 0
    problems: tuple[str, ...] = ()
    landed: Landed = field(default_factory=dict)


def run_round(
    folder: Path,
    inlets: tuple[str, ...],
    *,
    is_activated: bool = True,
    is_brief: bool = False,
    as_of: datetime | None = None,
) -> Round:
    """Carry out one round.

    Parameters
    ----------
    folder
        The workspace.
    inlets
        Names of the sources that are sent to; others are loaded by the batch line.
    is_activated
        Whether destinations are told.
    is_brief
        Whether what accounts and computed attributes add up from events is left to a later round.
    as_of
        What ``now`` means; the present by default.

    Returns
    -------
    Round
        What it did; an error ends the round and is told, since the next one may go well.
    """
    began_ms: int | None = None
    done: dict[str, float] = {}
    counts = {"entered": 0, "exited": 0}
    problems: list[str] = []
    until: Landed = {}
    try:
        began_ms = MessageLog(log_file(folder)).backlog().oldest_ms
        workspace = _workspace(folder)
        verbs: dict[str, Callable[[], object]] = {
            "load": lambda: workspace.load(*inlets),
            "stitch": lambda: workspace.stitch(as_of=as_of, pace="brief" if is_brief else "round"),
            "evaluate": lambda: workspace.evaluate(as_of=as_of),
        } | ({"activate": workspace.activate} if is_activated and workspace.destinations else {})
        for verb, call in verbs.items():
            run = call()
            if verb == "load":
                until = landed(workspace, inlets)
            done[verb] = getattr(run, "seconds", 0.0)
            problems += getattr(run, "problems", ())
            counts |= {name: getattr(run, "counts", {}).get(name, 0) for name in counts if verb == "evaluate"}
        outcome = "partial" if problems else "done"
    except LakeBusyError:
        outcome = "waited"
    except Exception as error:  # noqa: BLE001 - such as a full disk: messages wait, and the next round may go well
        outcome = "failed"
        problems.append(error.message if isinstance(error, CdpError) else redact(f"{type(error).__name__}: {error}"))
    lag_s = 0.0 if began_ms is None else time.time() - began_ms / 1000
    return Round(outcome, done, **counts, lag_s=lag_s, problems=tuple(problems), landed=until)


_kept: dict[Path, tuple[object, Workspace]] = {}


def _workspace(folder: Path) -> Workspace:
    """Return the workspace as its files say now; what it knows of the lake is kept as long as they stay as they are."""
    told = {file: file.stat().st_mtime_ns for pattern in ("*.yaml", "*/*.yaml") for file in folder.glob(pattern)}
    if _kept.get(folder, (None,))[0] != told:
        _kept[folder] = (told, Workspace(folder))
    return _kept[folder][1]


def landed(workspace: Workspace, inlets: tuple[str, ...]) -> Landed:
    """Return how far each object has come.

    Parameters
    ----------
    workspace
        The workspace.
    inlets
        Names of sources that are sent to.

    Returns
    -------
    mapping
        The number of the last message that was landed, by source and object.
    """
    lake = workspace.lake
    tables = [(inlet, name) for inlet in inlets for name in lake.objects(inlet)]
    return {(inlet, name): int(lake.landed(f"landing/{inlet}/{name}")[1].get("seq", 0)) for inlet, name in tables}


class Rounds:
    """Rounds in the background.

    Parameters
    ----------
    folder
        The workspace.
    inlets
        Names of the sources that are sent to.
    every_s
        Seconds from the start of a round to that of the next; one that takes longer is followed at once.
    whole_every_s
        Seconds between two rounds that are not brief; they are carried out also if no message came, since windows pass.
    waiting
        Tells how many messages wait.
    metrics
        Are told of each round.
    forget
        Deletes what was landed from the log.
    tell
        Is told of each round too.
    is_activated
        Whether destinations are told.
    """

    def __init__(
        self,
        folder: Path,
        inlets: tuple[str, ...],
        *,
        every_s: float,
        whole_every_s: float,
        waiting: Callable[[], int],
        metrics: Metrics,
        forget: Callable[[Landed], None],
        tell: Callable[[Round], None],
        is_activated: bool = True,
    ) -> None:
        self._folder = folder
        self._inlets = inlets
        self._every_s = every_s
        self._whole_every_s = whole_every_s
        self._waiting = waiting
        self._metrics = metrics
        self._forget = forget
        self._tell = tell
        self._is_activated = is_activated
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rounds", daemon=True)

    def start(self) -> None:
        """Begin with the first round."""
        self._thread.start()

    def stop(self) -> None:
        """End after the round that is on, if any was begun."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        whole_at = -math.inf
        while not self._ending.is_set():
            with ProcessPoolExecutor(
                1, mp_context=get_context("spawn"), initializer=_prepare, initargs=(os.getpid(),)
            ) as pool:
                for _ in range(_ROUNDS_A_PROCESS):
                    started = time.monotonic()
                    is_brief = started < whole_at + self._whole_every_s
                    if not is_brief or self._is_awaited():
                        found = self._once(pool, is_brief=is_brief)
                        if found is None:
                            break
                        whole_at = started if not is_brief and found.outcome in {"done", "partial"} else whole_at
                    left = self._every_s - (time.monotonic() - started)
                    if self._ending.wait(max(left, 0)):
                        return

    def _is_awaited(self) -> bool:
        try:
            return self._waiting() > 0
        except (CdpError, sqlite3.Error):  # the round will tell
            return True

    def _once(self, pool: ProcessPoolExecutor, *, is_brief: bool) -> Round | None:
        """Carry out a round, and return what it did; None if its process is not there for the next."""
        found = None
        try:
            found = pool.submit(
                run_round, self._folder, self._inlets, is_activated=self._is_activated, is_brief=is_brief
            ).result()
        except BrokenProcessPool:
            self._note(Round("failed", problems=("The round's process died; the next one goes on where it was.",)))
        else:
            self._note(found)
        return found

    def _note(self, found: Round) -> None:
        for verb, seconds in found.seconds.items():
            self._metrics.went(verb, seconds)
        self._metrics.ended(found.outcome, lag_s=found.lag_s, entered=found.entered, exited=found.exited)
        self._forget(found.landed)
        self._tell(found)


def _prepare(parent: int) -> None:
    """Make a process ready for rounds.

    It ends soon after its parent, however that ended: a round that is cut off is made up for by the next. An interrupt
    reaches it too, and is its parent's to heed. What was imported stays, so garbage is looked for among the rest only:
    36 µs of each message went to it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, name="watch", daemon=True).start()

"""The verbs in turn, again and again: what was sent is loaded, stitched, evaluated and activated.

A round is the batch line on the same lake, so that an audience is the same whichever way a message came. It runs in a
process of its own: the endpoint answers while a round computes, and a round that dies takes no message with it.
"""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from cdp_toolkit.errors import CdpError, LakeBusyError
from cdp_toolkit.sources.inlets import log_file
from cdp_toolkit.sources.log import MessageLog
from cdp_toolkit.stream.metrics import Metrics
from cdp_toolkit.workspace import Workspace

_ROUNDS_A_PROCESS = 200  # memory that a library keeps goes with its process


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
        Age of the oldest message that the round loaded; 0 if none waited.
    problems
        What went wrong, as sentences.
    """

    outcome: str
    seconds: dict[str, float] = field(default_factory=dict)
    entered: int = 0
    exited: int = 0
    lag_s: float = 0
    problems: tuple[str, ...] = ()


def run_round(folder: Path, inlets: tuple[str, ...], *, is_activated: bool = True) -> Round:
    """Carry out one round.

    Parameters
    ----------
    folder
        The workspace.
    inlets
        Names of the sources that are sent to; others are loaded by the batch line.
    is_activated
        Whether destinations are told.

    Returns
    -------
    Round
        What it did; an error ends the round and is told, since the next one may go well.
    """
    log = MessageLog(log_file(folder))
    oldest_ms = log.backlog().oldest_ms
    done: dict[str, float] = {}
    counts = {"entered": 0, "exited": 0}
    problems: list[str] = []
    try:
        workspace = Workspace(folder)
        verbs: dict[str, Callable[[], object]] = {
            "load": lambda: workspace.load(*inlets), "stitch": workspace.stitch, "evaluate": workspace.evaluate,
        } | ({"activate": workspace.activate} if is_activated else {})  # fmt: skip
        for verb, call in verbs.items():
            run = call()
            if verb == "load":
                _forget_landed(workspace, log, inlets)
            done[verb] = getattr(run, "seconds", 0.0)
            problems += getattr(run, "problems", ())
            counts |= {name: getattr(run, "counts", {}).get(name, 0) for name in counts if verb == "evaluate"}
    except LakeBusyError:
        return Round("waited", done)
    except CdpError as error:
        return Round("failed", done, problems=(*problems, error.message))
    lag_s = 0.0 if oldest_ms is None else time.time() - oldest_ms / 1000
    return Round("partial" if problems else "done", done, **counts, lag_s=lag_s, problems=tuple(problems))


def _forget_landed(workspace: Workspace, log: MessageLog, inlets: tuple[str, ...]) -> None:
    for inlet in inlets:
        for name in log.objects(inlet):
            _, cursor = workspace.lake.landed(f"landing/{inlet}/{name}")
            log.forget(inlet, name, until=int(cursor.get("seq", 0)))


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
    metrics
        Are told of each round.
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
        metrics: Metrics,
        tell: Callable[[Round], None],
        is_activated: bool = True,
    ) -> None:
        self._folder = folder
        self._inlets = inlets
        self._every_s = every_s
        self._metrics = metrics
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
        while not self._ending.is_set():
            with ProcessPoolExecutor(
                1, mp_context=get_context("spawn"), initializer=_end_with, initargs=(os.getpid(),)
            ) as pool:
                for _ in range(_ROUNDS_A_PROCESS):
                    started = time.monotonic()
                    is_alive = self._once(pool)
                    left = self._every_s - (time.monotonic() - started)
                    if self._ending.wait(max(left, 0)):
                        return
                    if not is_alive:
                        break

    def _once(self, pool: ProcessPoolExecutor) -> bool:
        """Carry out a round, and return whether its process is still there for the next."""
        is_alive = True
        try:
            found = pool.submit(run_round, self._folder, self._inlets, is_activated=self._is_activated).result()
        except BrokenProcessPool:
            found = Round("failed", problems=("The round's process died; the next one goes on where it was.",))
            is_alive = False
        for verb, seconds in found.seconds.items():
            self._metrics.went(verb, seconds)
        self._metrics.ended(found.outcome, lag_s=found.lag_s, entered=found.entered, exited=found.exited)
        self._tell(found)
        return is_alive


def _end_with(parent: int) -> None:
    """End this process soon after its parent, however that ended; a round that is cut off is made up for by the next."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, name="watch", daemon=True).start()

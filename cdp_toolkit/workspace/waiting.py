"""Something to look at while a step takes its time."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

_PATIENCE_S = 2.0


@contextmanager
def waiting(
    what: str, console: Console | None = None, *, patience_s: float = _PATIENCE_S
) -> Iterator[Callable[[str], None]]:
    """Show what is being done and for how long, once it takes longer than two seconds.

    It may be interrupted at any time: a run counts only when it has ended.

    Parameters
    ----------
    what
        What is being done.
    console
        Where to; standard error by default. Nothing is shown where that is neither a terminal nor a notebook.
    patience_s
        How long nothing is shown.

    Yields
    ------
    Callable
        Takes what is being done now, where that changes.
    """
    console = console or Console(stderr=True)
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    is_seen = console.is_terminal or console.is_jupyter
    shown = Progress(*columns, console=console, transient=True, disable=not is_seen)
    task = shown.add_task(what, total=None)
    timer = threading.Timer(patience_s, shown.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda now: shown.update(task, description=now)
    finally:
        timer.cancel()
        timer.join()
        shown.stop()

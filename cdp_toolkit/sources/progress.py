"""How far a load has come, while it runs."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

_PATIENCE_S = 2.0


class Progress(Protocol):
    """Is told of each batch that has landed, by one thread at a time."""

    def __call__(self, source: str, object: str, *, rows: int, share: float | None) -> None:  # noqa: A002 - the contract's noun
        """Take note.

        Parameters
        ----------
        source, object
            What was read.
        rows
            Rows of the object that have landed in this load so far.
        share
            How much of what is to be read of it is read, from 0 to 1; None if the source cannot say.
        """
        ...


@contextmanager
def bars(console: Console | None = None, *, clock: Callable[[], float] = time.monotonic) -> Iterator[Progress]:
    """Show a bar for each object, with the time left, once a load takes longer than two seconds.

    Parameters
    ----------
    console
        Where to; standard error by default. Nothing is shown where that is neither a terminal nor a notebook.
    clock
        Tells the time.

    Yields
    ------
    Progress
        To be told.
    """
    console = console or Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows"), TimeRemainingColumn(compact=True),
    )  # fmt: skip
    is_seen = console.is_terminal or console.is_jupyter
    shown = RichProgress(*columns, console=console, transient=True, disable=not is_seen)
    tasks: dict[str, TaskID] = {}
    began = clock()

    def _tell(source: str, object: str, *, rows: int, share: float | None) -> None:  # noqa: A002 - the contract's noun
        name = f"{source} {object}"
        if name not in tasks:
            tasks[name] = shown.add_task(name, total=None, rows=0)
        shown.update(tasks[name], rows=rows, total=None if share is None else 1.0, completed=share or 0.0)
        if clock() - began > _PATIENCE_S:
            shown.start()

    try:
        yield _tell
    finally:
        shown.stop()

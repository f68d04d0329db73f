"""Work that is begun before it is asked for, so that reading goes on while rules are read."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Self, TypeVar

from cdp_toolkit.engines.engine import Engine

Found = TypeVar("Found")


class Ahead:
    """Begins work in the background; a context, which ends when all of it has.

    Parameters
    ----------
    engine
        Where it can do only one thing at a time, work waits until it is asked for.
    threads
        How many things are done at once.
    """

    def __init__(self, engine: Engine, *, threads: int = 2) -> None:
        self.is_left = False
        """Whether nobody asks any more for what was begun; work that takes long looks at it."""
        self._threads = ThreadPoolExecutor(threads) if engine.is_concurrent else None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Leave out what was not begun, and wait for what was."""
        self.is_left = True
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)

    def begin(self, work: Callable[[], Found]) -> Callable[[], Found]:
        """Begin some work.

        Parameters
        ----------
        work
            Reads what nobody changes meanwhile.

        Returns
        -------
        callable
            Waits for the work, and returns what it found or raises what it raised.
        """
        return cache(work) if self._threads is None else self._threads.submit(work).result

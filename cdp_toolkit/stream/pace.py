"""How fast one inlet may be sent to."""

import math
import time
from collections.abc import Callable


class Pace:
    """A bucket of tokens that fills as time passes.

    Parameters
    ----------
    per_second
        Messages a second, and at once at the most.
    clock
        Gives seconds.

    Examples
    --------
    >>> now = iter([0.0, 0.0, 0.0, 1.0])
    >>> pace = Pace(10, clock=lambda: next(now))
    >>> pace.ask(10), pace.ask(5), pace.ask(5)
    (0, 1, 0)
    """

    def __init__(self, per_second: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._left = float(per_second)
        self._at = clock()

    def ask(self, messages: int) -> int:
        """Take room for messages, if there is.

        Parameters
        ----------
        messages
            How many; more than fit into a second are let through when the bucket is full.

        Returns
        -------
        int
            0 if they may pass; else after how many seconds to ask again.
        """
        now = self._clock()
        self._left = min(self._per_second, self._left + (now - self._at) * self._per_second)
        self._at = now
        wanted = min(messages, self._per_second)
        if wanted <= self._left:
            self._left -= messages
            return 0
        return max(1, math.ceil((wanted - self._left) / self._per_second))

"""How fast a vendor may be called, and how often again."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """How often and how long a call is repeated.

    Parameters
    ----------
    attempts
        How often it is made at the most.
    first_s, most_s
        First and longest pause of ``retry``; it doubles in between, with jitter.
    longest_wait_s
        A vendor that asks to wait longer than this stops the connector until then.
    """

    attempts: int = 8
    first_s: float = 1.0
    most_s: float = 60.0
    longest_wait_s: float = 300.0


class Limiter:
    """A sliding window: at most so many calls within so many seconds.

    Parameters
    ----------
    calls
        How many.
    seconds
        Length of the window.
    clock, sleep
        Tell and pass the time.
    """

    def __init__(
        self,
        calls: int,
        seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._calls, self._seconds = calls, seconds
        self._clock, self._sleep = clock, sleep
        self._made: deque[float] = deque()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait until a call may be made, and count it."""
        while (pause := self._ask()) > 0:
            self._sleep(pause)

    def _ask(self) -> float:
        with self._lock:
            now = self._clock()
            while self._made and self._made[0] <= now - self._seconds:
                self._made.popleft()
            if len(self._made) < self._calls:
                self._made.append(now)
                return 0.0
            return self._made[0] + self._seconds - now

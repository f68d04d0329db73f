"""Reading ahead: what comes next is made by another thread while what came is being used."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterator[Item], *, most: int = 2) -> Iterator[Item]:
    """Return the items of an iterator, which is advanced by a thread of its own.

    Parameters
    ----------
    items
        Their making should wait for a disk, or run outside Python's lock, as Arrow's readers do.
    most
        How many are made before they are asked for.

    Yields
    ------
    object
        The items in their order. What making them raises is raised here.

    Examples
    --------
    >>> list(ahead(iter("abc")))
    ['a', 'b', 'c']
    """
    with ThreadPoolExecutor(1) as thread:
        coming = deque(thread.submit(_next, items) for _ in range(most))
        while item := coming.popleft().result():
            coming.append(thread.submit(_next, items))
            yield item[0]


def _next(items: Iterator[Item]) -> tuple[Item] | None:
    return next(((item,) for item in items), None)

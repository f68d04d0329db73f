"""The explorer in a notebook: a thin view that sends what is done and draws what is to be seen."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from cdp_toolkit.explore.explorer.building import Building

_FRONT = Path(__file__).parent / "front"

# One at a time: who types on is waited for, and only the last rule is looked at.
_LOOKS, _COUNTS = ThreadPoolExecutor(1, "look"), ThreadPoolExecutor(1, "count")


class ExplorerView(anywidget.AnyWidget):
    """The explorer as a widget.

    Parameters
    ----------
    building
        What it shows.
    """

    _esm = _FRONT / "explorer.js"
    _css = _FRONT / "explorer.css"
    vocabulary = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    sight = traitlets.Dict().tag(sync=True)
    is_busy = traitlets.Bool(default_value=False).tag(sync=True)

    def __init__(self, building: Building) -> None:
        super().__init__(vocabulary=building.vocabulary, state=building.state, sight=building.sight)
        self._building = building
        self._turn = 0
        self._is_looking = False
        self.on_msg(self._received)
        self._count()

    def _received(self, _: Any, message: dict[str, Any], __: Any) -> None:
        if message["do"] == "suggest":
            values = self._building.suggest(message["at"], message["typed"])
            self.send({"suggested": values, "at": message["at"]})
            return
        is_other = self._building.do(message)
        self.state = self._building.state
        if message["do"] == "save":
            self.vocabulary = self._building.vocabulary
        if is_other:
            self._turn += 1
            self._look()

    def _look(self) -> None:
        """Look at the rule as it is now, or as soon as the look at an earlier one has ended."""
        self.is_busy = True
        if not self._is_looking:
            self._is_looking, turn = True, self._turn
            _later(_LOOKS, self._building.look, lambda _: self._looked(turn))

    def _looked(self, turn: int) -> None:
        self._is_looking = False
        if turn != self._turn:
            self._look()
            return
        self.is_busy = False
        self.state, self.sight = self._building.state, self._building.sight
        self._count()

    def _count(self) -> None:
        """Count exactly what was estimated, unless the rule changes meanwhile."""
        building, turn = self._building, self._turn
        if building.seen is None or building.seen.interval is None or building.problem:
            return

        def show(count: int) -> None:
            if turn == self._turn:
                building.exact = count
                self.sight = building.sight

        _later(_COUNTS, building.counting(), show)


def _later(pool: ThreadPoolExecutor, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
    """Do some work beside the kernel's loop, and come back into it; at once where no loop runs."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        then(work())
        return
    done = loop.run_in_executor(pool, work)
    done.add_done_callback(lambda each: None if each.cancelled() or each.exception() else then(each.result()))

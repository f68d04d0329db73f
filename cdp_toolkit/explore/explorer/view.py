"""The explorer in a notebook: a thin view that sends what is done and draws what is to be seen."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from cdp_toolkit.explore.explorer.building import Building
from cdp_toolkit.segments.count import Counted

_FRONT = Path(__file__).parent / "front"

# One at a time: who types on is waited for, and only the last rule is looked at.
_LOOKS, _COUNTS = ThreadPoolExecutor(1, "look"), ThreadPoolExecutor(1, "count")
_PAUSE_S = 0.6  # before a count begins: who clicks on wants the next estimate


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
    count = traitlets.Dict().tag(sync=True)
    """``state`` of the exact count, ``none``, ``counting``, ``stopped`` or ``failed``; ``share`` and ``members`` so far."""

    def __init__(self, building: Building) -> None:
        super().__init__(vocabulary=building.vocabulary, state=building.state, sight=building.sight)
        self._building = building
        self._heard: list[str | int] | None = None  # the last message: a view, and its own count
        self._turn = 0
        self._counted = 0
        self._is_looking = False
        self.on_msg(self._received)
        self._count()

    def _received(self, _: Any, message: dict[str, Any], __: Any) -> None:
        match message["do"]:
            case "suggest":
                values = self._building.suggest(message["at"], message["typed"])
                self.send({"suggested": values, "at": message["at"]})
            case "stop":
                self._stop()
            case "count":
                self._count()
            case _:
                self._do(message)

    def _do(self, message: dict[str, Any]) -> None:
        is_other = self._building.do(message)
        self._heard = message.get("number")
        self.state = self._rule()
        if message["do"] == "save":
            self.vocabulary = self._building.vocabulary
        if is_other:
            self._turn += 1
            self._counted += 1
            self._look()

    def _rule(self) -> dict[str, Any]:
        return self._building.state | {"heard": self._heard}

    def _look(self) -> None:
        """Look at the rule as it is now, or as soon as the look at an earlier one has ended."""
        self.is_busy = True
        if not self._is_looking:
            self._is_looking, turn = True, self._turn
            _later(_LOOKS, self._tried, lambda error: self._looked(turn, error))

    def _tried(self) -> Exception | None:
        try:
            self._building.look()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next change is looked at again
            return error
        return None

    def _looked(self, turn: int, error: Exception | None) -> None:
        self._is_looking = False
        self._building.problem = f"{type(error).__name__}: {error}" if error else self._building.problem
        if turn != self._turn:
            self._look()
            return
        self.is_busy = False
        self.state, self.sight = self._rule(), self._building.sight
        self._count()

    def _count(self) -> None:
        """Count exactly what was estimated, after a pause; the next change or a stop ends it between two tables."""
        self._counted += 1
        building, mine = self._building, self._counted
        if building.seen is None or building.seen.interval is None or building.problem:
            self.count = {"state": "none"}
            return
        self.count = {"state": "counting", "share": 0.0, "members": 0}
        counting, total = building.counting(lambda: mine == self._counted), max(building.seen.total, 1)

        def work() -> Counted | Exception | None:
            found = None
            try:
                for found in counting:
                    so_far = {"state": "counting", "share": found.looked_at / total, "members": found.members}
                    tell(partial(self._show, mine, so_far))
            except building.refusals as error:
                return error
            return found

        def ended(found: Counted | Exception | None) -> None:
            if isinstance(found, Exception):
                self._show(mine, {"state": "failed", "error": str(found)})
            elif found is not None and mine == self._counted:
                building.exact = found.members
                self.sight = building.sight
                self.count = {"state": "none"}

        tell = _teller()
        _after(_PAUSE_S, lambda: _later(_COUNTS, work, ended) if mine == self._counted else None)

    def _show(self, mine: int, count: dict[str, Any]) -> None:
        if mine == self._counted:
            self.count = count

    def _stop(self) -> None:
        if self.count.get("state") == "counting":
            self._counted += 1
            self.count = self.count | {"state": "stopped"}


def _loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _teller() -> Callable[[Callable[[], None]], Any]:
    """Return what calls a function in the kernel's loop, from another thread; at once where no loop runs."""
    loop = _loop()
    return (lambda call: call()) if loop is None else loop.call_soon_threadsafe


def _after(seconds: float, call: Callable[[], None]) -> None:
    loop = _loop()
    if loop is None:
        call()
    else:
        loop.call_later(seconds, call)


def _later(pool: ThreadPoolExecutor, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
    """Do some work beside the kernel's loop, and come back into it; at once where no loop runs."""
    loop = _loop()
    if loop is None:
        then(work())
        return
    done = loop.run_in_executor(pool, work)
    done.add_done_callback(lambda each: None if each.cancelled() or each.exception() else then(each.result()))

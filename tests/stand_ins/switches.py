"""What a stand-in was asked, and how it is to fail next."""

import json
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

Handler = Callable[[Request, "Call"], Response]


@dataclass(frozen=True)
class Call:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


@dataclass(frozen=True)
class Fault:
    """How one call fails: with an answer, or cut off before or after it took effect; ``at`` is part of method and path."""

    answer: Response | None
    at: str = ""
    is_done: bool = False


@dataclass
class Switches:
    """Calls so far and faults to come; a window of so many calls a time, if one is set."""

    calls: list[Call] = field(default_factory=list)
    faults: deque[Fault] = field(default_factory=deque)
    window: tuple[int, float] | None = None
    too_many: Callable[[], Response] = lambda: JSONResponse({}, 429)
    _made: deque[float] = field(default_factory=deque)

    def fail(self, status: int, body: Any, *, at: str = "", times: int = 1, **headers: str) -> None:
        """Answer the next calls of a path with an error."""
        answer = JSONResponse(body, status, {name.replace("_", "-"): value for name, value in headers.items()})
        self.faults.extend([Fault(answer, at)] * times)

    def cut(self, *, at: str = "", is_done: bool = False) -> None:
        """Cut the next call of a path off, before or after it took effect."""
        self.faults.append(Fault(None, at, is_done))

    def made(self, at: str) -> list[Call]:
        """Return the calls of a path."""
        return [call for call in self.calls if at in call.path]

    def route(self, path: str, handler: Handler, *methods: str) -> Route:
        async def answer(request: Request) -> Response:
            body = await request.body()
            call = Call(request.method, request.url.path, dict(request.query_params), dict(request.headers), body)
            self.calls.append(call)
            fault = next((each for each in self.faults if each.at in f"{call.method} {call.path}"), None)
            if fault is not None:
                self.faults.remove(fault)
                if fault.answer is not None:
                    return fault.answer
                if fault.is_done:
                    handler(request, call)
                return StreamingResponse(_cut_off(), headers={"Content-Length": "100"})
            if self._is_too_much():
                return self.too_many()
            return handler(request, call)

        return Route(path, answer, methods=list(methods or ["POST"]))

    def _is_too_much(self) -> bool:
        if self.window is None:
            return False
        calls, seconds = self.window
        now = time.monotonic()
        while self._made and self._made[0] <= now - seconds:
            self._made.popleft()
        if len(self._made) >= calls:
            return True
        self._made.append(now)
        return False


async def _cut_off() -> AsyncIterator[bytes]:
    yield b"{"

"""Marketo Engage: REST and Bulk Extract, with the rules that its documentation states.

An error stands in the body of an HTTP 200; ``code`` is a text. Tokens end, calls are counted within a window and a day,
extracts queue up, windows have at most 31 days, files are given in ranges, activities always come with a token.
"""

import json
import re
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.stand_ins.marketo_api import CREATORS, operation, wrong_answer, wrong_call
from tests.stand_ins.marketo_bulk import Bulk
from tests.stand_ins.marketo_errors import MarketoError
from tests.stand_ins.marketo_rest import Rest
from tests.stand_ins.marketo_world import World

CLIENT = {"client_id": "ours", "client_secret": "secret-of-ours"}


@dataclass
class MarketoStandIn:
    """An instance that answers. ``every`` says which fault comes at each how many-th call of its kind."""

    world: World = field(default_factory=World)
    every: dict[str, int] = field(default_factory=dict)
    window: tuple[int, float] = (100, 20.0)
    quota: int = 50_000
    used: int = 0
    life_s: float = 3600.0
    has_crm_sync: bool = False
    refused: frozenset[str] = frozenset()  # paths that the user's role may not call
    calls: list[str] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)
    created_leads: int = 0
    most_matches: int = 1000
    most_at_once: int = 0
    on_call: Callable[[int], None] = lambda _: None

    def __post_init__(self) -> None:
        self.rest, self.bulk = Rest(self), Bulk(self)
        self._tokens: dict[str, float] = {}
        self._made: deque[float] = deque()
        self._counted: Counter[str] = Counter()
        self._running = 0

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST", "DELETE"])])

    def is_due(self, fault: str) -> bool:
        """Count a call of the kind that a fault comes with, and tell whether it comes now."""
        if fault not in self.every:
            return False
        self._counted[fault] += 1
        return self._counted[fault] % self.every[fault] == 0

    def expire(self) -> None:
        self._tokens = dict.fromkeys(self._tokens, 0.0)

    async def _answer(self, request: Request) -> Response:
        body, path = await request.body(), request.url.path
        self.calls.append(f"{request.method} {path}")
        self.on_call(len(self.calls))
        if path == "/identity/oauth/token":
            return self._identity(dict(request.query_params) | dict(parse_qsl(body.decode())))
        self._running += 1
        self.most_at_once = max(self.most_at_once, self._running)
        try:
            if self.is_due("500"):
                return JSONResponse({"error": "oops"}, 500)
            if len(str(request.url)) > 8192:
                return PlainTextResponse("URI too long", 414)
            if len(body) > 1 << 20:
                return PlainTextResponse("Request Entity Too Large", 413)
            return self._called(request, body)
        except MarketoError as error:
            self.codes[error.code] += 1
            return JSONResponse(self._envelope(False, errors=[{"code": error.code, "message": error.message}]))
        finally:
            self._running -= 1

    def _called(self, request: Request, body: bytes) -> Response:
        self._allowed(request)
        path = request.url.path
        params = _params(request.query_params.multi_items())
        content = request.headers.get("content-type", "")
        form = _params(parse_qsl(body.decode())) if "form-urlencoded" in content else {}
        is_query = "GET" in {params.get("_method"), form.get("_method")}
        method = "GET" if is_query else request.method
        if is_query:
            params, form = {**form, "_method": "GET"}, {}
        told = form or (json.loads(body) if "json" in content and body else {})
        if any(
            re.fullmatch(each.split()[1].replace("{id}", "[^/]+"), path)
            for each in CREATORS
            if method == each.split()[0]
        ):
            self.created_leads += 1
            return JSONResponse(self._envelope(True, result=[{"id": 1, "status": "created"}]))
        found = operation(method, path)
        if found is None:
            raise MarketoError("610", "Requested resource not found")
        if wrong := wrong_call(found[1], params, told):
            raise MarketoError("701", wrong)
        answer = (self.bulk if path.startswith("/bulk/") else self.rest).answer(found[0], path, params, told, request)
        if isinstance(answer, Response):
            return answer
        envelope = self._envelope(True, **answer)
        assert not (lacks := wrong_answer(found[1], envelope)), f"{found[0]} lacks {lacks}"
        return JSONResponse(envelope)

    def _identity(self, asked: dict[str, str]) -> Response:
        if asked != {"grant_type": "client_credentials", **CLIENT}:
            told = {"error": "unauthorized", "error_description": "Bad client credentials"}
            return JSONResponse(told, 401)
        now = time.monotonic()
        token, ends = next(((each, ends) for each, ends in self._tokens.items() if ends > now), ("", 0.0))
        if not token:
            token, ends = f"{uuid.uuid4()}:ab", now + self.life_s
            self._tokens[token] = ends
        told = {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": int(ends - now),
            "scope": "api@acme.example",
        }
        return JSONResponse(told)

    def _allowed(self, request: Request) -> None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self._tokens:
            raise MarketoError("601", "Access token invalid")
        if self._tokens[token] <= time.monotonic() or self.is_due("expire"):
            self._tokens[token] = 0.0
            raise MarketoError("602", "Access token expired")
        if self._running > 10 or self.is_due("615"):
            raise MarketoError("615", "Concurrent access limit reached")
        if self.is_due("502"):
            raise MarketoError("502", "Bad Gateway")
        self.used += 1
        if self.used > self.quota:
            raise MarketoError("607", f"Daily quota '{self.quota}' reached")
        calls, seconds = self.window
        now = time.monotonic()
        while self._made and self._made[0] <= now - seconds:
            self._made.popleft()
        if len(self._made) >= calls or self.is_due("606"):
            raise MarketoError("606", f"Max rate limit '{calls}' exceeded with in '{seconds}' secs")
        self._made.append(now)
        if request.url.path in self.refused:
            raise MarketoError("603", "Access denied")

    @staticmethod
    def _envelope(success: bool, **parts: Any) -> dict[str, Any]:  # noqa: FBT001 - as it stands in the answer
        return {"requestId": uuid.uuid4().hex[:12], "success": success, **parts}


def _params(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        found[name] = [*found.get(name, []), value] if name == "id" else value
    return found


def make_app(
    leads: int, activities_each: int, every: dict[str, int], window: tuple[int, float], **options: Any
) -> Starlette:
    """Make the app of an instance of some size, to be served by another process."""
    world = World.of(leads, activities_each, **options)
    stand_in = MarketoStandIn(world, every, window=(window[0], window[1]), quota=10**9)
    stand_in.bulk.quota_bytes = 1 << 40
    return stand_in.app

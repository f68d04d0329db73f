"""A receiver of signed JSON, as the pages on webhooks ask for one: it checks who sent a batch, and keeps each once."""

import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from tests.stand_ins.switches import Call, Switches

_TRUSTED_S = 300


@dataclass
class Receiver:
    """Knows batches by their idempotency key, and people by theirs; writes down all that came, if it is told where."""

    secret: str = "secret-of-the-receiver"
    unknown: dict[str, str] = field(default_factory=dict)
    log: Path | None = None
    most_rows: int = 10_000
    switches: Switches = field(default_factory=Switches)
    answers: dict[str, Response] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    has: dict[str, dict[str, Any]] = field(default_factory=dict)
    additions: dict[str, int] = field(default_factory=dict)

    @property
    def app(self) -> Starlette:
        route = self.switches.route
        return Starlette(routes=[route("/hook", self._take), route("/state", self._state, "GET")])

    def _take(self, _: Request, call: Call) -> Response:
        at, signed = call.headers.get("cdp-timestamp", "0"), call.headers.get("cdp-signature", "")
        expected = hmac.new(self.secret.encode(), f"{at}.".encode() + call.body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signed, f"sha256={expected}") or abs(time.time() - int(at)) > _TRUSTED_S:
            return PlainTextResponse("The signature is wrong.", 401)
        key = call.headers.get("idempotency-key")
        if not key or len(call.json["rows"]) > self.most_rows:
            return PlainTextResponse("No idempotency key, or too many rows.", 400)
        if key in self.answers:
            # A key that comes again with another body is a mistake of the sender.
            return self.answers[key] if self.bodies[key] == call.body else PlainTextResponse("Another body.", 422)
        self._keep(call.json["rows"])
        self.bodies[key] = call.body
        self.answers[key] = JSONResponse({"refused": self.unknown} if self.unknown else {})
        return self.answers[key]

    def _keep(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if row["key"] in self.unknown:
                continue
            if row["action"] == "remove":
                self.has.pop(row["key"], None)
            else:
                self.additions[row["key"]] = self.additions.get(row["key"], 0) + (row["key"] not in self.has)
                self.has[row["key"]] = row
        if self.log:
            with self.log.open("a") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)

    def _state(self, _: Request, __: Call) -> Response:
        return JSONResponse({"has": self.has, "additions": self.additions, "batches": len(self.answers)})


def app(**options: Any) -> Starlette:
    """Make the app for a process of its own."""
    return Receiver(**(options | {"log": Path(options["log"])} if "log" in options else options)).app

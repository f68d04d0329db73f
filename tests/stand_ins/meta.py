"""The Graph API's custom audiences, as their reference and Meta's library describe them."""

import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.stand_ins.switches import Call, Switches

_HASHED = {"EMAIL", "PHONE", "GEN", "DOBY", "DOBM", "DOBD", "LN", "FN", "FI", "CT", "ST", "ZIP", "COUNTRY"}
_PLAIN = {"EXTERN_ID", "MADID", "LOOKALIKE_VALUE"}
_ALONE = ("EMAIL", "PHONE")


@dataclass
class Meta:
    """One app with its audiences; a person in one is known by address or phone number."""

    token: str = "EAAB-meta-token"
    secret: str = "app-secret-of-meta"
    asks_for_proof: bool = False
    audiences: dict[str, list[dict[str, str]]] = field(default_factory=lambda: {"6001": [], "6002": []})
    flagged: set[str] = field(default_factory=set)
    invalid: set[str] = field(default_factory=set)
    switches: Switches = field(default_factory=Switches)

    @property
    def app(self) -> Starlette:
        route = self.switches.route
        return Starlette(
            routes=[
                route("/{version}/{id}/users", self._allowed(self._users), "POST", "DELETE"),
                route("/{version}/{id}", self._allowed(self._one), "GET"),
                route("/", self._allowed(self._batch), "POST"),
            ]
        )

    def told(self, audience_id: str, key: str = "EMAIL") -> list[str]:
        """Return the values of one key in an audience."""
        return sorted(person[key] for person in self.audiences[audience_id] if person.get(key))

    def _allowed(self, handler: Any) -> Any:
        def allowed(request: Request, call: Call) -> Response:
            given = call.query | _form(call)
            if given.get("access_token") != self.token:
                return failed(400, 190, "Error validating access token: Session has expired.", 463)
            proof = hmac.new(self.secret.encode(), self.token.encode(), hashlib.sha256).hexdigest()
            if given.get("appsecret_proof", proof if not self.asks_for_proof else None) != proof:
                return failed(400, 100, "API calls from the server require an appsecret_proof argument")
            return handler(request, given)

        return allowed

    def _users(self, request: Request, given: dict[str, str]) -> Response:
        audience_id = request.path_params["id"]
        if audience_id not in self.audiences:
            return failed(400, 100, "Unsupported post request.", 33)
        if audience_id in self.flagged:
            return failed(400, 100, "Invalid parameter", 1713230, error_user_title="Audience Upload Blocked",
                          error_user_msg="You must resolve integrity restrictions on this audience.")  # fmt: skip
        payload = json.loads(given["payload"])
        schema, rows = payload["schema"], payload["data"]
        schema = [schema.removesuffix("_SHA256")] if isinstance(schema, str) else schema
        rows = [[row] if isinstance(row, str) else row for row in rows]
        if not set(schema) <= _HASHED | _PLAIN or not rows or len(rows) > 10_000:
            return failed(400, 100, "Invalid parameter")
        if "session" in given and not set(json.loads(given["session"])) >= {
            "session_id",
            "batch_seq",
            "last_batch_flag",
        }:
            return failed(400, 100, "Invalid parameter")
        wrong = [row for row in rows if self._is_wrong(schema, row)]
        self._apply(
            request.method, audience_id, [dict(zip(schema, row, strict=True)) for row in rows if row not in wrong]
        )
        session_id = json.loads(given.get("session", "{}")).get("session_id", 1)
        return JSONResponse({"audience_id": audience_id, "session_id": str(session_id), "num_received": len(rows),
                             "num_invalid_entries": len(wrong), "invalid_entry_samples": wrong[:100]})  # fmt: skip

    def _is_wrong(self, schema: list[str], row: list[str]) -> bool:
        if len(row) != len(schema) or not any(row) or self.invalid & set(row):
            return True
        told = dict(zip(schema, row, strict=True))
        return not all(re.fullmatch("[0-9a-f]{64}", told[key]) for key in _HASHED & set(told) if told[key])

    def _apply(self, method: str, audience_id: str, people: list[dict[str, str]]) -> None:
        named = {(key, person[key]) for person in people for key in _ALONE if person.get(key)}
        stay = [each for each in self.audiences[audience_id] if not named & {(key, each.get(key)) for key in _ALONE}]
        self.audiences[audience_id] = stay + (people if method == "POST" else [])

    def _one(self, request: Request, _: dict[str, str]) -> Response:
        return self._about(request.path_params["id"])

    def _about(self, audience_id: str) -> JSONResponse:
        if audience_id not in self.audiences:
            return failed(400, 100, "Unsupported get request.", 33)
        return JSONResponse({"id": audience_id, "name": f"Audience {audience_id}", "subtype": "CUSTOM",
                             "approximate_count_lower_bound": len(self.audiences[audience_id]) or -1,
                             "operation_status": {"code": 471 if audience_id in self.flagged else 200}})  # fmt: skip

    def _batch(self, _: Request, given: dict[str, str]) -> Response:
        answers = [
            self._about(each["relative_url"].split("?")[0].split("/")[-1]) for each in json.loads(given["batch"])
        ]
        return JSONResponse([{"code": each.status_code, "body": bytes(each.body).decode()} for each in answers])


def failed(status: int, code: int, message: str, subcode: int | None = None, **more: Any) -> JSONResponse:
    """Return an error as Meta shapes it."""
    error = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "AbC", **more}
    return JSONResponse({"error": error | ({"error_subcode": subcode} if subcode else {})}, status)


def _form(call: Call) -> dict[str, str]:
    if call.headers.get("content-type", "").startswith("application/json"):
        return {name: each if isinstance(each, str) else json.dumps(each) for name, each in call.json.items()}
    return call.form

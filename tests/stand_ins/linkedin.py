"""DMP segments of LinkedIn, as their reference describes them."""

import itertools
import json
import re
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.stand_ins.switches import Call, Switches

_PERSON = {"action", "userIds", "firstName", "lastName", "title", "company", "country"}
_COMPANY = {"action", "companyName", "companyWebsiteDomain", "companyEmailDomain", "companyPageUrl", "organizationUrn",
            "stockSymbol", "industries", "city", "state", "country", "postalCode"}  # fmt: skip
_LONGEST = {"firstName": 35, "lastName": 35, "title": 50, "company": 50}


@dataclass
class LinkedIn:
    """One advertising account; a new segment is not found for ``not_ready`` calls."""

    account: str = "516848833"
    token: str = "AQX-linkedin-token"
    versions: tuple[str, ...] = ("202606", "202607", "202608")
    not_ready: int = 1
    segments: dict[str, dict[str, Any]] = field(default_factory=dict)
    members: dict[str, dict[str, Any]] = field(default_factory=dict)
    wrong: set[str] = field(default_factory=set)
    switches: Switches = field(default_factory=Switches)
    _ids: Any = field(default_factory=lambda: itertools.count(10804))

    def __post_init__(self) -> None:
        self.switches.too_many = lambda: failed(
            429, "Resource level throttle limit for calls to this resource is reached."
        )

    @property
    def app(self) -> Starlette:
        route = self.switches.route
        return Starlette(
            routes=[
                route("/oauth/v2/accessToken", self._refreshed),
                route("/rest/dmpSegments", self._allowed(self._segments), "GET", "POST"),
                route("/rest/dmpSegments/{id}/{kind}", self._allowed(self._stream), "POST"),
            ]
        )

    def told(self, name: str) -> list[str]:
        """Return who is in a segment: digests of people, domains or names of companies."""
        [segment_id] = [each["id"] for each in self.segments.values() if each["sourceSegmentId"] == name]
        return sorted(self.members[segment_id])

    def _refreshed(self, _: Request, call: Call) -> Response:
        if (call.form["client_secret"], call.form["refresh_token"]) != ("li-secret", "li-refresh"):
            return JSONResponse({"error": "invalid_request", "error_description": "The refresh token is expired."}, 400)
        return JSONResponse({"access_token": self.token, "expires_in": 5183999})

    def _allowed(self, handler: Any) -> Any:
        def allowed(request: Request, call: Call) -> Response:
            if call.headers.get("authorization") != f"Bearer {self.token}":
                return failed(401, "The token used in the request has expired", 65601)
            if call.headers.get("linkedin-version") not in self.versions:
                return failed(426, "Requested version is not active", code="NONEXISTENT_VERSION")
            if call.headers.get("x-restli-protocol-version") != "2.0.0":
                return failed(400, "Restli protocol version 2.0.0 is required")
            return handler(request, call)

        return allowed

    def _segments(self, request: Request, call: Call) -> Response:
        if request.method == "GET":
            asked = (call.query["account"], call.query["sourcePlatform"], call.query["sourceSegmentId"])
            found = [each for each in self.segments.values()
                     if (each["account"], each["sourcePlatform"], each["sourceSegmentId"]) == asked]  # fmt: skip
            return JSONResponse({"paging": {"start": 0, "count": 10}, "elements": found})
        about = call.json
        if about["account"] != f"urn:li:sponsoredAccount:{self.account}":
            return failed(403, "Not enough permissions to access: POST /dmpSegments", 100)
        if about["type"] not in {"USER", "COMPANY"} or not about["destinations"]:
            return failed(400, "Field Value validation failed in REQUEST_BODY")
        segment_id = str(next(self._ids))
        self.members[segment_id] = {}
        target = [{"destination": "LINKEDIN", "status": "BUILDING", "audienceSize": 0}]
        self.segments[segment_id] = {**about, "id": segment_id, "destinations": target, "waits": self.not_ready}
        return Response(status_code=201, headers={"x-restli-id": segment_id})

    def _stream(self, request: Request, call: Call) -> Response:
        segment = self.segments.get(request.path_params["id"])
        kind = request.path_params["kind"]
        if segment is None or segment["waits"] or {"users": "USER", "companies": "COMPANY"}[kind] != segment["type"]:
            if segment and segment["waits"]:
                segment["waits"] -= 1
            return failed(404, "Could not find entity")
        elements = call.json.get("elements", [])
        if call.headers.get("x-restli-method") != "BATCH_CREATE" or len(elements) > 5_000:
            return failed(400, "Bad request")
        members = self.members[segment["id"]]
        return JSONResponse({"elements": [self._one(members, each, kind) for each in elements]})

    def _one(self, members: dict[str, Any], element: dict[str, Any], kind: str) -> dict[str, Any]:
        key = _person(element) if kind == "users" else _company(element)
        if key is None or element.get("action") not in {"ADD", "REMOVE"} or key in self.wrong:
            return {"status": 400, "error": {"status": 400, "message": "Invalid element"}}
        if element["action"] == "ADD":
            members[key] = element
        else:
            members.pop(key, None)  # an id that is not there is no error: 201 by design
        return {"status": 201}


def failed(status: int, message: str, service_code: int = 0, code: str = "") -> JSONResponse:
    """Return an error as LinkedIn shapes it."""
    told = {"message": message, "status": status, "serviceErrorCode": service_code}
    return JSONResponse(told | ({"code": code} if code else {}), status)


def _person(element: dict[str, Any]) -> str | None:
    ids = [each["idValue"] for each in element.get("userIds", []) if each.get("idType") == "SHA256_EMAIL"]
    is_short = all(len(element.get(name, "")) <= most for name, most in _LONGEST.items())
    is_right = len(ids) == 1 and re.fullmatch("[0-9a-f]{64}", ids[0]) and set(element) <= _PERSON and is_short
    return ids[0] if is_right else None


def _company(element: dict[str, Any]) -> str | None:
    if set(element) - _COMPANY or not isinstance(element.get("industries", []), list) or "@" in json.dumps(element):
        return None
    return element.get("companyWebsiteDomain") or element.get("companyName")

"""The Data Manager API with its login, as its reference and its client library describe them.

Membership is kept as Google does it: a person is known by any of the identifiers, and a removal that names one of them
takes the person off.
"""

import json
import re
import uuid
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.stand_ins.switches import Call, Switches

SCOPE = "https://www.googleapis.com/auth/datamanager"
_KNOWN = {
    "ingest": {"destinations", "audienceMembers", "consent", "validateOnly", "encoding", "encryptionInfo", "termsOfService"},
    "remove": {"destinations", "audienceMembers", "validateOnly", "encoding", "encryptionInfo"},
}  # fmt: skip
_CONSENTS = ("CONSENT_STATUS_UNSPECIFIED", "CONSENT_GRANTED", "CONSENT_DENIED")


@cache
def _key(_name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@dataclass
class Google:
    """One account with its lists; ``states`` are what the next questions for a request's state are answered."""

    account: str = "1234567890"
    lists: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"111": [], "222": []})
    switches: Switches = field(default_factory=Switches)
    states: list[str] = field(default_factory=list)
    signs_terms: bool = True
    life_s: int = 3600
    _tokens: set[str] = field(default_factory=set)
    requests: dict[str, Any] = field(default_factory=dict)
    key_name: str = "ours"

    def __post_init__(self) -> None:
        self.switches.too_many = lambda: _refused(429, "RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED", "Quota exceeded.")

    @property
    def app(self) -> Starlette:
        route = self.switches.route
        return Starlette(
            routes=[
                route("/token", self._token),
                route("/v1/audienceMembers:ingest", self._allowed(self._members("ingest"))),
                route("/v1/audienceMembers:remove", self._allowed(self._members("remove"))),
                route("/v1/requestStatus:retrieve", self._allowed(self._status), "GET"),
                route("/v1/accountTypes/{type}/accounts/{account}/userLists/{id}", self._allowed(self._list), "GET"),
            ]
        )

    def service_account(self, url: str) -> str:
        """Return the key that Google gives out, as JSON."""
        pem = _key(self.key_name).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return json.dumps({"type": "service_account", "client_email": "cdp@project.example", "private_key_id": "k1",
                           "private_key": pem.decode(), "token_uri": f"{url}/token"})  # fmt: skip

    def expire(self) -> None:
        self._tokens.clear()

    def told(self, list_id: str, kind: str = "emailAddress") -> list[str]:
        """Return the identifiers of one kind on a list."""
        return sorted(each[kind] for member in self.lists[list_id] for each in _ids(member) if kind in each)

    def _token(self, request: Request, call: Call) -> Response:
        ends = [
            str(request.url),
            "https://oauth2.googleapis.com/token",
        ]  # whom the claim is made to; the second by Google's library
        try:
            claims = jwt.decode(call.form["assertion"], _key(self.key_name).public_key(), ["RS256"], audience=ends)
            is_right = claims["scope"] == SCOPE and claims["exp"] - claims["iat"] <= 3600 and claims["iss"]
        except (jwt.PyJWTError, KeyError):
            is_right = False
        if not is_right or not call.form["grant_type"].endswith("jwt-bearer"):
            return JSONResponse({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, 400)
        token = f"ya29.{uuid.uuid4().hex}"
        self._tokens.add(token)
        return JSONResponse({"access_token": token, "expires_in": self.life_s, "token_type": "Bearer"})

    def _allowed(self, handler: Any) -> Any:
        def allowed(request: Request, call: Call) -> Response:
            if call.headers.get("authorization", "").removeprefix("Bearer ") not in self._tokens:
                return _refused(401, "UNAUTHENTICATED", "ACCESS_TOKEN_EXPIRED", "Request had invalid credentials.")
            return handler(request, call)

        return allowed

    def _members(self, verb: str) -> Any:
        def handle(_: Request, call: Call) -> Response:
            body = call.json
            if unknown := set(body) - _KNOWN[verb]:
                return _refused(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", f"Unknown name {sorted(unknown)}.")
            target = body["destinations"][0]
            if target["operatingAccount"]["accountId"] != self.account:
                return _refused(403, "PERMISSION_DENIED", "PERMISSION_DENIED", "The caller does not have permission.")
            if wrong := list(self._wrong(verb, body)):
                return _refused(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "There was a problem.", wrong)
            return self._take(verb, target["productDestinationId"], body)

        return handle

    def _wrong(self, verb: str, body: dict[str, Any]) -> Any:
        target, members = body["destinations"][0], body.get("audienceMembers", [])
        if target["productDestinationId"] not in self.lists:
            yield "destinations[0].product_destination_id", "INVALID_USER_LIST_ID"
        if body.get("encoding") not in {"HEX", 1}:
            yield "encoding", "REQUIRED_FIELD_MISSING"
        accepted = body.get("termsOfService", {}).get("customerMatchTermsOfServiceStatus") in {"ACCEPTED", 1}
        if verb == "ingest" and not (accepted and self.signs_terms):
            yield "terms_of_service", "TERMS_AND_CONDITIONS_NOT_SIGNED"
        if not members:
            yield "audience_members", "REQUIRED_FIELD_MISSING"
        if len(members) > 10_000:
            yield "audience_members", "TOO_MANY_AUDIENCE_MEMBERS"
        for place, member in enumerate(members):
            if reason := _wrong_with(member):
                yield f"audience_members.audience_members[{place}].user_data.user_identifiers", reason

    def _take(self, verb: str, list_id: str, body: dict[str, Any]) -> Response:
        request_id = uuid.uuid4().hex
        members = body["audienceMembers"]
        self.requests[request_id] = (verb, body["destinations"][0], len(members))
        if not body.get("validateOnly"):
            known = {json.dumps(i): place for place, each in enumerate(self.lists[list_id]) for i in _ids(each)}
            gone = {known.get(json.dumps(i)) for member in members for i in _ids(member)}
            kept = [each for place, each in enumerate(self.lists[list_id]) if place not in gone]
            self.lists[list_id] = kept + (members if verb == "ingest" else [])
        return JSONResponse({"requestId": request_id})

    def _status(self, _: Request, call: Call) -> Response:
        if call.query.get("requestId") not in self.requests:
            return _refused(400, "INVALID_ARGUMENT", "INVALID_REQUEST_ID", "The request id is not valid.")
        verb, target, count = self.requests[call.query["requestId"]]
        state = self.states.pop(0) if self.states else "SUCCESS"
        told: dict[str, Any] = {"destination": target, "requestStatus": state}
        if state != "PROCESSING" and verb == "ingest":
            counts = {"recordCount": str(count), "userIdentifierCount": str(count)}
            told["audienceMembersIngestionStatus"] = {
                "userDataIngestionStatus": {**counts, "uploadMatchRateRange": "MATCH_RATE_RANGE_61_TO_70"}
            }
        if state in {"FAILED", "PARTIAL_SUCCESS"}:
            failed = {"recordCount": str(count), "reason": "PROCESSING_ERROR_REASON_UNKNOWN_CONSENT"}
            told["errorInfo"] = {"errorCounts": [failed]}
        return JSONResponse({"requestStatusPerDestination": [told]})

    def _list(self, request: Request, _: Call) -> Response:
        list_id = request.path_params["id"]
        if list_id not in self.lists or request.path_params["account"] != self.account:
            return _refused(404, "NOT_FOUND", "NOT_FOUND", "Resource not found.")
        size = str(len(self.lists[list_id]))
        return JSONResponse({"name": request.url.path[4:], "id": list_id, "displayName": f"List {list_id}",
                             "membershipStatus": "OPEN", "sizeInfo": {"displayNetworkMembersCount": size}})  # fmt: skip


def _ids(member: dict[str, Any]) -> list[dict[str, Any]]:
    return member["userData"]["userIdentifiers"]


def _wrong_with(member: dict[str, Any]) -> str:  # noqa: PLR0911 - a rule a line
    ids = member.get("userData", {}).get("userIdentifiers", [])
    consents = member.get("consent", {})
    if set(member) - {"userData", "consent"} or set(consents) - {"adUserData", "adPersonalization"}:
        return "INVALID_AUDIENCE_MEMBER"
    if not all(each in _CONSENTS or each in {0, 1, 2} for each in consents.values()):
        return "INVALID_ENUM_VALUE"
    if not ids:
        return "REQUIRED_FIELD_MISSING"
    if len(ids) > 10:
        return "TOO_MANY_USER_IDENTIFIERS"
    for each in ids:
        if len(each) != 1 or not set(each) <= {"emailAddress", "phoneNumber", "address"}:
            return "INVALID_AUDIENCE_MEMBER"
        place = each.get("address", {})
        if place and not all(place.get(part) for part in ("givenName", "familyName", "regionCode", "postalCode")):
            return "REQUIRED_FIELD_MISSING"
        if place and not re.fullmatch("[A-Z]{2}", place["regionCode"]):
            return "INVALID_REGION_CODE"
        digests = [each.get("emailAddress"), each.get("phoneNumber"), place.get("givenName"), place.get("familyName")]
        if not all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests if digest is not None):
            return "INVALID_SHA256_FORMAT"
    return ""


def _refused(
    code: int, status: str, reason: str, message: str, wrong: list[tuple[str, str]] | None = None
) -> JSONResponse:
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "datamanager.googleapis.com",
    }
    about = {"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": uuid.uuid4().hex}
    fields = [{"field": place, "reason": why, "description": why.lower()} for place, why in wrong or []]
    bad = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": fields}] if fields else []
    error = {"code": code, "message": message, "status": status, "details": [info, about, *bad]}
    return JSONResponse({"error": error}, code)

"""``/users/track`` of Braze, as its reference describes it."""

import json
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.stand_ins.switches import Call, Switches

_IDENTIFIERS = ("external_id", "user_alias", "braze_id", "email", "phone")
_LONGEST_ARRAY = 25


@dataclass
class Braze:
    """One workspace; ``users`` are those that exist, by external id or address."""

    key: str = "braze-rest-key"
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    most: int = 75
    switches: Switches = field(default_factory=Switches)

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[self.switches.route("/users/track", self._track)])

    def _track(self, _: Request, call: Call) -> Response:
        if call.headers.get("authorization") != f"Bearer {self.key}":
            return JSONResponse({"message": "Invalid API key: •••"}, 401)
        attributes = call.json.get("attributes", [])
        if len(attributes) > self.most or len(call.body) > 4_000_000:
            return JSONResponse({"message": "Request exceeds limit of objects.", "errors": []}, 400)
        errors = [{"type": why, "input_array": "attributes", "index": place}
                  for place, each in enumerate(attributes) if (why := _wrong_with(each))]  # fmt: skip
        if len(errors) == len(attributes):
            return JSONResponse({"message": "Valid data must be provided in the 'attributes', 'events', or 'purchases' "
                                            "fields.", "errors": errors}, 400)  # fmt: skip
        wrong = {each["index"] for each in errors}
        for place, each in enumerate(attributes):
            if place not in wrong:
                self._apply(dict(each))
        told = {"message": "success", "attributes_processed": len(attributes) - len(errors)}
        return JSONResponse(told | ({"errors": errors} if errors else {}), 201)

    def _apply(self, told: dict[str, Any]) -> None:
        name = next(str(told[each]) for each in _IDENTIFIERS if each in told)
        is_update = told.pop("_update_existing_only", "user_alias" in told)
        if name not in self.users and is_update:
            return
        user = self.users.setdefault(name, {})
        for attribute, value in told.items():
            if isinstance(value, dict):
                kept = [
                    each
                    for each in user.get(attribute, [])
                    if each not in [*value.get("add", []), *value.get("remove", [])]
                ]
                user[attribute] = [*kept, *value.get("add", [])][:_LONGEST_ARRAY]
            elif value is None:
                user.pop(attribute, None)
            else:
                user[attribute] = value


def _wrong_with(told: dict[str, Any]) -> str:
    if not any(told.get(each) for each in _IDENTIFIERS):
        return "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required"
    if "email" in told and "@" not in told["email"]:
        return "'email' is not a valid email address"
    return "'attributes' is too large" if len(json.dumps(told)) > 100_000 else ""

"""A HubSpot account as its public API pages describe it: records, searches, associations, lists.

A search looks only at what is indexed, ends after 10,000 records, and knows no archived ones; a listing gives only the
properties that were named; lists that HubSpot fills itself cannot be changed.
"""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.stand_ins.switches import Call, Switches

KINDS = ("contacts", "companies", "deals")
LONGEST_URL = 8_192


def standard():
    texts = "email firstname lastname phone mobilephone jobtitle company city country lifecyclestage hs_lead_status"
    contact = dict.fromkeys(texts.split(), "string") | {
        "lastmodifieddate": "datetime", "createdate": "datetime", "hs_object_id": "number", "hs_email_optout": "bool",
        "associatedcompanyid": "number", "hs_merged_object_ids": "enumeration", "hs_calculated_secret": "hidden",
    }  # fmt: skip
    company = dict.fromkeys(["name", "domain", "industry", "city", "country", "website"], "string") | {
        "hs_lastmodifieddate": "datetime", "createdate": "datetime", "hs_object_id": "number", "annualrevenue": "number",
        "numberofemployees": "number", "hs_parent_company_id": "number", "hs_merged_object_ids": "enumeration",
    }  # fmt: skip
    deal = dict.fromkeys(["dealname", "dealtype", "dealstage", "pipeline", "deal_currency_code"], "string") | {
        "hs_lastmodifieddate": "datetime", "createdate": "datetime", "closedate": "datetime", "amount": "number",
        "hs_is_closed": "bool", "hs_is_closed_won": "bool", "hs_object_id": "number",
    }  # fmt: skip
    return {"contacts": contact, "companies": company, "deals": deal}


STAGES = [{"id": "default", "label": "Sales", "stages": [
    {"id": "qualifiedtobuy", "label": "Qualified", "metadata": {"isClosed": "false", "probability": "0.4"}},
    {"id": "closedwon", "label": "Won", "metadata": {"isClosed": "true", "probability": "1.0"}},
]}]  # fmt: skip


@dataclass
class HubSpot:
    """One account."""

    token: str = "pat-eu1-token"
    scopes: set = field(default_factory=lambda: {*KINDS, "lists"})
    properties: dict = field(default_factory=standard)
    records: dict = field(default_factory=lambda: {kind: {} for kind in KINDS})
    archived: dict = field(default_factory=lambda: {kind: {} for kind in KINDS})
    unindexed: set = field(default_factory=set)
    stale: set = field(default_factory=set)  # contacts that only look as if they were there
    pairs: dict = field(default_factory=dict)  # (kind, other): {id: {other id: label}}
    lists: dict = field(default_factory=dict)
    members: dict = field(default_factory=dict)
    most_associated: int = 500
    switches: Switches = field(default_factory=Switches)

    def __post_init__(self):
        self._numbers = itertools.count(101)
        self.clock = lambda: datetime.now(UTC)

    # The account

    def save(self, kind, at=None, id=None, **properties):  # noqa: A002 - their word
        """Write a record, new or known by its id."""
        number = id or str(next(self._numbers))
        stamp = iso(at or self.clock())
        old = self.records[kind].get(number, {"createdate": stamp, "hs_object_id": number})
        modified = "lastmodifieddate" if kind == "contacts" else "hs_lastmodifieddate"
        self.records[kind][number] = old | {modified: stamp} | properties
        return number

    def archive(self, kind, number, at=None):
        self.archived[kind][number] = (self.records[kind].pop(number), iso(at or self.clock()))

    def associate(self, kind, number, other, other_number, label=None):
        for one, two, a, b in ((kind, other, number, other_number), (other, kind, other_number, number)):
            self.pairs.setdefault((one, two), {}).setdefault(a, {})[b] = label

    def add_list(self, name, *members, processing="MANUAL"):
        number = str(next(self._numbers))
        self.lists[number] = {
            "listId": number, "name": name, "processingType": processing, "objectTypeId": "0-1",
            "createdAt": iso(self.clock()), "updatedAt": iso(self.clock()),
        }  # fmt: skip
        self.members[number] = dict.fromkeys(members, iso(self.clock()))
        return number

    @property
    def app(self):
        routes = {
            "/account-info/v3/details": (self._account, None, "GET"),
            "/crm/v3/properties/{kind}": (self._properties, "kind", "GET"),
            "/crm/v3/objects/{kind}": (self._listing, "kind", "GET"),
            "/crm/v3/objects/{kind}/search": (self._search, "kind", "POST"),
            "/crm/v3/objects/{kind}/batch/read": (self._batch, "kind", "POST"),
            "/crm/v4/associations/{kind}/{other}/batch/read": (self._associations, "kind", "POST"),
            "/crm/v3/pipelines/{kind}": (self._pipelines, "kind", "GET"),
            "/crm/v3/lists/search": (self._lists, "lists", "POST"),
            "/crm/v3/lists/{list}": (self._list, "lists", "GET"),
            "/crm/v3/lists/{list}/memberships": (self._members, "lists", "GET"),
            "/crm/v3/lists/{list}/memberships/add-and-remove": (self._change, "lists", "PUT"),
        }
        self.switches.too_many = lambda: limited(
            "TEN_SECONDLY_ROLLING", "You have reached your ten_secondly_rolling limit."
        )
        return Starlette(
            routes=[
                self.switches.route(path, self._allowed(handler, scope), method)
                for path, (handler, scope, method) in routes.items()
            ]
        )

    def _allowed(self, handler, scope):
        def allowed(request: Request, call: Call) -> Response:
            if call.headers.get("authorization") != f"Bearer {self.token}":
                return failed(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")
            if len(str(request.url)) > LONGEST_URL:
                return failed(414, "URI_TOO_LONG", "URI Too Long")
            needed = request.path_params.get("kind") if scope == "kind" else scope
            if needed is not None and needed not in self.scopes:
                context = {"requiredGranularScopes": [f"crm.objects.{needed}.read"]}
                return failed(403, "MISSING_SCOPES", "This app hasn't been granted all required scopes.", context)
            return handler(request, call)

        return allowed

    # Records

    def _account(self, _request, _call):
        return JSONResponse({"portalId": 4711, "accountType": "STANDARD", "timeZone": "Europe/Berlin"})

    def _properties(self, request, _call):
        known = self.properties[request.path_params["kind"]]
        return JSONResponse(
            {"results": [{"name": name, "type": "string" if kind == "hidden" else kind, "hidden": kind == "hidden"}
                         for name, kind in known.items()]}
        )  # fmt: skip

    def _listing(self, request, call):
        kind, query = request.path_params["kind"], call.query
        if int(query.get("limit", 10)) > 100:
            return failed(400, "VALIDATION_ERROR", "limit must be at most 100")
        is_archived = query.get("archived") == "true"
        known = self.archived[kind] if is_archived else self.records[kind]
        ids = sorted((each for each in known if int(each) > int(query.get("after", 0))), key=int)
        page = ids[: int(query["limit"])]
        wanted = query.get("properties", "").split(",")
        found = [self._told(kind, each, wanted, is_archived=is_archived) for each in page]
        more = {"paging": {"next": {"after": page[-1], "link": "…"}}} if len(ids) > len(page) else {}
        return JSONResponse({"results": found} | more)

    def _told(self, kind, number, wanted, *, is_archived=False):
        record, at = self.archived[kind][number] if is_archived else (self.records[kind][number], None)
        modified = record.get("lastmodifieddate") or record["hs_lastmodifieddate"]
        always = {name: record.get(name) for name in ("createdate", "hs_object_id")}
        given = {name: record.get(name) for name in wanted if name in self.properties[kind]}
        told = {"id": number, "createdAt": record["createdate"], "updatedAt": modified, "archived": is_archived}
        return told | {"properties": always | given} | ({"archivedAt": at} if at else {})

    def _batch(self, request, call):
        kind, body = request.path_params["kind"], call.json
        if len(body["inputs"]) > 100:
            return failed(400, "VALIDATION_ERROR", "The maximum number of inputs is 100")
        by, is_archived = body.get("idProperty"), call.query.get("archived") == "true"
        known = self.archived[kind] if is_archived else self.records[kind]
        if by:
            asked = {each["id"].lower() for each in body["inputs"]}
            ids = [number for number, record in known.items() if (record.get(by) or "").lower() in asked]
        else:
            ids = [each["id"] for each in body["inputs"] if each["id"] in known]
        found = [self._told(kind, each, body["properties"], is_archived=is_archived) for each in ids]
        missing = len(body["inputs"]) - len(found)
        errors = {"numErrors": 1, "errors": [{"status": "error", "category": "OBJECT_NOT_FOUND",
                                              "message": "Could not get some CONTACT objects"}]}  # fmt: skip
        return JSONResponse(
            {"status": "COMPLETE", "results": found} | (errors if missing else {}), 207 if missing else 200
        )

    def _search(self, request, call):
        kind, body = request.path_params["kind"], call.json
        filters = [each for group in body["filterGroups"] for each in group["filters"]]
        start = int(body.get("after", 0))
        if body["limit"] > 200 or len(filters) > 18:
            return failed(400, "VALIDATION_ERROR", "limit must be at most 200")
        if start + body["limit"] > 10_000:
            return failed(400, "VALIDATION_ERROR", "The maximum number of results is 10,000")
        known = self.records[kind].items()
        ids = [
            each for each, record in known if each not in self.unindexed and all(holds(record, one) for one in filters)
        ]
        for sort in body.get("sorts", []):
            ids.sort(key=lambda each, name=sort["propertyName"]: number_of(self.records[kind][each].get(name)))
        page = ids[start : start + body["limit"]]
        found = [self._told(kind, each, body["properties"]) for each in page]
        more = {"paging": {"next": {"after": str(start + len(page))}}} if len(ids) > start + len(page) else {}
        return JSONResponse({"total": len(ids), "results": found} | more)

    def _associations(self, request, call):
        if len(call.json["inputs"]) > 1_000:
            return failed(400, "VALIDATION_ERROR", "The maximum number of inputs is 1000")
        pairs = self.pairs.get((request.path_params["kind"], request.path_params["other"]), {})
        found, errors = [], []
        for asked in call.json["inputs"]:
            others = sorted(pairs.get(asked["id"], {}).items(), key=lambda pair: int(pair[0]))
            if not others:
                errors.append(
                    {"status": "error", "category": "OBJECT_NOT_FOUND", "context": {"fromObjectId": [asked["id"]]}}
                )
                continue
            start = int(asked.get("after", 0))
            page = others[start : start + self.most_associated]
            to = [{"toObjectId": int(other), "associationTypes": types(label)} for other, label in page]
            is_more = len(others) > start + len(page)
            more = {"paging": {"next": {"after": str(start + len(page))}}} if is_more else {}
            found.append({"from": {"id": asked["id"]}, "to": to} | more)
        told = {"status": "COMPLETE", "results": found} | (
            {"numErrors": len(errors), "errors": errors} if errors else {}
        )
        return JSONResponse(told, 207 if errors else 200)

    def _pipelines(self, _request, _call):
        return JSONResponse({"results": STAGES})

    # Lists

    def _lists(self, _request, call):
        body = call.json
        if body["count"] > 500:
            return failed(400, "VALIDATION_ERROR", "count must be at most 500")
        known = [each for each in self.lists.values() if each["objectTypeId"] == body["objectTypeId"]]
        page = known[body["offset"] : body["offset"] + body["count"]]
        end = body["offset"] + len(page)
        return JSONResponse({"lists": page, "offset": end, "hasMore": end < len(known), "total": len(known)})

    def _list(self, request, _call):
        number = request.path_params["list"]
        if number not in self.lists:
            return failed(404, "OBJECT_NOT_FOUND", "List does not exist with ID " + number)
        return JSONResponse({"list": self.lists[number]})

    def _members(self, request, call):
        members = sorted(self.members[request.path_params["list"]].items(), key=lambda pair: int(pair[0]))
        if int(call.query.get("limit", 100)) > 250:
            return failed(400, "VALIDATION_ERROR", "limit must be at most 250")
        left = [pair for pair in members if int(pair[0]) > int(call.query.get("after", 0))]
        page = left[: int(call.query["limit"])]
        found = [{"recordId": number, "membershipTimestamp": at} for number, at in page]
        more = {"paging": {"next": {"after": page[-1][0]}}} if len(left) > len(page) else {}
        return JSONResponse({"results": found} | more)

    def _change(self, request, call):
        number, body = request.path_params["list"], call.json
        if self.lists[number]["processingType"] == "DYNAMIC":
            return failed(
                400, "VALIDATION_ERROR", "Cannot add or remove records of a list with processing type DYNAMIC"
            )
        if len(body["recordIdsToAdd"]) + len(body["recordIdsToRemove"]) > 100_000:
            return failed(400, "VALIDATION_ERROR", "The maximum number of records is 100,000")
        members, known = self.members[number], self.records["contacts"].keys() - self.stale
        missing = [each for each in [*body["recordIdsToAdd"], *body["recordIdsToRemove"]] if each not in known]
        added = [each for each in body["recordIdsToAdd"] if each in known and each not in members]
        removed = [each for each in body["recordIdsToRemove"] if each in members]
        members.update(dict.fromkeys(added, iso(self.clock())))
        for each in removed:
            del members[each]
        told = {"recordsIdsAdded": added, "recordIdsRemoved": removed, "recordIdsMissing": missing}
        return JSONResponse(told)


def holds(record, asked):
    value = record.get(asked["propertyName"])
    if value is None:
        return False
    wanted = int(asked["value"])
    number = int(value) if value.isdigit() else int(datetime.fromisoformat(value).timestamp() * 1000)
    return {"GTE": number >= wanted, "GT": number > wanted, "LT": number < wanted}[asked["operator"]]


def number_of(value):
    return int(value) if value and value.isdigit() else 0


def types(label):
    usual = [{"category": "HUBSPOT_DEFINED", "typeId": 279, "label": None}]
    return usual + ([{"category": "USER_DEFINED", "typeId": 36, "label": label}] if label else [])


def failed(status, category, message, context=None):
    errors = [{"message": message, "context": context}] if context else []
    told = {"status": "error", "message": message, "category": category, "errors": errors}
    return JSONResponse(told, status)


def limited(policy, message):
    return JSONResponse({"status": "error", "message": message, "errorType": "RATE_LIMIT", "policyName": policy}, 429)


def iso(at):
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

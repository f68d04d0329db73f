"""The lead database and the assets of the stand-in of Marketo."""

import json
from datetime import UTC, datetime
from typing import Any

import polars as pl
from starlette.requests import Request

from tests.stand_ins.marketo_errors import MarketoError
from tests.stand_ins.marketo_world import TYPES, iso

_PAGE, _SCAN = 300, 2000
_ASSET = {
    "createdAt": "2017-07-27T01:38:33Z+0000", "updatedAt": "2017-07-27T01:38:33Z+0000", "folder": {"id": 7, "type": "Folder"},
    "channel": "Webinar", "type": "Default", "status": "",
}  # fmt: skip
_OBJECTS = {
    "companies": ("id", ("externalCompanyId",), ("id", "externalCompanyId", "company")),
    "namedaccounts": ("marketoGUID", ("name",), ("marketoGUID", "name", "industry")),
    "opportunities": ("marketoGUID", ("externalOpportunityId",), ("externalOpportunityId", "marketoGUID")),
    "opportunities/roles": (
        "marketoGUID", ("externalOpportunityId", "leadId", "role"), ("marketoGUID", "leadId", "externalOpportunityId")
    ),
}  # fmt: skip
MEMBER_FIELDS = ("leadId", "programId", "statusName", "membershipDate", "reachedSuccess", "acquiredBy", "updatedAt")


class Rest:
    """Answers calls of ``/rest/v1`` and ``/rest/asset/v1``."""

    def __init__(self, stand_in: Any) -> None:
        self._stand_in = stand_in

    @property
    def world(self) -> Any:
        return self._stand_in.world

    def answer(  # noqa: C901, PLR0911 - one case a path
        self, name: str, path: str, params: dict[str, Any], told: dict[str, Any], _: Request
    ) -> dict[str, Any]:
        part = path.removeprefix("/rest/v1/").removeprefix("/rest/asset/v1/").removesuffix(".json")
        if "/asset/" in path:
            return self._asset(name, part, params, told)
        match part.split("/"):
            case ["leads", "describe"]:
                return {"result": list(self._lead_fields())}
            case ["leads"]:
                return self._leads(params)
            case ["activities", "types"]:
                return {"result": [_type(each) for each in TYPES if each != 37]}
            case ["activities", "pagingtoken"]:
                return {"nextPageToken": self._token(_time(params["sinceDatetime"]))}
            case ["activities", *kind]:
                return self._activities("".join(kind), params)
            case ["stats", "usage"]:
                day = datetime.now(UTC).date().isoformat()
                return {"result": [{"date": day, "total": self._stand_in.used, "users": []}]}
            case ["programs", "members", "describe"]:
                return {"result": [_described("members", "", (), ("leadId", "statusName"), MEMBER_FIELDS)]}
            case ["programs", program, "members"]:
                return self._program_members(int(program), params)
            case ["lists", number, "leads", *more]:
                return self._list(int(number), params, told, name.split(maxsplit=1)[0], "".join(more))
        kind, _, last = part.rpartition("/")
        return self._object(part, params) if part in _OBJECTS else self._describe(kind, last)

    def _asset(self, name: str, part: str, params: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
        if name.startswith("POST"):
            return self._make_list(told)
        if part == "staticList/byName":
            found = [each for each in self.world.lists.values() if each["name"] == params["name"]]
            return {"result": [_ASSET | each for each in found]} if found else _nothing()
        if part == "folder/byName":
            folder = {"id": 7, "name": params["name"], "folderId": {"id": 7, "type": "Folder"}}
            return {"result": [folder]} if params["name"] == "Lead Database" else _nothing()
        return self._assets(self.world.lists if part == "staticLists" else self.world.programs, params)

    def _lead_fields(self) -> Any:
        for number, (name, kind) in enumerate(self.world.fields.items(), 1):
            yield {"id": number, "displayName": name, "dataType": kind, "rest": {"name": name, "readOnly": False}}
        yield {"id": 999, "displayName": "Old", "dataType": "string", "soap": {"name": "Old", "readOnly": True}}

    def _leads(self, params: dict[str, Any]) -> dict[str, Any]:
        field, values = params["filterType"], params["filterValues"].split(",")
        if len(values) > _PAGE:
            raise MarketoError("1003", "filterValues has too many values")
        if field not in {"id", "email", "sfdcContactId"}:
            raise MarketoError("1003", f"Invalid filterType '{field}'")
        wanted = pl.Series(values, dtype=pl.String).str.to_lowercase().implode()
        searched = self.world.by_email() if field == "email" else self.world.leads[field].cast(pl.String)
        found = self.world.leads.filter(searched.is_in(wanted))
        if len(found) > self._stand_in.most_matches:
            raise MarketoError("1003", "Too many results match the filter")
        return self._page(self.rows(found, self.lead_fields(params)), params)

    def lead_fields(self, params: dict[str, Any]) -> list[str]:
        asked = params.get("fields")
        names = asked.split(",") if isinstance(asked, str) else list(asked or ("id", "email", "updatedAt", "createdAt"))
        for name in names:
            if name not in self.world.fields and not (name == "ecids" and self.world.has_ecids):
                raise MarketoError("1006", f"Field '{name}' not found")
        return names

    def rows(self, leads: pl.DataFrame, names: list[str]) -> list[dict[str, Any]]:
        known = leads.select(name for name in names if name in leads.columns).to_dicts()
        times = [name for name in names if self.world.fields.get(name) == "datetime"]
        return [
            {name: iso(value) if name in times else value for name, value in row.items() if value is not None}
            for row in known
        ]

    def _page(self, rows: list[dict[str, Any]], params: dict[str, Any], **more: Any) -> dict[str, Any]:
        start, size = int(params.get("nextPageToken") or 0), int(params.get("batchSize") or _PAGE)
        if not 0 < size <= _PAGE:
            raise MarketoError("1003", "batchSize")
        page = {"result": rows[start : start + size], **more}
        return page | ({"nextPageToken": str(start + size)} if len(rows) > start + size else {})

    def _token(self, since: int) -> str:
        at = self.world.activities["at"]
        return f"T{int(at.lt(since).sum())}===="

    def _activities(self, kind: str, params: dict[str, Any]) -> dict[str, Any]:
        try:
            start = int(params["nextPageToken"].strip("T="))
        except ValueError:
            raise MarketoError("1003", "Invalid paging token") from None
        types = [int(each) for each in params.get("activityTypeIds", "").split(",") if each]
        if len(types) > 10:
            raise MarketoError("1003", "activityTypeIds has more than 10 values")
        if self._stand_in.is_due("repeat"):
            start = max(start - 50, 0)
        rows = self.world.activities.slice(start, _SCAN)
        wanted = {"": types, "leadchanges": [12, 13], "deletedleads": [37]}[kind]
        is_asked = pl.col("type").is_in(wanted)
        if kind == "leadchanges":
            fields = params["fields"].split(",")
            is_asked &= (pl.col("type") == 12) | pl.col("primary").is_in(fields)
        found = rows.with_row_index("place").filter(is_asked).head(_PAGE)
        seen = int(found["place"][-1]) + 1 if len(found) == _PAGE else len(rows)
        if self._stand_in.is_due("empty"):
            found, seen = found.head(0), 0
        end = start + seen
        told = {"moreResult": end < len(self.world.activities), "nextPageToken": f"T{end}===="}
        result = [_activity(row, kind) for row in found.to_dicts()]
        return told | ({"result": result} if result else {})

    def _program_members(self, program: int, params: dict[str, Any]) -> dict[str, Any]:
        known = self.world.program_members.get(program, {})
        if params["filterType"] != "leadId":
            raise MarketoError("1003", "filterType")
        asked = [int(each) for each in params["filterValues"].split(",")]
        return self._page(
            [{"seq": i, **member(program, each, known[each])} for i, each in enumerate(asked) if each in known], params
        )

    def _list(
        self, number: int, params: dict[str, Any], told: dict[str, Any], method: str, more: str
    ) -> dict[str, Any]:
        if number not in self.world.lists:
            raise MarketoError("1013", f"List not found. List id={number}")
        members = self.world.members.setdefault(number, {})
        if method == "GET" and not more:
            leads = self.world.leads.filter(pl.col("id").is_in(list(members)))
            return self._page(self.rows(leads, self.lead_fields(params)), params)
        ids = [int(each) for each in params.get("id", [])] + [int(each["id"]) for each in told.get("input", [])]
        if len(ids) > _PAGE:
            raise MarketoError("1003", "More than 300 ids")
        known = set(self.world.leads.filter(pl.col("id").is_in(ids))["id"])
        return {"result": [self._membership(number, each, members, known, method, more) for each in ids]}

    def _membership(
        self, number: int, lead: int, members: Any, known: set[int], method: str, more: str
    ) -> dict[str, Any]:
        if lead not in known:
            return {"id": lead, "status": "skipped", "reasons": [{"code": "1004", "message": "Lead not found"}]}
        if more:
            return {"id": lead, "status": "memberof" if lead in members else "notmemberof"}
        if method == "POST":
            self.world.put(lead, number)
            return {"id": lead, "status": "added"}
        if lead not in members:
            return {"id": lead, "status": "skipped", "reasons": [{"code": "1015", "message": "Lead not in list"}]}
        self.world.take(lead, number)
        return {"id": lead, "status": "removed"}

    def _make_list(self, told: dict[str, Any]) -> dict[str, Any]:
        if not told.get("name") or json.loads(told.get("folder", "{}")).keys() != {"id", "type"}:
            raise MarketoError("701", "name or folder cannot be blank")
        if any(each["name"] == told["name"] for each in self.world.lists.values()):
            raise MarketoError("709", "Static List with the same name already exists")
        number = max(self.world.lists, default=1000) + 1
        self.world.lists[number] = {"id": number, "name": told["name"], "updatedAt": iso(self.world.tick()) + "+0000"}
        return {"result": [_ASSET | self.world.lists[number]]}

    def _assets(self, assets: dict[int, dict[str, Any]], params: dict[str, Any]) -> dict[str, Any]:
        offset, size = int(params.get("offset", 0)), int(params.get("maxReturn", 20))
        if size > 200:
            raise MarketoError("1003", "maxReturn must be between 1 and 200")
        first, last = (params.get(name) for name in ("earliestUpdatedAt", "latestUpdatedAt"))
        rows = [each for each in assets.values() if not first or first <= each["updatedAt"] <= last + "+"]
        page = [_ASSET | each for each in rows[offset : offset + size]]
        return {"result": page} if page else _nothing()

    def _object(self, kind: str, params: dict[str, Any]) -> dict[str, Any]:
        self._refuse_crm(kind)
        _, _, searchable = _OBJECTS[kind]
        values = params["filterValues"].split(",")
        if params["filterType"] not in searchable or len(values) > _PAGE:
            raise MarketoError("1003", f"Invalid filterType '{params['filterType']}'")
        found = [each for each in self.world.objects.get(kind, []) if str(each.get(params["filterType"])) in values]
        return self._page([{"seq": i, **each} for i, each in enumerate(found)], params)

    def _describe(self, kind: str, last: str) -> dict[str, Any]:
        if last != "describe" or kind not in _OBJECTS:
            raise MarketoError("610", "Requested resource not found")
        self._refuse_crm(kind)
        known = {name: None for each in self.world.objects.get(kind, []) for name in each}
        return {"result": [_described(kind, *_OBJECTS[kind], tuple(known))]}

    def _refuse_crm(self, kind: str) -> None:
        if self._stand_in.has_crm_sync and kind.startswith("opportunities"):
            raise MarketoError("1018", "Instance has a native CRM integration enabled")


def member(program: int, lead: int, told: dict[str, Any]) -> dict[str, Any]:
    return {"leadId": lead, "programId": program, "reachedSuccess": False, "acquiredBy": False, **told}


def _described(
    name: str, key: str, dedupe: tuple[str, ...], searchable: tuple[str, ...], fields: tuple[str, ...]
) -> dict[str, Any]:
    names = dict.fromkeys([*searchable, *fields])
    return {
        "name": name, "idField": key, "dedupeFields": list(dedupe), "searchableFields": [[each] for each in searchable],
        "fields": [{"name": each, "displayName": each, "dataType": "string"} for each in names],
        "createdAt": iso(0), "updatedAt": iso(0),
    }  # fmt: skip


def _type(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "name": TYPES[number],
        "attributes": [],
        "primaryAttribute": {"name": "x", "dataType": "string"},
    }


def _activity(row: dict[str, Any], kind: str) -> dict[str, Any]:
    attributes = [{"name": name, "value": value} for name, value in json.loads(row["attributes"]).items()]
    told = {
        "id": row["guid"], "marketoGUID": str(row["guid"]), "leadId": row["leadId"], "activityDate": iso(row["at"]),
        "activityTypeId": row["type"], "attributes": attributes,
    }  # fmt: skip
    if kind == "leadchanges":
        return told | {"fields": [{"id": 1, "name": row["primary"], "newValue": "", "oldValue": ""}]}
    return told | {"primaryAttributeValueId": row["primaryId"], "primaryAttributeValue": row["primary"]}


def _nothing() -> dict[str, Any]:
    return {"warnings": ["No assets found for the given search criteria."]}


def _time(text: str) -> int:
    if "." in text:
        raise MarketoError("704", "Invalid date format: milliseconds")
    return int(datetime.fromisoformat(text).timestamp())

"""What the published definition of Marketo's API says of the calls that are made here: parameters, bodies, answers.

Source: help/rest-api/assets/swagger-mapi.json, swagger-asset.json and swagger-identity.json of AdobeDocs/marketo-developer.en,
where ``errors`` and ``warnings`` are called required and real answers leave them out.
"""

import re
from dataclasses import dataclass
from typing import Any

PAGED = ("fields", "batchSize", "nextPageToken")


@dataclass(frozen=True)
class Operation:
    """A call: parameters that it must and may have, keys of its body, and keys that each row of its answer has."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    row: tuple[str, ...] = ()


# The definition asks of standard objects what only custom ones have, such as an ``apiName``; this is what the pages show.
_OBJECT = ("fields", "searchableFields", "idField", "dedupeFields", "name", "createdAt", "updatedAt")
_SEARCH = {"required": ("filterType", "filterValues"), "optional": PAGED}
_ASSETS = ("maxReturn", "offset", "earliestUpdatedAt", "latestUpdatedAt")
_ASSET = ("id", "name", "createdAt", "updatedAt", "folder")
_ACTIVITY = ("id", "leadId", "activityDate", "activityTypeId", "attributes")
_JOB = ("exportId", "status")

OPERATIONS = {
    "GET /rest/v1/leads/describe.json": Operation(row=("id", "displayName", "dataType")),
    "GET /rest/v1/leads.json": Operation(**_SEARCH, row=("id",)),
    "GET /rest/v1/activities/types.json": Operation(row=("id", "name", "attributes", "primaryAttribute")),
    "GET /rest/v1/activities/pagingtoken.json": Operation(("sinceDatetime",)),
    "GET /rest/v1/activities.json": Operation(
        ("nextPageToken", "activityTypeIds"), ("assetIds", "listId", "leadIds", "batchSize"), row=_ACTIVITY
    ),
    "GET /rest/v1/activities/leadchanges.json": Operation(
        ("nextPageToken", "fields"), ("listId", "leadIds", "batchSize"), row=_ACTIVITY
    ),
    "GET /rest/v1/activities/deletedleads.json": Operation(("nextPageToken",), ("batchSize",), row=_ACTIVITY),
    "GET /rest/v1/companies/describe.json": Operation(row=_OBJECT),
    "GET /rest/v1/companies.json": Operation(**_SEARCH),
    "GET /rest/v1/namedaccounts/describe.json": Operation(row=_OBJECT),
    "GET /rest/v1/namedaccounts.json": Operation(**_SEARCH, row=("marketoGUID", "seq")),
    "GET /rest/v1/opportunities/describe.json": Operation(row=_OBJECT),
    "GET /rest/v1/opportunities.json": Operation(**_SEARCH, row=("marketoGUID", "seq")),
    "GET /rest/v1/opportunities/roles/describe.json": Operation(row=_OBJECT),
    "GET /rest/v1/opportunities/roles.json": Operation(**_SEARCH, row=("marketoGUID", "seq")),
    "GET /rest/v1/programs/members/describe.json": Operation(row=("fields", "searchableFields", "dedupeFields")),
    "GET /rest/v1/programs/{id}/members.json": Operation(
        ("filterType", "filterValues"), ("startAt", "endAt", *PAGED),
        row=("seq", "leadId", "reachedSuccess", "programId", "acquiredBy", "membershipDate"),
    ),
    "GET /rest/v1/lists/{id}/leads.json": Operation(optional=PAGED, row=("id",)),
    "POST /rest/v1/lists/{id}/leads.json": Operation(optional=("id",), body=("input",), row=("id",)),
    # Called required both as parameter and in the body; the page on list membership shows the parameter alone.
    "DELETE /rest/v1/lists/{id}/leads.json": Operation(optional=("id",), body=("input",), row=("id",)),
    "GET /rest/v1/lists/{id}/leads/ismember.json": Operation(optional=("id",), row=("id",)),
    "GET /rest/v1/stats/usage.json": Operation(row=("date",)),
    "GET /rest/asset/v1/staticLists.json": Operation(optional=("folder", *_ASSETS), row=_ASSET),
    "POST /rest/asset/v1/staticLists.json": Operation(body=("folder", "name", "description"), row=_ASSET),
    "GET /rest/asset/v1/staticList/byName.json": Operation(("name",), row=_ASSET),
    "GET /rest/asset/v1/programs.json": Operation(
        optional=("filterType", *_ASSETS), row=(*_ASSET, "channel", "type", "status")
    ),
    "GET /rest/asset/v1/folder/byName.json": Operation(("name",), ("type", "root", "workSpace"), row=("id", "name")),
    **{
        f"{method} /bulk/v1/{kind}/export{path}.json": operation
        for kind in ("leads", "activities", "program/members")
        for method, path, operation in (
            ("GET", "", Operation(optional=("status", "batchSize", "nextPageToken"), row=_JOB)),
            ("POST", "/create", Operation(body=("fields", "filter", "format", "columnHeaderNames"), row=_JOB)),
            ("POST", "/{id}/enqueue", Operation(row=_JOB)),
            ("POST", "/{id}/cancel", Operation(row=_JOB)),
            ("GET", "/{id}/status", Operation(row=_JOB)),
            ("GET", "/{id}/file", Operation()),
        )
    },
}  # fmt: skip

# Whatever else a lead may be made by. None of these may ever be called.
CREATORS = (
    "POST /rest/v1/leads.json", "POST /rest/v1/leads/push.json", "POST /rest/v1/leads/submitForm.json",
    "POST /bulk/v1/leads.json", "POST /subscriptions/{id}/persons",
)  # fmt: skip


def operation(method: str, path: str) -> tuple[str, Operation] | None:
    """Return the operation of a call, with its path as the definition writes it."""
    for name, each in OPERATIONS.items():
        kind, _, template = name.partition(" ")
        if kind == method and re.fullmatch(template.replace("{id}", "[^/]+").replace(".", r"\."), path):
            return name, each
    return None


def wrong_call(each: Operation, params: dict[str, Any], body: dict[str, Any]) -> str:
    """Say what the definition does not allow in a call; empty if all is well."""
    missing = [name for name in each.required if not params.get(name)]
    unknown = [name for name in params if name not in {*each.required, *each.optional, "_method"}]
    strange = [name for name in body if name not in each.body]
    problems = {"cannot be blank": missing, "is no parameter": unknown, "is no key of the body": strange}
    return "; ".join(f"{name} {problem}" for problem, names in problems.items() for name in names)


def wrong_answer(each: Operation, envelope: dict[str, Any]) -> str:
    """Say what the definition asks of an answer and the answer lacks."""
    if not envelope.keys() >= {"requestId", "success"}:
        return "requestId, success"
    rows = envelope.get("result") or []
    return ", ".join({name for row in rows for name in each.row if name not in row})

"""An environment of Dynamics 365 as Dataverse's Web API pages describe it, with Microsoft Entra in front.

Pages and change tracking are links that only the server can read. A delta tells deletes, also of rows that nobody asked for before, and ends
after seven days, or when the table itself changes.
"""

import itertools
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.stand_ins.switches import Call, Switches

_SETS = {
    "contact": "contacts", "lead": "leads", "account": "accounts", "opportunity": "opportunities",
    "campaign": "campaigns", "list": "lists", "listmember": "listmembers", "connection": "connections",
    "connectionrole": "connectionroles", "transactioncurrency": "transactioncurrencies", "stringmap": "stringmaps",
}  # fmt: skip
_COLUMNS = {
    "contact": {"emailaddress1": "String", "parentcustomerid": "Customer", "donotemail": "Boolean", "merged": "Boolean",
                "masterid": "Lookup", "statuscode": "Status", "address1_city": "String"},
    "lead": {"emailaddress1": "String", "statecode": "State", "parentcontactid": "Lookup", "companyname": "String"},
    "account": {"name": "String", "revenue": "Money", "industrycode": "Picklist", "parentaccountid": "Lookup"},
    "opportunity": {"name": "String", "estimatedvalue": "Money", "statecode": "State", "parentaccountid": "Lookup"},
}  # fmt: skip
_UNSUPPORTED = ("$filter", "$orderby", "$expand", "$top")


@dataclass
class Dynamics:
    """One environment, with one application that may read it."""

    tenant: str = "tenant"
    client_id: str = "app"
    secret: str = "app-secret"
    lives_s: int = 3_600
    untracked: set = field(default_factory=set)
    forbidden: set = field(default_factory=set)
    switches: Switches = field(default_factory=Switches)
    most: int = 5_000

    def __post_init__(self):
        self._stamps, self._ids, self._tokens = itertools.count(1_000), itertools.count(1), itertools.count(1)
        self.tables = {name: {} for name in _SETS}
        self.columns = {name: dict(_COLUMNS.get(name, {})) for name in _SETS}
        self.gone = {name: [] for name in _SETS}
        self.changed_at = dict.fromkeys(_SETS, 0)
        self.tokens = set()
        self.clock = lambda: datetime.now(UTC)

    # The environment

    def save(self, table, at=None, id=None, **values):  # noqa: A002 - their word
        """Write a row, new or known by its id."""
        number = id or f"00000000-0000-0000-0000-{next(self._ids):012d}"
        stamp = (at or self.clock()).isoformat(timespec="seconds").replace("+00:00", "Z")
        old = self.tables[table].get(number, {self.key(table): number, "createdon": stamp})
        self.tables[table][number] = old | {"modifiedon": stamp, "versionnumber": next(self._stamps)} | values
        return number

    def delete(self, table, number):
        del self.tables[table][number]
        self.gone[table].append((next(self._stamps), number))

    def add_column(self, table, name, kind):
        """Add a column, which ends the deltas of the table."""
        self.columns[table][name] = kind
        self.changed_at[table] = next(self._stamps)

    def label(self, table, column, number, text, language=1033):
        self.save(
            "stringmap", objecttypecode=table, attributename=column, attributevalue=number, value=text, langid=language
        )

    @staticmethod
    def key(table):
        return f"{table}id"

    @property
    def app(self):
        data = "/api/data/v9.2"
        route = self.switches.route
        return Starlette(
            routes=[
                route("/{tenant}/oauth2/v2.0/token", self._token),
                route(f"{data}/WhoAmI", self._allowed(self._who), "GET"),
                route(data + "/EntityDefinitions(LogicalName='{table}')", self._allowed(self._table), "GET"),
                route(
                    data + "/EntityDefinitions(LogicalName='{table}')/Attributes",
                    self._allowed(self._attributes),
                    "GET",
                ),
                route(data + "/{set}", self._allowed(self._rows), "GET"),
            ]
        )

    def _token(self, request, call):
        form, wanted = call.form, (self.client_id, self.secret, f"{str(request.base_url).rstrip('/')}/.default")
        if (form["client_id"], form["client_secret"], form["scope"]) != wanted or request.path_params[
            "tenant"
        ] != self.tenant:
            text = "AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 1"
            return JSONResponse({"error": "invalid_client", "error_description": text}, 401)
        token = f"token-{next(self._tokens)}"
        self.tokens.add(token)
        return JSONResponse({"token_type": "Bearer", "expires_in": self.lives_s, "access_token": token})

    def _allowed(self, handler):
        def allowed(request: Request, call: Call) -> Response:
            if call.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
                return failed(401, "0x80072560", "The user is not a member of the organization.")
            if call.headers.get("odata-version") != "4.0":
                return failed(400, "0x80060888", "The header OData-Version is missing.")
            return handler(request, call)

        return allowed

    def _who(self, _request, _call):
        return JSONResponse({"UserId": "u-1", "BusinessUnitId": "b-1", "OrganizationId": "o-1"})

    def _table(self, request, _call):
        name = request.path_params["table"]
        if name not in self.tables:
            return failed(404, "0x80060888", f"Could not find an entity with name {name} in the metadata cache.")
        told = {"LogicalName": name, "EntitySetName": _SETS.get(name, f"{name}s"), "PrimaryIdAttribute": self.key(name)}
        return JSONResponse(told | {"ChangeTrackingEnabled": name not in self.untracked})

    def _attributes(self, request, _call):
        name = request.path_params["table"]
        if name not in self.tables:
            return failed(404, "0x80060888", f"Could not find an entity with name {name} in the metadata cache.")
        own = {self.key(name): "Uniqueidentifier", "modifiedon": "DateTime", "versionnumber": "BigInt"} | self.columns[
            name
        ]
        told = [{"LogicalName": each, "AttributeType": kind, "AttributeOf": None, "IsValidForRead": True}
                for each, kind in own.items()]  # fmt: skip
        name_of = {
            "LogicalName": "statuscodename",
            "AttributeType": "Virtual",
            "AttributeOf": "statuscode",
            "IsValidForRead": True,
        }
        return JSONResponse({"value": [*told, name_of]})

    # Rows

    def _rows(self, request, call):
        table = next((name for name in self.tables if _SETS.get(name, f"{name}s") == request.path_params["set"]), None)
        if table is None:
            return failed(404, "0x80060888", f"Resource not found for the segment '{request.path_params['set']}'.")
        if table in self.forbidden:
            return failed(403, "0x80040220", f"Principal user is missing prvRead{table.title()} privilege")
        prefer = call.headers.get("prefer", "")
        size = min(int(re.search(r"maxpagesize=(\d+)", prefer)[1]), self.most)
        query = {name: unquote(value) for name, value in call.query.items()}
        if "track-changes" in prefer and table in self.untracked:
            return failed(400, "0x80072535", f"Change tracking is not enabled for the table {table}.")
        if "track-changes" in prefer and (bad := [each for each in _UNSUPPORTED if each in query]):
            return failed(
                400, "0x80060888", f'The "{bad[0]}" query parameter isn\'t supported when Change Tracking is enabled.'
            )
        if "$deltatoken" in query:
            return self._delta(request, table, query, size)
        return self._all(request, table, query, size, is_tracked="track-changes" in prefer)

    def _all(self, request, table, query, size, *, is_tracked):
        rows = sorted(self.tables[table].values(), key=lambda row: row["versionnumber"])
        if found := re.match(r"modifiedon ge (\S+)$", query.get("$filter", "")):
            rows = [row for row in rows if row["modifiedon"] >= found[1]]
        for column, value in re.findall(r"(\w+) eq '([^']+)'", query.get("$filter", "")):
            rows = [row for row in rows if row[column] == value]
        # A link holds the version up to which rows belong to the first page's answer.
        token = query.get("$skiptoken", f"0-{next(self._stamps)}")
        start, at = map(int, token.split("-"))
        page = rows[start : start + size]
        told = {"value": [select(row, query) for row in page]}
        if len(rows) > start + size:
            kept = "".join(f"&{name}={query[name]}" for name in ("$filter", "$select", "$orderby") if name in query)
            told["@odata.nextLink"] = link(request, f"$skiptoken={start + size}-{at}{kept}")
        elif is_tracked:
            told["@odata.deltaLink"] = link(request, f"$deltatoken={self._delta_token(at)}")
        return JSONResponse(told)

    def _delta_token(self, at):
        return f"{at}!{self.clock():%Y-%m-%dT%H:%M:%S}"

    def _delta(self, request, table, query, size):
        at, _, time = query["$deltatoken"].partition("!")
        is_old = self.clock() - datetime.fromisoformat(time).replace(tzinfo=UTC) > timedelta(days=7)
        if is_old or int(at) < self.changed_at[table]:
            text = "Version stamp associated with the client has expired. Please perform a full sync."
            return failed(400, "0x80044352", text)
        changed = [row for row in self.tables[table].values() if row["versionnumber"] > int(at)]
        changed.sort(key=lambda row: row["versionnumber"])
        context = f"{request.base_url}api/data/v9.2/$metadata#{request.path_params['set']}/$deletedEntity"
        gone = [{"@odata.context": context, "id": number, "reason": "deleted"}
                for stamp, number in self.gone[table] if stamp > int(at)]  # fmt: skip
        rows, start = [*(select(row, query) for row in changed), *gone], int(query.get("$skiptoken", 0))
        told = {"value": rows[start : start + size]}
        if len(rows) > start + size:
            told["@odata.nextLink"] = link(request, f"$deltatoken={query['$deltatoken']}&$skiptoken={start + size}")
        else:
            told["@odata.deltaLink"] = link(request, f"$deltatoken={self._delta_token(next(self._stamps))}")
        return JSONResponse(told)


def select(row, query):
    wanted = query.get("$select")
    own = {name: value for name, value in row.items() if wanted is None or name in wanted.split(",")}
    return {"@odata.etag": f'W/"{row["versionnumber"]}"'} | own


def link(request, query):
    return f"{str(request.url).partition('?')[0]}?{query}"


def failed(status, code, message):
    return JSONResponse({"error": {"code": code, "message": message}}, status)

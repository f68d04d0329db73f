"""Salesforce as its REST, Bulk API 2.0 and OAuth pages describe it, as far as the connector speaks to it.

Times are kept as bulk files write them. Whatever a call may not do is refused with the code and status of the real one;
`faults` says what goes wrong that should not.
"""

import base64
import itertools
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import jwt
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.stand_ins.salesforce_bulk import BulkQueries, iso, rest_time
from tests.stand_ins.salesforce_writes import Writes, problem, type_of
from tests.stand_ins.soql import SoqlError, parse

VERSIONS = ("61.0", "62.0")
_COMPOUND = {"address", "location", "base64"}
_STANDARD = {
    "Id": "id", "IsDeleted": "boolean", "CreatedDate": "datetime", "LastModifiedDate": "datetime",
    "SystemModstamp": "datetime",
}  # fmt: skip


@dataclass
class Faults:
    """What goes wrong."""

    dies_after: int | None = None  # calls that a token lives
    fails_every: int | None = None  # every n-th call answers 500
    truncates: set = field(default_factory=set)  # which downloads (from 1) lack their last rows without a word
    cuts: set = field(default_factory=set)  # which downloads break off within the body
    fails_jobs: int = 0  # so many jobs end as Failed
    busy: int = 0  # so many calls meet the limit of concurrent requests
    polls: int = 1  # how often a job is still in progress
    locks: int = 0  # so many collections meet locked rows
    forbids: set = field(default_factory=set)  # objects that the user may not see
    no_jobs: bool = False  # the jobs of the day are spent


class Salesforce(BulkQueries, Writes):
    """An organisation: its objects, its records, and what it was asked."""

    def __init__(self, *, client_id="key", username="cdp@acme.example", public_key=None):
        self.client_id, self.client_secret, self.username = client_id, "sec" + "ret", username
        self.password, self.public_key = "pass" + "token", public_key
        self.fields, self.records, self.deleted = {}, {}, {}
        self.tokens, self.jobs, self.received = {}, {}, []
        self.faults, self.daily_calls, self.calls = Faults(), 100_000, 0
        self.clock = lambda: datetime.now(UTC)
        self.on_call = lambda _: None
        self.latest_covered = None
        self.id_limit = 600_000
        self._numbers, self._downloads = itertools.count(1), itertools.count(1)

    # The organisation

    def define(self, name, prefix, **fields):
        """Add an object: the type of each field, and ``name: (type, compound)`` for parts of a compound."""
        self.fields[name] = _STANDARD | fields
        self.records[name], self.deleted[name] = {}, []
        self._prefixes = getattr(self, "_prefixes", {}) | {name: prefix}

    def new_id(self, name):
        return f"{self._prefixes[name]}{next(self._numbers):012d}AAA"

    def save(self, name, at=None, **values):
        """Write a record, new or known by its Id."""
        stamp = iso(at or self.clock())
        record_id = values.pop("Id", None) or self.new_id(name)
        old = self.records[name].get(record_id, {"Id": record_id, "IsDeleted": False, "CreatedDate": stamp})
        self.records[name][record_id] = old | {"LastModifiedDate": stamp, "SystemModstamp": stamp} | values
        return record_id

    def delete(self, name, record_id, at=None, *, master=None, purge=False):
        """Delete a record, into the recycle bin or for good; ``master`` is the one that it was merged into."""
        moment = at or self.clock()
        self.deleted[name].append((record_id, moment))
        if purge:
            del self.records[name][record_id]
            return
        told = {"MasterRecordId": master} if master else {}
        self.save(name, moment, Id=record_id, IsDeleted=True, **told)

    def app(self):
        data = "/services/data/v{version}"
        return Starlette(
            routes=[
                Route("/services/oauth2/token", self.token, methods=["POST"]),
                Route(f"{data}/limits", self._call(self.limits)),
                Route(f"{data}/sobjects", self._call(self.sobjects)),
                Route(data + "/sobjects/{name}/describe", self._call(self.describe)),
                Route(data + "/sobjects/{name}/deleted", self._call(self.get_deleted)),
                Route(data + "/sobjects/{name}/deleted/", self._call(self.get_deleted)),
                *(
                    Route(data + path, self._call(self.query))
                    for path in ("/query", "/query/", "/queryAll", "/queryAll/")
                ),
                Route(data + "/query/{locator}", self._call(self.more)),
                Route(f"{data}/jobs/query", self._call(self.create_job), methods=["POST"]),
                Route(data + "/jobs/query/{job}", self._call(self.job), methods=["GET", "PATCH", "DELETE"]),
                Route(data + "/jobs/query/{job}/results", self._call(self.results)),
                Route(f"{data}/composite/sobjects", self._call(self.collection), methods=["POST", "PATCH", "DELETE"]),
            ]
        )

    # Logging in

    async def token(self, request):
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        self.received.append(("POST", "/services/oauth2/token", form.get("grant_type")))
        problem = self._refuses(form, request.headers.get("Authorization", ""))
        if problem:
            return JSONResponse({"error": problem[0], "error_description": problem[1]}, 400)
        token = f"00D!{next(self._numbers)}"
        self.tokens[token] = self.faults.dies_after
        url = str(request.base_url).rstrip("/")
        return JSONResponse(
            {"access_token": token, "instance_url": url, "id": f"{url}/id/00D5g000000abcdEAA/005", "token_type": "Bearer",
             "issued_at": "1770000000000", "signature": "sig"}
        )  # fmt: skip

    def _refuses(self, form, basic):
        secret = form.get("client_secret")
        client = form.get("client_id")
        if basic:
            client, _, secret = base64.b64decode(basic.removeprefix("Basic ")).decode().partition(":")
        match form.get("grant_type"):
            case "urn:ietf:params:oauth:grant-type:jwt-bearer":
                return self._refuses_assertion(form["assertion"])
            case "client_credentials":
                is_known = (client, secret) == (self.client_id, self.client_secret)
                return None if is_known else ("invalid_client", "invalid client credentials")
            case "password":
                told = (client, secret, form.get("username"), form.get("password"))
                wanted = (self.client_id, self.client_secret, self.username, self.password)
                return None if told == wanted else ("invalid_grant", "authentication failure")
            case _:
                return "unsupported_grant_type", "grant type not supported"

    def _refuses_assertion(self, assertion):
        hosts = ["https://login.salesforce.com", "https://test.salesforce.com"]
        try:
            told = jwt.decode(assertion, self.public_key, ["RS256"], audience=hosts)
        except jwt.InvalidTokenError as error:
            return "invalid_grant", f"invalid assertion: {error}"
        if told["exp"] > datetime.now(UTC).timestamp() + 300:
            return "invalid_grant", "expired authorization code"
        if (told["iss"], told["sub"]) != (self.client_id, self.username):
            return "invalid_grant", "user hasn't approved this consumer"
        return None

    # Every call

    def _call(self, endpoint):
        async def called(request):
            self.calls += 1
            self.on_call(self.calls)
            self.received.append((request.method, request.url.path, request.url.query))
            answer = self._stopped(request) or await self._answered(endpoint, request)
            answer.headers["Sforce-Limit-Info"] = f"api-usage={self.calls}/{self.daily_calls}"
            return answer

        return called

    async def _answered(self, endpoint, request):
        try:
            return await endpoint(request)
        except SoqlError as error:
            return problem(400, error.code, str(error))

    def _stopped(self, request):  # noqa: PLR0911 - a return for each thing that stops a call
        if len(str(request.url)) > 16_384:
            return problem(414, "URI_TOO_LONG", "URI Too Long")
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        left = self.tokens.get(token, 0)
        if left is not None and left <= 0:
            return problem(401, "INVALID_SESSION_ID", "Session expired or invalid")
        self.tokens[token] = None if left is None else left - 1
        if request.path_params["version"] not in VERSIONS:
            return problem(404, "NOT_FOUND", "The requested resource does not exist")
        if self.calls > self.daily_calls:
            return problem(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        if self.faults.busy > 0:
            self.faults.busy -= 1
            return problem(
                403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
            )
        if self.faults.fails_every and self.calls % self.faults.fails_every == 0:
            return Response("<html>Internal Server Error</html>", 500, media_type="text/html")
        return None

    # Reading

    async def limits(self, _):
        left = {"Max": self.daily_calls, "Remaining": max(self.daily_calls - self.calls, 0)}
        jobs = {"Max": 10_000, "Remaining": 0 if self.faults.no_jobs else 10_000 - len(self.jobs)}
        return JSONResponse({"DailyApiRequests": left, "DailyBulkV2QueryJobs": jobs})

    async def sobjects(self, _):
        told = [{"name": name, "queryable": True, "replicateable": True} for name in self._visible()]
        return JSONResponse({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": told})

    def _visible(self):
        return [name for name in self.fields if name not in self.faults.forbids]

    async def describe(self, request):
        name = request.path_params["name"]
        if name not in self._visible():
            return problem(404, "NOT_FOUND", "The requested resource does not exist")
        fields = [described(each, kind) for each, kind in self.fields[name].items()]
        return JSONResponse({"name": name, "queryable": True, "replicateable": True, "fields": fields})

    async def get_deleted(self, request):
        name = request.path_params["name"]
        start, end = (moment(request.query_params[each]).replace(second=0, microsecond=0) for each in ("start", "end"))
        if self.clock() - start > timedelta(days=15):
            return problem(400, "INVALID_REPLICATION_DATE", "startDate cannot be more than 15 days ago")
        if end - start < timedelta(minutes=1):
            return problem(
                400, "INVALID_REPLICATION_DATE", "endDate must be at least one minute greater than startDate"
            )
        covered = min(end, self.latest_covered or self.clock())
        found = [
            (each, at) for each, at in self.deleted[name] if start <= at.replace(second=0, microsecond=0) <= covered
        ]
        if len(found) > self.id_limit:
            return problem(400, "EXCEEDED_ID_LIMIT", "exceeded max id limit")
        rows = [{"id": each, "deletedDate": rest_time(at.replace(microsecond=0))} for each, at in found]
        days = rest_time(self.clock() - timedelta(days=15))
        told = {"deletedRecords": rows, "earliestDateAvailable": days, "latestDateCovered": rest_time(covered)}
        return JSONResponse(told)

    def select(self, text, *, everything, bulk):
        asked = parse(text)
        if asked.object not in self._visible():
            raise SoqlError("INVALID_TYPE", f"sObject type '{asked.object}' is not supported.")
        known = self.fields[asked.object]
        for name in {*asked.fields, *(condition[0] for condition in asked.conditions)}:
            if name not in known:
                raise SoqlError("INVALID_FIELD", f"No such column '{name}' on entity '{asked.object}'.")
            if bulk and type_of(known[name]) in _COMPOUND:
                raise SoqlError("API_ERROR", "Selecting compound data not supported in Bulk Query")
        records = (each for each in self.records[asked.object].values() if everything or not each["IsDeleted"])
        found = [each for each in records if asked.keeps(each)]
        if asked.order:
            found.sort(key=lambda each: each.get(asked.order) or "")
        return asked, found[: asked.limit]

    async def query(self, request):
        asked, found = self.select(request.query_params["q"], everything="queryAll" in request.url.path, bulk=False)
        rows = [
            {"attributes": {"type": asked.object}} | {each: record.get(each) for each in asked.fields}
            for record in found
        ]
        locator = f"01g{next(self._numbers)}"
        self.jobs[locator] = rows
        return self._page(request, locator, 0)

    async def more(self, request):
        locator, _, start = request.path_params["locator"].partition("-")
        return self._page(request, locator, int(start))

    def _page(self, request, locator, start):
        rows, end = self.jobs[locator], start + 2_000
        told = {"totalSize": len(rows), "done": end >= len(rows), "records": rows[start:end]}
        more = f"/services/data/v{request.path_params['version']}/query/{locator}-{end}"
        return JSONResponse(told if told["done"] else told | {"nextRecordsUrl": more})

    def counted(self):
        """Return how often each path was called."""
        return Counter(path for _, path, _ in self.received)


def described(name, kind):
    kind, compound = kind if isinstance(kind, tuple) else (kind, None)
    formula = kind.startswith("formula:")
    return {"name": name, "type": kind.removeprefix("formula:"), "calculated": formula, "compoundFieldName": compound}


def moment(text):
    return datetime.fromisoformat(text.replace(" ", "+")).astimezone(UTC)

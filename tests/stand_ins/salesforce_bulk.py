"""Bulk queries of an organisation: jobs, their states, and the pages of their results."""

import base64
import csv
import io
from datetime import UTC

from starlette.responses import JSONResponse, Response, StreamingResponse

from tests.stand_ins.salesforce_writes import problem


class BulkQueries:
    """What an organisation does with jobs."""

    async def create_job(self, request):
        body = await request.json()
        if self.faults.no_jobs:
            return problem(400, "EXCEEDED_QUOTA", "ApiBatchItems Limit exceeded.")
        asked, found = self.select(body["query"], everything=body["operation"] == "queryAll", bulk=True)
        number = f"750{next(self._numbers):012d}AAA"
        is_failed, self.faults.fails_jobs = self.faults.fails_jobs > 0, max(self.faults.fails_jobs - 1, 0)
        self.jobs[number] = {
            "id": number, "operation": body["operation"], "object": asked.object, "state": "UploadComplete",
            "createdDate": rest_time(self.clock()), "apiVersion": float(request.path_params["version"]),
            "contentType": "CSV", "columnDelimiter": "COMMA", "lineEnding": "LF", "concurrencyMode": "Parallel",
            "_fields": asked.fields, "_found": found, "_polls": self.faults.polls, "_failed": is_failed,
        }  # fmt: skip
        return JSONResponse(public(self.jobs[number]))

    async def job(self, request):
        job = self.jobs.get(request.path_params["job"])
        if job is None:
            return problem(404, "NOT_FOUND", "The requested resource does not exist")
        if request.method == "DELETE":
            del self.jobs[job["id"]]
            return Response(status_code=204)
        if request.method == "PATCH":
            job["state"] = "Aborted"
        elif job["state"] not in {"JobComplete", "Failed", "Aborted"}:
            job["_polls"] -= 1
            job["state"] = "InProgress" if job["_polls"] >= 0 else "Failed" if job["_failed"] else "JobComplete"
        done = {"JobComplete": {"numberRecordsProcessed": len(job["_found"])}, "Failed": {"errorMessage": "timed out"}}
        return JSONResponse(public(job) | done.get(job["state"], {}))

    async def results(self, request):
        job = self.jobs.get(request.path_params["job"])
        if job is None:
            return problem(404, "NOT_FOUND", "The requested resource does not exist")
        if float(request.path_params["version"]) != job["apiVersion"]:
            return problem(409, "VERSION_MISMATCH", "The API version of the results is not the one of the job")
        if job["state"] != "JobComplete":
            return problem(400, "INVALID_JOB_STATE", f"The job is {job['state']}")
        locator = request.query_params.get("locator")
        start = int(base64.b64decode(locator)) if locator else 0
        end = start + int(request.query_params.get("maxRecords", 50_000))
        rows, number = job["_found"][start:end], next(self._downloads)
        more = base64.b64encode(str(end).encode()).decode() if end < len(job["_found"]) else "null"
        sent = rows[: len(rows) // 2] if number in self.faults.truncates else rows
        body = table(job["_fields"], sent).encode()
        headers = {"Sforce-Locator": more, "Sforce-NumberOfRecords": str(len(rows))}
        if number in self.faults.cuts:
            headers["Content-Length"] = str(len(body))
            return StreamingResponse(half(body), headers=headers, media_type="text/csv")
        return Response(body, headers=headers, media_type="text/csv")


async def half(body):
    yield body[: len(body) // 2]


def public(job):
    return {name: value for name, value in job.items() if not name.startswith("_")}


def table(fields, rows):
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(fields)
    writer.writerows([[as_text(row.get(name)) for name in fields] for row in rows])
    return out.getvalue()


def as_text(value):
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def iso(at):
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def rest_time(at):
    return iso(at).replace("Z", "+0000")

"""Bulk Extract of the stand-in of Marketo: jobs, their queue, and their files."""

import hashlib
import re
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import polars as pl
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from tests.stand_ins.marketo_errors import MarketoError
from tests.stand_ins.marketo_rest import MEMBER_FIELDS, member
from tests.stand_ins.marketo_world import DAY, iso

_QUEUE, _AT_ONCE, _QUOTA = 10, 2, 500 << 20
_PIECE = 1 << 16


@dataclass
class Job:
    """An extract."""

    kind: str
    fields: list[str]
    filter: dict[str, Any]
    status: str = "Created"
    is_late: bool = False
    is_failing: bool = False


class Bulk:
    """Answers calls of ``/bulk/v1``. A job goes one step on each time that anybody asks for the state of one."""

    def __init__(self, stand_in: Any) -> None:
        self._stand_in = stand_in
        self.jobs: dict[str, Job] = {}
        self.used_bytes = 0
        self.quota_bytes = _QUOTA
        self.ranges: list[str] = []
        self._content = lru_cache(4)(self._make_content)

    def answer(
        self, _name: str, path: str, _params: dict[str, Any], told: dict[str, Any], request: Request
    ) -> dict[str, Any] | Response:
        kind = path.removeprefix("/bulk/v1/").partition("/export")[0]
        verb = re.split(r"[/.]", path.removesuffix(".json"))[-1]
        if verb == "export":
            return {"result": [self._state(each) for each, job in self.jobs.items() if job.kind == kind]}
        if verb == "create":
            return {"result": [self._create(kind, told)]}
        export_id = path.split("/")[-2]
        if verb == "file":
            return self._file(export_id, request.headers.get("range"))
        if export_id not in self.jobs:
            raise MarketoError("1013", f"Export job not found: {export_id}")
        job = self.jobs[export_id]
        if verb == "enqueue":
            self._enqueue(job)
        elif verb == "cancel":
            job.status = "Cancelled"
        else:
            self._go_on()
        return {"result": [self._state(export_id)]}

    def _create(self, kind: str, told: dict[str, Any]) -> dict[str, Any]:
        if not told.get("fields") or not told.get("filter"):
            raise MarketoError("1002", "Missing value for required parameter")
        if self.used_bytes > self.quota_bytes:
            raise MarketoError("1029", "Export daily quota 500MB exceeded")
        filters = told["filter"]
        if kind == "leads":
            self._stand_in.rest.lead_fields({"fields": told["fields"]})
            if len(filters) != 1:
                raise MarketoError("1003", "Exactly one filter")
            if "updatedAt" in filters:
                raise MarketoError("1035", "Unsupported filter type for target subscription: updatedAt")
        _refuse(kind, filters)
        for name in {"createdAt", "updatedAt"} & filters.keys():
            first, last = (_time(filters[name][end]) for end in ("startAt", "endAt"))
            if last - first > 31 * DAY or last < first:
                raise MarketoError("1003", "Date range must be 31 days or fewer")
        export_id = str(uuid.uuid4())
        is_late, is_failing = self._stand_in.is_due("late"), self._stand_in.is_due("fail")
        self.jobs[export_id] = Job(kind, told["fields"], filters, is_late=is_late, is_failing=is_failing)
        return self._state(export_id)

    def _enqueue(self, job: Job) -> None:
        if job.status != "Created":
            raise MarketoError("1029", "Job already queued")
        if sum(each.status in {"Queued", "Processing"} for each in self.jobs.values()) >= _QUEUE:
            raise MarketoError("1029", "Too many jobs in queue")
        if self.used_bytes > self.quota_bytes:
            raise MarketoError("1029", "Export daily quota 500MB exceeded")
        job.status = "Queued"

    def _go_on(self) -> None:
        for export_id, job in self.jobs.items():
            if job.status == "Processing":
                job.status = "Failed" if job.is_failing else "Completed"
                self.used_bytes += len(self._content(export_id)[0]) if job.status == "Completed" else 0
        running = sum(job.status == "Processing" for job in self.jobs.values())
        for job in [job for job in self.jobs.values() if job.status == "Queued"][: _AT_ONCE - running]:
            job.status = "Processing"

    def _state(self, export_id: str) -> dict[str, Any]:
        job = self.jobs[export_id]
        told = {"exportId": export_id, "status": job.status, "format": "CSV", "createdAt": iso(0)}
        if job.status != "Completed":
            return told
        content, rows, checksum = self._content(export_id)
        return told | {"numberOfRecords": rows, "fileSize": len(content), "fileChecksum": f"sha256:{checksum}"}

    def _make_content(self, export_id: str) -> tuple[bytes, int, str]:
        rows = self._frame(self.jobs[export_id])
        content = rows.fill_null("null").write_csv().encode()
        return content, rows.height, hashlib.sha256(content).hexdigest()

    def _frame(self, job: Job) -> pl.DataFrame:
        world = self._stand_in.world
        if job.kind == "program/members":
            rows = [
                {name: str(each) for name, each in member(program, lead, told).items()}
                for program in job.filter["programIds"]
                for lead, told in world.program_members.get(program, {}).items()
            ]
            return pl.DataFrame(rows, schema=dict.fromkeys(MEMBER_FIELDS, pl.String)).select(job.fields)
        first, last = (_time(job.filter["createdAt"][end]) for end in ("startAt", "endAt"))
        if job.kind == "leads":
            found = world.leads.filter(pl.col("createdAt").is_between(first, last))
            times = [name for name in job.fields if world.fields.get(name) == "datetime"]
            known = [name for name in job.fields if name in found.columns]
            shown = found.select(_iso(name) if name in times else pl.col(name).cast(pl.String) for name in known)
            missing = [pl.lit(None, pl.String).alias(name) for name in job.fields if name not in known]
            return shown.with_columns(missing).select(job.fields)
        found = world.activities.filter(pl.col("at").is_between(first, last), pl.col("type") != 37)
        if types := job.filter.get("activityTypeIds"):
            found = found.filter(pl.col("type").is_in(types))
        return found.select(
            marketoGUID=pl.col("guid").cast(pl.String), leadId=pl.col("leadId").cast(pl.String), activityDate=_iso("at"),
            activityTypeId=pl.col("type").cast(pl.String), campaignId=pl.lit(None, pl.String),
            primaryAttributeValueId=pl.col("primaryId").cast(pl.String), primaryAttributeValue="primary", attributes="attributes",
        ).select(job.fields)  # fmt: skip

    def _file(self, export_id: str, asked: str | None) -> Response:
        job = self.jobs.get(export_id)
        if job is None or job.status != "Completed" or job.is_late:
            if job is not None:
                job.is_late = False
            return PlainTextResponse("Export job is not complete", 404)
        content, start = self._content(export_id)[0], 0
        if asked:
            self.ranges.append(asked)
            start = int(asked.removeprefix("bytes=").partition("-")[0])
        if self._stand_in.is_due("corrupt"):
            content = content[:-2] + b"?\n"
        end = len(content) // 2 + start // 2 if self._stand_in.is_due("cut") else len(content)
        headers = {
            "Content-Type": "text/csv", "Content-Length": str(len(content) - start), "Accept-Ranges": "bytes",
            **({"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if asked else {}),
        }  # fmt: skip
        return StreamingResponse(_pieces(content[start:end]), 206 if asked else 200, headers)


def _refuse(kind: str, filters: dict[str, Any]) -> None:
    if kind == "activities" and "createdAt" not in filters:
        raise MarketoError("1003", "createdAt is required")
    if kind == "activities" and 37 in filters.get("activityTypeIds", []):
        raise MarketoError("1003", "Delete Lead is not supported")
    if kind == "program/members" and len(filters.get("programIds", [])) > 10:
        raise MarketoError("1003", "programIds has more than 10 values")


def _iso(name: str) -> pl.Expr:
    return pl.from_epoch(name).dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias(name)


def _time(text: str) -> int:
    if "." in text:
        raise MarketoError("1003", "Dates have no milliseconds")
    return int(datetime.fromisoformat(text).timestamp())


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), _PIECE):
        yield content[start : start + _PIECE]

"""A bulk query, from its start to the last page of its results, over as many loads as it takes.

Rules: developer.salesforce.com, "Bulk API 2.0 and Bulk API Developer Guide", Query Jobs.
"""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pyarrow as pa
from pyarrow import csv

from cdp_toolkit.connectors.http import RefusedError
from cdp_toolkit.connectors.salesforce.client import Client, Results
from cdp_toolkit.errors import SourceError
from cdp_toolkit.sources.source import Batch, Cursor, Overlap
from cdp_toolkit.sources.windows import stamp

_LONGEST_POLL_S = 30.0
_POLLS = 240  # two hours of a query that is still in its queue: what is not done then is asked for by the next load
_DOWNLOADS = 4
_BLOCK = 16 << 20  # a row fits into it: a long text has at most 131,072 characters


class Bulk:
    """Bulk queries on an object.

    Parameters
    ----------
    client
        The organisation.
    name
        The object.
    most
        Rows of a page.
    poll_s
        First pause between questions whether a query is done.
    """

    def __init__(self, client: Client, name: str, *, most: int, poll_s: float) -> None:
        self._client, self._name, self._most, self._poll_s = client, name, most, poll_s

    def read(self, soql: str, cursor: Cursor, overlap: Overlap | None) -> Iterator[Batch]:
        """Go on with the query under way, or start one.

        Parameters
        ----------
        soql
            The query to start.
        cursor
            What was remembered of the object.
        overlap
            Which rows may have landed before.

        Yields
        ------
        Batch
            First the note of the query itself, then its pages.

        Raises
        ------
        SourceError
            If the query fails, or is not done in time; the next load starts another, or goes on with it.
        """
        job = cursor.get("job")
        if not job or not self._is_there(job["id"]):
            told = self._client.start_query(soql)
            job = {"id": told["id"], "until": stamp(datetime.fromisoformat(told["createdDate"])), "rows": 0}
            yield Batch(f"{self._name} query {job['id']}", {"job": job})
        done = self._wait(job["id"])
        if done["state"] != "JobComplete":
            yield Batch(f"{self._name} query {job['id']}", {"job": None})
            raise SourceError(
                f"The query was {done['state'].lower()}: {done.get('errorMessage', 'no reason was given')}.",
                where=f"{self._name}, query {job['id']}",
                hint="Run again. If it fails again, leave out long texts and formulas (`leave_out`, `formulas`).",
            )
        yield from self._pages(job, done["numberRecordsProcessed"], cursor, overlap)

    def rows(self, soql: str) -> Iterator[pa.Table]:
        """Read a query without a note of it.

        Parameters
        ----------
        soql
            The query; rows in the recycle bin do not count.

        Yields
        ------
        pyarrow.Table
            Pages of text columns.
        """
        number = self._client.start_query(soql, deleted=False)["id"]
        self._wait(number)
        locator: str | None = None
        while True:
            page, results = self._download(number, locator)
            yield page
            locator = results.locator
            if locator is None:
                return

    def _pages(self, job: dict[str, Any], total: int, cursor: Cursor, overlap: Overlap | None) -> Iterator[Batch]:
        while True:
            page, results = self._download(job["id"], job.get("locator"))
            read = job["rows"] + results.rows
            if results.locator:
                after: Cursor = {"job": {**job, "locator": results.locator, "rows": read}}
            else:
                deleted = cursor.get("deleted_until", job["until"])
                after = {"job": None, "read_until": job["until"], "deleted_until": deleted}
            reader = _numbered(page, self._name, job["rows"])
            share = min(read / total, 1.0) if total else 1.0
            yield Batch(f"{self._name} query {job['id']}", after, reader.to_reader, share=share, overlap=overlap)
            if after["job"] is None:
                return
            job = after["job"]

    def _download(self, number: str, locator: str | None) -> tuple[pa.Table, Results]:
        for _ in range(_DOWNLOADS):
            results = self._client.results(number, locator, self._most)
            page = _parsed(results.text)
            if page is not None and page.num_rows == results.rows:
                return page, results
        raise SourceError(
            f"A page was cut off: it has not the {results.rows:,} rows that were announced ({_DOWNLOADS} downloads).",
            where=f"{self._name}, query {number}",
            hint="Run again: it goes on at this page.",
        )

    def _is_there(self, number: str) -> bool:
        try:
            return bool(self._client.job(number)["state"] not in {"Failed", "Aborted"})
        except RefusedError:
            return False  # results are kept for seven days

    def _wait(self, number: str) -> dict[str, Any]:
        pause = self._poll_s
        for _ in range(_POLLS):
            job = self._client.job(number)
            if job["state"] in {"JobComplete", "Failed", "Aborted"}:
                return job
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_POLL_S)
        raise SourceError(
            "The query is still waiting in Salesforce's queue.",
            where=f"{self._name}, query {number}",
            hint="Run again later: it goes on with the same query.",
        )


def _parsed(text: bytes) -> pa.Table | None:
    names = csv.read_csv(pa.BufferReader(text.partition(b"\n")[0] + b"\n")).column_names
    try:
        return csv.read_csv(
            pa.BufferReader(text),
            read_options=csv.ReadOptions(block_size=_BLOCK),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
            ),
        )
    except pa.ArrowInvalid:
        return None  # it ends within a row


def _numbered(page: pa.Table, name: str, before: int) -> pa.Table:
    lines = pa.array(range(before + 1, before + page.num_rows + 1), pa.int64())
    files = pa.repeat(pa.scalar(name), page.num_rows)
    return page.append_column("_file", files).append_column("_line", lines)

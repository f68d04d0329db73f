"""Salesforce's API as it is: describe, bulk queries, deletes, limits, collections.

Rules: developer.salesforce.com, "REST API Developer Guide" and "Bulk API 2.0 and Bulk API Developer Guide".
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import httpx

from cdp_toolkit.connectors.http import Http
from cdp_toolkit.connectors.limits import Patience
from cdp_toolkit.connectors.salesforce.answers import judge, later
from cdp_toolkit.connectors.salesforce.login import Login, LoginSettings
from cdp_toolkit.errors import QuotaExhausted
from cdp_toolkit.sources.budget import Budget

COLLECTION = 200


@dataclass(frozen=True)
class Results:
    """A page of the rows of a bulk query.

    Parameters
    ----------
    text
        CSV with a line of names.
    rows
        How many rows it must have.
    locator
        Where the next page begins; None behind the last.
    """

    text: bytes
    rows: int
    locator: str | None


class Client:
    """An organisation.

    Parameters
    ----------
    settings
        Who calls.
    where
        Where the settings stand, for errors.
    budget
        Calls of a day.
    patience
        How often a call is repeated.
    """

    def __init__(
        self, settings: LoginSettings, *, where: str, budget: Budget | None = None, patience: Patience | None = None
    ) -> None:
        self._budget, self._patience = budget, patience or Patience()
        self._share = settings.api_share
        self._login = Login(settings, where=where, patience=self._patience)
        self._data = f"/services/data/v{settings.version}"
        self._used, self._allowed = 0, 0

    def __repr__(self) -> str:
        """Return a text without a token."""
        return f"Client({self._data})"

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Make a call, unless the organisation has spent what it may.

        Parameters
        ----------
        method, path
            Path behind the version, such as ``/limits``, or the whole one that an answer named.
        **options
            As of ``httpx.Client.request``.

        Returns
        -------
        httpx.Response
            The answer.

        Raises
        ------
        QuotaExhausted
            If more than ``api_share`` of the organisation's calls are used.
        """
        if self._allowed and self._used >= self._share * self._allowed:
            raise QuotaExhausted(
                f"Salesforce: {self._used:,} of the organisation's {self._allowed:,} calls of 24 hours are used.",
                resume_at=later(),
                where="api_share",
            )
        whole = path if path.startswith("/services/") else f"{self._data}{path}"
        answer = self._http.call(method, whole, **options)
        self._count(answer)
        return answer

    def objects(self) -> list[str]:
        """Return the names of the objects that the user may query.

        Returns
        -------
        list of str
            As the API names them.
        """
        told = self.call("GET", "/sobjects").json()["sobjects"]
        return [each["name"] for each in told if each["queryable"]]

    def describe(self, name: str) -> list[dict[str, Any]]:
        """Return the fields of an object.

        Parameters
        ----------
        name
            The object.

        Returns
        -------
        list of dict
            ``name``, ``type``, ``compoundFieldName`` and more.
        """
        fields: list[dict[str, Any]] = self.call("GET", f"/sobjects/{name}/describe").json()["fields"]
        return fields

    def start_query(self, soql: str, *, deleted: bool = True) -> dict[str, Any]:
        """Start a bulk query.

        Parameters
        ----------
        soql
            The query.
        deleted
            Whether rows in the recycle bin count.

        Returns
        -------
        dict
            ``id``, ``state``, ``createdDate`` and more.
        """
        body = {"operation": "queryAll" if deleted else "query", "query": soql}
        job: dict[str, Any] = self.call("POST", "/jobs/query", json=body).json()
        return job

    def job(self, number: str) -> dict[str, Any]:
        """Return how far a bulk query is.

        Parameters
        ----------
        number
            Its id.

        Returns
        -------
        dict
            ``state``, and ``numberRecordsProcessed`` once it is done.
        """
        job: dict[str, Any] = self.call("GET", f"/jobs/query/{number}").json()
        return job

    def results(self, number: str, locator: str | None, most: int) -> Results:
        """Return a page of a bulk query.

        Parameters
        ----------
        number
            Id of the query.
        locator
            Where the page begins; None for the first.
        most
            Rows at the most.

        Returns
        -------
        Results
            The page; the same for the same locator, as often as it is asked for.
        """
        params = {"maxRecords": str(most)} | ({"locator": locator} if locator else {})
        headers = {"Accept": "text/csv", "Accept-Encoding": "gzip"}
        answer = self.call("GET", f"/jobs/query/{number}/results", params=params, headers=headers)
        following = answer.headers["Sforce-Locator"]  # the text `null` behind the last page
        rows = int(answer.headers["Sforce-NumberOfRecords"])
        return Results(answer.content, rows, None if following == "null" else following)

    def deleted(self, name: str, start: datetime, end: datetime) -> dict[str, Any]:
        """Return which records were deleted, also those that are in no recycle bin any more.

        Parameters
        ----------
        name
            The object.
        start, end
            At most 15 days ago, and at least a minute apart; their seconds do not count.

        Returns
        -------
        dict
            ``deletedRecords`` (``id``, ``deletedDate``) and ``latestDateCovered``, where the next call begins.
        """
        params = {"start": start.isoformat(timespec="seconds"), "end": end.isoformat(timespec="seconds")}
        told: dict[str, Any] = self.call("GET", f"/sobjects/{name}/deleted/", params=params).json()
        return told

    def query(self, soql: str) -> Iterator[dict[str, Any]]:
        """Return the rows of a query, for a few thousand at the most.

        Parameters
        ----------
        soql
            The query.

        Yields
        ------
        dict
            A row a record.
        """
        answer = self.call("GET", "/query", params={"q": soql}).json()
        yield from answer["records"]
        while not answer["done"]:
            answer = self.call("GET", answer["nextRecordsUrl"]).json()
            yield from answer["records"]

    def limits(self) -> dict[str, dict[str, int]]:
        """Return what is left of the organisation's quotas.

        Returns
        -------
        dict
            ``Max`` and ``Remaining`` by name, such as ``DailyApiRequests``.
        """
        told: dict[str, dict[str, int]] = self.call("GET", "/limits").json()
        return told

    def write(self, method: str, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Create or update records, each on its own.

        Parameters
        ----------
        method
            ``POST`` to create, ``PATCH`` to update.
        records
            At most ``COLLECTION``, with ``attributes``.

        Returns
        -------
        list of dict
            ``success``, ``id`` and ``errors``, in the order of the records.
        """
        body = {"allOrNone": False, "records": list(records)}
        outcomes: list[dict[str, Any]] = self.call(method, "/composite/sobjects", json=body).json()
        return outcomes

    def delete(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Delete records, each on its own.

        Parameters
        ----------
        ids
            At most ``COLLECTION``.

        Returns
        -------
        list of dict
            As of ``write``.
        """
        params = {"ids": ",".join(ids), "allOrNone": "false"}
        outcomes: list[dict[str, Any]] = self.call("DELETE", "/composite/sobjects", params=params).json()
        return outcomes

    @cached_property
    def _http(self) -> Http:
        return Http(
            "Salesforce", self._login.instance_url, access=self._login.token, judge=judge, budget=self._budget,
            patience=self._patience, timeout_s=120.0,
        )  # fmt: skip

    def _count(self, answer: httpx.Response) -> None:
        used = re.search(r"api-usage=(\d+)/(\d+)", answer.headers.get("Sforce-Limit-Info", ""))
        if used:
            self._used, self._allowed = int(used[1]), int(used[2])


def select(fields: Iterable[str], name: str, where: str = "") -> str:
    """Return a query.

    Parameters
    ----------
    fields
        Names of fields.
    name
        The object.
    where
        Condition; all records by default.

    Returns
    -------
    str
        In SOQL.

    Examples
    --------
    >>> select(["Id", "Email"], "Lead", "IsConverted = false")
    'SELECT Id, Email FROM Lead WHERE IsConverted = false'
    """
    condition = f" WHERE {where}" if where else ""
    return f"SELECT {', '.join(fields)} FROM {name}{condition}"  # noqa: S608 - SOQL, which can only read

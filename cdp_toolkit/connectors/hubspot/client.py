"""HubSpot's API as it is: records, searches, associations, lists.

Rules: developers.hubspot.com/docs, "CRM objects", "Search the CRM", "Associations v4", "Lists" and "API usage guidelines".
"""

import email.utils
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx

from cdp_toolkit.connectors.http import Http
from cdp_toolkit.connectors.hubspot.answers import judge
from cdp_toolkit.connectors.limits import Limiter, Patience
from cdp_toolkit.connectors.token import Token
from cdp_toolkit.secrets import reveal
from cdp_toolkit.sources.budget import Budget

Record = dict[str, Any]

BASE_URL = "https://api.hubapi.com"
LISTED = 100
SEARCHED = 200
READ = 100
ASSOCIATED = 1_000
_LISTS = 500
_MEMBERS = 250
# Names of properties stand in the address of a listing; behind this length they go into the body of a second call.
_LONGEST = 6_000


class Client:
    """An account.

    Parameters
    ----------
    token
        Reference to the access token of a private app.
    base_url
        Address of the API.
    calls_in_10_s
        Calls within ten seconds.
    searches_in_1_s
        Searches within a second.
    where
        Where the settings stand, for errors.
    budget
        Calls of a day.
    patience
        How often a call is repeated.
    """

    def __init__(
        self,
        token: str,
        *,
        base_url: str = BASE_URL,
        calls_in_10_s: int = 90,
        searches_in_1_s: int = 4,
        where: str,
        budget: Budget | None = None,
        patience: Patience | None = None,
    ) -> None:
        access = Token(lambda: (reveal(token, where=where), math.inf))  # it lives until somebody ends it
        burst = Limiter(calls_in_10_s, 10.0)
        shared: dict[str, Any] = {"access": access, "judge": judge, "budget": budget, "patience": patience}
        self._http = Http("HubSpot", base_url, limiters=(burst,), **shared)
        self._searching = Http("HubSpot", base_url, limiters=(burst, Limiter(searches_in_1_s, 1.0)), **shared)

    def now(self) -> datetime:
        """Return HubSpot's time.

        Returns
        -------
        datetime
            In UTC, of a whole second.
        """
        return _time_of(self._http.call("GET", "/account-info/v3/details"))

    def account(self) -> dict[str, Any]:
        """Return what the account is.

        Returns
        -------
        dict
            ``portalId``, ``accountType`` and more.
        """
        return self._json("GET", "/account-info/v3/details")

    def properties(self, kind: str) -> list[dict[str, Any]]:
        """Return the properties of an object.

        Parameters
        ----------
        kind
            Such as ``contacts``.

        Returns
        -------
        list of dict
            ``name``, ``type``, ``hidden`` and more.
        """
        found: list[dict[str, Any]] = self._json("GET", f"/crm/v3/properties/{kind}")["results"]
        return found

    def records(
        self, kind: str, properties: Sequence[str], after: str | None = None, *, archived: bool = False
    ) -> Iterator[tuple[list[Record], str | None]]:
        """Return all records, in the order of their ids.

        Parameters
        ----------
        kind
            Such as ``contacts``.
        properties
            Names of those to give; a record has no others.
        after
            Place to go on at.
        archived
            Whether to give those that were deleted in the last 90 days, and no others.

        Yields
        ------
        records, after
            A page, and the place behind it; None behind the last.
        """
        names = ",".join(properties)
        is_short = len(names) < _LONGEST
        while True:
            params = {"limit": str(LISTED), "archived": str(archived).lower()}
            params |= {"properties": names} if is_short else {}
            params |= {"after": after} if after else {}
            told = self._json("GET", f"/crm/v3/objects/{kind}", params=params)
            found = told["results"]
            if not is_short:
                found = self.read(kind, [each["id"] for each in found], properties, archived=archived)
            after = _after(told)
            yield found, after
            if after is None:
                return

    def read(
        self, kind: str, ids: Sequence[str], properties: Sequence[str], *, by: str | None = None, archived: bool = False
    ) -> list[Record]:
        """Return records by id, or by another property that is unique.

        Parameters
        ----------
        kind
            Such as ``contacts``.
        ids
            At most ``READ``.
        properties
            Names of those to give.
        by
            The unique property, such as ``email``.
        archived
            Whether they are deleted ones.

        Returns
        -------
        list of dict
            Those that exist, in any order.
        """
        if not ids:
            return []
        body = {"inputs": [{"id": each} for each in ids], "properties": list(properties)}
        body |= {"idProperty": by} if by else {}
        params = {"archived": str(archived).lower()}
        found: list[Record] = self._json("POST", f"/crm/v3/objects/{kind}/batch/read", json=body, params=params)[
            "results"
        ]
        return found

    def changed(
        self, kind: str, properties: Sequence[str], modified: str, since: datetime, after_id: str = "0"
    ) -> Iterator[list[Record]]:
        """Return the records that changed, in the order of their ids.

        Parameters
        ----------
        kind
            Such as ``contacts``.
        properties
            Names of those to give.
        modified
            Property with the time of the last change.
        since
            Time from which.
        after_id
            Id to go on behind.

        Yields
        ------
        list of dict
            A page. A search ends after 10,000 records, so each page is the first one of a search of its own.
        """
        while True:
            filters = [
                {"propertyName": modified, "operator": "GTE", "value": str(int(since.timestamp() * 1000))},
                {"propertyName": "hs_object_id", "operator": "GT", "value": after_id},
            ]
            body = {
                "filterGroups": [{"filters": filters}],
                "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
                "properties": list(properties),
                "limit": SEARCHED,
            }
            found = self._searching.call("POST", f"/crm/v3/objects/{kind}/search", json=body).json()["results"]
            yield found
            if len(found) < SEARCHED:
                return
            after_id = found[-1]["id"]

    def associated(self, kind: str, other: str, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Return what records are associated with.

        Parameters
        ----------
        kind, other
            Such as ``deals`` and ``contacts``.
        ids
            Records of ``kind``, at most ``ASSOCIATED``.

        Returns
        -------
        dict
            By id, ``toObjectId`` and ``associationTypes`` of each associated record.
        """
        found: dict[str, list[dict[str, Any]]] = {each: [] for each in ids}
        wanted: list[dict[str, str]] = [{"id": each} for each in ids]
        while wanted:
            told = self._json("POST", f"/crm/v4/associations/{kind}/{other}/batch/read", json={"inputs": wanted})
            wanted = []
            for each in told["results"]:
                found[str(each["from"]["id"])] += each["to"]
                if after := _after(each):
                    wanted.append({"id": str(each["from"]["id"]), "after": after})
        return found

    def pipelines(self, kind: str) -> list[dict[str, Any]]:
        """Return the pipelines of an object, with their stages.

        Parameters
        ----------
        kind
            Such as ``deals``.

        Returns
        -------
        list of dict
            ``id``, ``label`` and ``stages``.
        """
        found: list[dict[str, Any]] = self._json("GET", f"/crm/v3/pipelines/{kind}")["results"]
        return found

    def lists(self, object_type: str = "0-1") -> Iterator[dict[str, Any]]:
        """Return the lists of an object.

        Parameters
        ----------
        object_type
            Its number; of contacts by default.

        Yields
        ------
        dict
            ``listId``, ``name``, ``processingType`` and more.
        """
        offset, is_more = 0, True
        while is_more:
            body = {"objectTypeId": object_type, "offset": offset, "count": _LISTS, "query": ""}
            told = self._json("POST", "/crm/v3/lists/search", json=body)
            yield from told["lists"]
            offset, is_more = told["offset"], told["hasMore"]

    def list(self, number: str) -> dict[str, Any]:
        """Return a list.

        Parameters
        ----------
        number
            Its id.

        Returns
        -------
        dict
            ``listId``, ``name``, ``processingType`` and more.
        """
        found: dict[str, Any] = self._json("GET", f"/crm/v3/lists/{number}")["list"]
        return found

    def members(self, number: str) -> Iterator[dict[str, Any]]:
        """Return the members of a list.

        Parameters
        ----------
        number
            Its id.

        Yields
        ------
        dict
            ``recordId`` and ``membershipTimestamp``.
        """
        after: str | None = None
        while True:
            params = {"limit": str(_MEMBERS)} | ({"after": after} if after else {})
            told = self._json("GET", f"/crm/v3/lists/{number}/memberships", params=params)
            yield from told["results"]
            after = _after(told)
            if after is None:
                return

    def change_members(self, number: str, add: Sequence[str], remove: Sequence[str]) -> dict[str, Any]:
        """Put records into a list, and take others out.

        Parameters
        ----------
        number
            Its id; only a static list can be changed.
        add, remove
            Ids of records.

        Returns
        -------
        dict
            ``recordsIdsAdded``, ``recordIdsRemoved`` and ``recordIdsMissing``.
        """
        body = {"recordIdsToAdd": list(add), "recordIdsToRemove": list(remove)}
        return self._json("PUT", f"/crm/v3/lists/{number}/memberships/add-and-remove", json=body)

    def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        told: dict[str, Any] = self._http.call(method, path, **options).json()
        return told


def _after(told: Mapping[str, Any]) -> str | None:
    after = told.get("paging", {}).get("next", {}).get("after")
    return str(after) if after else None


def _time_of(answer: httpx.Response) -> datetime:
    return email.utils.parsedate_to_datetime(answer.headers["Date"]).astimezone(UTC)

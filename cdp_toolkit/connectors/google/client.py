"""The Data Manager API, as far as Customer Match needs it.

Source: developers.google.com/data-manager/api/reference/rest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdp_toolkit.connectors.google.answers import violations
from cdp_toolkit.connectors.http import Http
from cdp_toolkit.errors import SourceError

# A request is refused whole, and may not name all that is wrong with it.
_ROUNDS = 20

Member = dict[str, Any]


@dataclass(frozen=True)
class Taken:
    """What became of the members of a request.

    Parameters
    ----------
    request_id
        Under which Google tells what it makes of it; empty if nobody was left to send.
    refused
        Reason by place in the request.
    """

    request_id: str
    refused: Mapping[int, str]


@dataclass(frozen=True)
class Processed:
    """What Google has made of a request; taken is not matched.

    Parameters
    ----------
    state
        ``PROCESSING``, ``SUCCESS``, ``PARTIAL_SUCCESS``, ``FAILED`` or ``REQUEST_STATUS_UNKNOWN``.
    errors
        Members by the reason why they failed; which they are, Google does not say.
    match_rate
        Range of the share that was matched, such as ``MATCH_RATE_RANGE_61_TO_70``.
    """

    state: str
    errors: Mapping[str, int]
    match_rate: str = ""


class DataManager:
    """The API for one advertising account.

    Parameters
    ----------
    http
        Makes the calls.
    account
        ``accountType`` and ``accountId`` of the account that owns the lists.
    login_account
        The same of the account through which the login has access, if that is another.
    """

    def __init__(self, http: Http, account: Mapping[str, str], login_account: Mapping[str, str] | None) -> None:
        self._http, self._account, self._login_account = http, account, login_account

    def ingest(self, list_id: str, members: Sequence[Member]) -> Taken:
        """Put members on a list.

        Parameters
        ----------
        list_id
            Id of the list.
        members
            At most 10,000, with ``userData`` and ``consent``.

        Returns
        -------
        Taken
            The members that Google finds wrong are left out, and the others sent.

        Raises
        ------
        SourceError
            If it finds others wrong each time.
        """
        terms = {"customerMatchTermsOfServiceStatus": "ACCEPTED"}
        return self._send("ingest", list_id, members, {"termsOfService": terms})

    def remove(self, list_id: str, members: Sequence[Member]) -> Taken:
        """Take members off a list.

        Parameters
        ----------
        list_id
            Id of the list.
        members
            At most 10,000, with ``userData``.

        Returns
        -------
        Taken
            As for ``ingest``.
        """
        return self._send("remove", list_id, members, {})

    def processed(self, request_id: str) -> Processed:
        """Ask what Google has made of a request.

        Parameters
        ----------
        request_id
            See ``Taken``.

        Returns
        -------
        Processed
            Of its one destination.
        """
        answer = self._http.call("GET", "/v1/requestStatus:retrieve", params={"requestId": request_id}).json()
        told: Mapping[str, Any] = next(iter(answer.get("requestStatusPerDestination", [])), {})
        counts = told.get("errorInfo", {}).get("errorCounts", [])
        status = told.get("audienceMembersIngestionStatus", {}).get("userDataIngestionStatus", {})
        return Processed(
            told.get("requestStatus", "REQUEST_STATUS_UNKNOWN"),
            {each["reason"]: int(each["recordCount"]) for each in counts},
            status.get("uploadMatchRateRange", ""),
        )

    def user_list(self, list_id: str) -> Mapping[str, Any]:
        """Ask what a list is.

        Parameters
        ----------
        list_id
            Id of the list.

        Returns
        -------
        mapping
            A ``UserList``: ``displayName``, ``membershipStatus``, ``sizeInfo``, ``ingestedUserListInfo`` and more.
        """
        name = f"accountTypes/{self._account['accountType']}/accounts/{self._account['accountId']}"
        login = self._login_account
        through = login and {"login-account": f"accountTypes/{login['accountType']}/accounts/{login['accountId']}"}
        answer: Mapping[str, Any] = self._http.call(
            "GET", f"/v1/{name}/userLists/{list_id}", headers=through or {}
        ).json()
        return answer

    def _send(self, verb: str, list_id: str, members: Sequence[Member], more: Mapping[str, Any]) -> Taken:
        places, refused = list(range(len(members))), dict[int, str]()
        for _ in range(_ROUNDS):
            if not places:
                return Taken("", refused)
            body = {"destinations": [self._destination(list_id)], "encoding": "HEX", **more}
            body["audienceMembers"] = [members[place] for place in places]
            answer = self._http.call("POST", f"/v1/audienceMembers:{verb}", json=body)
            if answer.is_success:
                return Taken(answer.json().get("requestId", ""), refused)
            wrong = {place: reason for place, reason in violations(answer).items() if place < len(places)}
            refused |= {places[place]: reason for place, reason in wrong.items()}
            places = [each for place, each in enumerate(places) if place not in wrong]
        raise SourceError(
            f"Google refused {len(refused):,} members and finds more of them wrong each time.",
            where=f"list {list_id}",
            hint="Check what `mapping` sends.",
        )

    def _destination(self, list_id: str) -> Mapping[str, Any]:
        through = {"loginAccount": self._login_account} if self._login_account else {}
        return {"operatingAccount": self._account, "productDestinationId": list_id, **through}

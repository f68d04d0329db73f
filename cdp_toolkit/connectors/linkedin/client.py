"""Segments of LinkedIn's Matched Audiences, and who is in them.

Source: learn.microsoft.com/en-us/linkedin/marketing/matched-audiences/create-and-manage-segments.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from cdp_toolkit.connectors.http import Http
from cdp_toolkit.connectors.token import Token
from cdp_toolkit.errors import ConnectorStopped, SourceError

Kind = Literal["USER", "COMPANY"]
Element = dict[str, Any]


class Segments:
    """The segments of one advertising account that are of one kind and from here.

    Parameters
    ----------
    http
        Makes the calls.
    account
        Id of the advertising account.
    kind
        What the segments hold.
    version
        Version of the API, such as ``202608``.
    platform
        Under which name LinkedIn knows where the segments are from.
    """

    def __init__(self, http: Http, account: str, kind: Kind, version: str, platform: str) -> None:
        self._http, self._kind, self._platform = http, kind, platform
        self._account = f"urn:li:sponsoredAccount:{account}"
        self._headers = {"LinkedIn-Version": version, "X-Restli-Protocol-Version": "2.0.0"}

    def find(self, name: str) -> Mapping[str, Any] | None:
        """Find a segment.

        Parameters
        ----------
        name
            Its ``sourceSegmentId``.

        Returns
        -------
        mapping or None
            The segment, with ``id``, ``type`` and ``destinations``; None where there is none.

        Raises
        ------
        ConnectorStopped
            If the segment of that name holds the other kind.
        """
        query = {"q": "account", "account": self._account, "sourceSegmentId": name, "sourcePlatform": self._platform}
        answer = self._http.call("GET", "/rest/dmpSegments", params=query, headers=self._headers).json()
        # Of several, such as after an answer that was lost, always the same.
        found: Mapping[str, Any] | None = min(
            answer.get("elements", []), key=lambda each: int(each["id"]), default=None
        )
        if found and found.get("type", self._kind) != self._kind:
            raise ConnectorStopped(
                f"LinkedIn has a segment {name!r} of kind {found['type']}, not {self._kind}.",
                where=f"segment {found.get('id')}",
                hint="Name another audience, or set another `source_platform`.",
            )
        return found

    def create(self, name: str, shown: str) -> str:
        """Make a segment.

        Parameters
        ----------
        name
            Its ``sourceSegmentId``.
        shown
            Name by which people find it.

        Returns
        -------
        str
            Its id; it takes nobody for some seconds. A call whose answer was lost is repeated and may make another
            one, which stays empty.
        """
        about = {
            "name": shown,
            "account": self._account,
            "accessPolicy": "PRIVATE",
            "type": self._kind,
            "sourcePlatform": self._platform,
            "sourceSegmentId": name,
            "destinations": [{"destination": "LINKEDIN"}],
        }
        answer = self._http.call("POST", "/rest/dmpSegments", json=about, headers=self._headers)
        found = self.find(name)
        return str(found["id"] if found else answer.headers.get("x-restli-id") or answer.headers["x-linkedin-id"])

    def stream(self, segment_id: str, elements: Sequence[Element]) -> list[str | None]:
        """Add to a segment and remove from it.

        Parameters
        ----------
        segment_id
            Id of the segment.
        elements
            At most 5,000, each with its ``action``. Adding who is there, and removing who is not, is no error.

        Returns
        -------
        list of str or None
            For each element why it was not taken; None where it was.

        Raises
        ------
        SourceError
            If LinkedIn answers another number of elements.
        """
        path = f"/rest/dmpSegments/{segment_id}/{'users' if self._kind == 'USER' else 'companies'}"
        headers = {**self._headers, "X-RestLi-Method": "BATCH_CREATE"}
        answer = self._http.call("POST", path, json={"elements": elements}, headers=headers).json()
        states = answer.get("elements", [])
        if len(states) != len(elements):
            raise SourceError(f"LinkedIn answered {len(states):,} of {len(elements):,} elements.", where=f"POST {path}")
        return [_wrong(state) for state in states]


def access(token: Callable[[], str], refresh: Mapping[str, Callable[[], str]] | None, http: Http, url: str) -> Token:
    """Return the login.

    Parameters
    ----------
    token
        Gives the access token, if it is not refreshed.
    refresh
        Gives ``client_id``, ``client_secret`` and ``refresh_token``; None where the token is all there is.
    http
        Makes the call.
    url
        Address that refreshes tokens.

    Returns
    -------
    Token
        Fetched when it is needed.
    """
    if refresh is None:
        return Token(lambda: (token(), float("inf")))
    return Token(partial(_refreshed, refresh, http, url))


def _refreshed(refresh: Mapping[str, Callable[[], str]], http: Http, url: str) -> tuple[str, float]:
    form = {"grant_type": "refresh_token", **{name: secret() for name, secret in refresh.items()}}
    answer = http.call("POST", url, is_login=True, data=form).json()
    return answer["access_token"], float(answer.get("expires_in", 3600))


def _wrong(state: Mapping[str, Any]) -> str | None:
    status = int(state.get("status", 500))
    if 200 <= status < 300:
        return None
    error = state.get("error") or {}
    return f"{status} {error.get('message') or state.get('message') or ''}".strip()

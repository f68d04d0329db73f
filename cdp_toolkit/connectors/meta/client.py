"""The Graph API, as far as custom audiences need it.

Source: developers.facebook.com/documentation/ads-commerce/marketing-api/reference/custom-audience/users. Token and proof
go into the body of each call, never into its address: addresses are logged by whoever stands in between.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cdp_toolkit.connectors.http import Http
from cdp_toolkit.connectors.meta.answers import told
from cdp_toolkit.errors import SourceError

_ABOUT = "name,subtype,approximate_count_lower_bound,operation_status,delivery_status"


@dataclass(frozen=True)
class Received:
    """What Meta took of the rows of a call.

    Parameters
    ----------
    rows
        How many it received.
    invalid
        How many of them it could not use.
    samples
        Values of some that it could not use.
    """

    rows: int
    invalid: int
    samples: frozenset[str]


class Graph:
    """Custom audiences by the Graph API.

    Parameters
    ----------
    http
        Makes the calls.
    version
        Version of the API, such as ``v25.0``.
    access_token
        Gives the token, at each call.
    app_secret
        Gives the secret of the app, if calls are to be proven with it.
    """

    def __init__(
        self, http: Http, version: str, access_token: Callable[[], str], app_secret: Callable[[], str] | None
    ) -> None:
        self._http, self._version = http, version
        self._access_token, self._app_secret = access_token, app_secret

    def users(
        self,
        method: Literal["POST", "DELETE"],
        audience_id: str,
        schema: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        session_id: int,
    ) -> Received:
        """Put people into an audience, or take them out.

        Parameters
        ----------
        method
            ``POST`` puts in, ``DELETE`` takes out.
        audience_id
            Id of the audience.
        schema
            Keys of a row, such as ``EMAIL``.
        rows
            At most 10,000; digests by key, empty where there is none.
        session_id
            Names the upload.

        Returns
        -------
        Received
            Meta answers 200 also to rows that it cannot use.

        Raises
        ------
        SourceError
            If Meta received another number of rows than were sent.
        """
        session = {"session_id": session_id, "batch_seq": 1, "last_batch_flag": True, "estimated_num_total": len(rows)}
        form = {"payload": json.dumps({"schema": list(schema), "data": rows}), "session": json.dumps(session)}
        path = f"/{self._version}/{audience_id}/users"
        answer = self._http.call(method, path, data={**form, **self._login()}).json()
        received = int(answer.get("num_received", len(rows)))
        if received != len(rows):
            raise SourceError(f"Meta received {received:,} of {len(rows):,} rows.", where=f"{method} {path}")
        samples = frozenset(_texts(answer.get("invalid_entry_samples")))
        return Received(received, int(answer.get("num_invalid_entries", 0)), samples)

    def about(self, audience_id: str) -> Mapping[str, Any]:
        """Ask what an audience is.

        Parameters
        ----------
        audience_id
            Id of the audience.

        Returns
        -------
        mapping
            ``name``, ``subtype``, ``approximate_count_lower_bound``, ``operation_status`` and ``delivery_status``.

        Raises
        ------
        SourceError
            If Meta does not tell.
        """
        # As a batch of one, since a GET has no body and would carry token and proof in its address.
        asked = json.dumps([{"method": "GET", "relative_url": f"{self._version}/{audience_id}?fields={_ABOUT}"}])
        [answer] = self._http.call(
            "POST", "/", data={"batch": asked, "include_headers": "false", **self._login()}
        ).json()
        body: Mapping[str, Any] = json.loads(answer["body"])
        if answer["code"] != 200:
            verdict = told(body.get("error", {}), {})
            raise SourceError(f"Meta: {verdict.message}", where=f"audience {audience_id}", hint=verdict.hint)
        return body

    def _login(self) -> Mapping[str, str]:
        token = self._access_token()
        if self._app_secret is None:
            return {"access_token": token}
        proof = hmac.new(self._app_secret().encode(), token.encode(), hashlib.sha256)
        return {"access_token": token, "appsecret_proof": proof.hexdigest()}


def _texts(samples: Any) -> Iterator[str]:
    """Return all texts of the samples: a list, or lists by key, of values or of rows."""
    match samples:
        case str():
            yield samples
        case Mapping():
            for each in samples.values():
                yield from _texts(each)
        case list():
            for each in samples:
                yield from _texts(each)

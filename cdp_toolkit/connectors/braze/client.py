"""Attributes of users by ``/users/track``.

Sources: www.braze.com/docs/api/endpoints/user_data/post_user_track, …/api/objects_filters/user_attributes_object,
…/api/errors and …/api/api_limits.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from cdp_toolkit.connectors.http import Http, RefusedError
from cdp_toolkit.connectors.verdict import Verdict, by_status

Attributes = dict[str, Any]

_TRACK = "/users/track"
_KEY = "Check `api_key` and `base_url`: the key is of one workspace, on one instance, and needs `users.track`."


class Users:
    """The users of one workspace.

    Parameters
    ----------
    http
        Makes the calls.
    """

    def __init__(self, http: Http) -> None:
        self._http = http

    def track(self, users: Sequence[Attributes]) -> dict[int, str]:
        """Set attributes of users.

        Parameters
        ----------
        users
            At most 75, each with its identifier and ``_update_existing_only``.

        Returns
        -------
        dict
            Reason by place, of those that Braze finds wrong; the others are set.
        """
        answer = self._http.call("POST", _TRACK, json={"attributes": list(users)})
        return _wrong(answer)

    def look(self) -> None:
        """Ask for nothing, which tells whether the key would be allowed to.

        Raises
        ------
        SourceError
            If Braze answers otherwise than that there was nothing to do.
        ConnectorStopped
            If the key is refused.
        """
        try:
            self._http.call("POST", _TRACK, json={"attributes": []})
        except RefusedError as error:
            if error.code != "400":
                raise


def judge(answer: httpx.Response) -> Verdict | None:
    """Return what an answer asks for.

    Parameters
    ----------
    answer
        Of Braze.

    Returns
    -------
    Verdict or None
        None also for an error that names each user that is wrong.
    """
    if answer.is_success or _wrong(answer):
        return None
    plain = by_status(answer) or Verdict("refuse", "")
    message, code = str(_told(answer).get("message") or plain.message), str(answer.status_code)
    if answer.status_code in {401, 403}:
        return Verdict("stop", message, code, _KEY)
    if answer.status_code == 429 and (reset := answer.headers.get("X-RateLimit-Reset", "")).isdigit():
        return Verdict("wait", message, code, wait_s=max(int(reset) - time.time(), 0.0))
    return Verdict(plain.kind, message, code, plain.hint, plain.wait_s)


def _wrong(answer: httpx.Response) -> dict[int, str]:
    errors = _told(answer).get("errors", []) if answer.is_success or answer.status_code == 400 else []
    placed = [each for each in errors if isinstance(each, Mapping) and isinstance(each.get("index"), int)]
    return {each["index"]: str(each.get("type", "")) for each in placed if each.get("input_array") == "attributes"}


def _told(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}

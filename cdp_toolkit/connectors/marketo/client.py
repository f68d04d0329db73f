"""Marketo's REST API: calls, pages and the envelope around every answer.

Source: https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/rest-api
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlencode

import httpx

from cdp_toolkit.connectors.http import Http
from cdp_toolkit.connectors.limits import Limiter, Patience
from cdp_toolkit.connectors.marketo.codes import MarketoJudge
from cdp_toolkit.connectors.token import Token
from cdp_toolkit.sources.budget import Budget

Envelope = dict[str, Any]
_LONGEST_URI = 8_000  # 8 KB, less than host and header may take
MOST_IDS = 300
_ASSETS_A_PAGE = 200


class Marketo:
    """An instance of Marketo.

    Parameters
    ----------
    base_url
        Where it answers, such as ``https://123-ABC-456.mktorest.com``.
    login
        Gives client id and client secret, when they are needed.
    calls, window_s
        At most so many calls within so many seconds. Marketo allows 100 in 20 s, to all users together.
    concurrency
        How many calls run at once; Marketo allows 10.
    budget
        Calls of a day.
    patience
        How often a call is repeated.
    """

    def __init__(
        self,
        base_url: str,
        login: Callable[[], tuple[str, str]],
        *,
        calls: int = 45,
        window_s: float = 20.0,
        concurrency: int = 5,
        budget: Budget | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._login = login
        # Activities may take 30 s, a paging token 300 s; a download is slow to begin.
        self.http = Http(
            "Marketo", base_url, access=Token(self._token), judge=MarketoJudge(window_s),
            limiters=[Limiter(calls, window_s)], concurrency=concurrency, budget=budget, patience=patience, timeout_s=320.0,
        )  # fmt: skip

    def get(self, path: str, **params: Any) -> Envelope:
        """Return the envelope of an answer.

        Parameters
        ----------
        path
            Such as ``/rest/v1/leads.json``.
        **params
            Lists become texts with commas; None is left out. What is too long for an address is posted.

        Returns
        -------
        dict
            ``result``, ``nextPageToken``, ``moreResult`` and others, as far as they are there.
        """
        query = urlencode({name: _text(value) for name, value in params.items() if value is not None})
        if len(path) + len(query) > _LONGEST_URI:
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            return _envelope(self.http.call("POST", f"{path}?_method=GET", content=query, headers=form))
        return _envelope(self.http.call("GET", f"{path}?{query}" if query else path))

    def send(self, method: str, path: str, *, ids: Sequence[int] = (), **options: Any) -> Envelope:
        """Send something and return the envelope of the answer.

        Parameters
        ----------
        method, path
            Such as ``POST`` and ``/bulk/v1/leads/export/create.json``.
        ids
            Lead ids, which Marketo takes as ``id`` each.
        **options
            ``json`` or ``data``, as of ``httpx.Client.request``.

        Returns
        -------
        dict
            See ``get``.
        """
        query = urlencode([("id", each) for each in ids])
        return _envelope(self.http.call(method, f"{path}?{query}" if query else path, **options))

    def pages(self, path: str, **params: Any) -> Iterator[list[dict[str, Any]]]:
        """Return the pages of a query of the lead database.

        Parameters
        ----------
        path
            Such as ``/rest/v1/companies.json``.
        **params
            As of ``get``.

        Yields
        ------
        list of dict
            The rows of a page. There is a next one as long as there is a token: ``moreResult`` may be missing.
        """
        token: str | None = None
        while True:
            answer = self.get(path, nextPageToken=token, **params)
            rows = answer.get("result") or []
            yield rows
            token = answer.get("nextPageToken")
            if not token or answer.get("moreResult") is False:
                return

    def matches(
        self, path: str, field: str, values: Sequence[Any], *, fields: Sequence[str] = ()
    ) -> Iterator[list[dict[str, Any]]]:
        """Return the records whose field has one of some values.

        Parameters
        ----------
        path
            Such as ``/rest/v1/leads.json``.
        field
            A field that Marketo searches by.
        values
            As many as there are: Marketo is asked for 300 at a time.
        fields
            Fields to return; Marketo's own choice by default.

        Yields
        ------
        list of dict
            The rows of a page, without ``seq``, which is their place in it.
        """
        for start in range(0, len(values), MOST_IDS):
            some = list(values[start : start + MOST_IDS])
            for rows in self.pages(path, filterType=field, filterValues=some, fields=list(fields) or None):
                yield [{name: value for name, value in row.items() if name != "seq"} for row in rows]

    def assets(self, path: str, **params: Any) -> Iterator[list[dict[str, Any]]]:
        """Return the pages of a query of assets.

        Parameters
        ----------
        path
            Such as ``/rest/asset/v1/programs.json``.
        **params
            As of ``get``.

        Yields
        ------
        list of dict
            The rows of a page; after the last one Marketo gives no ``result`` but a warning.
        """
        offset = 0
        while rows := self.get(path, offset=offset, maxReturn=_ASSETS_A_PAGE, **params).get("result") or []:
            yield rows
            if len(rows) < _ASSETS_A_PAGE:
                return
            offset += len(rows)

    def file(self, path: str, *, start: int) -> AbstractContextManager[httpx.Response]:
        """Return a file from a byte on.

        Parameters
        ----------
        path
            Such as ``/bulk/v1/leads/export/1/file.json``.
        start
            Number of the first byte.

        Returns
        -------
        context manager
            Gives the answer, whose body is read within.
        """
        return self.http.stream("GET", path, headers={"Range": f"bytes={start}-"} if start else {})

    def _token(self) -> tuple[str, float]:
        client_id, client_secret = self._login()
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
        told = self.http.call("POST", "/identity/oauth/token", is_login=True, data=form).json()
        return str(told["access_token"]), float(told["expires_in"])


def _envelope(answer: httpx.Response) -> Envelope:
    envelope: Envelope = answer.json()
    return envelope


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return json.dumps(value)
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(value)

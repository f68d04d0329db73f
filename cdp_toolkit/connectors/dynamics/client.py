"""The Web API of Dataverse as it is: tables, their columns and choices, pages of rows, changes.

Rules: learn.microsoft.com/power-apps/developer/data-platform, "Use the Microsoft Dataverse Web API", "Use change tracking
to synchronize data with external systems" and "Service protection API limits".
"""

import email.utils
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from cdp_toolkit.connectors.dynamics.answers import judge, judge_login
from cdp_toolkit.connectors.http import Http
from cdp_toolkit.connectors.limits import Limiter, Patience
from cdp_toolkit.connectors.token import Token
from cdp_toolkit.secrets import reveal
from cdp_toolkit.sources.budget import Budget

LOGIN_URL = "https://login.microsoftonline.com"
_PAGE = 5_000
# 6,000 within five minutes for each user, all its programs together.
_CALLS = (5_000, 300.0)


@dataclass(frozen=True)
class Login:
    """An application that Microsoft Entra knows.

    Parameters
    ----------
    tenant_id, client_id
        Of the application's registration.
    client_secret
        Reference to its secret.
    login_url
        Address of Microsoft Entra.
    """

    tenant_id: str
    client_id: str
    client_secret: str
    login_url: str = LOGIN_URL


@dataclass(frozen=True)
class Answer:
    """A page of rows.

    Parameters
    ----------
    rows
        The rows.
    next
        Path of the next page; None behind the last.
    delta
        Behind the last page: path under which changes from here on are told; None without change tracking.
    at
        Time of the answer, by Dataverse's clock.
    """

    rows: list[dict[str, Any]]
    next: str | None
    delta: str | None
    at: datetime


class Client:
    """An environment.

    Parameters
    ----------
    base_url
        Its address, such as ``https://acme.crm4.dynamics.com``.
    login
        Who calls.
    version
        Version of the API.
    page_rows
        Rows of a page.
    where
        Where the settings stand, for errors.
    budget
        Calls of a day.
    patience
        How often a call is repeated.
    """

    def __init__(
        self,
        base_url: str,
        login: Login,
        *,
        version: str = "v9.2",
        page_rows: int = _PAGE,
        where: str,
        budget: Budget | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._login, self._scope, self._where = login, f"{base_url.rstrip('/')}/.default", where
        self._entra = Http("Microsoft Entra", login.login_url, judge=judge_login, patience=patience)
        self._data, self._page_rows = f"/api/data/{version}", page_rows
        self._http = Http(
            "Dynamics 365", base_url, access=Token(self._fetch), judge=judge, limiters=(Limiter(*_CALLS),),
            budget=budget, patience=patience, timeout_s=120.0,
        )  # fmt: skip

    def table(self, name: str) -> dict[str, Any]:
        """Return what a table is.

        Parameters
        ----------
        name
            Its logical name, such as ``contact``.

        Returns
        -------
        dict
            ``EntitySetName``, ``PrimaryIdAttribute`` and ``ChangeTrackingEnabled``.
        """
        params = {"$select": "LogicalName,EntitySetName,PrimaryIdAttribute,ChangeTrackingEnabled"}
        told: dict[str, Any] = self._call(f"{self._data}/EntityDefinitions(LogicalName='{name}')", params=params).json()
        return told

    def columns(self, name: str) -> dict[str, str]:
        """Return the columns of a table.

        Parameters
        ----------
        name
            Its logical name.

        Returns
        -------
        dict
            Type by logical name, without those that only repeat another as a text.
        """
        path = f"{self._data}/EntityDefinitions(LogicalName='{name}')/Attributes"
        params = {"$select": "LogicalName,AttributeType,AttributeOf,IsValidForRead"}
        found = self._call(path, params=params).json()["value"]
        return {
            each["LogicalName"]: each["AttributeType"]
            for each in found
            if each["IsValidForRead"] and each["AttributeOf"] is None
        }

    def choices(self, name: str) -> dict[str, dict[int, dict[str, str]]]:
        """Return what the numbers of choices mean.

        Parameters
        ----------
        name
            Logical name of a table.

        Returns
        -------
        dict
            By column and number, the label by the number of its language.
        """
        found: dict[str, dict[int, dict[str, str]]] = {}
        query = f"$filter=objecttypecode eq '{name}'&$select=attributename,attributevalue,value,langid"
        for answer in self.rows(f"{self._data}/stringmaps?{query}"):
            for row in answer.rows:
                values = found.setdefault(row["attributename"], {})
                values.setdefault(row["attributevalue"], {})[str(row["langid"])] = row["value"]
        return found

    def path(self, entity_set: str, query: str = "") -> str:
        """Return the path of a table's rows.

        Parameters
        ----------
        entity_set
            Name of its set, such as ``contacts``.
        query
            Query options.

        Returns
        -------
        str
            For ``rows``.
        """
        return f"{self._data}/{entity_set}{query and '?'}{query}"

    def rows(self, path: str, *, is_tracked: bool = False) -> Iterator[Answer]:
        """Return rows, page by page.

        Parameters
        ----------
        path
            Path of the rows, of a next page, or of changes.
        is_tracked
            Whether changes from here on are to be told later.

        Yields
        ------
        Answer
            A page.
        """
        prefer = f"odata.maxpagesize={self._page_rows}" + (",odata.track-changes" if is_tracked else "")
        following: str | None = path
        while following is not None:
            answer = self._call(following, headers={"Prefer": prefer})
            told = answer.json()
            following = _local(told.get("@odata.nextLink"))
            at = email.utils.parsedate_to_datetime(answer.headers["Date"]).astimezone(UTC)
            yield Answer(told["value"], following, _local(told.get("@odata.deltaLink")), at)

    def who(self) -> dict[str, Any]:
        """Return who calls.

        Returns
        -------
        dict
            ``UserId`` and ``OrganizationId``.
        """
        told: dict[str, Any] = self._call(f"{self._data}/WhoAmI").json()
        return told

    def _call(self, path: str, **options: Any) -> httpx.Response:
        headers = {"OData-Version": "4.0", "OData-MaxVersion": "4.0", "Accept": "application/json"}
        return self._http.call("GET", path, **{**options, "headers": headers | options.get("headers", {})})

    def _fetch(self) -> tuple[str, float]:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._login.client_id,
            "client_secret": reveal(self._login.client_secret, where=self._where),
            "scope": self._scope,
        }
        path = f"/{self._login.tenant_id}/oauth2/v2.0/token"
        told = self._entra.call("POST", path, is_login=True, data=form).json()
        return told["access_token"], float(told["expires_in"])


def _local(link: str | None) -> str | None:
    """Return a link without its host: a token goes to the environment of the settings and to no other."""
    if link is None:
        return None
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path

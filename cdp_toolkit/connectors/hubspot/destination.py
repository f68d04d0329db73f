"""Static lists that hold an audience each. Contacts that exist join and leave; nobody is created.

A list is a set: adding whom it has and removing whom it lacks changes nothing.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from cdp_toolkit.connectors.hubspot.client import BASE_URL, READ, Client
from cdp_toolkit.connectors.limits import Patience
from cdp_toolkit.connectors.roster import batch_errors, list_ids
from cdp_toolkit.destinations.definition import Destination, Mode, read_settings
from cdp_toolkit.destinations.destination import Batch, Limits, Outcome
from cdp_toolkit.errors import ConfigError
from cdp_toolkit.findings import Finding
from cdp_toolkit.secrets import Secret

_UNKNOWN = Outcome("refused", "not in HubSpot")
_SETTLED = Outcome()


class ListSettings(BaseModel):
    """Settings of lists.

    Parameters
    ----------
    access_token
        Reference to the access token of a private app.
    list_ids
        Id of the static list of each audience.
    base_url
        Address of the API.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    access_token: Secret
    list_ids: dict[str, Annotated[str, Field(pattern=r"^\d+$")]]
    base_url: str = BASE_URL


class ListConnection:
    """Lists that contacts join and leave.

    Parameters
    ----------
    destination
        Its definition.
    folder
        Folder of the workspace.
    patience
        How often a call is repeated.

    Raises
    ------
    ConfigError
        If a setting is wrong, or a field is mapped.
    """

    entities = ("person",)
    modes: tuple[Mode, ...] = ("mirror", "add_only")
    fields: Mapping[str, str] = {"email": "email"}
    identity = ("email",)
    requires_source = None
    requires_instance = None
    limits = Limits(batch_rows=READ, calls_per_batch=2, calls=100, window_s=10.0)

    def __init__(self, destination: Destination, folder: Path, patience: Patience | None = None) -> None:
        del folder
        self._settings = read_settings(destination, ListSettings)
        self._ids = list_ids(destination, self._settings.list_ids, "list_ids")
        if destination.mapping:
            raise ConfigError(
                "A list takes contacts, and no fields of theirs.",
                where=f"{destination.where}, mapping",
                hint="Delete `mapping`.",
            )
        self._where, self._patience = destination.where, patience

    def deliver(self, batch: Batch) -> Sequence[Outcome]:
        """Put in who joined and take out who left; see ``Connection.deliver``.

        Parameters
        ----------
        batch
            Rows of one audience.

        Returns
        -------
        sequence of Outcome
            Known as the contact.
        """
        rows = batch.rows.to_pylist()
        with batch_errors():
            # A contact who was added under an address that has changed since is still known by its id.
            asked = [row["_row_key"] for row in rows if not row["_known_as"]]
            found = self._contacts(asked)
            ids = [row["_known_as"] or found.get(row["_row_key"].casefold()) for row in rows]
            stays = [row["_action"] != "remove" for row in rows]
            joining = {number for number, is_in in zip(ids, stays, strict=True) if number and is_in}
            leaving = {number for number, is_in in zip(ids, stays, strict=True) if number and not is_in} - joining
            missing: set[str] = set()
            if joining or leaving:
                told = self._client.change_members(self._ids[batch.audience], sorted(joining), sorted(leaving))
                missing = {str(each) for each in told.get("recordIdsMissing", [])}
        return [_outcome(number, is_in=is_in, missing=missing) for number, is_in in zip(ids, stays, strict=True)]

    def check(self) -> Sequence[Finding]:
        """Look at the token and at each list; see ``Checked.check``.

        Returns
        -------
        sequence of Finding
            One a list.
        """
        return [self._looked_at(audience, number) for audience, number in self._ids.items()]

    def _looked_at(self, audience: str, number: str) -> Finding:
        what, found = f"list of {audience}", self._client.list(number)
        if found["processingType"] == "DYNAMIC":
            hint = "Make a static list, and name it in `list_ids`."
            return Finding(what, f"{found['name']} is filled by HubSpot itself", "problem", hint)
        if found["objectTypeId"] != "0-1":
            return Finding(what, f"{found['name']} is no list of contacts", "problem", "Name a list of contacts.")
        return Finding(what, found["name"])

    def _contacts(self, emails: Sequence[str]) -> dict[str, str]:
        found = self._client.read("contacts", emails, ["email"], by="email")
        return {str(each["properties"]["email"]).casefold(): each["id"] for each in found}

    @cached_property
    def _client(self) -> Client:
        settings = self._settings
        return Client(settings.access_token, base_url=settings.base_url, where=self._where, patience=self._patience)


def _outcome(number: str | None, *, is_in: bool, missing: set[str]) -> Outcome:
    if not is_in:
        return _SETTLED
    return _UNKNOWN if number is None or number in missing else Outcome(known_as=number)

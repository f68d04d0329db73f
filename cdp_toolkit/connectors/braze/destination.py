"""Audiences as attributes of the users of Braze. Nobody is ever created there."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from cdp_toolkit.connectors.braze.client import Attributes, Users, judge
from cdp_toolkit.connectors.http import Http
from cdp_toolkit.connectors.limits import Limiter, Patience
from cdp_toolkit.connectors.roster import batch_errors
from cdp_toolkit.connectors.token import Token
from cdp_toolkit.destinations.definition import Destination, Mode, read_settings
from cdp_toolkit.destinations.destination import Batch, Limits, Outcome
from cdp_toolkit.errors import ConfigError
from cdp_toolkit.findings import Finding
from cdp_toolkit.secrets import Secret, reveal

_CALLS, _WINDOW_S = 3_000, 3.0
_LONGEST_ARRAY = 25  # what goes beyond it, Braze cuts off without a word
_NOT_OURS = ("user_alias", "braze_id", "push_tokens", "push_token_import", "subscription_groups")


class BrazeSettings(BaseModel):
    """Settings of Braze.

    Parameters
    ----------
    api_key
        REST key of the workspace, as a reference such as ``${env:BRAZE_KEY}``.
    base_url
        REST address of the instance, such as ``https://rest.iad-01.braze.com``.
    membership
        ``array``: the audiences of a user are the values of one attribute; ``flags``: an attribute an audience, true
        or false.
    attribute
        Name of that attribute, or what the names of the flags begin with.
    users_per_call
        How many users Braze takes at once; 50 under the limits of *Monthly Active Users CY 24-25*.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    api_key: Secret
    base_url: str
    membership: Literal["array", "flags"] = "array"
    attribute: Annotated[str, Field(pattern=r"^[A-Za-z][\w ]*$")] = "cdp_audiences"
    users_per_call: Annotated[int, Field(ge=1, le=75)] = 75


class BrazeConnection:
    """Users whose attributes say which audiences they are in.

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
        If a setting is wrong.
    """

    entities = ("person",)
    modes: tuple[Mode, ...] = ("mirror", "add_only")
    requires_source = None
    requires_instance = None

    def __init__(self, destination: Destination, folder: Path, patience: Patience | None = None) -> None:
        del folder
        self._settings = settings = read_settings(destination, BrazeSettings)
        self._audiences = destination.audiences
        self._where = destination.where
        # Made here, since batches are delivered by several threads; the key is read at the call.
        self._api = _opened(settings, f"{destination.where}, api_key", patience)
        for field in destination.mapping:
            if field in (*_NOT_OURS, settings.attribute):
                raise ConfigError(
                    f"The field {field!r} is not set by a mapping.", where=f"{self._where}, mapping", hint="Delete it."
                )
        is_external = "external_id" in destination.mapping
        self.fields: Mapping[str, str] = {**({} if is_external else {"email": "email"}), **destination.mapping}
        self.identity = ("external_id",) if is_external else ("email",)
        self.limits = Limits(batch_rows=settings.users_per_call, concurrency=5, calls=_CALLS, window_s=_WINDOW_S)

    def deliver(self, batch: Batch) -> Sequence[Outcome]:
        """Set the attributes of those who joined, left or changed; see ``Connection.deliver``.

        Parameters
        ----------
        batch
            Rows of one audience.

        Returns
        -------
        sequence of Outcome
            Delivered is also who is no user of Braze: it says nothing of them, and nothing happens to them.
        """
        users = [self._user(row, batch.audience) for row in pl.DataFrame(batch.rows).iter_rows(named=True)]
        with batch_errors():
            wrong = self._api.track(users)
        return [
            Outcome("refused", f"Braze: {wrong[place]}") if place in wrong else Outcome() for place in range(len(users))
        ]

    def check(self) -> Sequence[Finding]:
        """Look at the key, and at how many audiences there are; see ``Checked.check``.

        Returns
        -------
        sequence of Finding
            Two.
        """
        self._api.look()
        used = len(self._audiences)
        room = Finding("audiences", f"{used} of {_LONGEST_ARRAY} values of {self._settings.attribute}")
        if self._settings.membership == "array" and used > _LONGEST_ARRAY:
            hint = (
                "Use `membership: flags`, or have Braze raise the limit of the attribute: it cuts off what goes beyond."
            )
            room = Finding(room.what, room.detail, "warning", hint)
        return [Finding("key", "takes attributes of users"), room]

    def _user(self, row: Mapping[str, Any], audience: str) -> Attributes:
        identifier = self.identity[0]
        is_in = row["_action"] != "remove"
        known = {field: _plain(row[field]) for field in self.fields if is_in and row[field] is not None}
        told = {**known, identifier: row["_row_key"], "_update_existing_only": True}
        if self._settings.membership == "flags":
            return {**told, f"{self._settings.attribute}_{audience}": is_in}
        return {**told, self._settings.attribute: {"add" if is_in else "remove": [audience]}}


def _opened(settings: BrazeSettings, where: str, patience: Patience | None) -> Users:
    access = Token(lambda: (reveal(settings.api_key, where=where), float("inf")))
    limit = Limiter(_CALLS, _WINDOW_S)
    return Users(Http("Braze", settings.base_url, access=access, judge=judge, limiters=[limit], patience=patience))


def _plain(value: Any) -> Any:
    """Return a value as JSON holds it: a date or a time as ISO 8601."""
    return value.isoformat() if isinstance(value, date) else value

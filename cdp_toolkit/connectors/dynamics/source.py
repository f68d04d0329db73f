"""An environment of Dynamics 365 as a source."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PositiveInt

from cdp_toolkit.connectors.dynamics.client import LOGIN_URL, Client, Login
from cdp_toolkit.connectors.dynamics.tables import Table, read_table
from cdp_toolkit.connectors.http import RefusedError
from cdp_toolkit.connectors.limits import Patience
from cdp_toolkit.findings import Finding, problem
from cdp_toolkit.secrets import Secret
from cdp_toolkit.sources.budget import Budget
from cdp_toolkit.sources.linked import Linking
from cdp_toolkit.sources.settings import SourceSettings, read_settings
from cdp_toolkit.sources.source import Batch, Cursor, Object, SourceFailure

_LABELLED = {"Picklist", "State", "Status"}


class DynamicsSettings(SourceSettings):
    """Settings of the source.

    Parameters
    ----------
    base_url
        Address of the environment, such as ``https://acme.crm4.dynamics.com``.
    tenant_id, client_id
        Of the application's registration in Microsoft Entra.
    client_secret
        Reference to its secret.
    objects
        Tables to read by their logical name, custom ones such as ``acme_invoice`` too; those of the mapping by default.
    leave_out
        Columns that do not land, as ``column`` or ``table.column``.
    language
        Number of the language of labels, such as 1031 for German.
    page_rows
        Rows of a page.
    calls_a_day
        Calls that this source may make on a day.
    version
        Version of the API.
    login_url
        Address of Microsoft Entra; differs in national clouds.
    """

    base_url: Annotated[str, Field(pattern=r"^https?://[^/]+/?$")]
    tenant_id: str
    client_id: str
    client_secret: Secret
    objects: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    language: int = 1033
    page_rows: Annotated[int, Field(gt=0, le=5_000)] = 5_000
    calls_a_day: PositiveInt | None = None
    version: str = "v9.2"
    login_url: str = LOGIN_URL


class DynamicsSource(Linking):
    """An environment.

    Parameters
    ----------
    settings
        What ``cdp.yaml`` says of it.
    folder
        Folder of the workspace.
    objects
        Tables that the mapping knows.
    where
        What the settings are written in, for errors.

    Raises
    ------
    ConfigError
        If a setting is wrong.
    """

    settings_kind = DynamicsSettings
    patience = Patience()

    def __init__(
        self,
        settings: Mapping[str, object],
        *,
        folder: Path,  # noqa: ARG002 - every source is told
        objects: Mapping[str, Sequence[str]] | None = None,
        where: str = "cdp.yaml",
    ) -> None:
        self.settings = own = read_settings(settings, DynamicsSettings, where=where)
        self.budget = Budget(own.calls_a_day)
        self._client = Client(
            own.base_url, Login(own.tenant_id, own.client_id, own.client_secret, own.login_url), version=own.version,
            page_rows=own.page_rows, where=where, budget=self.budget, patience=self.patience,
        )  # fmt: skip
        self._wanted = own.objects or tuple(objects or ())

    def objects(self) -> list[Object]:
        """Return the tables with their columns; see ``Source.objects``."""
        return [Object(name, fields=self._columns(name)) for name in sorted(self._wanted)]

    def unknown(self) -> list[str]:
        """Return nothing: what is not asked for is not looked at."""
        return []

    def read(self, object: Object, cursor: Cursor) -> Iterator[Batch | SourceFailure]:  # noqa: A002 - the contract's noun
        """Read what changed; see ``Source.read``."""
        told = self._client.table(object.name)
        labels = self._labels(object)
        left_out = {each.removeprefix(f"{object.name}.") for each in self.settings.leave_out}
        table = Table(
            object.name, told["EntitySetName"], told["PrimaryIdAttribute"], told["ChangeTrackingEnabled"],
            partial(_row, labels=labels, left_out=left_out),
        )  # fmt: skip
        yield from read_table(self._client, table, cursor, self._delivered)

    def check(self) -> list[Finding]:
        """Look at login, permissions and change tracking; see ``Checked.check``."""
        login = Finding("login", f"user {self._client.who()['UserId']}")
        return [login, *(self._looked_at(name) for name in self._wanted)]

    def _looked_at(self, name: str) -> Finding:
        what = f"permission to read {name}"
        try:
            table = self._client.table(name)
            next(self._client.rows(self._client.path(table["EntitySetName"], "$top=1")))
        except RefusedError as error:
            refused = problem(error)
            return Finding(what, refused.detail, "problem", refused.hint)
        if not table["ChangeTrackingEnabled"]:
            hint = "Switch on `Track changes` of the table, or its ids are compared one by one at every load."
            return Finding(what, "changes are not tracked", "warning", hint)
        return Finding(what, "changes are tracked")

    def _columns(self, name: str) -> dict[str, str] | None:
        try:
            return self._client.columns(name)
        except RefusedError:
            return None  # told when it is read

    def _labels(self, object: Object) -> dict[str, dict[int, str]]:  # noqa: A002 - the contract's noun
        columns = object.fields or {}
        language = str(self.settings.language)
        return {
            column: {number: told.get(language) or next(iter(told.values())) for number, told in numbers.items()}
            for column, numbers in self._client.choices(object.name).items()
            if columns.get(column) in _LABELLED
        }


def _row(row: Mapping[str, Any], *, labels: Mapping[str, Mapping[int, str]], left_out: set[str]) -> dict[str, Any]:
    """Return a row with the labels of its choices, and without what is no column."""
    own = {name: value for name, value in row.items() if "@" not in name and name not in left_out}
    named = {f"{name}_label": values.get(own[name]) for name, values in labels.items() if own.get(name) is not None}
    return {**own, **named, "isDeleted": bool(own.get("merged"))}

"""An account of HubSpot as a source."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import PositiveInt

from cdp_toolkit.connectors.http import RefusedError
from cdp_toolkit.connectors.hubspot.associations import NAMES, read_associations
from cdp_toolkit.connectors.hubspot.client import BASE_URL, Client
from cdp_toolkit.connectors.hubspot.lists import read_lists, read_members, read_stages
from cdp_toolkit.connectors.hubspot.records import read_records
from cdp_toolkit.connectors.limits import Patience
from cdp_toolkit.findings import Finding, problem
from cdp_toolkit.secrets import Secret
from cdp_toolkit.sources.budget import Budget
from cdp_toolkit.sources.linked import Linking
from cdp_toolkit.sources.settings import SourceSettings, read_settings
from cdp_toolkit.sources.source import Batch, Cursor, Object, SourceFailure

_TABLES = ("deal_stages", "lists", "list_memberships")


class HubSpotSettings(SourceSettings):
    """Settings of the source.

    Parameters
    ----------
    access_token
        Reference to the access token of a private app.
    objects
        What to read, custom objects by their name; all that the mapping knows by default.
    leave_out
        Properties that are not read, as ``property`` or ``object.property``.
    lists
        Names or ids of the lists whose members are read; all static ones by default.
    calls_in_10_s
        Calls within ten seconds, of the account's 100 or more.
    searches_in_1_s
        Searches within a second, of the account's five.
    calls_a_day
        Calls that this source may make on a day.
    base_url
        Address of the API.
    """

    access_token: Secret
    objects: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    calls_in_10_s: PositiveInt = 90
    searches_in_1_s: PositiveInt = 4
    calls_a_day: PositiveInt | None = None
    base_url: str = BASE_URL


class HubSpotSource(Linking):
    """An account.

    Parameters
    ----------
    settings
        What ``cdp.yaml`` says of it.
    folder
        Folder of the workspace.
    objects
        Objects that the mapping knows.
    where
        What the settings are written in, for errors.

    Raises
    ------
    ConfigError
        If a setting is wrong.
    """

    settings_kind = HubSpotSettings
    patience = Patience()

    def __init__(
        self,
        settings: Mapping[str, object],
        *,
        folder: Path,  # noqa: ARG002 - every source is told
        objects: Mapping[str, Sequence[str]] | None = None,
        where: str = "cdp.yaml",
    ) -> None:
        self.settings = read_settings(settings, HubSpotSettings, where=where)
        self.budget = Budget(self.settings.calls_a_day)
        self._client = Client(
            self.settings.access_token, base_url=self.settings.base_url, calls_in_10_s=self.settings.calls_in_10_s,
            searches_in_1_s=self.settings.searches_in_1_s, where=where, budget=self.budget, patience=self.patience,
        )  # fmt: skip
        self._wanted = self.settings.objects or tuple(objects or ())

    def objects(self) -> list[Object]:
        """Return the objects with their properties; see ``Source.objects``."""
        return [Object(name, fields=self._fields(name)) for name in sorted(self._wanted)]

    def unknown(self) -> list[str]:
        """Return nothing: what is not asked for is not looked at."""
        return []

    def read(self, object: Object, cursor: Cursor) -> Iterator[Batch | SourceFailure]:  # noqa: A002 - the contract's noun
        """Read what changed; see ``Source.read``."""
        match object.name:
            case "deal_stages":
                yield from read_stages(self._client, self._delivered)
            case "lists":
                yield from read_lists(self._client, self._delivered)
            case "list_memberships":
                yield from read_members(self._client, self.settings.lists, self._delivered)
            case name if name in NAMES:
                yield from read_associations(self._client, name, self._delivered, cursor)
            case name:
                # Asked again where it was refused before, so that the refusal is told.
                properties = object.fields if object.fields is not None else self._properties(name)
                yield from read_records(self._client, name, list(properties), cursor)

    def check(self) -> list[Finding]:
        """Look at login and scopes; see ``Checked.check``."""
        account = self._client.account()
        login = Finding("login", f"account {account['portalId']} ({account['accountType']})")
        return [login, *(self._looked_at(name) for name in self._wanted if not _is_derived(name))]

    def _looked_at(self, name: str) -> Finding:
        try:
            return Finding(f"permission to read {name}", f"{len(self._properties(name))} properties")
        except RefusedError as error:
            refused = problem(error)
            return Finding(f"permission to read {name}", refused.detail, "problem", refused.hint)

    def _fields(self, name: str) -> dict[str, str] | None:
        if _is_derived(name):
            return None
        try:
            return self._properties(name)
        except RefusedError:
            return None  # told when it is read

    def _properties(self, name: str) -> dict[str, str]:
        left_out = {each.removeprefix(f"{name}.") for each in self.settings.leave_out}
        known = self._client.properties(name)
        return {each["name"]: each["type"] for each in known if not each["hidden"] and each["name"] not in left_out}


def _is_derived(name: str) -> bool:
    return name in _TABLES or name in NAMES

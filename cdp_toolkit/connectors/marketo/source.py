"""A Marketo instance as a source: a backfill by bulk extracts, then what changed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from cdp_toolkit.connectors.http import RefusedError
from cdp_toolkit.connectors.limits import Patience
from cdp_toolkit.connectors.marketo.activities import read_activities, read_deleted
from cdp_toolkit.connectors.marketo.assets import EVER, read_assets, read_list_members, read_program_members
from cdp_toolkit.connectors.marketo.client import Marketo
from cdp_toolkit.connectors.marketo.codes import CENTRAL, CRM_SYNC
from cdp_toolkit.connectors.marketo.describe import Described, describe, describe_leads
from cdp_toolkit.connectors.marketo.findings import calls_today, check
from cdp_toolkit.connectors.marketo.instance import Instance
from cdp_toolkit.connectors.marketo.keyed import KEYED, read_keyed
from cdp_toolkit.connectors.marketo.leads import read_leads
from cdp_toolkit.connectors.marketo.settings import MarketoLogin, MarketoSettings
from cdp_toolkit.errors import UnknownNameError
from cdp_toolkit.findings import Finding
from cdp_toolkit.secrets import reveal
from cdp_toolkit.sources.budget import Budget
from cdp_toolkit.sources.linked import Linking
from cdp_toolkit.sources.rows import Page, gather
from cdp_toolkit.sources.settings import read_settings
from cdp_toolkit.sources.source import Batch, Cursor, Object, Overlap

_ASSETS = {"lists": "/rest/asset/v1/staticLists.json", "programs": "/rest/asset/v1/programs.json"}
# In this order: what is looked up by key needs what names it.
OBJECTS = (
    "activity_types", "leads", "deleted_leads", "lists", "list_members", "programs", "program_members", "activities",
    "companies", "named_accounts", "opportunity_roles", "opportunities",
)  # fmt: skip
# Types that the mapping names, without those of assets and models that no entity has a place for.
_KNOWN_TYPES = (1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 21, 22, 24, 25, 27, 32, 34, 35, 36, 46, 104)
_ALWAYS = ("id", "createdAt", "updatedAt")
_FIRST_CUSTOM, _DELETE_LEAD = 100_000, 37


class MarketoSource(Linking):
    """An instance of Marketo Engage.

    Parameters
    ----------
    settings
        What ``cdp.yaml`` says of it.
    folder
        Folder of the workspace; files of extracts are kept below it until they have landed.
    objects
        Objects that the mapping knows.
    where
        What the settings are written in, for errors.

    Raises
    ------
    ConfigError
        If a setting is wrong.
    UnknownNameError
        If there is no such setting or object.
    """

    settings_kind = MarketoSettings

    def __init__(
        self,
        settings: Mapping[str, Any],
        *,
        folder: Path,
        objects: Mapping[str, Sequence[str]] | None = None,
        where: str = "cdp.yaml",
    ) -> None:
        self.settings = read_settings(settings, MarketoSettings, where=where)
        for name in self.settings.objects or ():
            if name not in OBJECTS:
                raise UnknownNameError("object of Marketo", name, OBJECTS, where=f"{where}, objects")
        self.budget = Budget(self.settings.calls_a_day, zone=CENTRAL)
        self.marketo = open_marketo(self.settings, where=where, budget=self.budget)
        asked = self.settings.objects or objects or OBJECTS
        self._objects = [name for name in OBJECTS if name in asked]
        self._folder = folder / ".downloads" / self.settings.base_url.rpartition("/")[2].replace(":", "_")
        self._described: dict[str, Described] = {}
        self._refused: dict[str, RefusedError] = {}

    def objects(self) -> list[Object]:
        """Return what is read, with its fields; see ``Source.objects``."""
        self.budget.at_least(calls_today(self.marketo))
        self._described, self._refused = {}, {}
        for name in self._objects:
            try:
                self._described[name] = self._describe(name)
            except RefusedError as error:
                self._refused[name] = error
        return [
            Object(name, fields=self._described.get(name, Described()).fields or None)
            for name in self._objects
            if name not in self._left_out()
        ]

    def notes(self) -> list[str]:
        """Return which objects a native CRM sync keeps to itself; see ``Noted.notes``."""
        return [f"{name} is left out: {error.message} {error.hint}" for name, error in self._left_out().items()]

    def unknown(self) -> list[str]:
        """Return nothing: what is asked for is what is read; see ``Source.unknown``."""
        return []

    def check(self) -> list[Finding]:
        """Look at login, permissions and what is left of the day; see ``Checked.check``."""
        return check(self.marketo, self.budget, self._objects)

    def read(self, object: Object, cursor: Cursor) -> Iterator[Batch]:  # noqa: A002 - the contract's noun
        """Read what is new; see ``Source.read``."""
        if object.name in self._refused:
            raise self._refused[object.name]
        settings = self.settings
        instance = Instance(
            self.marketo, self._folder, self._delivered,
            now=datetime.now(UTC).replace(microsecond=0),
            since=datetime.combine(settings.since, time(), UTC),
            overlap=timedelta(minutes=settings.overlap_minutes), refresh=timedelta(days=settings.refresh_days),
            poll_s=settings.pace.poll_s,
        )  # fmt: skip
        yield from self._reader(object.name)(instance, cursor)

    def _reader(self, name: str) -> Callable[[Instance, Cursor], Iterator[Batch]]:
        described = self._described[name]
        fields = list(described.fields)
        readers: dict[str, Callable[[Instance, Cursor], Iterator[Batch]]] = {
            "activity_types": self._read_types,
            "leads": partial(read_leads, fields=fields),
            "deleted_leads": read_deleted,
            "lists": partial(read_assets, path=_ASSETS["lists"]),
            "list_members": read_list_members,
            "programs": partial(read_assets, path=_ASSETS["programs"]),
            "program_members": partial(read_program_members, fields=fields),
            "activities": lambda instance, cursor: read_activities(instance, cursor, types=self._types()),
        }
        if name in readers:
            return readers[name]
        return partial(read_keyed, keyed=KEYED[name], fields=fields, searchable=described.searchable)

    def _left_out(self) -> dict[str, RefusedError]:
        """Return what cannot be read as long as a native CRM sync is on, unless it was asked for by name."""
        if self.settings.objects:
            return {}
        return {name: error for name, error in self._refused.items() if error.code == CRM_SYNC}

    def _describe(self, name: str) -> Described:
        match name:
            case "leads":
                return describe_leads(self.marketo).only(self.settings.lead_fields, always=_ALWAYS)
            case "program_members":
                return describe(self.marketo, "/rest/v1/programs/members")
            case _ if name in KEYED:
                return describe(self.marketo, KEYED[name].path)
        return Described()

    def _types(self) -> list[int]:
        asked = self.settings.activity_types
        if isinstance(asked, tuple):
            return sorted(asked)
        known = [int(each["id"]) for each in self._activity_types()]
        wanted = (each for each in known if asked == "all" or each in _KNOWN_TYPES or each >= _FIRST_CUSTOM)
        return sorted(each for each in wanted if each != _DELETE_LEAD)

    def _activity_types(self) -> list[dict[str, Any]]:
        types: list[dict[str, Any]] = self.marketo.get("/rest/v1/activities/types.json")["result"]
        return types

    def _read_types(self, _: Instance, __: Cursor) -> Iterator[Batch]:
        yield from gather("activity types", [Page(self._activity_types(), {}, 1.0)], overlap=Overlap((), EVER))


def open_marketo(settings: MarketoLogin, *, where: str, budget: Budget | None = None) -> Marketo:
    """Return the API of an instance; nobody is called yet.

    Parameters
    ----------
    settings
        Where it is, and who calls.
    where
        What the settings are written in, for errors.
    budget
        Calls of a day.

    Returns
    -------
    Marketo
        The API; secrets are looked up when they are needed.
    """
    pace = settings.pace

    def _login() -> tuple[str, str]:
        return reveal(settings.client_id, where=where), reveal(settings.client_secret, where=where)

    return Marketo(
        settings.base_url, _login, calls=pace.calls, window_s=pace.seconds, concurrency=pace.at_once, budget=budget,
        patience=Patience(first_s=pace.first_pause_s, most_s=60 * pace.first_pause_s),
    )  # fmt: skip

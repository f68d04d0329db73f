"""Static lists of Marketo Engage, told of leads that exist and of nobody else.

Invariant: no call that could create a lead is made: not Sync Leads, Push Lead, Submit Form, an import into a list, nor Data
Ingestion's persons. A person whom Marketo does not know is refused, and stays so until Marketo knows them.

A lead is found by its e-mail address. One that has none is found by an ECID: Marketo cannot be searched by these, but the
leads that were loaded carry them, and Marketo is asked whether the lead of that id is still there.

A list is a set: whoever is added twice is in it once, so that a batch may come again.

Source: https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/lead-database/list-membership
"""

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import polars as pl

from cdp_toolkit.connectors.http import RefusedError
from cdp_toolkit.connectors.marketo.client import MOST_IDS
from cdp_toolkit.connectors.marketo.codes import TOO_MANY_MATCHES
from cdp_toolkit.connectors.marketo.describe import has_ecids
from cdp_toolkit.connectors.marketo.findings import calls_today
from cdp_toolkit.connectors.marketo.list_members import ListMembers
from cdp_toolkit.connectors.marketo.settings import MarketoLogin
from cdp_toolkit.connectors.marketo.source import open_marketo
from cdp_toolkit.connectors.roster import batch_errors
from cdp_toolkit.destinations.definition import Destination, Mode, read_settings
from cdp_toolkit.destinations.destination import Batch, Limits, Outcome
from cdp_toolkit.errors import ConfigError, ConnectorStopped
from cdp_toolkit.findings import Finding

_LISTS = "/rest/asset/v1/staticLists.json"
_UNKNOWN = Outcome("refused", "no lead in Marketo has this e-mail address")
_GONE = Outcome("refused", "the lead with this ECID is not in Marketo any more")


class StaticListSettings(MarketoLogin):
    """Settings of static lists.

    Parameters
    ----------
    list
        Name of the list; the audience's by default.
    folder
        Name of the folder in which a list is made that is not there; without it, lists are made by hand.
    instance
        Marketo instance that must know the lead, where there are several.
    duplicates
        Whether ``all`` leads with the person's address join the list, or the ``newest`` one. Where Marketo tells ECIDs, a
        lead that has the person's comes before either.
    """

    list: str | None = None
    folder: str | None = None
    instance: str | None = None
    duplicates: Literal["all", "newest"] = "all"


class StaticList:
    """Static lists, one an audience.

    Parameters
    ----------
    destination
        Its definition.
    folder
        Folder of the workspace.

    Raises
    ------
    ConfigError
        If a setting is wrong, or if anything but e-mail and ECID is mapped.
    """

    entities = ("person",)
    modes: tuple[Mode, ...] = ("mirror", "add_only")
    fields = MappingProxyType({"email": "email", "ecid": "ecids"})
    identity = ("email",)
    record_by = "ecid"
    requires_source = "Marketo"

    def __init__(self, destination: Destination, folder: Path) -> None:
        del folder
        self._settings = settings = read_settings(destination, StaticListSettings)
        check_lists(destination, settings.list)
        self._where = destination.where
        self._audiences = destination.audiences
        self.requires_instance = settings.instance
        pace = settings.pace
        self.limits = Limits(
            batch_rows=MOST_IDS, concurrency=min(pace.at_once, 3), calls_per_batch=2, calls_per_audience=2,
            calls=pace.calls, window_s=pace.seconds,
        )  # fmt: skip
        self._marketo = open_marketo(settings, where=destination.where)
        self._has_ecids: bool | None = None
        self._ids: dict[str, int] = {}
        self._members = ListMembers(self._marketo)
        self._one_at_a_time = threading.Lock()

    @staticmethod
    def places(destination: Destination) -> Mapping[str, str]:
        """Return the list of each audience; see ``HasPlaces.places``.

        Parameters
        ----------
        destination
            Its definition.

        Returns
        -------
        mapping
            Name of the list and address of the instance.

        Raises
        ------
        ConfigError
            If a setting is wrong.
        """
        settings = read_settings(destination, StaticListSettings)
        instance = settings.base_url.lower()
        return {each: f"the static list {settings.list or each!r} of {instance}" for each in destination.audiences}

    def deliver(self, batch: Batch) -> Sequence[Outcome]:
        """Put leads into a list, and take others out; see ``Connection.deliver``.

        Parameters
        ----------
        batch
            Rows of one audience.

        Returns
        -------
        sequence of Outcome
            Refused is whom Marketo does not know. ``known_as`` has the ids of the leads.
        """
        rows = pl.DataFrame(batch.rows).to_dicts()
        with batch_errors():
            number = self._list(batch.audience)
            leads = self._leads(rows)
            removed = self._members.remove(number, _leads_of(rows, leads, is_removal=True))
            added = self._members.add(number, _leads_of(rows, leads, is_removal=False))
        return [
            _removal(some, removed) if row["_action"] == "remove" else _addition(some, added, row)
            for row, some in zip(rows, leads, strict=True)
        ]

    def check(self) -> Sequence[Finding]:
        """Look at the login, and for the lists; see ``Checked.check``.

        Returns
        -------
        sequence of Finding
            The login, and one a list.
        """
        made = calls_today(self._marketo)
        return [Finding("login", f"{made:,} calls today by all users"), *map(self._found, self._audiences)]

    def _found(self, audience: str) -> Finding:
        name = self._settings.list or audience
        if self._find("staticList", name) is not None:
            return Finding(f"list {name}")
        if self._settings.folder is not None and self._find("folder", self._settings.folder) is not None:
            return Finding(f"list {name}", f"is made in the folder {self._settings.folder}")
        return Finding(
            f"list {name}", "is not there", "problem", "Make the list in Marketo, or name a `folder` for it."
        )

    def _leads(self, rows: Sequence[Mapping[str, Any]]) -> list[list[int]]:
        """Return the leads that each row means: as they were known before, or as Marketo knows its key now."""
        known = [_ids(row["_known_as"]) if row["_action"] == "remove" else [] for row in rows]
        asked = {_key(row): None for row, leads in zip(rows, known, strict=True) if not leads}
        found = self._by_email([each for each in asked if not each.isdigit()])
        found |= self._by_id([each for each in asked if each.isdigit()])
        return [leads or self._chosen(found.get(_key(row), []), row) for row, leads in zip(rows, known, strict=True)]

    def _by_id(self, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        pages = self._marketo.matches("/rest/v1/leads.json", "id", ids, fields=["id"])
        return {str(lead["id"]): [lead] for page in pages for lead in page}

    def _by_email(self, emails: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        if not emails:
            return {}
        fields = ["id", "email", *(["ecids"] if self._has_ecids else [])]
        try:
            pages = list(self._marketo.matches("/rest/v1/leads.json", "email", emails, fields=fields))
        except RefusedError as error:
            if error.code != TOO_MANY_MATCHES or len(emails) == 1:
                raise
            half = len(emails) // 2  # "Too many results match the filter": more than 1,000 leads have these addresses
            return self._by_email(emails[:half]) | self._by_email(emails[half:])
        found: dict[str, list[dict[str, Any]]] = {}
        for lead in (lead for page in pages for lead in page):
            found.setdefault(str(lead["email"]).lower(), []).append(lead)
        return found

    def _chosen(self, leads: Sequence[Mapping[str, Any]], row: Mapping[str, Any]) -> list[int]:
        ecid = row.get("ecid")
        same = [each for each in leads if ecid and ecid in str(each.get("ecids") or "")]
        ids = sorted(int(each["id"]) for each in same or leads)
        return ids[-1:] if self._settings.duplicates == "newest" else ids

    def _list(self, audience: str) -> int:
        with self._one_at_a_time:
            if self._has_ecids is None:
                self._has_ecids = has_ecids(self._marketo)
            if audience not in self._ids:
                name = self._settings.list or audience
                found = self._find("staticList", name)
                self._ids[audience] = int((found or self._make(name))["id"])
            return self._ids[audience]

    def _make(self, name: str) -> dict[str, Any]:
        folder = self._settings.folder and self._find("folder", self._settings.folder)
        if not folder:
            missing = f"folder {self._settings.folder!r}" if self._settings.folder else f"static list {name!r}"
            raise ConnectorStopped(
                f"Marketo has no {missing}.",
                where=self._where,
                hint="Make it in Marketo, or name a `folder` that is there.",
            )
        asked = {"name": name, "folder": json.dumps({"id": folder["id"], "type": "Folder"})}
        made: dict[str, Any] = self._marketo.send("POST", _LISTS, data=asked)["result"][0]
        return made

    def _find(self, kind: str, name: str) -> dict[str, Any] | None:
        found = self._marketo.get(f"/rest/asset/v1/{kind}/byName.json", name=name).get("result") or []
        return found[0] if found else None


def check_lists(destination: Destination, name: str | None) -> None:
    """Check what holds for every static list: e-mail and ECID alone are sent, and each audience has its own list.

    Parameters
    ----------
    destination
        Its definition.
    name
        Name of the list, if one is set.

    Raises
    ------
    ConfigError
        If it does not hold.
    """
    if destination.mapping:
        raise ConfigError(
            "A static list takes e-mail and ECID, and nothing else.",
            where=f"{destination.where}, mapping",
            hint="Delete `mapping`.",
        )
    if name and len(destination.audiences) > 1:
        raise ConfigError(
            f"{len(destination.audiences)} audiences would share the list {name!r}.",
            where=f"{destination.where}, list",
            hint="Leave `list` out, or make a destination for each audience.",
        )


def _key(row: Mapping[str, Any]) -> str:
    return str(row.get("email") or row["_row_key"]).lower()


def _ids(known_as: str | None) -> list[int]:
    return [int(each) for each in known_as.split(",")] if known_as else []


def _leads_of(
    rows: Sequence[Mapping[str, Any]], leads: Sequence[list[int]], *, is_removal: bool
) -> dict[str, list[int]]:
    both = zip(rows, leads, strict=True)
    return {row["_row_key"]: some for row, some in both if (row["_action"] == "remove") == is_removal}


def _addition(leads: Sequence[int], told: Mapping[int, str], row: Mapping[str, Any]) -> Outcome:
    if not leads:
        return _GONE if _key(row).isdigit() else _UNKNOWN
    return _outcome(leads, told)


def _removal(leads: Sequence[int], told: Mapping[int, str]) -> Outcome:
    return _outcome(leads, told) if leads else Outcome()  # nobody of that key is in any list


def _outcome(leads: Sequence[int], told: Mapping[int, str]) -> Outcome:
    done = [each for each in leads if not told.get(each)]
    if not done:
        return Outcome("refused", f"Marketo: {told[leads[0]]}")
    return Outcome(known_as=",".join(map(str, done)))

"""An organisation of Salesforce as a source: bulk queries, page by page, and what was deleted since.

The cursor of an object keeps three things: how far it is read (``read_until``, by Salesforce's clock), how far its deletes
are (``deleted_until``), and the query under way (``job``) with the place in its results. A query and its places stay good
for seven days: a load that was killed goes on at the page that had not landed.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import PositiveInt

from cdp_toolkit.connectors.limits import Patience
from cdp_toolkit.connectors.salesforce.bulk import Bulk
from cdp_toolkit.connectors.salesforce.client import Client, select
from cdp_toolkit.connectors.salesforce.deletes import deletes
from cdp_toolkit.connectors.salesforce.login import LoginSettings
from cdp_toolkit.errors import SourceError
from cdp_toolkit.findings import Finding
from cdp_toolkit.sources.budget import Budget
from cdp_toolkit.sources.linked import Linking
from cdp_toolkit.sources.settings import SourceSettings, read_settings
from cdp_toolkit.sources.source import Batch, Cursor, Object, Overlap, SourceFailure
from cdp_toolkit.sources.windows import moment, stamp

# Parts of an address or a place are fields of their own; of the whole, and of files, a bulk query gives nothing.
_LEFT_OUT = {"address", "location", "base64", "complexvalue"}
# Organisations have it only where a contact may belong to several accounts.
_OPTIONAL = {"AccountContactRelation"}
# A transaction that is long under way appears behind rows that are younger than it.
_OVERLAP = timedelta(minutes=10)
# Our clock may be behind Salesforce's, and so behind the times of its records.
_CLOCKS = timedelta(hours=1)
_CHANGED = ("SystemModstamp", "LastModifiedDate", "CreatedDate")


class SalesforceSettings(SourceSettings, LoginSettings):
    """Settings of the source.

    Parameters
    ----------
    objects
        Objects to read, custom ones by their API name, such as ``Invoice__c``; those of the mapping by default.
    leave_out
        Fields that are not read, such as long texts, as ``Field`` or ``Object.Field``.
    formulas
        Whether fields that Salesforce works out are read; a record is not read again when only they change.
    since
        Records that have not changed since are left out of the backfill; all are read by default.
    page_rows
        Rows of a page; a load that is killed goes on behind the last page.
    calls_a_day
        Calls that this source may make on a day.
    """

    objects: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    formulas: bool = True
    since: datetime | None = None
    page_rows: PositiveInt = 50_000
    calls_a_day: PositiveInt | None = None


class SalesforceSource(Linking):
    """An organisation.

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

    settings_kind = SalesforceSettings
    patience = Patience()
    poll_s = 2.0

    def __init__(
        self,
        settings: Mapping[str, Any],
        *,
        folder: Path,  # noqa: ARG002 - every source is told
        objects: Mapping[str, Sequence[str]] | None = None,
        where: str = "cdp.yaml",
    ) -> None:
        self.settings = read_settings(settings, SalesforceSettings, where=where)
        self.budget = Budget(self.settings.calls_a_day)
        self._client = Client(self.settings, where=where, budget=self.budget, patience=self.patience)
        self._wanted = self.settings.objects or tuple(objects or ())

    def objects(self) -> list[Object]:
        """Return the objects with their fields; see ``Source.objects``."""
        return [Object(name, fields=self._fields(name)) for name in sorted(self._wanted) if self._is_there(name)]

    def unknown(self) -> list[str]:
        """Return nothing: what is not asked for is not looked at."""
        return []

    def read(self, object: Object, cursor: Cursor) -> Iterator[Batch | SourceFailure]:  # noqa: A002 - the contract's noun
        """Read what changed, then what was deleted; see ``Source.read``."""
        if object.name not in self._there:
            raise SourceError(
                f"There is no object {object.name!r}, or the user may not read it.",
                hint="Check its API name, and give the user read access to it in its permission set.",
            )
        is_first = "read_until" not in cursor
        bulk = Bulk(self._client, object.name, most=self.settings.page_rows, poll_s=self.poll_s)
        overlap = (
            None if is_first else Overlap(("Id", _changed(object)), moment(cursor["read_until"]) - _OVERLAP - _CLOCKS)
        )
        yield from bulk.read(self._query(object, cursor), cursor, overlap)
        if not is_first:
            yield from deletes(self._client, bulk, object.name, cursor, self._delivered)

    def check(self) -> list[Finding]:
        """Look at login, permissions and quotas; see ``Checked.check``."""
        there, limits = self._there, self._client.limits()
        missing = [name for name in self._wanted if name not in there]
        found = [Finding("login", self.settings.username or self.settings.client_id)]
        found += [Finding(f"permission to read {name}", "", *_missing(name)) for name in missing]
        found += [Finding("permission to read", ", ".join(name for name in self._wanted if name in there))]
        for name, what in (("DailyApiRequests", "API calls"), ("DailyBulkV2QueryJobs", "bulk queries")):
            most, left = limits[name]["Max"], limits[name]["Remaining"]
            is_short = left < (1 - self.settings.api_share) * most
            hint = "Wait for the 24 hours to pass, or raise `api_share`." if is_short else ""
            found.append(
                Finding(f"{what} left", f"{left:,} of {most:,} in 24 hours", "warning" if is_short else "ok", hint)
            )
        return found

    @cached_property
    def _there(self) -> set[str]:
        return set(self._client.objects())

    def _is_there(self, name: str) -> bool:
        return name in self._there or name not in _OPTIONAL or name in self.settings.objects

    def _fields(self, name: str) -> dict[str, str] | None:
        if name not in self._there:
            return None
        left_out = {each.removeprefix(f"{name}.") for each in self.settings.leave_out}
        return {
            field["name"]: field["type"]
            for field in self._client.describe(name)
            if field["type"] not in _LEFT_OUT
            and field["name"] not in left_out
            and (self.settings.formulas or not field["calculated"])
        }

    def _query(self, object: Object, cursor: Cursor) -> str:  # noqa: A002 - the contract's noun
        since = stamp(moment(cursor["read_until"]) - _OVERLAP) if "read_until" in cursor else None
        if since is None and self.settings.since is not None:
            since = stamp(self.settings.since)
        # `>=`: records that were written together share a time, of which a page may have held only some.
        where = f"{_changed(object)} >= {since}" if since else ""
        return select(object.fields or (), object.name, where)


def _changed(object: Object) -> str:  # noqa: A002 - the contract's noun
    return next(name for name in _CHANGED if name in (object.fields or {}))


def _missing(name: str) -> tuple[Any, str]:
    hint = f"Give the user read access to {name} in its permission set."
    return (
        ("warning", f"{hint} Without several accounts a contact there is none.")
        if name in _OPTIONAL
        else ("problem", hint)
    )

"""Delta tables below one address, each opened once and then kept up to date.

Opening a table reads its whole log: 5 ms, and a round of the line asks some two hundred times. What a version holds
never changes, so it is looked up once.
"""

import datetime as dt
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import DeltaError

_KEPT = 512
_MOST_SMALL = 24  # files that are joined into one; each takes a millisecond to open
_SPREAD = 12  # further files that a table may have, by its name: tables that grow together are not joined together
_FULL_BYTES = 32_000_000
_LOOKED_BACK_AT = ("profiles/", "segments/")  # as they were at any time that a run tells of


@dataclass(frozen=True)
class Snapshot:
    """What a version of a table holds.

    Parameters
    ----------
    files
        Addresses of its files.
    schema
        Its columns.
    rows
        How many rows each file has.
    """

    files: tuple[str, ...]
    schema: pa.Schema
    rows: int


class Deltas:
    """Delta tables below one address.

    Parameters
    ----------
    uri
        Folder, or an address such as ``s3://bucket/lake``.
    options
        Storage options of an address that is no folder.
    """

    def __init__(self, uri: str, options: dict[str, str]) -> None:
        self._uri = uri
        self._options = options
        self._newest: dict[str, tuple[int, DeltaTable]] = {}
        self._snapshots: OrderedDict[tuple[str, int, int], Snapshot] = OrderedDict()
        self._anew: dict[str, tuple[int, int, int | None]] = {}
        self.swept_after_h = 24  # who reads what was joined began within these hours
        self.read_since: Callable[[str], dt.datetime | None] = lambda _: None  # as the log of runs knows

    def newest(self, name: str) -> DeltaTable | None:
        """Return a table as it is now.

        Parameters
        ----------
        name
            Folder and name of the table.

        Returns
        -------
        deltalake.DeltaTable or None
            At its newest version; None if it is not there.
        """
        uri, place = f"{self._uri}/{name}", self._place(name)
        known = self._newest.get(name)
        if known is not None and known[0] == place and place:
            known[1].update_incremental()
            return known[1]
        if not DeltaTable.is_deltatable(uri, storage_options=self._options):
            return None
        delta = DeltaTable(uri, storage_options=self._options)
        self._newest[name] = (place, delta)
        return delta

    def snapshot(self, name: str, version: int) -> Snapshot:
        """Return what a version of a table holds.

        Parameters
        ----------
        name
            Folder and name of the table.
        version
            The version.

        Returns
        -------
        Snapshot
            Files, columns and rows.
        """
        key = (name, self._place(name), version)
        found = self._snapshots.pop(key, None)  # what several threads ask for at a time is found anew at worst
        if found is None:
            newest = self._newest.get(name)
            is_newest = newest is not None and newest[0] == key[1] != 0 and newest[1].version() == version
            delta = newest[1] if is_newest and newest else self.at(name, version)
            found = _snapshot(delta, is_folder="://" not in self._uri)
        self._snapshots[key] = found
        while len(self._snapshots) > _KEPT:
            self._snapshots.popitem(last=False)
        return found

    def at(self, name: str, version: int) -> DeltaTable:
        """Return a table at a version.

        Parameters
        ----------
        name
            Folder and name of the table.
        version
            The version.

        Returns
        -------
        deltalake.DeltaTable
            The table.
        """
        return DeltaTable(f"{self._uri}/{name}", version=version, storage_options=self._options)

    def stretches(self, name: str, before: int, now: int) -> Iterator[tuple[int, int]]:
        """Divide the way from one version to another where files were joined, which changes no row.

        Parameters
        ----------
        name
            Folder and name of the table.
        before, now
            The versions.

        Yields
        ------
        tuple of int
            First and last version of a stretch in which files come and go with their rows.
        """
        delta = self.newest(name)
        commits = [] if delta is None or now <= before else delta.history(delta.version() - before)
        joined = [
            each["version"] for each in commits if each["operation"] == "OPTIMIZE" and before < each["version"] <= now
        ]
        ends = [*(version - 1 for version in reversed(joined)), now]
        return zip([before, *reversed(joined)], ends, strict=True)

    def written_anew(self, name: str) -> int | None:
        """Return the version at which a table was last written as a whole.

        Parameters
        ----------
        name
            Folder and name of the table.

        Returns
        -------
        int or None
            The version; None if the log does not go back to it.
        """
        delta = self.newest(name)
        if delta is None:
            return None
        place, now = self._place(name), delta.version()
        then, until, found = self._anew.get(name, (0, -1, None))
        if not place or place != then or until > now:
            until, found = -1, None
        commits = delta.history(now - until if until >= 0 else None) if until < now else []
        found = next((int(each["version"]) for each in commits if _is_whole(each)), found)
        self._anew[name] = place, now, found
        return found

    def share_behind(self, name: str, version: int) -> float:
        """Return how much came after what a table was last written anew with.

        Parameters
        ----------
        name
            Folder and name of the table.
        version
            The version that is asked about.

        Returns
        -------
        float
            Bytes of the files that came, for each byte of those before; more than any share where they are many.
        """
        anew = self.written_anew(name)
        if anew is None or anew > version:
            return inf
        before, now = (self._sizes(name, each) for each in (anew, version))
        came = [size for file, size in now.items() if file not in before]
        return inf if len(came) > _MOST_SMALL else sum(came) / max(1, sum(before.values()))

    def _sizes(self, name: str, version: int) -> dict[str, int]:
        actions = pa.table(self.at(name, version).get_add_actions())
        return dict(zip(actions["path"].to_pylist(), actions["size_bytes"].to_pylist(), strict=True))

    def join_small(self, name: str, metadata: dict[str, str] | None = None, *, full_bytes: int = _FULL_BYTES) -> None:
        """Join the small files of a table, once there are many; its rows stay as they are.

        Parameters
        ----------
        name
            Folder and name of the table.
        metadata
            What the commit is to say.
        full_bytes
            Files of this size are left alone.
        """
        delta = self.newest(name)
        most = _MOST_SMALL + zlib.crc32(name.encode()) % _SPREAD
        if delta is None or len(delta.file_uris()) <= most:
            return
        sizes = pa.table(delta.get_add_actions())["size_bytes"].to_pylist()
        if sum(size < full_bytes // 2 for size in sizes) > most:
            self._sweep(name, delta)
            properties = CommitProperties(custom_metadata=metadata) if metadata else None
            delta.optimize.compact(target_size=full_bytes, commit_properties=properties)

    def _sweep(self, name: str, delta: DeltaTable) -> None:
        """Delete files that are in no version which anybody reads, such as those that were joined.

        Who compares with what they read last walks through all versions since, so that none of these loses a file.
        """
        if name.startswith(_LOOKED_BACK_AT):
            return
        since = self.read_since(name)
        hours = 0 if since is None else max((dt.datetime.now(dt.UTC) - since) // dt.timedelta(hours=1), 0)
        asked = partial(delta.vacuum, self.swept_after_h + hours, enforce_retention_duration=False, full=True)
        with suppress(DeltaError, OSError):  # the next time does it
            if asked():  # without files to delete, it would write two commits all the same
                asked(dry_run=False)

    def _place(self, name: str) -> int:
        """Return what tells a folder from one that takes its place; 0 where there is no telling."""
        if "://" in self._uri:
            return 0
        try:
            return Path(f"{self._uri}/{name}/_delta_log").stat().st_ino
        except OSError:
            return 0


def _is_whole(commit: dict[str, Any]) -> bool:
    is_new: bool = commit["operation"] == "CREATE TABLE"
    is_anew: bool = commit.get("operationParameters", {}).get("mode") == "Overwrite"
    return is_new or is_anew


def _snapshot(delta: DeltaTable, *, is_folder: bool) -> Snapshot:
    # Delta answers in addresses, even for a folder: a blank in its name comes as %20, which no engine finds.
    files = [unquote(uri) if is_folder else uri for uri in delta.file_uris()]
    rows = pa.table(delta.get_add_actions(flatten=True))["num_records"].to_pylist() if files else []
    return Snapshot(tuple(files), pa.schema(delta.schema().to_arrow()), sum(rows))

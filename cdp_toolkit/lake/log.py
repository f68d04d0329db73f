"""The table ``runs``: what ran, and which version of each table counts."""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

from cdp_toolkit.lake.deltas import Deltas
from cdp_toolkit.lake.result import Run

_SCHEMA = pa.schema(
    {
        "run_id": pa.string(),
        "verb": pa.string(),
        "outcome": pa.string(),
        "started_at": pa.timestamp("us", "UTC"),
        "seconds": pa.float64(),
        "counts": pa.string(),
        "details": pa.string(),
        "problems": pa.string(),
        "read": pa.string(),
        "written": pa.string(),
        "definitions": pa.string(),
    }
)
_JSON = ("counts", "details", "problems", "read", "written")
_NAME = "runs"
_WHAT = ("verb", "outcome")
_BY_NAME = "activate"  # the verb of which it is asked what it did to one of the things that its details name
_FULL_BYTES = (
    1_000_000  # some 8,000 runs: files of this size are not joined to others, or each join would write all runs
)


class RunLog:
    """All runs of a lake.

    Parameters
    ----------
    uri
        Address of the lake.
    deltas
        Its tables.
    options
        Storage options of the lake.
    """

    def __init__(self, uri: str, deltas: Deltas, options: dict[str, str]) -> None:
        self._uri = f"{uri}/{_NAME}"
        self._deltas = deltas
        deltas.read_since = self._read_since
        self._options = options
        # A round asks some fifty times which versions count: what is known of them is kept, and only new files are read.
        self._delta: DeltaTable | None = None
        self._files: set[str] = set()
        self._versions: dict[str, tuple[dt.datetime, int]] = {}
        self._last: dict[tuple[str, ...], tuple[dt.datetime, dict[str, Any]]] = {}

    def rows(self, *verbs: str, since: dt.datetime | None = None, most: int | None = None) -> list[dict[str, Any]]:
        """Return runs.

        Parameters
        ----------
        *verbs
            What ran; all verbs by default.
        since
            Only runs that began then or later.
        most
            How many at the most, of the latest.

        Returns
        -------
        list of dict
            One a run, oldest first, with the columns of the table ``runs``; JSON columns are read.
        """
        delta = self._deltas.newest(_NAME)
        if delta is None:
            return []
        runs, asked = delta.to_pyarrow_dataset(), pc.field("verb").isin(verbs) if verbs else pc.scalar(True)
        if since is not None:
            asked &= pc.field("started_at") >= since
        if most is not None:
            began = runs.to_table(columns=["started_at"], filter=asked)["started_at"].sort()[-most:]
            asked &= pc.field("started_at").isin(began)
        return [_parsed(row) for row in runs.to_table(filter=asked).sort_by("started_at").to_pylist()]

    def versions(self) -> dict[str, int]:
        """Return the version of each table that counts.

        Returns
        -------
        dict
            Committed version by table.
        """
        self._follow()
        return {name: version for name, (_, version) in self._versions.items()}

    def watch(self) -> Callable[[], bool]:
        """Return what tells whether a run was added since, without reading any.

        Returns
        -------
        callable
            True once there is a further run.
        """
        if not DeltaTable.is_deltatable(self._uri, storage_options=self._options):
            return lambda: True
        delta = DeltaTable(self._uri, storage_options=self._options)
        seen = delta.version()

        def _is_more() -> bool:
            delta.update_incremental()  # of 230 runs: 2 ms; opening the table takes 11 ms
            return delta.version() != seen

        return _is_more

    def last(self, verb: str) -> dict[str, Any] | None:
        """Return the last run of a verb that did not fail.

        Parameters
        ----------
        verb
            What ran.

        Returns
        -------
        dict or None
            Its row, if there is one.
        """
        self._follow()
        found = self._last.get((verb,))
        return found and found[1]

    def last_about(self, name: str, *, is_clean: bool = False) -> dict[str, Any] | None:
        """Return the last activation that tells of something in its details, whatever became of the rest of it.

        Parameters
        ----------
        name
            Name of a destination.
        is_clean
            Only if there were no ``errors`` with it.

        Returns
        -------
        dict or None
            Its row, if there is one.
        """
        self._follow()
        found = self._last.get((_BY_NAME, name, "clean") if is_clean else (_BY_NAME, name))
        return found and found[1]

    def append(self, run: Run, definitions: str) -> None:
        """Add a run: the commit of all that it wrote.

        Parameters
        ----------
        run
            What it did.
        definitions
            Digest of the definitions that decided the outcome.
        """
        row = {name: getattr(run, name) for name in _SCHEMA.names if name != "definitions"}
        row |= {name: json.dumps(row[name]) for name in _JSON} | {"definitions": definitions}
        delta = self._deltas.newest(_NAME)
        write_deltalake(
            self._uri if delta is None else delta,
            pa.Table.from_pylist([row], schema=_SCHEMA),
            mode="append",
            storage_options=self._options or None,
        )
        with suppress(CommitFailedError):  # a run beside this one joined them at the same time
            self._deltas.join_small(_NAME, full_bytes=_FULL_BYTES)

    def _read_since(self, name: str) -> dt.datetime | None:
        """Return when the first of those runs began that the next run of their verb compares a table with."""
        self._follow()
        last = [(at, row) for key, (at, row) in [*self._last.items()] if len(key) == 1]
        return min((at for at, row in last if name in row["read"] | row["written"]), default=None)

    def _follow(self) -> None:
        """Take in the runs that were added since."""
        delta = self._deltas.newest(_NAME)
        if delta is not self._delta:
            self._delta, self._files, self._versions, self._last = delta, set(), {}, {}
        files = set() if delta is None else {*delta.file_uris()}
        if delta is None or files == self._files:
            return
        known = {_base(each) for each in self._files}
        for each in delta.to_pyarrow_dataset().get_fragments():
            if _base(each.path) not in known:
                self._take_in(each.to_table(schema=_SCHEMA).sort_by("started_at"))
        self._files = files

    def _take_in(self, rows: pa.Table) -> None:
        """Note what runs wrote and which are the last; those that are known already, from a file now joined, change nothing."""
        began = rows["started_at"].to_pylist()
        last: dict[tuple[str, ...], int] = {}
        for at, text in zip(began, rows["written"].to_pylist(), strict=True):
            for name, version in json.loads(text).items():
                self._versions[name] = max(self._versions.get(name, (at, -1)), (at, version))
        for place, (verb, outcome) in enumerate(zip(*(rows[name].to_pylist() for name in _WHAT), strict=True)):
            if outcome != "failed":
                last[verb,] = place
            if verb == _BY_NAME:
                for name, told in json.loads(rows["details"][place].as_py()).items():
                    last[verb, name] = place
                    if not told.get("errors"):
                        last[verb, name, "clean"] = place
        for key, place in last.items():
            if key not in self._last or self._last[key][0] <= began[place]:
                self._last[key] = began[place], _parsed(rows.slice(place, 1).to_pylist()[0])


def _base(path: str) -> str:
    return path.rpartition("/")[2]


def _parsed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, **{name: json.loads(row[name]) for name in _JSON}}

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
        self._options = options
        self._seen = -1
        self._rows: list[dict[str, Any]] = []
        # A round asks some fifty times which versions count: what is known of them is kept, and only new files are read.
        self._delta: DeltaTable | None = None
        self._files: set[str] = set()
        self._latest: dt.datetime | None = None
        self._versions: dict[str, int] = {}
        self._last: dict[str, dict[str, Any]] = {}

    def rows(self) -> list[dict[str, Any]]:
        """Return every run.

        Returns
        -------
        list of dict
            One a run, oldest first, with the columns of the table ``runs``; JSON columns are read.
        """
        delta = self._deltas.newest(_NAME)
        if delta is None:
            return []
        if delta.version() != self._seen:
            self._rows = [_parsed(row) for row in delta.to_pyarrow_table().sort_by("started_at").to_pylist()]
            self._seen = delta.version()
        return self._rows

    def versions(self) -> dict[str, int]:
        """Return the version of each table that counts.

        Returns
        -------
        dict
            Committed version by table.
        """
        self._follow()
        return dict(self._versions)

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
        return self._last.get(verb)

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
            self._deltas.join_small(_NAME)

    def _follow(self) -> None:
        """Take in the runs that were added since."""
        delta = self._deltas.newest(_NAME)
        if delta is not self._delta:
            self._delta, self._files, self._versions, self._last, self._latest = delta, set(), {}, {}, None
        files = set() if delta is None else {*delta.file_uris()}
        if delta is None or files == self._files:
            return
        known = {_base(each) for each in self._files}
        is_joined = not self._files <= files
        new = [each for each in delta.to_pyarrow_dataset().get_fragments() if _base(each.path) not in known]
        rows = pa.concat_tables(each.to_table(schema=_SCHEMA) for each in new).sort_by("started_at")
        if is_joined and self._latest is not None:
            rows = rows.filter(pc.field("started_at") > self._latest)
        told = pc.or_(pc.not_equal(rows["written"], "{}"), pc.not_equal(rows["outcome"], "failed"))
        for row in rows.filter(told).to_pylist():
            self._versions |= json.loads(row["written"])
            if row["outcome"] != "failed":
                self._last[row["verb"]] = row
            self._latest = row["started_at"]
        self._files = files
        self._last = {verb: _parsed(row) for verb, row in self._last.items()}


def _base(path: str) -> str:
    return path.rpartition("/")[2]


def _parsed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, **{name: json.loads(row[name]) for name in _JSON if isinstance(row[name], str)}}

"""The table ``runs``: what ran, and which version of each table counts."""

import json
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

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


class RunLog:
    """All runs of a lake, oldest first.

    Parameters
    ----------
    uri
        Address of the table.
    options
        Storage options of the lake.
    """

    def __init__(self, uri: str, options: dict[str, str]) -> None:
        self._uri = uri
        self._options = options
        self._seen = -1
        self._rows: list[dict[str, Any]] = []

    def rows(self) -> list[dict[str, Any]]:
        """Return every run.

        Returns
        -------
        list of dict
            One a run, oldest first, with the columns of the table ``runs``; JSON columns are read.
        """
        if not DeltaTable.is_deltatable(self._uri, storage_options=self._options):
            return []
        delta = DeltaTable(self._uri, storage_options=self._options)
        if delta.version() != self._seen:
            rows = delta.to_pyarrow_table().sort_by("started_at").to_pylist()
            self._rows = [row | {name: json.loads(row[name]) for name in _JSON} for row in rows]
            self._seen = delta.version()
        return self._rows

    def versions(self) -> dict[str, int]:
        """Return the version of each table that counts.

        Returns
        -------
        dict
            Committed version by table.
        """
        return {name: version for row in self.rows() for name, version in row["written"].items()}

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
        return next((row for row in reversed(self.rows()) if row["verb"] == verb and row["outcome"] != "failed"), None)

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
        write_deltalake(
            self._uri,
            pa.Table.from_pylist([row], schema=_SCHEMA),
            mode="append",
            storage_options=self._options or None,
        )

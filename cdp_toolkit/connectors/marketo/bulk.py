"""Bulk extracts: a job is created, enqueued and awaited, and its file fetched whole.

Invariant: a job's id is kept before the job is enqueued, so that a load that was killed finds its job again, and neither
the queue nor the bytes of the day are spent twice. A file that was begun is fetched from where it broke off.

Source: https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-extract
"""

import hashlib
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from cdp_toolkit.connectors.delimited import read_delimited
from cdp_toolkit.connectors.http import RefusedError
from cdp_toolkit.connectors.marketo.client import Marketo
from cdp_toolkit.connectors.marketo.codes import ALREADY_QUEUED, NOT_FOUND, QUEUE_FULL
from cdp_toolkit.connectors.probe import probe
from cdp_toolkit.errors import SourceError

_ATTEMPTS = 5


@dataclass(frozen=True)
class Export:
    """A job that is done.

    Parameters
    ----------
    export_id
        Its id.
    rows
        How many it found.
    size_bytes
        Size of its file.
    checksum
        SHA-256 of its file, in hexadecimal digits; empty if Marketo does not say.
    """

    export_id: str
    rows: int
    size_bytes: int
    checksum: str


class Exports:
    """Extracts of one kind of record.

    Parameters
    ----------
    marketo
        The instance.
    kind
        ``leads``, ``activities`` or ``program/members``.
    folder
        Where files are kept until they have landed.
    poll_s
        How often to ask how far a job is; Marketo knows no more than once a minute.
    sleep
        Passes the time.
    """

    def __init__(
        self, marketo: Marketo, kind: str, folder: Path, *, poll_s: float, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._marketo = marketo
        self._path = f"/bulk/v1/{kind}/export"
        self._folder = folder / kind.replace("/", "_")
        self._poll_s, self._sleep = poll_s, sleep

    def keep_only(self, export_ids: Collection[str]) -> None:
        """Delete files that a load which was killed has left behind.

        Parameters
        ----------
        export_ids
            Jobs whose files may still be wanted.
        """
        for path in self._folder.glob("*.csv"):
            if path.stem not in export_ids:
                path.unlink()

    def create(self, fields: list[str], filters: Mapping[str, Any]) -> str:
        """Create a job.

        Parameters
        ----------
        fields
            Columns of the file.
        filters
            Which records.

        Returns
        -------
        str
            Its id.
        """
        asked = {"fields": fields, "format": "CSV", "filter": dict(filters)}
        created = self._marketo.send("POST", f"{self._path}/create.json", json=asked)
        return str(created["result"][0]["exportId"])

    def enqueue(self, export_id: str) -> bool:
        """Put a job into the queue, which is shared by all users of the instance.

        Parameters
        ----------
        export_id
            Its id.

        Returns
        -------
        bool
            Whether it is in the queue; False if that is full.
        """
        try:
            self._marketo.send("POST", f"{self._path}/{export_id}/enqueue.json")
        except RefusedError as error:
            if error.code == QUEUE_FULL:
                return False
            if error.code != ALREADY_QUEUED:
                raise
        return True

    def finished(self, export_id: str) -> Export | None:
        """Wait until a job is done.

        Parameters
        ----------
        export_id
            Its id.

        Returns
        -------
        Export or None
            The job; None if it failed, was cancelled or is not known any more, and must be created again.
        """
        while True:
            try:
                status = self._marketo.get(f"{self._path}/{export_id}/status.json")["result"][0]
            except RefusedError as error:
                if error.code in {NOT_FOUND, "1013", "610", "702"}:
                    return None
                raise
            state = str(status["status"])
            if state == "Completed":
                checksum = str(status.get("fileChecksum") or "").removeprefix("sha256:")
                return Export(
                    export_id, int(status.get("numberOfRecords") or 0), int(status.get("fileSize") or 0), checksum
                )
            if state in {"Failed", "Canceled", "Cancelled"}:
                return None
            if state == "Created" and self.enqueue(export_id):
                continue
            self._sleep(self._poll_s)

    def fetch(self, export: Export) -> Path:
        """Fetch the file of a job.

        Parameters
        ----------
        export
            The job.

        Returns
        -------
        Path
            The file: of the size and the checksum that Marketo says.

        Raises
        ------
        SourceError
            If it keeps arriving damaged.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{export.export_id}.csv"
        for attempt in range(_ATTEMPTS):
            self._go_on(export, path, is_last=attempt == _ATTEMPTS - 1)
            if path.exists() and _is_whole(path, export):
                return path
        raise SourceError(
            f"The file of the job {export.export_id} keeps arriving damaged.",
            where=self._path,
            hint="Run again later; if it stays so, tell Marketo's support the id of the job.",
        )

    def _go_on(self, export: Export, path: Path, *, is_last: bool) -> None:
        start = path.stat().st_size if path.exists() else 0
        if start >= export.size_bytes:
            path.unlink(missing_ok=True)
            start = 0
        try:
            with self._marketo.file(f"{self._path}/{export.export_id}/file.json", start=start) as answer:
                is_continued = answer.status_code == 206
                with path.open("ab" if is_continued else "wb") as file:
                    for part in answer.iter_bytes():
                        file.write(part)
        except RefusedError as error:
            if is_last or error.code not in {"broken", NOT_FOUND}:
                raise
            if error.code == NOT_FOUND:  # a job may be completed before its file is there
                self._sleep(self._poll_s / 10)


def read_export(path: Path, part: str) -> pa.RecordBatchReader:
    """Read the file of a job.

    Parameters
    ----------
    path
        The file.
    part
        How its rows name it.

    Returns
    -------
    pyarrow.RecordBatchReader
        Texts as delivered, with ``_file`` and ``_line``; a row that does not fit the header is kept apart.
    """
    return read_delimited(path, part, probe(path, "utf-8"), ",")


def _is_whole(path: Path, export: Export) -> bool:
    if path.stat().st_size < export.size_bytes:
        return False  # cut off: it is fetched from there
    with path.open("rb") as file:
        is_right = not export.checksum or hashlib.file_digest(file, "sha256").hexdigest() == export.checksum
    if not is_right:
        path.unlink()
    return is_right

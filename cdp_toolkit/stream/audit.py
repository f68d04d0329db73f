"""Who sent what, and what was refused: one line of JSON a request, without its content."""

import json
import logging
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from starlette.requests import Request

_MOST_BYTES, _FILES = 20_000_000, 10


class Audit:
    """A file that is continued in another when it is full; the oldest goes.

    Parameters
    ----------
    file
        The file.
    """

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._handler = RotatingFileHandler(file, maxBytes=_MOST_BYTES, backupCount=_FILES, encoding="utf-8")

    def note(self, request: Request, inlet: str, status: int, *, messages: int = 0, poisoned: int = 0) -> None:
        """Write a line.

        Parameters
        ----------
        request
            Who asked, and what.
        inlet
            Name of the inlet, as far as it is known.
        status
            What was answered.
        messages
            How many were taken.
        poisoned
            How many of them cannot become records.
        """
        told = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "from": request.client.host if request.client else None,
            "path": request.url.path[:200],
            "inlet": inlet[:200],
            "status": status,
            "messages": messages,
            "poisoned": poisoned,
        }
        line = json.dumps(told)
        self._handler.emit(logging.LogRecord("audit", logging.INFO, "", 0, line, None, None))

    def close(self) -> None:
        """Close the file."""
        self._handler.close()

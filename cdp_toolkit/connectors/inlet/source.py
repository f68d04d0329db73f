"""The log of an inlet as a source: what was acknowledged is landed once, then forgotten."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from cdp_toolkit.sources.inlets import InletSettings, log_file
from cdp_toolkit.sources.log import MessageLog
from cdp_toolkit.sources.messages import rows_of
from cdp_toolkit.sources.rows import as_texts
from cdp_toolkit.sources.settings import read_settings
from cdp_toolkit.sources.source import Batch, Cursor, Object

_MOST = 50_000


class InletSource:
    """Messages of one inlet.

    Parameters
    ----------
    settings
        What ``cdp.yaml`` says of it.
    folder
        Folder of the workspace.
    objects
        Objects that a mapping knows; others cannot be sent.
    where
        What the settings are written in, for errors.

    Raises
    ------
    ConfigError
        If a setting is wrong.
    """

    settings_kind = InletSettings

    def __init__(
        self,
        settings: Mapping[str, Any],
        *,
        folder: Path,
        objects: Mapping[str, Sequence[str]] | None = None,  # noqa: ARG002 - of the contract
        where: str = "cdp.yaml",
    ) -> None:
        self.settings = read_settings(settings, InletSettings, where=where)
        self._file = log_file(folder)
        self._name = ""

    def named(self, name: str) -> None:
        """Learn the source's name; see ``Named.named``."""
        self._name = name

    def objects(self) -> list[Object]:
        """Return the objects of which messages wait; see ``Source.objects``."""
        return [Object(name) for name in self._log.objects(self._name)] if self._file.exists() else []

    def unknown(self) -> list[str]:
        """Return nothing; see ``Source.unknown``."""
        return []

    def waiting(self) -> int:
        """Return how many messages wait, of all inlets; see ``Streaming.waiting``."""
        return self._log.backlog().messages

    def read(self, object: Object, cursor: Cursor) -> Iterator[Batch]:  # noqa: A002 - the contract's noun
        """Read the messages that came since; see ``Source.read``."""
        last = int(cursor.get("seq", 0))
        self._log.forget(self._name, object.name, until=last)
        end = self._log.last()  # what comes while this is landed is for the next load, or this one would never end
        while last < end and (messages := self._log.read(self._name, object.name, after=last, most=_MOST)):
            last = messages[-1][0]
            part = f"messages {messages[0][0]} to {last}"
            yield Batch(part, {"seq": last}, partial(_opened, messages, part))

    @cached_property
    def _log(self) -> MessageLog:
        return MessageLog(self._file)


def _opened(messages: Sequence[tuple[int, str, str | None]], part: str) -> pa.RecordBatchReader:
    return as_texts(rows_of((body, problem) for _, body, problem in messages), part)

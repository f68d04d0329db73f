"""A guest book: a text file to which lines such as ``Anna <anna@x.example>`` are added at the end."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from cdp_toolkit.errors import ConfigError
from cdp_toolkit.sources.source import Batch, Cursor, Object

_LINES = 100


class GuestBook:
    """Guests in the order in which they came; the cursor is how many lines were read."""

    def __init__(
        self, settings: Mapping[str, Any], *, folder: Path, objects: Mapping[str, Sequence[str]], where: str
    ) -> None:
        del objects
        if "path" not in settings:
            raise ConfigError("The guest book names no file.", where=where, hint="Add `path: guests.txt`.")
        self._path = folder / settings["path"]

    def objects(self) -> Sequence[Object]:
        return [Object("guests")]

    def unknown(self) -> Sequence[str]:
        return []

    def read(self, _: Object, cursor: Cursor) -> Iterator[Batch]:
        lines = self._path.read_text("utf-8").splitlines()
        for start in range(cursor.get("lines", 0), len(lines), _LINES):
            part = lines[start : start + _LINES]
            yield Batch(f"lines {start + 1} to {start + len(part)}", {"lines": start + len(part)},
                        partial(self._opened, part, start))  # fmt: skip

    def _opened(self, lines: list[str], start: int) -> pa.RecordBatchReader:
        parts = [line.rstrip(">").partition(" <") for line in lines]
        rows = {
            "name": [name for name, _, _ in parts],
            "email": [email for _, _, email in parts],
            "_file": [self._path.name] * len(parts),
        }
        table = pa.table(rows, schema=pa.schema([(name, pa.string()) for name in rows]))
        table = table.append_column("_line", pa.array(range(start + 1, start + len(parts) + 1), pa.int64()))
        return table.to_reader()

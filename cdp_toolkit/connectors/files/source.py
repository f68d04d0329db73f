"""Exports of any system as a source: one file an object, or a folder of parts.

A file that has not changed is not read again: size and time tell, then the digest of its bytes. So the same export
delivered twice, also under another name, changes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pyarrow as pa

from cdp_toolkit.connectors.delimited import read_delimited
from cdp_toolkit.connectors.files.nested import read_excel, read_json, read_ndjson, read_parquet
from cdp_toolkit.connectors.probe import digest, probe
from cdp_toolkit.errors import CdpError, ConfigError
from cdp_toolkit.sources.settings import SourceSettings, read_settings
from cdp_toolkit.sources.source import Batch, Cursor, Object, SourceFailure

_KINDS = ("csv", "tsv", "txt", "json", "ndjson", "jsonl", "parquet", "xlsx")


class FilesSettings(SourceSettings):
    """What ``cdp.yaml`` may say of a source of files, besides what it may say of any.

    Parameters
    ----------
    path
        Folder of the files, relative to the workspace.
    encoding
        Encoding of all its text files; found out for each by default.
    delimiter
        What stands between fields; found out for each file by default.
    """

    path: str
    encoding: str | None = None
    delimiter: str | None = None


class FilesSource:
    """Exports in a folder.

    Parameters
    ----------
    settings
        What ``cdp.yaml`` says of it.
    folder
        Folder of the workspace.
    objects
        Objects that a mapping knows, with the names or patterns of their files (empty: the object's own name). Without
        any, every file is an object.
    where
        What the settings are written in, for errors.

    Raises
    ------
    ConfigError
        If a setting is wrong or the folder does not exist.
    """

    settings_kind = FilesSettings

    def __init__(
        self,
        settings: Mapping[str, Any],
        *,
        folder: Path,
        objects: Mapping[str, Sequence[str]] | None = None,
        where: str = "cdp.yaml",
    ) -> None:
        self.settings = read_settings(settings, FilesSettings, where=where)
        self.folder = folder / self.settings.path
        if not self.folder.is_dir():
            raise ConfigError(
                f"There is no folder {self.settings.path!r}.",
                where=where,
                hint="Put the exports there, or change `path`.",
            )
        self._known = objects or {}

    def objects(self) -> list[Object]:
        """Return the objects of which there are files; see ``Source.objects``."""
        parts: dict[str, list[str]] = {}
        for file in self._files():
            name = self._object(file)
            if name is not None:
                parts.setdefault(name, []).append(file)
        return [Object(name, tuple(files)) for name, files in sorted(parts.items())]

    def unknown(self) -> list[str]:
        """Return the files that belong to no object; see ``Source.unknown``."""
        return [file for file in self._files() if self._object(file) is None]

    def read(self, object: Object, cursor: Cursor) -> Iterator[Batch | SourceFailure]:  # noqa: A002 - the contract's noun
        """Read the files that are new or have changed; see ``Source.read``."""
        known = {each["digest"] for each in cursor.values()}
        for part in object.parts:
            path = self.folder / part
            stat = path.stat()
            mark = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
            if (cursor.get(part, {}) | mark) == cursor.get(part):
                continue
            own = digest(path)
            if own in known:
                continue
            try:
                yield self._batch(part, {part: {**mark, "digest": own}})
            except CdpError as error:
                yield SourceFailure(part, error)
            else:
                known.add(own)

    def _batch(self, part: str, cursor: Cursor) -> Batch:
        path, kind = self.folder / part, _kind(part)
        if kind == "parquet":
            return Batch(part, cursor, lambda: read_parquet(path, part))
        if kind == "xlsx":
            return Batch(part, cursor, lambda: read_excel(path, part))
        text = probe(path, self.settings.encoding)
        guessed = f"{part} is not in UTF-8: it was read as {text.encoding}. If names look wrong, set `encoding`."

        def open_text() -> pa.RecordBatchReader:
            if kind == "json":
                return read_json(path, part, text)
            if kind in {"ndjson", "jsonl"}:
                return read_ndjson(path, part, text)
            return read_delimited(path, part, text, self.settings.delimiter)

        return Batch(part, cursor, open_text, notes=(guessed,) if text.is_guessed else ())

    def _files(self) -> list[str]:
        found = (path for path in self.folder.rglob("*") if path.is_file())
        names = (path.relative_to(self.folder).as_posix() for path in found)
        return sorted(name for name in names if not any(part.startswith((".", "~", "_")) for part in name.split("/")))

    def _object(self, file: str) -> str | None:
        if not _kind(file):
            return None
        first = file.partition("/")[0]
        stem = first if "/" in file else first.removesuffix(".gz").rpartition(".")[0]
        if not self._known:
            return stem
        for name, patterns in self._known.items():
            wanted = [pattern.casefold() for pattern in patterns]
            asked = any(fnmatchcase(each.casefold(), pattern) for pattern in wanted for each in (file, first))
            if asked or (not patterns and stem.casefold() == name.casefold()):
                return name
        return None


def _kind(file: str) -> str:
    ending = file.casefold().removesuffix(".gz").rpartition(".")[2]
    return ending if ending in _KINDS else ""

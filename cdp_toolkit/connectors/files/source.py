"""Exports of any system as a source: one file an object, or a folder of parts, here or elsewhere.

A file that has not changed is not read again: size and time or tag tell, then the digest of its bytes. So the same export
delivered twice, also under another name, changes nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import Field

from cdp_toolkit.connectors.delimited import read_delimited
from cdp_toolkit.connectors.files.nested import read_excel, read_json, read_ndjson, read_parquet
from cdp_toolkit.connectors.limits import Patience
from cdp_toolkit.connectors.place import Mark
from cdp_toolkit.connectors.places import LocalPlace, open_place
from cdp_toolkit.connectors.probe import digest, probe
from cdp_toolkit.errors import CdpError, ConfigError, SourceError
from cdp_toolkit.findings import Finding
from cdp_toolkit.secrets import Address, Options
from cdp_toolkit.sources.settings import SourceSettings, read_settings
from cdp_toolkit.sources.source import Batch, Cursor, Object, SourceFailure

_KINDS = ("csv", "tsv", "txt", "json", "ndjson", "jsonl", "parquet", "xlsx")


class FilesSettings(SourceSettings):
    """What ``cdp.yaml`` may say of a source of files, besides what it may say of any.

    Parameters
    ----------
    path
        Folder of the files, relative to the workspace, or an address: ``s3://bucket/folder``, ``gs://…``, ``abfss://…``,
        ``sftp://user@host/folder``, ``https://host/folder/`` or ``https://host/file.csv``.
    options
        Settings of fsspec's file system for an address, such as ``{key: …, secret: "${env:AWS_SECRET}"}``.
    encoding
        Encoding of all its text files; found out for each by default.
    delimiter
        What stands between fields; found out for each file by default.
    """

    path: Address
    options: Options = Field(default_factory=dict)
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
    patience
        How often what fails on the way from a place elsewhere is tried again.

    Raises
    ------
    ConfigError
        If a setting is wrong, or a folder of this machine does not exist.
    """

    settings_kind = FilesSettings

    def __init__(
        self,
        settings: Mapping[str, Any],
        *,
        folder: Path,
        objects: Mapping[str, Sequence[str]] | None = None,
        where: str = "cdp.yaml",
        patience: Patience | None = None,
    ) -> None:
        self.settings = read_settings(settings, FilesSettings, where=where)
        self._place = open_place(
            self.settings.path, folder=folder, where=f"{where}, path", options=self.settings.options, patience=patience
        )
        self.is_local = isinstance(self._place, LocalPlace)
        self._marks: dict[str, Mark] = {}
        if isinstance(self._place, LocalPlace) and not self._place.folder.is_dir():
            raise ConfigError(
                f"There is no folder {self.settings.path!r}.",
                where=where,
                hint="Put the exports there, or change `path`.",
            )
        self._known = objects or {}

    def objects(self) -> list[Object]:
        """Return the objects of which there are files; see ``Source.objects``."""
        self._marks = {name: mark for name, mark in self._place.files().items() if not _is_hidden(name)}
        parts: dict[str, list[str]] = {}
        for file in self._marks:
            name = self._object(file)
            if name is not None:
                parts.setdefault(name, []).append(file)
        return [Object(name, tuple(files)) for name, files in sorted(parts.items())]

    def unknown(self) -> list[str]:
        """Return the files that belong to no object; see ``Source.unknown``."""
        return [
            file for file in self._marks or self._place.files() if self._object(file) is None and not _is_hidden(file)
        ]

    def read(self, object: Object, cursor: Cursor) -> Iterator[Batch | SourceFailure]:  # noqa: A002 - the contract's noun
        """Read the files that are new or have changed; see ``Source.read``."""
        known = {each["digest"] for each in cursor.values()}
        marks = self._marks or self._place.files()
        for part in object.parts:
            mark = marks[part]
            if len(mark) > 1 and (cursor.get(part, {}) | mark) == cursor.get(part):
                continue
            try:
                with self._place.fetched(part) as path, ThreadPoolExecutor(1) as thread:
                    coming = thread.submit(digest, path)  # while the text is looked through
                    open_rows, notes = self._way(path, part)
                    own = coming.result()
                    told = {part: {**mark, "digest": own}}
                    if own not in known:
                        yield Batch(part, told, partial(self._opened, part, open_rows), notes=notes)
                        known.add(own)
                    elif not self.is_local:
                        yield Batch(part, told)  # so that it is not fetched again to find this out
            except CdpError as error:
                yield SourceFailure(part, self._located(error, part))

    def check(self) -> list[Finding]:
        """Look whether the place can be read; see ``Checked.check``."""
        files = [name for name in self._place.files() if not _is_hidden(name)]
        return [Finding(f"permission to read {self._place.where()}", f"{len(files)} files")]

    def _way(self, path: Path, part: str) -> tuple[Callable[[], pa.RecordBatchReader], tuple[str, ...]]:
        """Return what reads a file, and what its user should know."""
        kind = _kind(part)
        if kind in {"parquet", "xlsx"}:
            return partial(read_parquet if kind == "parquet" else read_excel, path, part), ()
        text = probe(path, self.settings.encoding)
        guessed = f"{part} is not in UTF-8: it was read as {text.encoding}. If names look wrong, set `encoding`."

        def open_text() -> pa.RecordBatchReader:
            if kind == "json":
                return read_json(path, part, text)
            if kind in {"ndjson", "jsonl"}:
                return read_ndjson(path, part, text)
            return read_delimited(path, part, text, self.settings.delimiter)

        return open_text, (guessed,) if text.is_guessed else ()

    def _opened(self, part: str, read: Callable[[], pa.RecordBatchReader]) -> pa.RecordBatchReader:
        """Read a file, and say of an error where the file is and not where its copy was."""
        with self._locating(part):
            reader = read()

        def stream() -> Iterator[pa.RecordBatch]:
            with self._locating(part):
                yield from reader

        return pa.RecordBatchReader.from_batches(reader.schema, stream())

    @contextmanager
    def _locating(self, part: str) -> Iterator[None]:
        try:
            yield
        except SourceError as error:
            raise self._located(error, part) from error

    def _located(self, error: CdpError, part: str) -> SourceError:
        return SourceError(error.message, where=self._place.where(part), hint=error.hint)

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


def _is_hidden(file: str) -> bool:
    return any(part.startswith((".", "~", "_")) for part in file.split("/"))


def _kind(file: str) -> str:
    ending = file.casefold().removesuffix(".gz").rpartition(".")[2]
    return ending if ending in _KINDS else ""

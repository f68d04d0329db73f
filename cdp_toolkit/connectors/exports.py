"""Files that appear whole, with a manifest, and once a batch, here or elsewhere.

Invariant: everything is written under hidden names; then a hidden note says which batch gets which names; then the files
are renamed, and last comes the manifest. A run that is killed anywhere and repeated with the same batch finds the note,
and writes the same files under the same names.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from cdp_toolkit.connectors.naming import check_template, expand, is_timed, macros
from cdp_toolkit.connectors.place import Place
from cdp_toolkit.connectors.places import open_place
from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.destination import Batch
from cdp_toolkit.errors import ConfigError
from cdp_toolkit.findings import Finding

_PROBE = ".cdp_doctor"
_USUAL = "{destination}_{audience}_{date}_{time}"


@dataclass(frozen=True)
class Export:
    """Where the files of a destination go, and how they are named.

    Parameters
    ----------
    folder
        Folder or address, with macros for destination and audience still in it.
    stem
        Name without ending, with any macros.
    suffix
        Ending of the data files, such as ``.csv``.
    workspace
        Folder that a relative folder starts from.
    where
        Where the path stands, for errors.
    options
        Settings of the file system behind an address, with references to secrets.
    values
        Values of macros that the definition says.
    """

    folder: str
    stem: str
    suffix: str
    workspace: Path
    where: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    values: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def at(
        cls,
        path: str | None,
        suffix: str,
        destination: Destination,
        workspace: Path,
        *,
        options: Mapping[str, Any] = MappingProxyType({}),
        values: Mapping[str, str] = MappingProxyType({}),
    ) -> "Export":
        """Read a destination's path.

        Parameters
        ----------
        path
            Folder, or folder and file name with ``suffix``; ``out/<destination>/`` by default.
        suffix
            Ending of the data files.
        destination
            Whose path it is.
        workspace
            Folder that a relative path starts from.
        options
            Settings of the file system behind an address.
        values
            Values of macros that the definition says.

        Returns
        -------
        Export
            Checked.

        Raises
        ------
        UnknownNameError
            If a macro does not exist.
        ConfigError
            If files of one run would overwrite each other.
        """
        given = path or f"out/{destination.name}"
        kinds = suffix.split(".")
        endings = [".".join(kinds[:number]) for number in range(len(kinds), 1, -1)]  # .csv.gz, then .csv
        ending = next((each for each in endings if given.endswith(each)), "")
        folder, _, name = given.rpartition("/") if ending else (given.rstrip("/"), "", "")
        stem = name.removesuffix(ending) or _USUAL
        where = f"{destination.where}, path"
        check_template(f"{folder}/{stem}", values, where=where)
        if is_timed(folder):
            raise ConfigError(
                "A folder cannot be named by the time.", where=where, hint="Use {date} and {time} in the file's name."
            )
        if len(destination.audiences) > 1 and "audience" not in macros(f"{folder}/{stem}"):
            raise ConfigError(
                "The audiences would overwrite each other's file.", where=where, hint="Put {audience} into the name."
            )
        export = cls(folder, stem, suffix, workspace, where, options, values)
        open_place(folder, folder=workspace, where=where)
        return export

    def publish(
        self,
        batch: Batch,
        tables: Mapping[str, pl.DataFrame],
        write: Callable[[pl.DataFrame, Path], None],
        *,
        about: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Write the files of an audience and their manifest.

        Parameters
        ----------
        batch
            What is delivered.
        tables
            Table by the end of its file's stem; the empty one for the data.
        write
            Writes a table into a file.
        about
            What else the manifest says.

        Raises
        ------
        ConnectorStopped
            If the place cannot be written.
        """
        place = self.place(batch)
        noted = f".{batch.destination}.{batch.audience}.json"
        note = _noted(place, noted, batch) or {"stem": self._stem(place, batch), "as_of": batch.as_of.isoformat()}
        hidden = {end: f".{batch.destination}.{batch.audience}{end}.tmp" for end in tables}
        described = []
        for end, table in tables.items():
            with place.written(hidden[end]) as path:
                write(table, path)
                described.append(_described(f"{note['stem']}{end}{self.suffix}", path, len(table)))
        manifest = json.dumps({**note, **about, **_facts(batch), "files": described}, indent=1)
        _write_whole(place, noted, manifest)
        for end, each in zip(tables, described, strict=True):
            place.rename(hidden[end], each["name"])
        _write_whole(place, f"{note['stem']}.manifest.json", manifest)

    def place(self, batch: Batch) -> Place:
        """Return where the files of an audience go.

        Parameters
        ----------
        batch
            What is delivered.

        Returns
        -------
        Place
            The folder.
        """
        folder = expand(self.folder, batch, self.values, at=batch.as_of)
        return open_place(folder, folder=self.workspace, where=self.where, options=self.options)

    def look(self) -> list[Finding]:
        """Write a small file and take it away again.

        Returns
        -------
        list of Finding
            That the folder can be written.

        Raises
        ------
        ConnectorStopped
            If it cannot.
        """
        # The folder of an audience is made when the first file is written.
        above = (
            self.folder
            if not macros(self.folder)
            else self.folder.partition("{")[0].partition("%")[0].rpartition("/")[0]
        )
        place = open_place(above or ".", folder=self.workspace, where=self.where, options=self.options)
        with place.written(_PROBE) as path:
            path.write_text("cdp doctor", "utf-8")
        place.remove(_PROBE)
        return [Finding(f"permission to write {place.where()}")]

    def _stem(self, place: Place, batch: Batch) -> str:
        stem = expand(self.stem, batch, self.values, at=batch.as_of)
        is_taken = batch.mode != "full" and place.exists(f"{stem}{self.suffix}")
        # A receiver may not have read the last differences yet; a whole audience may be replaced.
        return f"{stem}_{batch.key[:8]}" if is_taken else stem


def _noted(place: Place, name: str, batch: Batch) -> dict[str, Any] | None:
    if not place.exists(name):
        return None
    with ExitStack() as stack:
        manifest = json.loads(stack.enter_context(place.fetched(name)).read_text("utf-8"))
    return {key: manifest[key] for key in ("stem", "as_of")} if manifest["key"] == batch.key else None


def _facts(batch: Batch) -> dict[str, Any]:
    actions = batch.rows["_action"].value_counts().to_pylist()
    return {
        "key": batch.key,
        "destination": batch.destination,
        "audience": batch.audience,
        "mode": batch.mode,
        "actions": {each["values"]: each["counts"] for each in actions},
        "refused": len(batch.refused),
    }


def _described(name: str, path: Path, rows: int) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"name": name, "rows": rows, "bytes": path.stat().st_size, "sha256": digest}


def _write_whole(place: Place, name: str, text: str) -> None:
    hidden = f"{'' if name.startswith('.') else '.'}{name}.tmp"
    with place.written(hidden) as path:
        path.write_text(text, "utf-8")
    place.rename(hidden, name)

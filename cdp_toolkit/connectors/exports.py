"""Files that appear whole, with a manifest, and once a batch.

Invariant: everything is written under hidden names that carry the batch's key, the note of the final names last; then
the files are renamed, and last the note becomes the manifest. A run that is killed anywhere and hands over the same
batch again finds the note, and writes the same files under the same names.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.destination import Batch
from cdp_toolkit.errors import ConfigError, UnknownNameError

MACROS = ("destination", "audience", "date", "time")


@dataclass(frozen=True)
class Export:
    """Where the files of a destination go, and how they are named.

    Parameters
    ----------
    folder
        Folder, with ``{destination}`` and ``{audience}`` still in it.
    stem
        Name without ending, with any of ``{destination}``, ``{audience}``, ``{date}`` and ``{time}`` (UTC).
    suffix
        Ending of the data files, such as ``.csv``.
    """

    folder: str
    stem: str
    suffix: str

    @classmethod
    def at(cls, path: str | None, suffix: str, destination: Destination, workspace: Path) -> "Export":
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
        given = Path(path or f"out/{destination.name}")
        is_file = given.suffix == suffix
        folder = given.parent if is_file else given
        stem = given.name.removesuffix(suffix) if is_file else "{destination}_{audience}_{date}_{time}"
        where = f"{destination.where}, path"
        for macro in re.findall(r"\{(.*?)\}", f"{folder}/{stem}"):
            if macro not in MACROS:
                raise UnknownNameError("macro", macro, MACROS, where=where)
        if "{date}" in str(folder) or "{time}" in str(folder):
            raise ConfigError(
                "A folder cannot be named by the time.", where=where, hint="Use {date} and {time} in the file's name."
            )
        if len(destination.audiences) > 1 and "{audience}" not in f"{folder}/{stem}":
            raise ConfigError(
                "The audiences would overwrite each other's file.", where=where, hint="Put {audience} into the name."
            )
        return cls(str(workspace / folder), stem, suffix)

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
        """
        folder = Path(_expand(self.folder, batch))
        folder.mkdir(parents=True, exist_ok=True)
        note = _noted(folder, batch) or {"stem": self._stem(folder, batch), "as_of": batch.as_of.isoformat()}
        hidden = f".{batch.key}"
        files = {f"{note['stem']}{end}{self.suffix}": folder / f"{hidden}{end}.tmp" for end in tables}
        for table, path in zip(tables.values(), files.values(), strict=True):
            write(table, path)
            _flush(path)
        rows = [len(table) for table in tables.values()]
        described = [_described(name, path, n) for (name, path), n in zip(files.items(), rows, strict=True)]
        pending = folder / f"{hidden}.manifest.json"
        _write_whole(pending, json.dumps({**note, **about, **_facts(batch), "files": described}, indent=1))
        for name, path in files.items():
            path.replace(folder / name)
        pending.replace(folder / f"{note['stem']}.manifest.json")

    def _stem(self, folder: Path, batch: Batch) -> str:
        stem = _expand(self.stem, batch)
        is_taken = batch.mode != "full" and (folder / f"{stem}{self.suffix}").exists()
        # A receiver may not have read the last differences yet; a whole audience may be replaced.
        return f"{stem}_{batch.key[:8]}" if is_taken else stem


def _noted(folder: Path, batch: Batch) -> dict[str, Any] | None:
    own = {"key": batch.key, "destination": batch.destination, "audience": batch.audience}
    for path in sorted(folder.glob("*.manifest.json")) + sorted(folder.glob(".*.manifest.json")):
        manifest = json.loads(path.read_text("utf-8"))
        if own.items() <= manifest.items():
            return {"stem": manifest["stem"], "as_of": manifest["as_of"]}
    return None


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


def _expand(template: str, batch: Batch) -> str:
    values = {"destination": batch.destination, "audience": batch.audience}
    values |= {"date": f"{batch.as_of:%Y%m%d}", "time": f"{batch.as_of:%H%M%S}"}
    for macro, value in values.items():
        template = template.replace(f"{{{macro}}}", value)
    return template


def _write_whole(path: Path, text: str) -> None:
    beside = path.with_name(f"{path.name}.tmp")
    beside.write_text(text, "utf-8")
    _flush(beside)
    beside.replace(path)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())

"""A folder of files on this machine, and which place a path means."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cdp_toolkit.connectors.limits import Patience
from cdp_toolkit.connectors.place import Mark, Place


class LocalPlace:
    """A folder of this machine.

    Parameters
    ----------
    folder
        The folder; made by the first file that is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def where(self, name: str = "") -> str:
        """Return a path; see ``Place.where``."""
        return str(self.folder / name)

    def files(self) -> dict[str, Mark]:
        """Return size and time of each file; see ``Place.files``."""
        found = {path.relative_to(self.folder).as_posix(): path.stat() for path in _below(self.folder)}
        marks = {name: {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns} for name, stat in found.items()}
        return dict(sorted(marks.items()))

    @contextmanager
    def fetched(self, name: str) -> Iterator[Path]:
        """Give the file itself; see ``Place.fetched``."""
        yield self.folder / name

    @contextmanager
    def written(self, name: str) -> Iterator[Path]:
        """Write in place and flush; see ``Place.written``."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        yield path
        with path.open("rb") as file:
            os.fsync(file.fileno())

    def rename(self, name: str, new: str) -> None:
        """Rename at once; see ``Place.rename``."""
        (self.folder / name).replace(self.folder / new)

    def exists(self, name: str) -> bool:
        """Tell whether there is such a file; see ``Place.exists``."""
        return (self.folder / name).exists()

    def remove(self, name: str) -> None:
        """Delete a file; see ``Place.remove``."""
        (self.folder / name).unlink()


def open_place(
    path: str, *, folder: Path, where: str, options: Mapping[str, Any] | None = None, patience: Patience | None = None
) -> Place:
    """Return the place that a path or an address means; nobody is called.

    Parameters
    ----------
    path
        A folder relative to the workspace, or an address of ``s3:``, ``gs:``, ``abfss:``, ``sftp:``, ``https:`` or
        whatever else fsspec knows.
    folder
        Folder of the workspace.
    where
        Where the path stands, for errors.
    options
        Settings of fsspec's file system, with references to secrets.
    patience
        How often what fails on the way is tried again.

    Returns
    -------
    Place
        The folder.

    Raises
    ------
    ConfigError
        If nothing that is installed knows such addresses.
    """
    if "://" not in path:
        return LocalPlace(folder / path)
    from cdp_toolkit.connectors.remote import RemotePlace

    return RemotePlace(path, options or {}, where=where, patience=patience)


def _below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())

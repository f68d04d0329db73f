"""What a folder of files must do, wherever it is."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

Mark = dict[str, Any]
"""What a place tells of a file without opening it: ``size``, and what else differs when the file does."""


class Place(Protocol):
    """A folder that holds files; names are relative to it, with slashes."""

    def where(self, name: str = "") -> str:
        """Return where a file is, for messages.

        Parameters
        ----------
        name
            Name of a file; the folder itself by default.

        Returns
        -------
        str
            A path or an address, without secrets.
        """
        ...

    def files(self) -> dict[str, Mark]:
        """Return the files in the folder and in all below.

        Returns
        -------
        dict
            What is told of each, by its name, in the order of names.

        Raises
        ------
        ConnectorStopped
            If the folder cannot be read.
        """
        ...

    def fetched(self, name: str) -> AbstractContextManager[Path]:
        """Have a file on this machine's disk for a while.

        Parameters
        ----------
        name
            Name of the file.

        Returns
        -------
        context manager
            Gives its path, which ends as the name does.

        Raises
        ------
        SourceError
            If it cannot be fetched whole.
        """
        ...

    def written(self, name: str) -> AbstractContextManager[Path]:
        """Write a file.

        Parameters
        ----------
        name
            Name of the file; one that is there is replaced.

        Returns
        -------
        context manager
            Gives a path to write to. When it ends well, the file is in the folder and on disk.
        """
        ...

    def rename(self, name: str, new: str) -> None:
        """Give a file another name.

        Parameters
        ----------
        name
            Name of the file.
        new
            Its new name; a file of that name is replaced.
        """
        ...

    def exists(self, name: str) -> bool:
        """Tell whether a file is there.

        Parameters
        ----------
        name
            Name of the file.

        Returns
        -------
        bool
            Whether it is.
        """
        ...

    def remove(self, name: str) -> None:
        """Delete a file.

        Parameters
        ----------
        name
            Name of the file.
        """
        ...

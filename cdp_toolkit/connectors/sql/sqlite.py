"""SQLite, read by ADBC.

A column of SQLite holds values of any type, and the driver settles for that of the first rows: so the database writes
every value as text, numbers with as many digits as they need.
"""

from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import quote, urlsplit

from cdp_toolkit.connectors.sql.adbc import AdbcDatabase, quoted_text
from cdp_toolkit.connectors.sql.database import unreachable
from cdp_toolkit.errors import ConnectorStopped


class SQLiteDatabase(AdbcDatabase):
    """A file of SQLite."""

    @classmethod
    def open(cls, address: str, folder: Path) -> Self:
        """Open the file.

        Parameters
        ----------
        address
            ``sqlite:///FILE`` with the file's path, which is absolute if it begins with a slash.
        folder
            Where a relative path begins.

        Returns
        -------
        SQLite
            Open for reading only.

        Raises
        ------
        ConnectorStopped
            If there is no such file.
        """
        path = path_of(address, folder)
        if not path.is_file():
            raise ConnectorStopped(f"There is no file {path.name}.", hint="Check the path in `uri`.")
        return cls(connect(path, "ro"))

    _version = "SELECT 'SQLite ' || sqlite_version() AS v"

    def _types(self, select: str, names: list[str]) -> list[str]:  # noqa: ARG002 - the same for every query
        return ["any"] * len(names)

    def _text(self, value: str, kind: str) -> str:  # noqa: ARG002 - each value has its own
        short, long = f"printf('%!.15g', {value})", f"printf('%!.17g', {value})"
        number = f"CASE WHEN CAST({short} AS REAL) = {value} THEN {short} ELSE {long} END"
        return (
            f"CASE typeof({value}) WHEN 'blob' THEN lower(hex({value})) WHEN 'real' THEN {number} "
            f"ELSE CAST({value} AS TEXT) END"
        )

    def _literal(self, text: str, kind: str) -> str:  # noqa: ARG002 - the value tells
        is_number = text.removeprefix("-").replace(".", "", 1).isdecimal()
        return text if is_number else quoted_text(text)


def path_of(address: str, folder: Path) -> Path:
    """Return the file that an address means.

    Parameters
    ----------
    address
        ``sqlite:///FILE``.
    folder
        Where a relative path begins.

    Returns
    -------
    Path
        The file, which need not be there.
    """
    return folder / urlsplit(address).path.removeprefix("/")


def connect(path: Path, mode: Literal["ro", "rwc"]) -> Any:
    """Open a file of SQLite.

    Parameters
    ----------
    path
        The file.
    mode
        For reading only, or for writing, which makes it.

    Returns
    -------
    adbc_driver_manager.dbapi.Connection
        Open; a transaction begins with its first statement.

    Raises
    ------
    ConnectorStopped
        If it cannot be opened.
    """
    import adbc_driver_sqlite.dbapi as driver

    try:
        return driver.connect(f"file:{quote(str(path))}?mode={mode}")
    except driver.Error as error:
        raise unreachable(error) from None

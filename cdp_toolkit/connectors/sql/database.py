"""What a database must do to be read, and what is said where it does not."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from cdp_toolkit.errors import ConnectorStopped
from cdp_toolkit.secrets import redact

# What a driver says before the server's own words.
_BEFORE = re.compile(r"^.*(ERROR|FATAL):\s+", re.DOTALL)


@dataclass(frozen=True)
class Since:
    """From where on rows are read; rows without a watermark always are.

    Parameters
    ----------
    column
        Column of the watermark.
    text
        Its value, as ``Database.read`` gives it.
    is_included
        Whether rows of just this value are read.
    """

    column: str
    text: str
    is_included: bool


@dataclass(frozen=True)
class Selection:
    """Rows to read.

    Parameters
    ----------
    select
        The query.
    columns
        Type of each column, as the database calls it.
    ordered_by
        Column that orders the rows; None for any order.
    since
        From where on; None for all.
    """

    select: str
    columns: Mapping[str, str]
    ordered_by: str | None = None
    since: Since | None = None


class Database(Protocol):
    """A connection that reads and writes nothing."""

    def table(self, name: str) -> str:
        """Return the query for a whole table.

        Parameters
        ----------
        name
            Name of the table, with its schema before a point.

        Returns
        -------
        str
            The query.
        """
        ...

    def columns(self, select: str) -> dict[str, str]:
        """Describe what a query gives.

        Parameters
        ----------
        select
            The query.

        Returns
        -------
        dict
            Type of each column, as the database calls it.

        Raises
        ------
        SourceError
            If the query does not run, says why.
        """
        ...

    def count(self, selection: Selection) -> int:
        """Count rows.

        Parameters
        ----------
        selection
            Which.

        Returns
        -------
        int
            How many there are now.
        """
        ...

    def read(self, selection: Selection) -> Iterator[pa.RecordBatch]:
        """Read rows as a stream of texts, in memory that does not grow with their number.

        Parameters
        ----------
        selection
            Which.

        Yields
        ------
        pyarrow.RecordBatch
            Each value as the text that the database writes: times in ISO 8601 and UTC, amounts with all their digits,
            bytes in hexadecimal digits, arrays and objects as JSON.

        Raises
        ------
        SourceError
            If reading breaks off.
        """
        ...

    def version(self) -> str:
        """Return what the database says of itself.

        Returns
        -------
        str
            Name and version.
        """
        ...

    def close(self) -> None:
        """End the connection."""
        ...


def unreachable(error: Exception, *, where: str = "") -> ConnectorStopped:
    """Return what stops a source whose database cannot be reached.

    Parameters
    ----------
    error
        What the driver raised. It may hold the address with its password: raise what is returned ``from None``.
    where
        Where the address stands.

    Returns
    -------
    ConnectorStopped
        With the driver's words, without secrets.
    """
    return ConnectorStopped(
        f"The database cannot be reached: {told(error)}",
        where=where,
        hint="Check host, port, name, user and password in `uri`, and that this machine may connect.",
    )


def told(error: Exception) -> str:
    """Return what a driver says, on one line and without secrets.

    Parameters
    ----------
    error
        What it raised.

    Returns
    -------
    str
        The essential part.
    """
    text = str(error).partition("\n\nQuery was")[0].partition("\n[SQL:")[0].partition("\nLINE ")[0]
    return redact(" ".join(_BEFORE.sub("", text).partition(". SQLSTATE")[0].split()))


def bare(select: str) -> str:
    """Return a query as it can stand within another.

    Parameters
    ----------
    select
        As the user wrote it.

    Returns
    -------
    str
        Without a semicolon at its end.
    """
    return select.rstrip().rstrip(";")

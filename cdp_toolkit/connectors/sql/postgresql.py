"""PostgreSQL, read by ADBC.

The server writes the texts: as fast as its binary form (1M rows of 8 columns in 1.0 s either way), and right where the
driver's is not. ADBC 1.8 reads ``money`` as cents, arrays of arrays as flat ones, and ranges, addresses and times with
zone as bytes that nobody else can read; it fails on rows and on ``infinity``.
"""

from typing import Any, Self
from urllib.parse import quote, urlsplit, urlunsplit

from cdp_toolkit.connectors.sql.adbc import AdbcDatabase, quoted, quoted_text
from cdp_toolkit.connectors.sql.database import bare, unreachable

# Read-only, and every text in one form whatever the server's or the user's defaults are.
_SESSION = {
    "default_transaction_read_only": "on",
    "timezone": "UTC",
    "datestyle": "ISO",
    "intervalstyle": "iso_8601",
    "extra_float_digits": "1",
    "lc_monetary": "C",
}


class PostgreSQLDatabase(AdbcDatabase):
    """A PostgreSQL server."""

    @classmethod
    def open(cls, address: str) -> Self:
        """Connect.

        Parameters
        ----------
        address
            ``postgresql://user:password@host:port/database?option=value``, with the options of libpq.

        Returns
        -------
        PostgreSQL
            A session that can only read.

        Raises
        ------
        ConnectorStopped
            If the server cannot be reached, or refuses the login.
        """
        return cls(connect(address, _SESSION))

    def _types(self, select: str, names: list[str]) -> list[str]:
        kinds = ", ".join(
            f"(SELECT pg_typeof(q.{quoted(name)})::text || ' ' || typcategory::text FROM pg_type "  # noqa: S608 - quoted
            f"WHERE oid = pg_typeof(q.{quoted(name)})) AS k{i}"
            for i, name in enumerate(names)
        )
        none = f"(SELECT * FROM ({bare(select)}\n) s LIMIT 0) q"  # noqa: S608 - what the user asks for
        return self._row(f"SELECT {kinds} FROM (SELECT 1) one LEFT JOIN {none} ON true")  # noqa: S608 - our own parts

    def _text(self, value: str, kind: str) -> str:
        name, _, category = kind.rpartition(" ")
        if category in "AC" or name == "record":
            return f"to_json({value})::text"
        if name == "bytea":
            return f"encode({value}, 'hex')"
        return f"{value}::numeric::text" if name == "money" else f"{value}::text"

    def _literal(self, text: str, kind: str) -> str:
        return f"{quoted_text(text)}::{kind.rpartition(' ')[0]}"


def connect(address: str, settings: dict[str, str]) -> Any:
    """Connect to a server.

    Parameters
    ----------
    address
        Of the server.
    settings
        Of the session, as ``SET`` takes them.

    Returns
    -------
    adbc_driver_manager.dbapi.Connection
        Open; a transaction begins with its first statement.

    Raises
    ------
    ConnectorStopped
        If the server cannot be reached, or refuses the login.
    """
    import adbc_driver_postgresql.dbapi as driver

    try:
        return driver.connect(with_session(address, settings))
    except driver.Error as error:
        raise unreachable(error) from None


def with_session(address: str, settings: dict[str, str]) -> str:
    """Return an address whose sessions have settings.

    Parameters
    ----------
    address
        Of the server.
    settings
        Names and values, as ``SET`` takes them.

    Returns
    -------
    str
        With the settings before those that the address has already.

    Examples
    --------
    >>> with_session("postgresql://db/crm?options=-csearch_path%3Dx&sslmode=require", {"timezone": "UTC"})
    'postgresql://db/crm?sslmode=require&options=-ctimezone%3DUTC%20-csearch_path%3Dx'
    """
    parts = urlsplit(address)
    given = [each for each in parts.query.split("&") if each]
    own = quote(" ".join(f"-c{name}={value}" for name, value in settings.items()), safe="")
    theirs = ["%20" + each.partition("=")[2] for each in given if each.startswith("options=")]
    query = "&".join([*(each for each in given if not each.startswith("options=")), f"options={own}{''.join(theirs)}"])
    return urlunsplit(parts._replace(query=query))

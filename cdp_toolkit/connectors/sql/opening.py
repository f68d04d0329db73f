"""Which way a database is read: by its address."""

from pathlib import Path

from cdp_toolkit.connectors.sql.database import Database
from cdp_toolkit.errors import ConfigError
from cdp_toolkit.secrets import reveal_address


def open_database(uri: str, *, folder: Path, where: str) -> Database:
    """Connect to a database for reading.

    Parameters
    ----------
    uri
        Its address, such as ``postgresql://reader:${env:PG_PASSWORD}@db.example/crm``; the way is chosen by its start:
        ADBC for ``postgresql:`` and ``sqlite:``, SQLAlchemy for all others.
    folder
        Where the path of a file begins.
    where
        Where the address stands, for errors.

    Returns
    -------
    Database
        Connected.

    Raises
    ------
    ConfigError
        If the driver is not installed, or the address is none.
    ConnectorStopped
        If the database cannot be reached, or refuses the login.
    """
    address = reveal_address(uri, where=where)
    scheme = address.partition(":")[0]
    try:
        if scheme in {"postgresql", "postgres"}:
            from cdp_toolkit.connectors.sql.postgresql import PostgreSQLDatabase

            return PostgreSQLDatabase.open(address)
        if scheme == "sqlite":
            from cdp_toolkit.connectors.sql.sqlite import SQLiteDatabase

            return SQLiteDatabase.open(address, folder)
        from cdp_toolkit.connectors.sql.alchemy import AlchemyDatabase

        return AlchemyDatabase.open(address, where=where)
    except ImportError as error:
        raise ConfigError(
            f"What reads {scheme} databases is not installed: {error.name}.",
            where=where,
            hint='Run `pip install "cdp-toolkit[databases]"`, and for another database its own driver.',
        ) from error

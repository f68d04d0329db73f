"""Which way a database is read, and which way it is written: by its address."""

from pathlib import Path
from typing import Any

from cdp_toolkit.connectors.sql.database import Database
from cdp_toolkit.errors import ConfigError
from cdp_toolkit.secrets import reveal_address

WRITTEN = ("postgresql", "postgres", "sqlite")
"""Starts of the addresses of databases that audiences can be written to."""


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
        raise _not_installed(scheme, error, where) from error


def open_for_writing(uri: str, *, folder: Path, where: str) -> Any:
    """Connect to a database for writing.

    Parameters
    ----------
    uri
        Its address: ``postgresql:`` or ``sqlite:``.
    folder
        Where the path of a file begins.
    where
        Where the address stands, for errors.

    Returns
    -------
    adbc_driver_manager.dbapi.Connection
        Open; a transaction begins with its first statement.

    Raises
    ------
    ConfigError
        If the driver is not installed, or another database is asked for.
    ConnectorStopped
        If the database cannot be reached, or refuses the login.
    """
    address = reveal_address(uri, where=where)
    scheme = address.partition(":")[0]
    try:
        if scheme in {"postgresql", "postgres"}:
            from cdp_toolkit.connectors.sql import postgresql

            return postgresql.connect(address, {"timezone": "UTC"})
        if scheme == "sqlite":
            from cdp_toolkit.connectors.sql import sqlite

            return sqlite.connect(sqlite.path_of(address, folder), "rwc")
    except ImportError as error:
        raise _not_installed(scheme, error, where) from error
    raise not_written(scheme, where)


def not_written(scheme: str, where: str) -> ConfigError:
    """Return what is said where a database is no destination.

    Parameters
    ----------
    scheme
        Start of its address.
    where
        Where the address stands.

    Returns
    -------
    ConfigError
        With those that are.
    """
    known = " or ".join(f"{each}:" for each in WRITTEN)
    return ConfigError(f"Audiences are not written to {scheme!r}.", where=where, hint=f"Use {known}, or a file.")


def _not_installed(scheme: str, error: ImportError, where: str) -> ConfigError:
    return ConfigError(
        f"What speaks to {scheme} databases is not installed: {error.name}.",
        where=where,
        hint='Run `pip install "cdp-toolkit[databases]"`, and for another database its own driver.',
    )

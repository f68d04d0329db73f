"""Any other database, read by SQLAlchemy: rows pass through Python, so it takes about five times as long as ADBC."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from json import dumps
from typing import Any, Self

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from cdp_toolkit.connectors.sql.database import Selection, bare, told, unreachable
from cdp_toolkit.connectors.sql.watermark import as_time
from cdp_toolkit.errors import ConfigError, SourceError

_ROWS = 20_000
# What makes a session read only, by the name of the dialect; the others have nothing like it.
_READ_ONLY = {
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "oracle": "SET TRANSACTION READ ONLY",
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "sqlite": "PRAGMA query_only = ON",
}


class AlchemyDatabase:
    """A database behind a driver that SQLAlchemy knows.

    Parameters
    ----------
    engine
        An engine without a pool.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._quote = engine.dialect.identifier_preparer.quote
        self._connection = engine.connect().execution_options(stream_results=True, yield_per=_ROWS)
        read_only = _READ_ONLY.get(engine.dialect.name)
        if read_only:
            self._connection.execute(sa.text(read_only))

    @classmethod
    def open(cls, address: str, *, where: str) -> Self:
        """Connect.

        Parameters
        ----------
        address
            As SQLAlchemy takes it, such as ``mysql+pymysql://user:password@host/database``.
        where
            Where it stands, for errors.

        Returns
        -------
        Alchemy
            Connected; read only where the database can be told so.

        Raises
        ------
        ConfigError
            If the address is none, or names a dialect that is not installed.
        ConnectorStopped
            If the database cannot be reached.
        """
        try:
            engine = sa.create_engine(address, poolclass=NullPool)
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError) as error:
            raise ConfigError(
                f"The address of the database cannot be used: {told(error)}",
                where=where,
                hint="Write DIALECT+DRIVER://USER:PASSWORD@HOST/DATABASE, and install the driver.",
            ) from None
        try:
            return cls(engine)
        except sa.exc.SQLAlchemyError as error:
            raise unreachable(error, where=where) from None

    def table(self, name: str) -> str:
        """Return the query for a table; see ``Database.table``."""
        return f"SELECT * FROM {'.'.join(self._quote(part) for part in name.split('.'))}"  # noqa: S608 - quoted

    def columns(self, select: str) -> dict[str, str]:
        """Describe a query; see ``Database.columns``."""
        with self._rows(f"SELECT q.* FROM ({bare(select)}\n) q WHERE 1 = 0") as rows:  # noqa: S608
            return dict.fromkeys(rows.keys(), "any")

    def count(self, selection: Selection) -> int:
        """Count rows; see ``Database.count``."""
        with self._selected("count(*)", selection, ordered_by=None) as rows:
            return int(rows.scalar_one())

    def read(self, selection: Selection) -> Iterator[pa.RecordBatch]:
        """Read rows; see ``Database.read``."""
        names = ", ".join(f"q.{self._quote(name)}" for name in selection.columns)
        with self._selected(names, selection, ordered_by=selection.ordered_by) as rows:
            for part in rows.partitions():
                columns = [pa.array(map(_text, values), pa.string()) for values in zip(*part, strict=True)]
                yield pa.RecordBatch.from_arrays(columns, list(selection.columns))

    def version(self) -> str:
        """Return name and version; see ``Database.version``."""
        dialect = self._connection.dialect
        return f"{dialect.name} {'.'.join(map(str, dialect.server_version_info or ()))}".strip()

    def close(self) -> None:
        """End the connection; see ``Database.close``."""
        self._connection.close()

    def _selected(self, what: str, selection: Selection, *, ordered_by: str | None) -> Any:
        query, since = f"SELECT {what} FROM ({bare(selection.select)}\n) q", selection.since  # noqa: S608
        if since is not None:
            column = f"q.{self._quote(since.column)}"
            query += f" WHERE {column} {'>=' if since.is_included else '>'} :since OR {column} IS NULL"
        if ordered_by is not None:
            query += f" ORDER BY q.{self._quote(ordered_by)}"
        return self._rows(query, {"since": self._bound(since.text)} if since else {})

    def _bound(self, text: str) -> Any:
        if text.removeprefix("-").replace(".", "", 1).isdecimal():
            return Decimal(text) if "." in text else int(text)
        at = as_time(text) if self._connection.dialect.name != "sqlite" else None  # which has no times, only texts
        return text if at is None else at if "+" in text or "Z" in text else at.replace(tzinfo=None)

    @contextmanager
    def _rows(self, query: str, values: Mapping[str, Any] | None = None) -> Iterator[Any]:
        try:
            with self._connection.execute(sa.text(query), values or {}) as rows:
                yield rows
        except sa.exc.SQLAlchemyError as error:
            self._connection.rollback()
            raise SourceError(
                f"The database refused: {told(error)}", hint="Try the query in the database itself."
            ) from None


def _text(value: Any) -> str | None:  # noqa: PLR0911 - a case a type
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case datetime():
            return (value.astimezone(UTC) if value.tzinfo else value).isoformat(sep=" ")
        case date():
            return value.isoformat()
        case Decimal():
            return format(value, "f")
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case list() | tuple() | dict():
            return dumps(value, ensure_ascii=False, default=_text)
        case _:
            return str(value)

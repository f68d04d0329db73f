"""Read a database by ADBC: the database writes each value as text, and Arrow carries it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from cdp_toolkit.connectors.sql.database import Selection, Since, bare, told
from cdp_toolkit.errors import SourceError

# By SQLSTATE: what to do about what was refused.
_CURES = {
    "42501": "Grant it: `GRANT SELECT ON … TO …` for the user in `uri`.",
    "42P01": "Check `table`, with its schema before a point.",
    "42703": "Check the names of columns in the query, and `watermark`.",
    "57014": "The server ends queries of this length: raise `statement_timeout`, or set a `watermark`.",
}


class AdbcDatabase(ABC):
    """A database behind an ADBC driver; what SQL it takes is its dialect.

    Parameters
    ----------
    connection
        An open connection of the driver.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def table(self, name: str) -> str:
        """Return the query for a table; see ``Database.table``."""
        return f"SELECT * FROM {quoted_table(name)}"  # noqa: S608 - quoted

    def columns(self, select: str) -> dict[str, str]:
        """Describe a query; see ``Database.columns``."""
        with self._cursor() as cursor:
            cursor.execute(f"SELECT * FROM ({bare(select)}\n) q LIMIT 0")  # noqa: S608 - what the user asks for
            names = cursor.fetch_arrow_table().column_names
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise SourceError(f"The query has two columns {twice!r}.", hint="Give one of them another name: `… AS …`.")
        return dict(zip(names, self._types(select, names), strict=True))

    def count(self, selection: Selection) -> int:
        """Count rows; see ``Database.count``."""
        return int(self._value(f"SELECT count(*) AS n FROM {self._from(selection)}"))  # noqa: S608 - our own parts

    def read(self, selection: Selection) -> Iterator[pa.RecordBatch]:
        """Read rows; see ``Database.read``."""
        texts = ", ".join(f"{self._text(f'q.{quoted(n)}', k)} AS {quoted(n)}" for n, k in selection.columns.items())
        order = f" ORDER BY q.{quoted(selection.ordered_by)}" if selection.ordered_by else ""
        schema = pa.schema([(name, pa.string()) for name in selection.columns])
        with self._cursor() as cursor:
            cursor.execute(f"SELECT {texts} FROM {self._from(selection)}{order}")  # noqa: S608 - our own parts
            for batch in cursor.fetch_record_batch():
                yield batch.cast(schema)

    def version(self) -> str:
        """Return name and version; see ``Database.version``."""
        return self._value(self._version)

    def close(self) -> None:
        """End the connection; see ``Database.close``."""
        self._connection.close()

    _version = "SELECT version() AS v"

    @abstractmethod
    def _types(self, select: str, names: list[str]) -> list[str]: ...

    @abstractmethod
    def _text(self, value: str, kind: str) -> str: ...

    @abstractmethod
    def _literal(self, text: str, kind: str) -> str: ...

    def _from(self, selection: Selection) -> str:
        where = self._where(selection.since, selection.columns) if selection.since else ""
        return f"({bare(selection.select)}\n) q{where}"

    def _where(self, since: Since, columns: Any) -> str:
        column, sign = f"q.{quoted(since.column)}", ">=" if since.is_included else ">"
        return f" WHERE {column} {sign} {self._literal(since.text, columns[since.column])} OR {column} IS NULL"

    def _value(self, query: str) -> str:
        with self._cursor() as cursor:
            cursor.execute(query)
            return str(cursor.fetchone()[0])

    def _row(self, query: str) -> list[str]:
        with self._cursor() as cursor:
            cursor.execute(query)
            return [str(value) for value in cursor.fetchone()]

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        cursor = self._connection.cursor()
        try:
            yield cursor
        except self._connection.Error as error:
            cursor.close()
            self._connection.rollback()
            state = str(getattr(error, "sqlstate", None) or "")
            raise SourceError(
                f"The database refused: {told(error)}", hint=_CURES.get(state, "Try the query in the database itself.")
            ) from None
        finally:
            cursor.close()


def quoted(name: str) -> str:
    """Return a name as SQL takes it.

    Parameters
    ----------
    name
        Of a table or a column.

    Returns
    -------
    str
        In quotation marks.
    """
    return '"' + name.replace('"', '""') + '"'


def quoted_table(name: str) -> str:
    """Return the name of a table as SQL takes it.

    Parameters
    ----------
    name
        With its schema before a point.

    Returns
    -------
    str
        Each part in quotation marks.
    """
    return ".".join(map(quoted, name.split(".")))


def quoted_text(text: str) -> str:
    """Return a text as SQL takes it.

    Parameters
    ----------
    text
        The text.

    Returns
    -------
    str
        In quotation marks.
    """
    return "'" + text.replace("'", "''") + "'"

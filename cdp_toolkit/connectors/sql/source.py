"""Tables and queries of a database as a source."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from cdp_toolkit.connectors.sql.database import Database
from cdp_toolkit.connectors.sql.opening import open_database
from cdp_toolkit.connectors.sql.reading import describe, read_changed, read_whole
from cdp_toolkit.connectors.sql.watermark import Watermark, span
from cdp_toolkit.errors import SourceError
from cdp_toolkit.findings import Finding, problem
from cdp_toolkit.secrets import Address
from cdp_toolkit.sources.settings import SourceSettings, read_settings
from cdp_toolkit.sources.source import Batch, Cursor, Object, SourceFailure


def _is_span(text: str) -> str:
    span(text)
    return text


class TableSettings(BaseModel):
    """A table or a query that is read as an object.

    Parameters
    ----------
    table
        Name of the table or view, with its schema before a point; the object's name by default.
    query
        A SELECT instead of a table.
    watermark
        Column that grows with every change, such as ``updated_at``. Without one, all rows land again whenever any of
        them has changed.
    overlap
        How far before the last watermark the next load begins, for what is committed late: ``90s``, ``10m``, ``2h``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    table: str | None = None
    query: str | None = None
    watermark: str | None = None
    overlap: Annotated[str, AfterValidator(_is_span)] = "10m"

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if self.table and self.query:
            raise ValueError("name a `table` or a `query`, not both")
        return self


class SqlSettings(SourceSettings):
    """What ``cdp.yaml`` may say of a database, besides what it may say of any source.

    Parameters
    ----------
    uri
        Address: ``postgresql://reader:${env:PG_PASSWORD}@host/database``, ``sqlite:///file.db``, or that of any other
        database as SQLAlchemy takes it.
    tables
        What to read, by the name of the object.
    """

    uri: Address
    tables: dict[str, TableSettings]


class SqlSource:
    """A database, read by ADBC or SQLAlchemy and never written.

    Parameters
    ----------
    settings
        What ``cdp.yaml`` says of it.
    folder
        Folder of the workspace.
    objects
        Objects that a mapping knows.
    where
        What the settings are written in, for errors.
    clock
        Tells the time, in UTC.

    Raises
    ------
    ConfigError
        If a setting is wrong.
    """

    settings_kind = SqlSettings

    def __init__(
        self,
        settings: Mapping[str, Any],
        *,
        folder: Path,
        objects: Mapping[str, Sequence[str]] | None = None,
        where: str = "cdp.yaml",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.settings = read_settings(settings, SqlSettings, where=where)
        self._folder = folder
        self._known = objects
        self._where = where
        self._clock = clock

    def objects(self) -> list[Object]:
        """Return the tables; see ``Source.objects``."""
        with self._open() as database:
            return [Object(name, fields=_fields(database, name, each)) for name, each in self._wanted.items()]

    def unknown(self) -> list[str]:
        """Return the tables that the mapping does not know; see ``Source.unknown``."""
        return [name for name in self.settings.tables if name not in self._wanted]

    def read(self, object: Object, cursor: Cursor) -> Iterator[Batch | SourceFailure]:  # noqa: A002 - the contract's noun
        """Read what is new in a table; see ``Source.read``."""
        table = self._wanted[object.name]
        with self._open() as database:
            try:
                select = _select(database, object.name, table)
                if table.watermark is None:
                    yield from read_whole(database, object.name, select, cursor)
                else:
                    mark = Watermark.of(table.watermark, span(table.overlap), cursor, self._clock())
                    yield from read_changed(database, object.name, select, mark)
            except SourceError as error:
                yield SourceFailure(object.name, error)

    def check(self) -> list[Finding]:
        """Look at the login and each table; see ``Checked.check``."""
        with self._open() as database:
            found = [Finding("login", database.version())]
            for name, table in self.settings.tables.items():
                try:
                    columns = describe(database, _select(database, name, table), table.watermark)
                except SourceError as error:
                    found.append(problem(error, f"permission to read {name}"))
                else:
                    found.append(Finding(f"permission to read {name}", f"{len(columns)} columns"))
            return found

    @property
    def _wanted(self) -> dict[str, TableSettings]:
        known = {name.casefold() for name in self._known or self.settings.tables}
        return {name: each for name, each in sorted(self.settings.tables.items()) if name.casefold() in known}

    @contextmanager
    def _open(self) -> Iterator[Database]:
        database = open_database(self.settings.uri, folder=self._folder, where=f"{self._where}, uri")
        try:
            yield database
        finally:
            database.close()


def _fields(database: Database, name: str, table: TableSettings) -> dict[str, str] | None:
    try:
        return database.columns(_select(database, name, table))
    except SourceError:  # which reading meets again, and tells
        return None


def _select(database: Database, name: str, table: TableSettings) -> str:
    return table.query or database.table(table.table or name)

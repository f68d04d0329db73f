"""Audiences as rows of a table: who is in, since when, and who left when."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from cdp_toolkit.connectors.sql.adbc import quoted_table
from cdp_toolkit.connectors.sql.database import told
from cdp_toolkit.connectors.sql.merge import OWN, STAGE, Merge
from cdp_toolkit.connectors.sql.opening import WRITTEN, not_written, open_for_writing
from cdp_toolkit.destinations.definition import Destination, Mode, keyed_fields, read_settings
from cdp_toolkit.destinations.destination import DELIVERED, Batch, Limits, Outcome
from cdp_toolkit.errors import ActivationError, UnknownNameError
from cdp_toolkit.findings import Finding
from cdp_toolkit.secrets import Address

_MACROS = ("destination", "audience")
_CURES = {
    "42501": "Grant it: `GRANT SELECT, INSERT, UPDATE, DELETE ON … TO …` for the user in `uri`, and CREATE on the schema "
    "if the toolkit is to make the table.",
    "42P01": "Make the table, or leave `create: false` out.",
    "42P10": "The table needs a unique index on (audience, key).",
    "42703": "Add the column, or leave `create: false` out.",
}
# Changes nothing, and is refused where a change would be.
_PERMISSIONS = (
    "INSERT INTO {0} SELECT * FROM {0} WHERE 1 = 0; UPDATE {0} SET audience = audience WHERE 1 = 0; "
    "DELETE FROM {0} WHERE 1 = 0"
)
_MAKING = "CREATE TABLE {0} (audience TEXT)"


class SqlSettings(BaseModel):
    """Settings of a table that receives audiences.

    Parameters
    ----------
    uri
        Address: ``postgresql://writer:${env:PG_PASSWORD}@host/database`` or ``sqlite:///file.db``.
    table
        Name of the table, with its schema before a point; ``{destination}`` and ``{audience}`` are replaced.
    key
        Field by which a member is known: with the audience it is unique in the table.
    create
        Whether the table is made, and gets the columns that it lacks.
    removal
        Whether the row of who leaves gets the time in ``removed_at`` (``mark``) or goes (``delete``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    uri: Address
    table: str = "audience_members"
    key: str = "profile_id"
    create: bool = True
    removal: Literal["mark", "delete"] = "mark"


class SqlConnection:
    """A table of PostgreSQL or SQLite.

    Parameters
    ----------
    destination
        Its definition.
    folder
        Folder of the workspace.

    Raises
    ------
    ConfigError
        If a setting is wrong.
    """

    entities = ("person", "account")
    modes: tuple[Mode, ...] = ("mirror", "full", "add_only")
    requires_source = None
    requires_instance = None
    limits = Limits()

    def __init__(self, destination: Destination, folder: Path) -> None:
        self._settings = read_settings(destination, SqlSettings)
        self._name, self._audiences = destination.name, destination.audiences
        self._where, self._folder = destination.where, folder
        scheme = self._settings.uri.partition(":")[0]
        if "$" not in scheme and scheme not in WRITTEN:
            raise not_written(scheme, f"{self._where}, uri")
        for macro in re.findall(r"\{(.*?)\}", self._settings.table):
            if macro not in _MACROS:
                raise UnknownNameError("macro", macro, _MACROS, where=f"{self._where}, table")
        self.fields = keyed_fields(destination, self._settings.key, taken=OWN)
        self.identity = (self._settings.key,)

    def deliver(self, batch: Batch) -> Sequence[Outcome]:
        """Merge an audience into the table; see ``Connection.deliver``.

        Parameters
        ----------
        batch
            The audience, whole.

        Returns
        -------
        sequence of Outcome
            All delivered: the transaction ended well, or there was none.
        """
        stage = self._staged(batch)
        merge = Merge(
            self._table(batch.audience),
            self._settings.key,
            {name: stage.schema.field(name).type for name in [*self.fields, *OWN]},
            audience=batch.audience,
            plan_id=batch.plan_id,
            at=batch.as_of.isoformat(),
            is_whole=batch.mode == "full",
            is_deleted=self._settings.removal == "delete",
        )
        with self._connected() as connection:
            present = _columns(connection, merge.table)
            with connection.cursor() as cursor:
                cursor.adbc_ingest(STAGE, stage, mode="create", temporary=True)
                for statement in [*(merge.prepared(present) if self._settings.create else ()), *merge.statements()]:
                    cursor.execute(statement)
            connection.commit()
        return [DELIVERED] * len(batch.rows)

    def check(self) -> list[Finding]:
        """Look at the login and the permissions, and undo what that changes; see ``Checked.check``."""
        found = []
        for table in sorted({self._table(audience) for audience in self._audiences}):
            with self._connected() as connection:
                is_there = _columns(connection, table) is not None
                what = _PERMISSIONS if is_there else _MAKING if self._settings.create else "SELECT * FROM {0}"
                with connection.cursor() as cursor:
                    for statement in what.format(quoted_table(table)).split(";"):
                        cursor.execute(statement)
                connection.rollback()
                found.append(Finding(f"permission to {'write' if is_there else 'make'} {table}"))
        return [Finding("login"), *found]

    def _table(self, audience: str) -> str:
        return self._settings.table.replace("{destination}", self._name).replace("{audience}", audience)

    def _staged(self, batch: Batch) -> pa.Table:
        key, rows = self._settings.key, batch.rows
        keys = pc.coalesce(rows[key], rows["_row_key"].cast(rows.schema.field(key).type))
        columns = {name: keys if name == key else rows[name] for name in self.fields}
        own = {
            "audience": batch.audience,
            "added_at": batch.as_of,
            "updated_at": batch.as_of,
            "removed_at": None,
            "plan_id": batch.plan_id,
        }
        columns |= {name: pa.repeat(pa.scalar(own[name], kind), len(rows)) for name, kind in OWN.items()}
        return pa.table({**columns, "_action": rows["_action"]})

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        connection = open_for_writing(self._settings.uri, folder=self._folder, where=f"{self._where}, uri")
        try:
            yield connection
        except connection.Error as error:
            raise ActivationError(
                f"The database refused: {told(error)}",
                where=f"{self._where}, table",
                hint=_CURES.get(str(getattr(error, "sqlstate", None)), "Try it in the database itself."),
            ) from None
        finally:
            connection.rollback()
            connection.close()


def _columns(connection: Any, table: str) -> list[str] | None:
    """Return the columns of a table; None if there is no such table."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {quoted_table(table)} LIMIT 0")  # noqa: S608 - quoted
            names: list[str] = cursor.fetch_arrow_table().column_names
            return names
    except connection.Error as error:
        if getattr(error, "sqlstate", None) == "42P01" or "no such table" in str(error):
            return None
        raise
    finally:
        connection.rollback()

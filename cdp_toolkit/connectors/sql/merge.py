"""The statements by which an audience's rows become those of a table.

Invariant: they run in one transaction, so that readers see the table before a delivery or after it; and they change only
rows that differ, so that a delivery which comes again changes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from cdp_toolkit.connectors.sql.adbc import quoted, quoted_table, quoted_text

STAGE = "cdp_stage"
"""Name of the temporary table that rows are loaded into; it has the table's columns and ``_action``."""

_TIME = pa.timestamp("us", "UTC")
OWN = {"audience": pa.string(), "added_at": _TIME, "updated_at": _TIME, "removed_at": _TIME, "plan_id": pa.string()}
"""Columns that a table has besides the mapped fields."""


def sql_type(kind: pa.DataType) -> str:
    """Return what a column is declared as.

    Parameters
    ----------
    kind
        Type of its values.

    Returns
    -------
    str
        A type of SQL.

    Examples
    --------
    >>> sql_type(pa.float64())
    'DOUBLE PRECISION'
    """
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP WITH TIME ZONE"
    known = {pa.int64(): "BIGINT", pa.float64(): "DOUBLE PRECISION", pa.bool_(): "BOOLEAN", pa.date32(): "DATE"}
    return known.get(kind, "TEXT")


@dataclass(frozen=True)
class Merge:
    """How rows of ``STAGE`` become rows of a table.

    Parameters
    ----------
    table
        Name of the table, with its schema before a point.
    key
        Field that a member is known by.
    types
        Type of each column: the mapped fields and ``OWN``.
    audience, plan_id, at
        What is delivered, under which plan and when, as ISO 8601.
    is_whole
        Whether who is not in ``STAGE`` has left.
    is_deleted
        Whether a row that leaves is deleted, instead of getting the time in ``removed_at``.
    """

    table: str
    key: str
    types: Mapping[str, pa.DataType]
    audience: str
    plan_id: str
    at: str
    is_whole: bool
    is_deleted: bool

    def prepared(self, present: Sequence[str] | None) -> Iterator[str]:
        """Return what makes the table, or gives it the columns that it lacks.

        Parameters
        ----------
        present
            Columns that it has; None if it does not exist.

        Yields
        ------
        str
            A statement.
        """
        columns = {name: f"{quoted(name)} {sql_type(kind)}" for name, kind in self.types.items()}
        if present is None:
            unique = f"UNIQUE (audience, {quoted(self.key)})"
            yield f"CREATE TABLE {quoted_table(self.table)} ({', '.join(columns.values())}, {unique})"
            return
        for name, column in columns.items():
            if name not in present:
                yield f"ALTER TABLE {quoted_table(self.table)} ADD COLUMN {column}"

    def statements(self) -> Iterator[str]:
        """Return what brings rows in and takes others out.

        Yields
        ------
        str
            A statement.
        """
        names = ", ".join(map(quoted, self.types))
        fields = [quoted(name) for name in self.types if name not in {*OWN, self.key}]
        new = [f"{name} = excluded.{name}" for name in [*fields, "updated_at", "removed_at", "plan_id"]]
        again = "added_at = CASE WHEN t.removed_at IS NULL THEN t.added_at ELSE excluded.added_at END"
        differs = " OR ".join(["t.removed_at IS NOT NULL", *(f"t.{f} IS DISTINCT FROM excluded.{f}" for f in fields)])
        yield (
            f"INSERT INTO {quoted_table(self.table)} AS t ({names}) "  # noqa: S608 - quoted names
            f"SELECT {names} FROM {STAGE} WHERE _action <> 'remove' "
            f"ON CONFLICT (audience, {quoted(self.key)}) DO UPDATE SET {', '.join([*new, again])} WHERE {differs}"
        )
        yield self._removed()

    def _removed(self) -> str:
        same = f"s.{quoted(self.key)} = t.{quoted(self.key)}"
        left = f"EXISTS (SELECT 1 FROM {STAGE} s WHERE {same} AND s._action = 'remove')"  # noqa: S608 - quoted names
        if self.is_whole:
            left = f"NOT EXISTS (SELECT 1 FROM {STAGE} s WHERE {same} AND s._action <> 'remove')"  # noqa: S608
        mine = f"t.audience = {quoted_text(self.audience)} AND {left}"
        if self.is_deleted:
            return f"DELETE FROM {quoted_table(self.table)} AS t WHERE {mine}"  # noqa: S608 - quoted names
        told = {"removed_at": self.at, "updated_at": self.at, "plan_id": self.plan_id}
        new = ", ".join(f"{name} = {quoted_text(value)}" for name, value in told.items())
        return f"UPDATE {quoted_table(self.table)} AS t SET {new} WHERE t.removed_at IS NULL AND {mine}"  # noqa: S608

"""The rows of a few profiles, looked up instead of found by a scan of everybody's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import narwhals as nw
import numpy as np
import pyarrow as pa

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.segments.buckets import Bucket, Ids
from cdp_toolkit.segments.listed import OF, scan_listed

Take = Callable[[str, Ids, Sequence[str]], pa.Table | None]
"""Gives the rows of profiles in ``profiles/<name>``, with some columns; None where they cannot be looked up."""


@dataclass(frozen=True)
class Lookup:
    """Finds rows of a few profiles.

    Parameters
    ----------
    engine
        Holds them.
    take
        Looks them up.
    """

    engine: Engine
    take: Take

    def rows(self, name: str, bucket: Bucket, owner: str, columns: Sequence[str]) -> Frame | None:
        """Return the rows of a bucket's profiles.

        Parameters
        ----------
        name
            Name of an entity, of a list, or of a table between two.
        bucket
            The profiles.
        owner
            Column of the rows that names their profile.
        columns
            Columns to read.

        Returns
        -------
        Frame or None
            The rows; None where the bucket does not name its profiles, or rows of that table cannot be looked up.
        """
        if bucket.ids is None:
            return None
        of, _, column = name.partition(".")
        if column and owner == OF:
            found = self._taken(of, bucket, ("profile_id", column))
            return None if found is None else scan_listed(lambda _: found, name)
        is_own = owner == "profile_id" and not column
        return self._taken(name, bucket, tuple(dict.fromkeys(["profile_id", *columns]))) if is_own else None

    def bucket(self, rows: Frame, column: str) -> Bucket:
        """Return the profiles that few rows lead to.

        Parameters
        ----------
        rows
            The rows.
        column
            Column with the ids of those profiles.

        Returns
        -------
        Bucket
            The profiles, by their ids.
        """
        ids = self._ids(rows, column)
        return Bucket(only=self.engine.load(pa.table({"profile_id": ids})), ids=ids)

    def few(self, among: Bucket, size: int) -> Bucket | None:
        """Return profiles by their ids, if they are few.

        Parameters
        ----------
        among
            The profiles.
        size
            How many profiles a bucket may hold.

        Returns
        -------
        Bucket or None
            The profiles, by their ids; None if there are too many, or all are meant.
        """
        if among.ids is None and among.only is not None:
            among = self.bucket(among.only, "profile_id")
        return among if among.ids is not None and len(among.ids) <= size else None

    def _ids(self, rows: Frame, column: str) -> Ids:
        found = self.engine.collect(rows.select(nw.col(column)).filter(~nw.col(column).is_null()))
        ids = np.sort(found[column].to_numpy())
        distinct: Ids = ids[np.append(True, ids[1:] != ids[:-1])[: len(ids)]]  # np.unique takes six times as long
        return distinct

    def _taken(self, name: str, bucket: Bucket, columns: tuple[str, ...]) -> Frame | None:
        if (name, columns) not in bucket.known:
            table = None if bucket.ids is None else self.take(name, bucket.ids, columns)
            if table is None:
                return None
            rows = self.engine.load(table)
            texts = [
                nw.col(field.name).cast(nw.String()) for field in table.schema if pa.types.is_dictionary(field.type)
            ]
            bucket.known[name, columns] = rows.with_columns(*texts) if texts else rows
        return bucket.known[name, columns]

"""Rows of a packed table, bucket by bucket, read from the groups of rows in which they lie."""

from collections.abc import Sequence
from threading import Lock

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Place = tuple[str, int]
"""Entity and bucket."""


class Groups:
    """Rows of a packed table by their bucket.

    Parameters
    ----------
    files
        The files of one version, open. Who writes them keeps the rows of a bucket together.
    schema
        Columns to read.
    """

    def __init__(self, files: Sequence[pq.ParquetFile], schema: pa.Schema) -> None:
        self._schema = schema
        self._one_at_a_time = Lock()  # a file has one reader
        self._at: dict[Place, list[tuple[pq.ParquetFile, int, bool]]] = {}
        for file in files:
            for group in range(file.num_row_groups):
                places = _places(file, group)
                for place in places:
                    self._at.setdefault(place, []).append((file, group, len(places) == 1))

    @property
    def places(self) -> list[Place]:
        """The buckets that have rows, in order."""
        return sorted(self._at)

    def rows(self, entity: str, bucket: int) -> pa.Table:
        """Return the rows of a bucket.

        Parameters
        ----------
        entity, bucket
            Which bucket.

        Returns
        -------
        pyarrow.Table
            Its rows, as they are on disk.
        """
        found = []
        for file, group, is_whole in self._at.get((entity, bucket), []):
            with self._one_at_a_time:
                rows = file.read_row_group(group, self._schema.names, use_threads=False)
            if not is_whole:
                rows = rows.filter(pc.and_(pc.equal(rows["entity"], entity), pc.equal(rows["bucket"], bucket)))
            found.append(rows.select(self._schema.names).cast(self._schema))
        return pa.concat_tables(found) if found else self._schema.empty_table()


def _places(file: pq.ParquetFile, group: int) -> set[Place]:
    """Return the buckets of a group of rows, from its statistics where it is of one bucket."""
    columns = [
        file.metadata.row_group(group).column(file.schema_arrow.get_field_index(n)) for n in ("entity", "bucket")
    ]
    found = [column.statistics for column in columns]
    if all(each is not None and each.has_min_max and each.min == each.max for each in found):
        return {(found[0].min, found[1].min)}
    rows = file.read_row_group(group, ["entity", "bucket"], use_threads=False)
    return set(zip(rows["entity"].to_pylist(), rows["bucket"].to_pylist(), strict=True))

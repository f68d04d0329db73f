"""By which rows two versions of a table may differ."""

import narwhals as nw
import pyarrow as pa

from cdp_toolkit.engines import Frame, stretches
from cdp_toolkit.lake.packed import Ids
from cdp_toolkit.lake.reading import Reading
from cdp_toolkit.lake.tables import table

_MOST_KEYS = 200_000  # beyond, their rows are not held in memory


class Comparing(Reading):
    """Tables on disk, one version beside another."""

    def differing(self, name: str, before: int, now: int) -> tuple[Frame, Frame]:
        """Return the rows by which two versions may differ: those in files that the two do not share.

        Parameters
        ----------
        name
            Folder and name of the table.
        before, now
            The versions.

        Returns
        -------
        rows before, rows now
            Rows that are in both versions may be among them, in both frames then.
        """
        few = self._few_differing(name, before, now)
        if few is not None:
            return few
        schemas = [self._schema(name, self.deltas.snapshot(name, version).schema) for version in (before, now)]
        gone: list[str] = []
        come: list[str] = []
        for start, end in self.deltas.stretches(name, before, now):
            old, new = (self.deltas.snapshot(name, version).files for version in (start, end))
            gone += sorted({*old} - {*new})
            come += sorted({*new} - {*old})
        one, other = (
            self.engine.scan(files, schema, self.options) for files, schema in zip((gone, come), schemas, strict=True)
        )
        return one, other

    def changed(self, name: str, before: int, now: int) -> Ids | None:
        """Return the keys of a table whose rows differ between two versions, in any column.

        Parameters
        ----------
        name
            Folder and name of a table that lies in the order of its profiles.
        before, now
            The versions.

        Returns
        -------
        numpy.ndarray or None
            Their ids, each once; None where they are many, or only the rows themselves can tell.
        """
        if "://" in self.uri or table(name, self.model).clustered_by != "profile_id":
            return None
        keys = stretches.differing(*(self._copy(name, version) for version in (before, now)))
        return None if keys is None or len(keys) > _MOST_KEYS else keys

    def _few_differing(self, name: str, before: int, now: int) -> tuple[Frame, Frame] | None:
        """Return the rows of the keys whose rows differ, where copies of both versions tell which those are."""
        if "://" in self.uri:
            return None
        copies = [self._copy(name, version) for version in (before, now)]
        keys = stretches.differing(*copies)
        if keys is None:
            return None
        if len(keys) > _MOST_KEYS:
            by = table(name, self.model).clustered_by
            asked = self.engine.load(pa.table({by: keys}))
            files = [self.deltas.snapshot(name, version).files for version in (before, now)]
            scans = [self.engine.scan(each, copy.schema) for each, copy in zip(files, copies, strict=True)]
            was, is_now = (rows.join(asked, on=by, how="semi") for rows in scans)
            return was, is_now
        one, other = (stretches.take(copy, keys, copy.schema.names) for copy in copies)
        return None if one is None or other is None else (self._plain(one), self._plain(other))

    def _copy(self, name: str, version: int) -> stretches.Copy:
        found = self.deltas.snapshot(name, version)
        files = [file.rpartition("/")[2] for file in found.files]
        return stretches.Copy(f"{self.uri}/{name}", version, files, found.schema)

    def _plain(self, rows: pa.Table) -> Frame:
        texts = [nw.col(field.name).cast(nw.String()) for field in rows.schema if pa.types.is_dictionary(field.type)]
        frame = self.engine.load(rows)
        return frame.with_columns(*texts) if texts else frame

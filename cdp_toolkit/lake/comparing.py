"""By which rows two versions of a table may differ."""

import pyarrow as pa

from cdp_toolkit.engines import Frame, stretches
from cdp_toolkit.engines.differing import Difference, differing
from cdp_toolkit.lake.layers import layers_of
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
        few = self._differing_layers(name, before, now) or self._few_differing(name, before, now)
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

    def changed(self, name: str, before: int, now: int) -> Difference | None:
        """Return how two versions of a table differ.

        Parameters
        ----------
        name
            Folder and name of a table that lies in the order of its profiles.
        before, now
            The versions.

        Returns
        -------
        Difference or None
            None where the keys whose rows differ are many, or only the rows themselves can tell.
        """
        if "://" in self.uri or table(name, self.model).clustered_by != "profile_id":
            return None
        found = differing(*(self._copy(name, version) for version in (before, now)))
        return None if found is None or len(found.keys) > _MOST_KEYS else found

    def _differing_layers(self, name: str, before: int, now: int) -> tuple[Frame, Frame] | None:
        """Return the rows of the keys of later files that the two do not share, where either has any."""
        one, other = (layers_of(self.deltas.snapshot(name, version).files) for version in (before, now))
        if not (one.changes or other.changes):
            return None
        if {*one.base} != {*other.base}:
            return self.scan(name, before), self.scan(name, now)
        known, schema = table(name, self.model), self.deltas.snapshot(name, now).schema
        files = [each.file for each in {*one.changes} ^ {*other.changes}]
        keys = self.engine.materialise(self._scan_changes(schema, files).select(*known.replaced_by).unique())
        found = (self.find(name, keys, version) for version in (before, now))
        was, is_now = (rows.join(keys, on=list(known.replaced_by), how="semi") for rows in found)
        return was, is_now

    def _few_differing(self, name: str, before: int, now: int) -> tuple[Frame, Frame] | None:
        """Return the rows of the keys whose rows differ, where copies of both versions tell which those are."""
        if "://" in self.uri:
            return None
        copies = [self._copy(name, version) for version in (before, now)]
        found = differing(*copies)
        if found is None:
            return None
        keys = found.keys
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

"""What is another than when a verb last ran."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import narwhals as nw

from cdp_toolkit.engines import Frame
from cdp_toolkit.engines.differing import Difference
from cdp_toolkit.lake.pinned import Pinned


class Since(Pinned):
    """Tables that a run reads, beside those that the last run of its verb read and left; see ``Pinned`` for how it begins."""

    def is_repeat(self, *tables: str) -> bool:
        """Tell whether the last run of this verb read the same versions under the same definitions.

        Parameters
        ----------
        *tables
            All tables that decide the outcome.

        Returns
        -------
        bool
            Whether this run would write the same again.
        """
        for name in tables:
            version = self._version(name)
            if version is not None:
                self._read[name] = version
        last = self._store.log.last(self.verb)
        return (
            last is not None
            and last["definitions"] == self._definitions
            and {name: version for name, version in last["read"].items() if name in tables}
            == {name: version for name, version in self._read.items() if name in tables}
        )

    def before(self) -> Callable[[str], Frame] | None:
        """Return the tables that the last run of this verb read, as they were then.

        Returns
        -------
        callable or None
            Scans a table by its name; None if there was no such run, or it ran under other definitions.
        """
        read = self.read_before()
        return None if read is None else lambda name: self._store.scan(name, read.get(name))

    def read_before(self) -> dict[str, int] | None:
        """Return the versions that the last run of this verb read.

        Returns
        -------
        dict or None
            Version by table; None if there was no such run, or it ran under other definitions.
        """
        return None if self._last is None else dict(self._last["read"])

    def version_before(self, name: str) -> int | None:
        """Return the version of a table that the last run of this verb read or left.

        Parameters
        ----------
        name
            Folder and name of the table; one that this verb alone writes, or that it reads.

        Returns
        -------
        int or None
            The version; None if there was none, or no such run, or it ran under other definitions.
        """
        if self._last is None:
            return None
        then: dict[str, int] = self._last["read"] | self._last["written"]
        return then.get(name, self._committed.get(name))

    @cached_property
    def _last(self) -> dict[str, Any] | None:
        last = self._store.log.last(self.verb)
        return None if last is None or last["definitions"] != self._definitions else last

    def left_over(self) -> set[str]:
        """Return what the last run of this verb left to a later one.

        Returns
        -------
        set of str
            Names that it gave to ``leave``; none if it ran under other definitions, after which all is done anyway.
        """
        return set() if self._last is None else {*self._last["details"].get("left", {})}

    def has_written(self, *tables: str) -> bool:
        """Tell whether this run has written any of some tables.

        Parameters
        ----------
        *tables
            Their folders and names.

        Returns
        -------
        bool
            Whether it has.
        """
        return not self._written.keys().isdisjoint(tables)

    def is_changed(self, *tables: str) -> bool:
        """Tell whether any of some tables is another than when this verb last ran.

        Parameters
        ----------
        *tables
            Tables that this run reads, and those that it writes itself.

        Returns
        -------
        bool
            True also where the last run had other definitions, whichever tables are named, if any. A table that this verb writes is as the last run left it,
            as long as this run has not written it.
        """
        if self._last is None:
            return True
        then = self._last["read"] | self._last["written"]
        return any(
            name in self._written or then.get(name, now) != now for name in tables for now in [self._pinned(name)]
        )

    def differing(self, name: str, before: int) -> tuple[Frame, Frame] | None:
        """Return the rows by which a table may differ from an earlier version.

        Parameters
        ----------
        name
            Folder and name of the table.
        before
            The earlier version.

        Returns
        -------
        tuple of Frame or None
            See ``Store.differing``; None where this run reads that very version.
        """
        now = self._pinned(name)
        return None if now is None or now == before else self._store.differing(name, before, now)

    def changed(self, name: str, before: int) -> Difference | None:
        """Return how a table differs from an earlier version.

        Parameters
        ----------
        name
            Folder and name of the table.
        before
            The earlier version.

        Returns
        -------
        Difference or None
            See ``Store.changed``; empty where this run reads that very version.
        """
        now = self._pinned(name)
        if now is None or now == before:
            return Difference()
        return self._store.changed(name, before, now)

    def came(self, name: str) -> Frame | None:
        """Return the rows that a table has more than when this verb last ran.

        Parameters
        ----------
        name
            Folder and name of a table to which rows are added.

        Returns
        -------
        Frame or None
            None if the last run did not read it, or ran under other definitions, or the table was written anew since.
        """
        then = (self.read_before() or {}).get(name)
        anew = self._store.deltas.written_anew(name)
        if then is None or anew is None or anew > then:
            return None
        grown = self.grown(name, then)
        return None if grown is None else grown[0]

    def grown(self, name: str, before: int | None) -> tuple[Frame, int] | None:
        """Return the rows that a table has more than an earlier version.

        Parameters
        ----------
        name
            Folder and name of the table.
        before
            The earlier version; None if there was none.

        Returns
        -------
        rows, count or None
            None if rows of the earlier version are not there any more.
        """
        now = self._pinned(name)
        if before is None:
            return self.scan(name), self.rows(name)
        if now is None or now == before:
            return self.scan(name).head(0), 0
        _, rows = self._store.differing(name, before, now)
        more = self._store.rows_at(name, now) - self._store.rows_at(name, before)
        counted = self._store.engine.collect(rows.select(rows=nw.len()))["rows"][0].as_py()
        return (rows, more) if counted == more else None

"""Kinds of rows: what conditions ask of an event besides its time is the same for all events of a kind.

So it is asked once of each kind, and a row finds the conditions that it meets by one join.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import narwhals as nw
import numpy as np
import pyarrow as pa

from cdp_toolkit.engines import Engine, Frame
from cdp_toolkit.segments.buckets import Bucket
from cdp_toolkit.segments.compile import OWNER, Plan
from cdp_toolkit.segments.counted import Group
from cdp_toolkit.segments.expressions import expression
from cdp_toolkit.segments.places import Ids
from cdp_toolkit.segments.pql.bound import Bound, Leaf, Step

# Beyond this many kinds, conditions are asked of each row instead.
_MANY = 50_000


@dataclass(frozen=True)
class Rows:
    """The rows that a group of facts is about.

    Parameters
    ----------
    plan
        Turns conditions into frames.
    entity
        Whose rows.
    group
        The facts.
    """

    plan: Plan
    entity: str
    group: Group

    @property
    def names(self) -> list[str]:
        """The columns that tell kinds apart."""
        return [f"_kind{index}" for index in range(len(self.group.columns))]

    def of(self, bucket: Bucket) -> Frame:
        """Return the rows of a bucket.

        Parameters
        ----------
        bucket
            Whose rows.

        Returns
        -------
        Frame
            One row per owner and row: ``_owner``, the columns of its kind, and ``_at`` where there are windows.
        """
        lookup, key = self.plan.lookup, (self.group.relation, self.group.columns, self.group.time, self.group.bounds)
        if lookup is None or bucket.ids is None:
            return self._of(bucket)
        if key not in bucket.known:
            bucket.known[key] = lookup.engine.materialise(self._of(bucket))
        return bucket.known[key]

    def _of(self, bucket: Bucket) -> Frame:
        columns, time = self.group.columns, self.group.time
        needed: list[Leaf] = [*columns, *([time] if time else [])]
        frame, names = self.plan.array(self.entity, [Step(self.group.relation)], needed, bucket=bucket)
        read = {own: nw.col(names[column]) for own, column in zip(self.names, columns, strict=True)}
        frame = frame.select(OWNER, **read, **({"_at": nw.col(names[time])} if time else {}))
        bounds = self.group.bounds
        if bounds is not None:
            first, last = (nw.lit(bound, nw.Datetime("us", "UTC")) for bound in bounds)
            frame = frame.filter((nw.col("_at") >= first) & (nw.col("_at") <= last))
        return frame

    def kinds(self, engine: Engine, divided: Sequence[Bucket]) -> pa.Table | None:
        """Look up which kinds there are.

        Parameters
        ----------
        engine
            Looks.
        divided
            The buckets of profiles.

        Returns
        -------
        pyarrow.Table or None
            One row per kind; None where there are too many to be worth it.
        """
        if not self.names:
            return pa.table({"_none": [0]})
        first = divided[0]
        if len(divided) > 1:
            few = self.of(first).select(*self.names).unique(self.names)
            if engine.collect(few.select(count=nw.len()))["count"][0].as_py() > _MANY:
                return None
        everybody = first if len(divided) == 1 else Bucket(only=first.only)
        found = engine.collect(self.of(everybody).select(*self.names).unique(self.names))
        return found if len(found) <= _MANY else None

    def met(self, engine: Engine, kinds: pa.Table, bases: Iterable[Bound]) -> dict[Bound, Ids]:
        """Ask conditions of kinds.

        Parameters
        ----------
        engine
            Computes them.
        kinds
            One row per kind.
        bases
            Conditions.

        Returns
        -------
        dict
            For each condition the numbers of the kinds that meet it.
        """
        columns: dict[Leaf, str] = dict(zip(self.group.columns, self.names, strict=True))
        distinct = {f"_base{index}": base for index, base in enumerate(dict.fromkeys(bases))}
        asked = {name: expression(base, columns, self.plan.clock).fill_null(False) for name, base in distinct.items()}
        numbered = engine.load(kinds.append_column("_number", pa.array(np.arange(len(kinds)))))
        table = engine.collect(numbered.select("_number", **asked))
        numbers = table["_number"].to_numpy()
        return {base: numbers[table[name].to_numpy()] for name, base in distinct.items()}


def keyed_table(kinds: pa.Table, nullable: Sequence[str]) -> pa.Table:
    """Return kinds without null, which no join finds.

    Parameters
    ----------
    kinds
        One row per kind.
    nullable
        Columns with null.

    Returns
    -------
    pyarrow.Table
        The same with another value instead of null, and a column that says where.
    """
    for name in nullable:
        column = kinds[name]
        filled = column.fill_null(False if pa.types.is_boolean(column.type) else "")
        kinds = kinds.append_column(f"{name}_is_null", column.is_null())
        kinds = kinds.set_column(kinds.column_names.index(name), name, filled)
    return kinds


def keyed(rows: Frame, nullable: Sequence[str]) -> Frame:
    """Return rows with the keys that ``keyed_table`` gives to kinds.

    Parameters
    ----------
    rows
        Rows with the columns of kinds.
    nullable
        Columns with null.

    Returns
    -------
    Frame
        The same rows.
    """
    if not nullable:
        return rows
    types = rows.collect_schema()
    filled = {name: nw.col(name).fill_null(False if types[name] == nw.Boolean else "") for name in nullable}
    return rows.with_columns(**filled, **{f"{name}_is_null": nw.col(name).is_null() for name in nullable})

"""Arrays whose conditions read further than the row that the array belongs to.

Most arrays are reduced by themselves, to one row per owner. One whose rows are compared with rows of another array,
or of which only the first few count, is walked instead: from each choice of outer rows along the relations, one join a
step, and reduced to one value a choice. That costs as many rows as there are choices, so it is done for those alone.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

import narwhals as nw

from cdp_toolkit.engines import Frame
from cdp_toolkit.model import Model
from cdp_toolkit.segments.chains import chained
from cdp_toolkit.segments.expressions import Expr, expression
from cdp_toolkit.segments.listed import row_id_of
from cdp_toolkit.segments.pql.bound import Aggregate, Column, Keep, Leaf, Step, leaves, shifted
from cdp_toolkit.segments.pql.reach import reach
from cdp_toolkit.segments.pql.times import Clock

_OWNER = "_owner"
_Names = dict[Leaf, str]


class _Rows(Protocol):
    """What gives the rows of entities and of relations; the plan that asks for a nested array."""

    @property
    def model(self) -> Model:
        """Entities and relations."""

    @property
    def clock(self) -> Clock:
        """Where days begin."""

    def rows(self, entity: str, needed: Sequence[Leaf], *, keys: Sequence[str] = ...) -> tuple[Frame, _Names]:
        """Return the rows of an entity: the keys, and a column a leaf."""

    def array(
        self, entity: str, steps: Sequence[Step], needed: Sequence[Leaf], *, keys: Sequence[str] = ...
    ) -> tuple[Frame, _Names]:
        """Return the rows behind a relation: ``_owner``, the keys, and a column a leaf."""


@dataclass(frozen=True)
class _Around:
    """One row per choice of rows; for each level, from the innermost out, its entity and the column of its row."""

    frame: Frame
    entities: tuple[str, ...]
    keys: tuple[str, ...]

    def used(self, leaf: Leaf) -> list[str]:
        return [self.keys[up] for up in sorted(reach(leaf))]


@dataclass(frozen=True)
class Nested:
    """Walks arrays from the rows around them.

    Parameters
    ----------
    plan
        Gives the rows of entities and relations.
    """

    plan: _Rows
    _numbers: Iterator[int] = field(default_factory=count, init=False)

    def value(self, owners: Frame, entity: str, aggregate: Aggregate, name: str) -> Frame:
        """Compute an aggregate for rows of an entity.

        Parameters
        ----------
        owners
            The rows, with the column that tells them apart.
        entity
            What they are.
        aggregate
            As seen from such a row.
        name
            Column for the value.

        Returns
        -------
        Frame
            One row per owner that has rows in the array: ``_owner`` and the value.
        """
        key = self._new()
        around = _Around(owners.select(nw.col(row_id_of(entity)).alias(key)), (entity,), (key,))
        return self._reduced(around, aggregate, name).select(nw.col(key).alias(_OWNER), name)

    def _new(self) -> str:
        return f"_nested{next(self._numbers)}"

    def _reduced(self, around: _Around, aggregate: Aggregate, name: str) -> Frame:
        """Return one row per choice of the outer rows that the aggregate reads, and its value."""
        keys = around.used(aggregate)
        inner, names = self._walked(around, aggregate, keys)
        if aggregate.function == "chain":
            return self._chained(inner.frame, aggregate, names, keys, name)
        value = nw.lit(1) if aggregate.value is None else expression(aggregate.value, names, self.plan.clock)
        rows = inner.frame.select(*keys, _value=value)
        if aggregate.function == "distinct":
            rows = rows.filter(~nw.col("_value").is_null())
        return (
            rows.group_by(*keys)
            .agg(_REDUCED[aggregate.function](nw.col("_value")).alias(name))
            .select(*keys, _FINISHED.get(aggregate.function, nw.col)(name).alias(name))
        )

    def _chained(self, frame: Frame, chain: Aggregate, names: _Names, keys: Sequence[str], name: str) -> Frame:
        owner, *others = keys
        if others:
            owner = self._new()
            texts = [nw.col(key).cast(nw.String()) for key in keys]
            frame = frame.with_columns(nw.concat_str(texts, separator=" ").alias(owner))
        found = chained(frame, chain, name, names, self.plan.clock, owner=owner)
        return (
            frame.select(*keys, owner).unique().join(found, on=owner, how="left").select(*keys, name)
            if others
            else found
        )

    def _walked(self, around: _Around, aggregate: Aggregate, keys: Sequence[str]) -> tuple[_Around, _Names]:
        """Return one row per choice of outer rows and row of the array that counts."""
        at, entity = around.keys[aggregate.up], around.entities[aggregate.up]
        frame, names = around.frame.select(*keys).unique(), dict[Leaf, str]()
        steps = (*(Step(hop) for hop in aggregate.hops), *aggregate.steps)
        of_row = [*(stage.condition for stage in aggregate.stages), *([aggregate.value] if aggregate.value else [])]
        inner = around
        for index, step in enumerate(steps):
            asked = [*step.conditions, *(of_row if index == len(steps) - 1 else ())]
            needed = list(dict.fromkeys(leaf for each in asked for leaf in leaves(each)))
            near = [leaf for leaf in needed if reach(leaf) == {0}]
            frame, here, entity, names = self._stepped(frame, at, entity, step, near)
            inner = _Around(frame, (entity, *around.entities), (here, *around.keys))
            frame, further = self._completed(inner, [leaf for leaf in needed if leaf not in names])
            names |= further
            if step.condition is not None:
                frame = frame.filter(expression(step.condition, names, self.plan.clock))
            if step.keep is not None:
                frame = self._kept(frame, step.keep, names, keys, here)
            at = here
            if index < len(steps) - 1:
                frame = frame.select(*dict.fromkeys([*keys, at]))
        return _Around(frame, inner.entities, inner.keys), names

    def _stepped(
        self, frame: Frame, at: str, entity: str, step: Step, near: Sequence[Leaf]
    ) -> tuple[Frame, str, str, _Names]:
        """Return the frame with the rows behind it: their key, their entity and the columns of leaves."""
        here, owner = self._new(), self._new()
        if step.relation:
            target = self.plan.model.entity(entity).relations[step.relation].to
            rows, found = self.plan.array(entity, [Step(step.relation)], near, keys=[row_id_of(target)])
            rows = rows.with_columns(nw.col(_OWNER).alias(owner))
        else:
            target = entity
            rows, found = self.plan.rows(entity, near, keys=[row_id_of(entity)])
            rows = rows.with_columns(nw.col(row_id_of(entity)).alias(owner))
        names = {leaf: self._new() for leaf in near}
        columns = {names[leaf]: nw.col(found[leaf]) for leaf in near}
        rows = rows.select(owner, **{here: nw.col(row_id_of(target))}, **columns)
        return frame.join(rows, left_on=at, right_on=owner, how="inner"), here, target, names

    def _completed(self, around: _Around, needed: Sequence[Leaf]) -> tuple[Frame, _Names]:
        """Return the frame with a column for each leaf, be it of the innermost row or of one further out."""
        frame, names = around.frame, dict[Leaf, str]()
        for up, found in _by_level(needed).items():
            frame, more = self._joined(frame, around.entities[up], around.keys[up], up, found)
            names |= more
        for leaf in needed:
            if leaf not in names and isinstance(leaf, Aggregate):
                names[leaf] = self._new()
                # From the frame as it was: with what is joined already in it, each leaf would double the plan.
                frame = frame.join(self._reduced(around, leaf, names[leaf]), on=around.used(leaf), how="left")
        return frame, names

    def _joined(self, frame: Frame, entity: str, key: str, up: int, found: Sequence[Leaf]) -> tuple[Frame, _Names]:
        row_id = row_id_of(entity)
        names: _Names = {leaf: key for leaf in found if isinstance(leaf, Column) and _is_id(leaf, row_id)}
        beyond = [leaf for leaf in found if leaf not in names]
        if not beyond:
            return frame, names
        rows, theirs = self.plan.rows(entity, [shifted(leaf, -up) for leaf in beyond], keys=[row_id])
        owner = self._new()
        new = {leaf: self._new() for leaf in beyond}
        columns = {name: nw.col(theirs[shifted(leaf, -up)]) for leaf, name in new.items()}
        rows = rows.select(nw.col(row_id).alias(owner), **columns)
        return frame.join(rows, left_on=key, right_on=owner, how="left"), names | new

    def _kept(self, frame: Frame, keep: Keep, names: _Names, keys: Sequence[str], here: str) -> Frame:
        """Keep the first or last rows of each choice, or of each group in it; ties are told apart by the row."""
        order = nw.col(here) if keep.value is None else expression(keep.value, names, self.plan.clock)
        group = nw.lit(0) if keep.by is None else expression(keep.by, names, self.plan.clock)
        frame = frame.with_columns(_order=order, _group=group, _one=nw.lit(1))
        frame = frame.filter(~nw.col("_order").is_null() & ~nw.col("_group").is_null())
        within = (*keys, "_group")
        from_start = nw.col("_one").cum_sum().over(*within, order_by=["_order", here]).cast(nw.Int64)
        frame = frame.with_columns(_place=from_start, _all=nw.col("_one").sum().over(*within).cast(nw.Int64))
        place = nw.col("_all") - nw.col("_place") + 1 if keep.is_from_end else nw.col("_place")
        return frame.filter(place <= keep.amount).drop("_order", "_group", "_one", "_place", "_all")


def _is_id(leaf: Column, row_id: str) -> bool:
    return leaf.name == row_id and not leaf.hops


def _by_level(needed: Iterable[Leaf]) -> dict[int, list[Leaf]]:
    levels: dict[int, list[Leaf]] = {}
    for leaf in needed:
        ups = reach(leaf)
        if len(ups) == 1:
            levels.setdefault(min(ups), []).append(leaf)
    return levels


_REDUCED: dict[str, Callable[[Expr], Expr]] = {
    "exists": lambda value: value.len(),
    "forall": lambda value: (~value.fill_null(False)).any(),
    "count": lambda value: value.count(),
    "distinct": lambda value: value.n_unique(),
    "sum": lambda value: value.cast(nw.Float64).sum(),
    "average": lambda value: value.cast(nw.Float64).mean(),
    "min": lambda value: value.min(),
    "max": lambda value: value.max(),
}
_FINISHED: dict[str, Callable[[str], Expr]] = {
    "exists": lambda name: nw.col(name) > 0,
    "forall": lambda name: ~nw.col(name),
    "count": lambda name: nw.col(name).cast(nw.Int64),
    "distinct": lambda name: nw.col(name).cast(nw.Int64),
}

"""Bound conditions of one entity to one plan.

What conditions need of a row are its leaves: columns, columns behind to-one relations, and aggregates of arrays.
Each leaf is computed once, under a column of its own, however many conditions use it:

- columns behind a to-one relation by one left join, of the needed columns only;
- all aggregates over the same array by one pass over its rows: a column a condition, grouped by the owner.

Both go to any depth, since the rows of an array are made in the same way.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from operator import or_

import narwhals as nw

from cdp_toolkit.engines import Frame
from cdp_toolkit.model import Model, Relation
from cdp_toolkit.segments.buckets import Bucket
from cdp_toolkit.segments.chains import chained
from cdp_toolkit.segments.expressions import Expr, expression
from cdp_toolkit.segments.layers import in_layers
from cdp_toolkit.segments.listed import Scan, row_id_of, scan_listed, with_lists
from cdp_toolkit.segments.lookup import Lookup
from cdp_toolkit.segments.nested import Nested
from cdp_toolkit.segments.pql.bound import Aggregate, Bound, Column, Leaf, Step, leaves, outer, shifted
from cdp_toolkit.segments.pql.reach import is_nested
from cdp_toolkit.segments.pql.times import Clock

OWNER = "_owner"
ALL = Bucket()
_TARGET = "_target"

Names = dict[Leaf, str]


@dataclass(frozen=True)
class Plan:
    """Where conditions are turned into frames.

    Parameters
    ----------
    scan
        Gives ``profiles/<name>`` for the name of an entity or of a table between two.
    model
        Entities and relations.
    clock
        Where days begin.
    lookup
        Finds rows of few profiles; all are scanned by default.
    """

    scan: Scan
    model: Model
    clock: Clock
    lookup: Lookup | None = None

    def __post_init__(self) -> None:
        """Widen the model and the tables by lists and by the history of segments."""
        object.__setattr__(self, "model", with_lists(self.model))
        object.__setattr__(self, "scan", partial(scan_listed, self.scan))

    def flags(self, entity: str, conditions: Mapping[str, Bound], *, bucket: Bucket = ALL) -> Frame:
        """Return the truth of conditions for each row.

        Parameters
        ----------
        entity
            Whose rows.
        conditions
            Conditions, or any values, by the name of their column; equal ones are computed once.
        bucket
            Which profiles; all by default.

        Returns
        -------
        Frame
            One row per profile: ``profile_id`` and a column a condition; null where it is unknown.
        """
        rows, names = self.rows(entity, _leaves(conditions.values()), bucket=bucket)
        distinct = {each: f"_condition_{index}" for index, each in enumerate(dict.fromkeys(conditions.values()))}
        rows, shallow, names = in_layers(rows, list(distinct), names, self.clock)
        pairs = zip(distinct.values(), shallow, strict=True)
        rows = rows.select("profile_id", **{column: expression(each, names, self.clock) for column, each in pairs})
        return rows.select("profile_id", **{name: nw.col(distinct[each]) for name, each in conditions.items()})

    def rows(
        self,
        entity: str,
        needed: Sequence[Leaf],
        *,
        keys: Sequence[str] = ("profile_id",),
        bucket: Bucket = ALL,
        owner: str = "profile_id",
    ) -> tuple[Frame, Names]:
        """Return the rows of an entity with what conditions need of them.

        Parameters
        ----------
        entity
            Whose rows.
        needed
            Leaves of the conditions, all of the row in hand.
        keys
            Columns to keep besides.
        bucket
            Which owners; all by default.
        owner
            Column of the rows that names their owner.

        Returns
        -------
        Frame
            The keys, and a column a leaf.
        dict
            Name of the column of each leaf.
        """
        start = {leaf: _grounded(leaf) for leaf in _with_outer(needed)}
        names = {leaf: f"_{index}" for index, leaf in enumerate(dict.fromkeys(start.values()))}
        nested = [leaf for leaf in names if isinstance(leaf, Aggregate) and is_nested(leaf)]
        behind = [leaf for leaf in names if leaf.hops and leaf not in nested]
        arrays = [leaf for leaf in names if isinstance(leaf, Aggregate) and not leaf.hops and leaf not in nested]
        hops = [self.model.entity(entity).relations[name] for name in dict.fromkeys(leaf.hops[0] for leaf in behind)]
        row_id = row_id_of(entity)
        kept = dict.fromkeys([*keys, *([row_id] if arrays or nested else []), *(hop.near for hop in hops)])
        own = {names[leaf]: nw.col(leaf.name) for leaf in names if isinstance(leaf, Column) and not leaf.hops}
        read = [*kept, *(leaf.name for leaf in names if isinstance(leaf, Column) and not leaf.hops)]
        frame = self._of(entity, bucket, owner, read).select(*kept, **own)
        for hop in hops:
            frame = self._join_one(frame, hop, [leaf for leaf in behind if leaf.hops[0] == hop.name], names, bucket)
        known = {leaf: names[found] for leaf, found in start.items()}
        bare = frame  # what is joined already need not be computed again for each array
        for leaf in nested:
            found = Nested(self).value(bare, entity, leaf, names[leaf])
            frame = frame.join(found, left_on=row_id, right_on=OWNER, how="left")
        for group in _groups(arrays):
            # The rows of an array name their owner by its own id, which is the bucket's where rows are profiles.
            of = bucket if row_id_of(entity) == owner else ALL
            frame = self._join_many(frame, entity, group, known | names, of)
        return frame.select(*keys, *names.values()), known

    def _of(self, name: str, bucket: Bucket, owner: str, columns: Sequence[str]) -> Frame:
        """Return the rows of a bucket's profiles, with these columns at least."""
        found = None if self.lookup is None else self.lookup.rows(name, bucket, owner, columns)
        return bucket.of(self.scan(name), owner) if found is None else found

    def _led_to(self, rows: Frame, column: str, bucket: Bucket) -> Bucket:
        """Return the profiles that rows lead to, if the rows are those of few; all otherwise."""
        return ALL if self.lookup is None or bucket.ids is None else self.lookup.bucket(rows, column)

    def _join_one(self, frame: Frame, relation: Relation, found: Sequence[Leaf], names: Names, bucket: Bucket) -> Frame:
        nearer = {leaf: replace(leaf, hops=leaf.hops[1:]) for leaf in found}
        target, theirs = self.rows(
            relation.to, list(nearer.values()), bucket=self._led_to(frame, relation.near, bucket)
        )
        columns = {names[leaf]: nw.col(theirs[near]) for leaf, near in nearer.items()}
        target = target.select(nw.col("profile_id").alias(_TARGET), **columns)
        return frame.join(target, left_on=relation.near, right_on=_TARGET, how="left")

    def _join_many(self, frame: Frame, entity: str, group: Sequence[Aggregate], names: Names, bucket: Bucket) -> Frame:
        rows, inside = self.rows_of(entity, group, frame, names, bucket=bucket)
        if group[0].function == "chain":
            reduced = chained(rows, group[0], names[group[0]], inside, self.clock, owner=OWNER)
        else:
            reduced = _reduced(rows, {names[each]: each for each in group}, inside, self.clock)
        return frame.join(reduced, left_on=row_id_of(entity), right_on=OWNER, how="left")

    def rows_of(
        self,
        entity: str,
        group: Sequence[Aggregate],
        frame: Frame,
        names: Names,
        *,
        keys: Sequence[str] = (),
        bucket: Bucket = ALL,
    ) -> tuple[Frame, Names]:
        """Return the rows that aggregates look at, with all that is asked of them.

        Parameters
        ----------
        entity
            Whose array.
        group
            Aggregates over the same array.
        frame
            The owners, with what the conditions read of them.
        names
            Columns of ``frame`` by leaf.
        keys
            Columns of the rows to keep besides.
        bucket
            Which owners; all by default.

        Returns
        -------
        Frame
            One row per owner and row: ``_owner``, the keys, and a column a leaf.
        dict
            Name of the column of each leaf, as seen from a row.
        """
        rows, inside = self.array(entity, group[0].steps, _leaves_of_rows(group), keys=keys, bucket=bucket)
        around = dict.fromkeys(leaf for each in group for leaf in outer(each))
        if not around:
            return rows, inside
        # Under names of their own, since the rows of the array number their columns in the same way.
        columns = {names[leaf]: f"_outer{names[leaf]}" for leaf in around}
        owners = frame.select(
            nw.col(row_id_of(entity)).alias(OWNER), *(nw.col(name).alias(alias) for name, alias in columns.items())
        )
        outside = {shifted(leaf, 1): columns[names[leaf]] for leaf in around}
        return rows.join(owners, on=OWNER, how="inner"), inside | outside

    def array(
        self,
        entity: str,
        steps: Sequence[Step],
        needed: Sequence[Leaf],
        *,
        keys: Sequence[str] = (),
        bucket: Bucket = ALL,
    ) -> tuple[Frame, Names]:
        """Return the rows that relations lead to.

        Parameters
        ----------
        entity
            Where they start.
        steps
            The relations; the condition of the last one is not applied.
        needed
            What is needed of each row.
        keys
            Columns of the rows to keep besides.
        bucket
            Which owners; all by default.

        Returns
        -------
        Frame
            One row per owner and row behind it: ``_owner``, the keys, and a column a leaf.
        dict
            Name of the column of each leaf.
        """
        first, *rest = steps
        relation = self.model.entity(entity).relations[first.relation]
        if not rest:
            return self._behind(entity, relation, needed, keys, bucket)
        row_id = row_id_of(relation.to)
        owned = [] if first.condition is None else list(leaves(first.condition))
        near, names = self._behind(entity, relation, owned, [row_id], bucket)
        if first.condition is not None:
            near = near.filter(expression(first.condition, names, self.clock))
        near = near.select(nw.col(OWNER).alias("_near"), nw.col(row_id).alias("_id"))
        beyond = self._led_to(near, "_id", bucket) if row_id == "profile_id" else ALL
        far, names = self.array(relation.to, rest, needed, keys=keys, bucket=beyond)
        joined = near.join(far, left_on="_id", right_on=OWNER, how="inner")
        return joined.select(nw.col("_near").alias(OWNER), *keys, *dict.fromkeys(names.values())), names

    def _behind(
        self, entity: str, relation: Relation, needed: Sequence[Leaf], keys: Sequence[str], bucket: Bucket
    ) -> tuple[Frame, Names]:
        if relation.many and relation.through is None:
            kept = list(dict.fromkeys([relation.far, *keys]))
            rows, names = self.rows(relation.to, needed, keys=kept, bucket=bucket, owner=relation.far)
            owner = nw.col(relation.far)
        else:
            pairs = self.pairs(entity, relation, bucket)
            led_to = self._led_to(pairs, _TARGET, bucket)
            rows, names = self.rows(relation.to, needed, keys=list(dict.fromkeys(["profile_id", *keys])), bucket=led_to)
            rows = rows.with_columns(nw.col("profile_id").alias("_id")).join(
                pairs, left_on="_id", right_on=_TARGET, how="inner"
            )
            owner = nw.col("_near")
        rows = rows.select(owner.alias(OWNER), *keys, *dict.fromkeys(names.values()))
        return rows.filter(~nw.col(OWNER).is_null()), names

    def pairs(self, entity: str, relation: Relation, bucket: Bucket = ALL) -> Frame:
        """Return who is tied to whom by a relation that is not kept in the rows it leads to.

        Parameters
        ----------
        entity
            Where the relation starts.
        relation
            The relation.
        bucket
            Whose ties; everybody's by default.

        Returns
        -------
        Frame
            One row per tie: ``_near``, the row's own id, and ``_target``, the id of the profile that it leads to.
        """
        near, far, name = (
            (row_id_of(entity), relation.near, entity)
            if relation.through is None
            else (relation.near, relation.far, relation.through)
        )
        rows = self._of(name, bucket, near, [near, far])
        return rows.select(nw.col(near).alias("_near"), nw.col(far).alias(_TARGET))


def _leaves(conditions: Iterable[Bound]) -> list[Leaf]:
    return list(dict.fromkeys(leaf for each in conditions for leaf in leaves(each)))


def _with_outer(needed: Sequence[Leaf]) -> Iterator[Leaf]:
    for leaf in needed:
        if isinstance(leaf, Aggregate) and not is_nested(leaf):
            yield from outer(leaf)
        yield leaf


def _grounded(leaf: Leaf) -> Leaf:
    """Return an aggregate that reads its variable's row as one that starts at that row."""
    if isinstance(leaf, Aggregate) and leaf.hops and not is_nested(leaf) and any(True for _ in outer(leaf)):
        return replace(leaf, hops=(), steps=(*(Step(hop) for hop in leaf.hops), *leaf.steps))
    return leaf


def _groups(arrays: Sequence[Aggregate]) -> list[list[Aggregate]]:
    """Return aggregates over the same rows together, a chain alone; those that read no other aggregate come first."""
    groups: dict[object, list[Aggregate]] = {}
    for each in sorted(arrays, key=lambda each: any(True for _ in outer(each))):
        reads_owner = any(True for _ in outer(each))
        chain = each.stages and each
        groups.setdefault((each.steps[:-1], each.steps[-1].relation, reads_owner, chain), []).append(each)
    return list(groups.values())


def _asked(each: Aggregate) -> Iterator[Bound]:
    """Return what is asked of a row of the array itself, not of the rows on the way to it."""
    stages = (stage.condition for stage in each.stages)
    yield from (each for each in (each.steps[-1].condition, each.value, *stages) if each is not None)


def _leaves_of_rows(group: Sequence[Aggregate]) -> list[Leaf]:
    found = _leaves(condition for each in group for condition in _asked(each))
    return [leaf for leaf in found if leaf.up == 0]


def _in_layers(
    rows: Frame, group: Mapping[str, Aggregate], names: Names, clock: Clock
) -> tuple[Frame, Mapping[str, Aggregate], Names]:
    asked = [part for each in group.values() for part in (each.steps[-1].condition, each.value) if part is not None]
    rows, found, names = in_layers(rows, asked, names, clock)
    if found == asked:
        return rows, group, names
    shallow = dict(zip(asked, found, strict=True))

    def lowered(each: Aggregate) -> Aggregate:
        *before, last = each.steps
        last = replace(last, condition=last.condition and shallow[last.condition])
        return replace(each, steps=(*before, last), value=each.value and shallow[each.value])

    return rows, {name: lowered(each) for name, each in group.items()}, names


def _reduced(rows: Frame, group: Mapping[str, Aggregate], names: Names, clock: Clock) -> Frame:
    """Return one row per owner: a column an aggregate."""
    rows, group, names = _in_layers(rows, group, names, clock)
    conditions = dict.fromkeys(each.steps[-1].condition for each in group.values())
    flags = {condition: f"_flag{index}" for index, condition in enumerate(conditions)}
    rows = rows.with_columns(
        **{
            column: nw.lit(True) if condition is None else expression(condition, names, clock).fill_null(False)
            for condition, column in flags.items()
        }
    )
    if None not in flags:
        rows = rows.filter(reduce(or_, map(nw.col, flags.values())))
    flag = {name: nw.col(flags[each.steps[-1].condition]) for name, each in group.items()}
    rows = rows.select(OWNER, **{name: _of_row(each, flag[name], names, clock) for name, each in group.items()})
    grouped = rows.group_by(OWNER).agg(
        *(_OF_ROWS[each.function](nw.col(name)).alias(name) for name, each in group.items()),
        *(
            nw.col(name).is_null().any().alias(f"{name}_null")
            for name, each in group.items()
            if each.function == "distinct"
        ),
    )
    return grouped.select(OWNER, *(_result(each, name) for name, each in group.items()))


def _of_row(each: Aggregate, flag: Expr, names: Names, clock: Clock) -> Expr:
    """Return what one row gives to an aggregate."""
    if each.value is None:
        return flag if each.function == "exists" else flag.cast(nw.Int64)
    value = expression(each.value, names, clock)
    if each.function == "forall":
        return flag & ~value.fill_null(False)  # a row that breaks the rule
    if each.function == "count":
        return (flag & ~value.is_null()).cast(nw.Int64)
    value = value.cast(nw.Float64) if each.function in {"sum", "average"} else value
    return nw.when(flag).then(value)


_OF_ROWS: dict[str, Callable[[Expr], Expr]] = {
    "exists": lambda flag: flag.any(),
    "forall": lambda broken: broken.any(),
    "count": lambda one: one.sum(),
    "distinct": lambda value: value.n_unique(),
    "sum": lambda value: value.sum(),
    "average": lambda value: value.mean(),
    "min": lambda value: value.min(),
    "max": lambda value: value.max(),
}


def _result(each: Aggregate, name: str) -> Expr:
    column = nw.col(name)
    match each.function:
        case "forall":
            column = ~column
        case "count":
            column = column.cast(nw.Int64)  # DuckDB sums whole numbers to wider ones
        case "distinct":
            column = column.cast(nw.Int64) - nw.col(f"{name}_null").cast(nw.Int64)  # null is no value
    return column.alias(name)

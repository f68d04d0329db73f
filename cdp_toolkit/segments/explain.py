"""Why a profile is in a segment, or out of it: each condition, its truth, and the facts that decide."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from html import escape
from typing import Any

import narwhals as nw

from cdp_toolkit.engines import Frame
from cdp_toolkit.errors import DataError
from cdp_toolkit.model import Model
from cdp_toolkit.segments.bindings import Bindings, facts
from cdp_toolkit.segments.buckets import Bucket
from cdp_toolkit.segments.compile import Plan
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.evaluate import Tables
from cdp_toolkit.segments.expressions import expression
from cdp_toolkit.segments.listed import Scan, row_id_of
from cdp_toolkit.segments.pql.bound import Aggregate, Apply, Bound, Column, InSegment, Leaf, Step, leaves, outer
from cdp_toolkit.segments.pql.nodes import And, Not, Or
from cdp_toolkit.segments.pql.reach import is_nested
from cdp_toolkit.segments.pql.times import Clock

_MARKS = {True: "✓", False: "✗", None: "?"}
_ROWS_SHOWN = 3


@dataclass(frozen=True)
class Explanation:
    """A condition, whether it is true, and why.

    Parameters
    ----------
    text
        The condition in the Profile Query Language.
    verdict
        True, false, or None where it is unknown.
    facts
        Values and rows that decide.
    parts
        The conditions that it is made of.
    """

    text: str
    verdict: bool | None
    facts: tuple[str, ...] = ()
    parts: tuple["Explanation", ...] = ()

    def __str__(self) -> str:
        """Return the tree as indented text."""
        lines = [f"{_MARKS[self.verdict]} {self.text}", *(f"    {fact}" for fact in self.facts)]
        for part in self.parts:
            lines += [f"  {line}" for line in str(part).splitlines()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        shown = "".join(f"<li><small>{escape(fact)}</small></li>" for fact in self.facts)
        inner = "".join(f"<li>{part._repr_html_()}</li>" for part in self.parts)
        below = f"<ul style='list-style:none'>{shown}{inner}</ul>" if shown or inner else ""
        return f"<span>{_MARKS[self.verdict]}</span> <code>{escape(self.text)}</code>{below}"


def explain(
    segment: Segment,
    profile_id: int,
    scan: Scan,
    model: Model,
    *,
    as_of: datetime,
    timezone: str = "UTC",
    segments: Sequence[Segment] = (),
) -> Explanation:
    """Say why a profile is in a segment or out of it.

    Parameters
    ----------
    segment
        The segment.
    profile_id
        A profile of the segment's entity.
    scan
        Gives ``profiles/<name>``.
    model
        Entities, fields and relations.
    as_of
        The moment that ``now`` means.
    timezone
        Where days begin.
    segments
        Segments that the rule may name.

    Returns
    -------
    Explanation
        The whole rule; its parts are the conditions in it.

    Raises
    ------
    DataError
        If there is no such profile.
    PqlError
        If the rule is wrong or cannot be evaluated yet.
    """
    clock = Clock(as_of, timezone)
    tables = Tables(scan)
    condition = Bindings([*segments, segment], model, clock).condition(segment)
    tables.check(facts(condition, segment.entity, model), condition, clock)
    return _Witness(Plan(tables, model, clock), segment.entity, profile_id).explained(condition)


class _Witness:
    """All that is known of one profile: the value of each part of a condition, looked up in one plan."""

    def __init__(self, plan: Plan, entity: str, profile_id: int) -> None:
        self._plan = plan
        self._entity = entity
        self._profile_id = profile_id
        self._one = Bucket(profile_id, profile_id + 1)

    def explained(self, condition: Bound) -> Explanation:
        asked = {f"part_{index}": part for index, part in enumerate(dict.fromkeys(_parts(condition)))}
        found = _collected(self._plan.flags(self._entity, asked, bucket=self._one))
        if not found:
            raise DataError(f"There is no {self._entity} {self._profile_id}.")
        return self._tree(condition, {part: found[0][name] for name, part in asked.items()})

    def _tree(self, bound: Bound, values: Mapping[Bound, Any]) -> Explanation:
        text, verdict = str(bound.source), values[bound]
        if isinstance(bound, InSegment):
            return Explanation(text, verdict, parts=(self._tree(bound.condition, values),))
        if isinstance(bound, Apply) and _is_written(bound):
            return Explanation(text, verdict, parts=tuple(self._tree(each, values) for each in bound.arguments))
        known = list(dict.fromkeys(leaves(bound)))
        told = [f"{leaf.source} = {shown(values[leaf])}" for leaf in known if leaf is not bound]
        parts: list[Explanation] = []
        for leaf in known:
            if isinstance(leaf, Aggregate) and not is_nested(leaf):
                rows, conditions = self._rows(leaf)
                told += rows
                parts += conditions
        return Explanation(text, verdict, tuple(told), tuple(parts))

    def _rows(self, aggregate: Aggregate) -> tuple[list[str], list[Explanation]]:
        """Return the rows that decide, and how many rows meet each condition on them."""
        conditions = _clauses(aggregate)
        frame, names = self._array(aggregate)
        flags = {f"_met{index}": each for index, each in enumerate(conditions)}
        values = _values(conditions)
        frame = frame.select(
            "_row",
            **{name: expression(each, names, self._plan.clock).fill_null(False) for name, each in flags.items()},
            **{name: expression(each, names, self._plan.clock) for name, each in values.items()},
        )
        met = [nw.col(name).cast(nw.Int64) for name in flags]
        (counted,) = _collected(frame.select(nw.len().alias("_all"), *(each.sum() for each in met)))
        total, of_all = counted["_all"], aggregate.function == "forall"
        explained = [_condition(each, int(counted[name] or 0), total, of_all=of_all) for name, each in flags.items()]
        ranked = frame.with_columns(_met=nw.sum_horizontal(*met) if met else nw.lit(0))
        deciding = ranked.sort("_met", "_row", descending=[not of_all, False]).head(_ROWS_SHOWN)
        return [_row(each, list(flags), values) for each in _collected(deciding)], explained

    def _array(self, aggregate: Aggregate) -> tuple[Frame, Mapping[Leaf, str]]:
        """Return the rows of the array that belong to the profile."""
        steps = (*(Step(hop) for hop in aggregate.hops), *aggregate.steps)
        whole = replace(aggregate, hops=(), steps=steps)
        owners, known = self._plan.rows(self._entity, list(outer(whole)), bucket=self._one)
        key = row_id_of(self._end(steps))
        rows, names = self._plan.rows_of(self._entity, [whole], owners, known, keys=[key], bucket=self._one)
        return rows.with_columns(nw.col(key).alias("_row")), names

    def _end(self, steps: Sequence[Step]) -> str:
        entity = self._entity
        for step in steps:
            entity = self._plan.model.entity(entity).relations[step.relation].to
        return entity


def _parts(bound: Bound) -> Iterator[Bound]:
    yield bound
    match bound:
        case InSegment():
            yield from _parts(bound.condition)
        case Apply(_, arguments) if _is_written(bound):
            for argument in arguments:
                yield from _parts(argument)
        case _:
            yield from leaves(bound)


def _is_written(bound: Apply) -> bool:
    """Return whether a connective stands in the text; others are part of what a word such as `between` means."""
    return isinstance(bound.source, And | Or | Not)


def _clauses(aggregate: Aggregate) -> list[Bound]:
    stages = (stage.condition for stage in aggregate.stages)
    asked = (aggregate.steps[-1].condition, aggregate.value if aggregate.function == "forall" else None, *stages)
    return [clause for each in asked if each is not None for clause in _flat(each)]


def _flat(condition: Bound) -> Iterator[Bound]:
    joins = isinstance(condition, Apply) and condition.function == "and"
    if joins and {str(condition.source)} != {str(each.source) for each in condition.arguments}:  # type: ignore[attr-defined]  # an Apply
        for each in condition.arguments:  # type: ignore[attr-defined]  # an Apply
            yield from _flat(each)
    else:
        yield condition


def _condition(bound: Bound, met: int, total: int, *, of_all: bool) -> Explanation:
    return Explanation(str(bound.source), met == total if of_all else met > 0, (f"holds for {met} of {total} rows",))


def _values(conditions: Sequence[Bound]) -> dict[str, Leaf]:
    """Return what the conditions read of a row, but for arrays, which have a text of their own."""
    read = dict.fromkeys(
        leaf for each in conditions for leaf in leaves(each) if leaf.kind != "boolean" or isinstance(leaf, Column)
    )
    return {f"_value{index}": leaf for index, leaf in enumerate(read)}


def _row(row: Mapping[str, Any], flags: Sequence[str], values: Mapping[str, Leaf]) -> str:
    told = ", ".join(f"{leaf.source} = {shown(row[name])}" for name, leaf in values.items())
    return f"{_MARKS[all(row[name] for name in flags)]} row {row['_row']}" + (f": {told}" if told else "")


def shown(value: object) -> str:
    """Return a value as people read it.

    Parameters
    ----------
    value
        Any value of a row.

    Returns
    -------
    str
        Short text.
    """
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case float():
            return f"{value:,.10g}"
        case list():
            return f"[{', '.join(shown(each) for each in value)}]"
        case _:
            return str(value)


def _collected(frame: Frame) -> list[dict[str, Any]]:
    return frame.collect("pyarrow").rows(named=True)

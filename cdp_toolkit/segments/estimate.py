"""A segment before it is saved: how many are in, who they are, and what each condition removes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from html import escape
from operator import and_
from typing import Any

import narwhals as nw

from cdp_toolkit.engines import Frame
from cdp_toolkit.model import Model
from cdp_toolkit.segments.bindings import Bindings, facts
from cdp_toolkit.segments.breakdown import Breakdown, counted, values_of
from cdp_toolkit.segments.buckets import Bucket
from cdp_toolkit.segments.compile import ALL, Plan
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.evaluate import Tables
from cdp_toolkit.segments.listed import Scan, with_lists
from cdp_toolkit.segments.neighbourhood import Way
from cdp_toolkit.segments.pql.bound import Apply, Bound
from cdp_toolkit.segments.pql.nodes import And
from cdp_toolkit.segments.pql.times import Clock
from cdp_toolkit.segments.reading import UnclearError, reading_of
from cdp_toolkit.segments.sample import Sample, ways_of


@dataclass(frozen=True)
class Clause:
    """One of the conditions that must all hold.

    Parameters
    ----------
    text
        The condition in the Profile Query Language.
    passes
        How many profiles meet it, whatever else they meet.
    removes
        How many more would be in the segment without it.
    """

    text: str
    passes: int
    removes: int


@dataclass(frozen=True)
class Preview:
    """How many a rule finds.

    Parameters
    ----------
    entity
        What is counted.
    count
        Profiles in the segment: exactly, or about as many where there is an ``interval``.
    total
        All profiles.
    method
        ``streaming`` or ``batch``, and why.
    clauses
        The conditions that must all hold.
    sample
        Some of the profiles, with all columns.
    plan
        What the engine does to find them, as text.
    members
        One row per member that was looked at: ``profile_id``.
    interval
        Between which two numbers the count lies, 19 times out of 20; None where it is exact.
    scale
        How many profiles each of those looked at stands for.
    values
        Gives the values of a column for each member; see ``breakdown.values_of``.
    """

    entity: str
    count: int
    total: int
    method: tuple[str, str]
    clauses: tuple[Clause, ...]
    sample: Frame
    plan: str
    members: Frame = field(repr=False)
    interval: tuple[int, int] | None = None
    scale: float = 1.0
    values: Callable[[str], Frame] | None = field(default=None, repr=False)

    def by(self, column: str) -> Breakdown:
        """Count the members by the values of a column.

        Parameters
        ----------
        column
            Column or path of the entity, or of another one behind relations, such as ``accounts.industry``.

        Returns
        -------
        Breakdown
            Value and number of members, the most first.

        Raises
        ------
        UnknownNameError
            If there is no such column; with the nearest names.
        """
        assert self.values is not None  # noqa: S101 - given by preview
        grouped = self.values(column).group_by("value").agg(count=nw.len())
        rows = [(row["value"], int(row["count"])) for row in grouped.collect("pyarrow").rows(named=True)]
        return Breakdown(column, counted(rows, self.scale), self.count, self.interval is not None)

    def __str__(self) -> str:
        """Return the counts as text."""
        head = f"{self._told} of {self.total:,} ({self.entity}), {self.method[0]}: {self.method[1]}"
        return "\n".join([head, *(f"  {_counts(each)}  {each.text}" for each in self.clauses)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td><code>{escape(each.text)}</code></td><td>{each.passes:,}</td><td>{each.removes:,}</td></tr>"
            for each in self.clauses
        )
        head = f"<b>{self._told}</b> of {self.total:,} ({escape(self.entity)}), {escape(': '.join(self.method))}"
        return f"<p>{head}</p><table><tr><th>condition</th><th>meet it</th><th>it removes</th></tr>{rows}</table>"

    @property
    def _told(self) -> str:
        if self.interval is None:
            return f"{self.count:,}"
        return f"about {self.count:,} ({self.interval[0]:,} to {self.interval[1]:,})"


def _counts(clause: Clause) -> str:
    return f"{clause.passes:>9,} meet it, {clause.removes:>9,} removed by it:"


def preview(
    segment: Segment | str,
    scan: Scan,
    model: Model,
    *,
    as_of: datetime,
    timezone: str = "UTC",
    entity: str = "person",
    segments: Sequence[Segment] = (),
    sample: int = 10,
    among: Callable[[str], Sample] | None = None,
) -> Preview:
    """Count a segment without saving it.

    Parameters
    ----------
    segment
        A segment, or a rule in the Profile Query Language.
    scan
        Gives ``profiles/<name>``.
    model
        Entities, fields and relations.
    as_of
        The moment that ``now`` means.
    timezone
        Where days begin.
    entity
        What a rule given as text is about.
    segments
        Segments that the rule may name.
    sample
        How many profiles to show.
    among
        Gives a sample of an entity's profiles to estimate from; all profiles are counted without it.

    Returns
    -------
    Preview
        Counts, and a lazy frame of some members.

    Raises
    ------
    PqlError
        If the rule is wrong or cannot be evaluated yet.
    """
    chosen = (
        Segment.model_validate({"name": "preview", "entity": entity, "pql": segment})
        if isinstance(segment, str)
        else segment
    )
    clock = Clock(as_of, timezone)
    condition = Bindings([*segments, chosen], model, clock).condition(chosen)
    few = among(chosen.entity).along(_ways(chosen.entity, condition, model)) if among else None
    tables = Tables(few.scan if few else scan)
    read = facts(condition, chosen.entity, model)
    tables.check(read, condition, clock)
    asked = {f"_clause{index}": each for index, each in enumerate(clauses_of(condition))}
    flags = Plan(tables, model, clock).flags(chosen.entity, asked, bucket=Bucket(only=few.ids) if few else ALL)
    numbers = _counted(flags, list(asked))
    scale = few.scale if few else 1.0
    members = flags.filter(_all(list(asked))).select("profile_id")
    scaled = {name: round(number * scale) for name, number in numbers.items()}
    return Preview(
        entity=chosen.entity,
        count=scaled["_in"],
        total=scaled["_all"],
        method=read.method,
        clauses=tuple(
            Clause(str(each.source), scaled[name], scaled[f"{name}_others"] - scaled["_in"])
            for name, each in asked.items()
        ),
        sample=tables(chosen.entity).join(members.sort("profile_id").head(sample), on="profile_id", how="inner"),
        plan=_explained(members),
        members=members,
        interval=few.interval(numbers["_in"]) if few and few.size < few.total else None,
        scale=scale,
        values=lambda column: values_of(members, chosen.entity, column, scan, model),
    )


def _ways(entity: str, condition: Bound, model: Model) -> set[Way]:
    """Return the ways that a rule walks; none where that is not known, so that tables are read whole."""
    try:
        return ways_of(reading_of(entity, condition, condition, with_lists(model)))
    except UnclearError:
        return set()


def _explained(members: Frame) -> str:
    native = members.to_native()
    return str(native.explain())


def clauses_of(condition: Bound) -> tuple[Bound, ...]:
    """Return the conditions that must all hold.

    Parameters
    ----------
    condition
        A rule.

    Returns
    -------
    tuple of Bound
        What stands between the outermost ``and``; the rule itself where there is none.
    """
    is_and = isinstance(condition, Apply) and condition.function == "and" and isinstance(condition.source, And)
    return condition.arguments if isinstance(condition, Apply) and is_and else (condition,)


def _all(names: Sequence[str]) -> nw.Expr:
    return reduce(and_, (nw.col(name) for name in names), nw.lit(True))


def _counted(flags: Frame, names: Sequence[str]) -> dict[str, Any]:
    """Return how many rows there are, are in, meet each condition, and meet all others."""
    tests = {"_in": _all(names)} | {name: nw.col(name) for name in names}
    tests |= {f"{name}_others": _all([other for other in names if other != name]) for name in names}
    numbers = flags.select(
        **{name: test.fill_null(False).cast(nw.Int64) for name, test in tests.items()}, _all=nw.lit(1)
    )
    (row,) = numbers.select(*(nw.col(name).sum() for name in ("_all", *tests))).collect("pyarrow").rows(named=True)
    return {name: int(value or 0) for name, value in row.items()}

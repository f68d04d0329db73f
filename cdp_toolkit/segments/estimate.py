"""A segment before it is saved: how many are in, who they are, and what each condition removes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from html import escape
from operator import and_
from typing import Any

import narwhals as nw

from cdp_toolkit.engines import Frame
from cdp_toolkit.model import Model
from cdp_toolkit.segments.bindings import Bindings, facts
from cdp_toolkit.segments.compile import Plan
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.evaluate import Tables
from cdp_toolkit.segments.listed import Scan
from cdp_toolkit.segments.pql.bound import Apply, Bound
from cdp_toolkit.segments.pql.nodes import And
from cdp_toolkit.segments.pql.times import Clock


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
        Profiles in the segment, exactly.
    total
        All profiles.
    method
        ``streaming`` or ``batch``, and why.
    clauses
        The conditions that must all hold.
    sample
        Some of the profiles, with all columns.
    """

    entity: str
    count: int
    total: int
    method: tuple[str, str]
    clauses: tuple[Clause, ...]
    sample: Frame

    def __str__(self) -> str:
        """Return the counts as text."""
        head = f"{self.count:,} of {self.total:,} ({self.entity}), {self.method[0]}: {self.method[1]}"
        return "\n".join([head, *(f"  {_counts(each)}  {each.text}" for each in self.clauses)])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td><code>{escape(each.text)}</code></td><td>{each.passes:,}</td><td>{each.removes:,}</td></tr>"
            for each in self.clauses
        )
        head = f"<b>{self.count:,}</b> of {self.total:,} ({escape(self.entity)}), {escape(': '.join(self.method))}"
        return f"<p>{head}</p><table><tr><th>condition</th><th>meet it</th><th>it removes</th></tr>{rows}</table>"


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

    Returns
    -------
    Preview
        Exact counts, and a lazy frame of some members.

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
    clock, tables = Clock(as_of, timezone), Tables(scan)
    condition = Bindings([*segments, chosen], model, clock).condition(chosen)
    read = facts(condition, chosen.entity, model)
    tables.check(read, condition, clock)
    asked = {f"_clause{index}": each for index, each in enumerate(_clauses(condition))}
    flags = Plan(tables, model, clock).flags(chosen.entity, asked)
    counted = _counted(flags, list(asked))
    members = flags.filter(_all(list(asked))).select("profile_id").sort("profile_id").head(sample)
    return Preview(
        entity=chosen.entity,
        count=counted["_in"],
        total=counted["_all"],
        method=read.method,
        clauses=tuple(
            Clause(str(each.source), counted[name], counted[f"{name}_others"] - counted["_in"])
            for name, each in asked.items()
        ),
        sample=tables(chosen.entity).join(members, on="profile_id", how="inner"),
    )


def _clauses(condition: Bound) -> tuple[Bound, ...]:
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

"""Chains that one pass cannot decide: each step as "there is a row, later than the last, and after it …".

Such a step counts from an earlier one than the last, or asks for an exact distance, for a count within a distance, or
for at most so many rows. The time of every step is in sight of the later ones, so any distance can be asked. What it
costs is one row a choice of rows, so the simple forms, which are the common ones, go the other way.
"""

from collections.abc import Sequence as Many
from dataclasses import dataclass, replace

from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.aggregates import aggregate
from cdp_toolkit.segments.pql.binder import Binder
from cdp_toolkit.segments.pql.bound import Bound, Constant, truth
from cdp_toolkit.segments.pql.chains import label_of
from cdp_toolkit.segments.pql.comparisons import compared
from cdp_toolkit.segments.pql.meanings import Rows, moved_rows
from cdp_toolkit.segments.pql.scope import Scope, Variable, depth


@dataclass(frozen=True)
class Sequence:
    """A chain, bound step by step."""

    binder: Binder
    node: n.Chain
    rows: Rows
    scope: Scope

    def condition(self) -> Bound:
        """Return the condition that rows follow each other.

        Returns
        -------
        Bound
            A condition; false, never unknown, where there is no row.

        Raises
        ------
        PqlError
            If a step counts from one that does not come before it.
        """
        return truth("and", *self._after(0, self.scope, (), ()), source=self.node)

    def _after(self, index: int, scope: Scope, wanted: tuple[str, ...], limits: tuple[n.Step, ...]) -> list[Bound]:
        """Return what must hold from a step on, where ``limits`` are steps that only bound what lies between."""
        if index == len(self.node.steps):
            return [self._limit(each, scope, wanted) for each in limits]
        step = self.node.steps[index]
        self._check(step, wanted)
        if step.negated or _is_limit(step):
            return self._after(index + 1, scope, wanted, (*limits, step))
        inside = (*scope, Variable(self.rows.entity, step.label))
        asked = self._asked(step, inside, wanted)
        asked += [self._limit(each, inside, wanted, before=step.label) for each in limits]
        if step.count is not None:
            asked.append(self._enough(step, inside, wanted))
        asked += self._after(index + 1, inside, (*wanted, step.label), ())
        return [aggregate("exists", self._rows(scope).where(truth("and", *asked, source=step)), self.node)]

    def _check(self, step: n.Step, wanted: Many[str]) -> None:
        label = None if step.when is None else label_of(step.when, [each.label for each in self.node.steps])
        if label is not None and label not in wanted:
            raise step.at.error(
                f"{step.label} counts from {label}, which is no step before it that must happen.",
                hint=f"Steps to count from: {', '.join(wanted)}." if wanted else "",
            )

    def _rows(self, scope: Scope) -> Rows:
        return moved_rows(self.rows, depth(scope) - depth(self.scope))

    def _asked(self, step: n.Step, inside: Scope, wanted: Many[str]) -> list[Bound]:
        """Return what is asked of a row of a step: what it is, when it is, and that it is later than the last."""
        asked = [self.binder.condition(step.what, inside)]
        if step.when is not None:
            asked.append(self.binder.condition(n.Occurs(self.node.time, self._dated(step.when), at=step.at), inside))
        if wanted:
            asked.append(self._compared(">", self.node.time, self._time_of(wanted[-1]), inside))
        return asked

    def _compared(self, operator: n.Compared, left: n.Node, right: n.Node, scope: Scope) -> Bound:
        return self.binder.condition(n.Compare(operator, left, right, at=self.node.at), scope)

    def _enough(self, step: n.Step, inside: Scope, wanted: Many[str]) -> Bound:
        """Return the condition that so many rows lead up to a row of a step."""
        row = (*inside, Variable(self.rows.entity))
        until = self._compared("<=", self.node.time, self._time_of(step.label), row)
        rows = self._rows(inside).where(truth("and", *self._asked(step, row, wanted), until, source=step))
        return self._counted(step, rows)

    def _counted(self, step: n.Step, rows: Rows) -> Bound:
        operator, amount = step.count or (None, 1)
        number = Constant(amount, kind="number", source=step)
        return compared(operator or ">=", aggregate("count", rows, self.node), number, step, self.binder.clock)

    def _limit(self, step: n.Step, scope: Scope, wanted: Many[str], *, before: str = "") -> Bound:
        """Return the condition that so many rows, or none, lie between two steps, or after the last."""
        row = (*scope, Variable(self.rows.entity))
        asked = self._asked(step, row, wanted)
        if before:
            asked.append(self._compared("<", self.node.time, self._time_of(before), row))
        rows = self._rows(scope).where(truth("and", *asked, source=step))
        found = self._counted(step, rows) if step.count is not None else aggregate("exists", rows, self.node)
        return truth("not", found, source=step) if step.negated else found

    def _time_of(self, label: str) -> n.Node:
        return _behind(n.Name(label, at=self.node.at), self.node.time)

    def _dated(self, when: n.When) -> n.When:
        """Return a time with the times of steps in place of their labels."""
        labels = {step.label for step in self.node.steps}

        def dated(anchor: n.Node) -> n.Node:
            return self._time_of(anchor.name) if isinstance(anchor, n.Name) and anchor.name in labels else anchor

        if isinstance(when, n.Span):
            return replace(when, start=dated(when.start), end=dated(when.end))
        return replace(when, anchor=dated(when.anchor))


def _is_limit(step: n.Step) -> bool:
    """Return whether a step is met by few rows, perhaps by none, so that no row must make it happen."""
    match step.count:
        case None | (None | ">=", int()):
            return step.count is not None and step.count[1] == 0
        case (">", _):
            return False
        case _:
            return True


def _behind(start: n.Name, path: n.Node) -> n.Node:
    """Return a path as read from a named row."""
    if isinstance(path, n.Member):
        return replace(path, of=_behind(start, path.of))
    if isinstance(path, n.Name):
        return n.Member(start, path.name, at=start.at)
    raise path.at.error(f"`{path}` is not the name of a time.", hint="Name a field, such as `timestamp`.")

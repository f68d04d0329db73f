"""``occurs`` beside a field of the row: the same stretches of time, with ends that differ from row to row.

Beside a date all is compared as the clock on the wall shows it, where a date begins at midnight.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.bound import Apply, Bound, Constant, truth
from cdp_toolkit.segments.pql.times import Clock, Range

_UNITS = {"millisecond": "ms", "second": "s", "minute": "m", "hour": "h", "day": "d"}
_MONTHS = {"month": 1, "year": 12, "decade": 120, "century": 1200, "millennium": 12000}
_FLIPPED: dict[str, n.Compared] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_DAYS = {"day": 1, "week": 7, "month": 31, "year": 366, "decade": 3653, "century": 36525, "millennium": 365250}


@dataclass(frozen=True)
class _Stretch:
    """From when to when; ``last`` lies in it, ``end`` may not."""

    start: Bound
    end: Bound
    last: Bound
    includes_end: bool


@dataclass(frozen=True)
class Fields:
    """One ``occurs``, with at least one field among the times that it names."""

    value: Bound
    node: n.Occurs
    anchors: tuple[Range | Bound, ...]
    clock: Clock

    def condition(self) -> Bound:
        """Return the condition that the value lies there.

        Returns
        -------
        Bound
            A condition, unknown where one of the times is null.

        Raises
        ------
        PqlError
            If ``ignore year`` stands with a stretch that may be longer than a year.
        """
        value, first = self._instant(self.value), self._stretch(self.anchors[0])
        if self.node.ignore_year:
            return self._yearly(self.value, first)
        match self.node.when:
            case n.On():
                return truth("=", self._day(self.value), self._day(self._bound(self.anchors[0])), source=self.node)
            case n.Side(direction="before"):
                return truth("<", value, first.start, source=self.node)
            case n.Side():
                return truth(">" if first.includes_end else ">=", value, first.end, source=self.node)
            case n.Span():
                last = self._stretch(self.anchors[1])
                ends = truth("<=" if last.includes_end else "<", value, last.end, source=self.node)
                return truth("and", truth(">=", value, first.start, source=self.node), ends, source=self.node)
            case n.Distance() as when:
                return self._distance(value, first.start, when)

    @property
    def _has_date(self) -> bool:
        return "date" in {each.kind for each in (self.value, *self.anchors) if isinstance(each, Bound)}

    def _instant(self, value: Bound) -> Bound:
        if not self._has_date:
            return value
        return Apply("midnight" if value.kind == "date" else "wall", (value,), kind="date", source=self.node)

    def _constant(self, moment: datetime) -> Constant:
        if self._has_date:
            return Constant(self.clock.local(moment).replace(tzinfo=None), kind="date", source=self.node)
        return Constant(moment, kind="time", source=self.node)

    def _offset(self, value: Bound, offset: str) -> Bound:
        return Apply("offset", (value, Constant(offset, kind="text")), kind=value.kind, source=self.node)

    def _stretch(self, anchor: Range | Bound) -> _Stretch:
        if isinstance(anchor, Range):
            assert anchor.start is not None  # noqa: S101 - words for time have both ends
            assert anchor.end is not None  # noqa: S101 - words for time have both ends
            shortly = timedelta(0) if anchor.includes_end else timedelta(microseconds=1)
            start, end, last = (self._constant(each) for each in (anchor.start, anchor.end, anchor.end - shortly))
            return _Stretch(start, end, last, anchor.includes_end)
        instant = self._instant(anchor)
        if anchor.kind == "date":
            return _Stretch(instant, self._offset(instant, "1d"), instant, includes_end=False)
        return _Stretch(instant, instant, instant, includes_end=True)

    def _bound(self, anchor: Range | Bound) -> Bound:
        return self._stretch(anchor).start if isinstance(anchor, Range) else anchor

    def _day(self, value: Bound) -> Bound:
        return Apply("day", (value,), kind="date", source=self.node)

    def _far(self, anchor: Bound, when: n.Distance) -> Bound:
        offset = offset_of(when)
        return self._offset(anchor, f"-{offset}" if when.direction == "before" else offset)

    def _distance(self, value: Bound, anchor: Bound, when: n.Distance) -> Bound:
        far, is_before = self._far(anchor, when), when.direction == "before"
        if when.operator in {"=", "!="}:
            unit = Constant(when.unit, kind="text")
            units = (Apply("unit", (each, unit), kind="number", source=self.node) for each in (value, far))
            same = truth("=", *units, source=self.node)
            return same if when.operator == "=" else truth("is_false", same, source=self.node)
        operator = _FLIPPED[when.operator] if is_before else when.operator
        beyond = truth(operator, value, far, source=self.node)
        if when.operator in {">", ">="}:
            return beyond
        near = truth("<=" if is_before else ">=", value, anchor, source=self.node)
        return truth("and", beyond, near, source=self.node)

    def _yearly(self, value: Bound, first: _Stretch) -> Bound:
        start, last = self._ends(first)
        day, low, high = (day_of_year(each, self.node) for each in (value, start, last))
        after, before = truth(">=", day, low, source=self.node), truth("<=", day, high, source=self.node)
        within = truth("and", after, before, source=self.node)
        over_new_year = truth("and", truth(">", low, high), truth("or", after, before), source=self.node)
        return truth("or", truth("and", truth("<=", low, high), within), over_new_year, source=self.node)

    def _ends(self, first: _Stretch) -> tuple[Bound, Bound]:
        match self.node.when:
            case n.On():
                return first.start, first.last
            case n.Span():
                return first.start, self._stretch(self.anchors[1]).last
            case n.Distance(operator="<" | "<=" | "=") as when if when.amount * _DAYS.get(when.unit, 0) < 366:
                far = self._far(first.start, when)
                if when.operator == "=":
                    return far, far
                return (far, first.start) if when.direction == "before" else (first.start, far)
            case _:
                raise self.node.at.error("`ignore year` needs a stretch of time of less than a year.")


def day_of_year(value: Bound, node: n.Node) -> Bound:
    """Return the month and the day of a time as one number, such as 314 for the 14th of March.

    Parameters
    ----------
    value
        A time or a date.
    node
        What was written.

    Returns
    -------
    Bound
        A number.
    """
    month, day = (Apply(each, (value,), kind="number", source=node) for each in ("month", "day_of_month"))
    hundreds = Apply("*", (month, Constant(100, kind="number")), kind="number", source=node)
    return Apply("+", (hundreds, day), kind="number", source=node)


def offset_of(when: n.Distance) -> str:
    """Return a distance as an offset.

    Parameters
    ----------
    when
        An amount of a unit.

    Returns
    -------
    str
        As in ``7d`` or ``24mo``.
    """
    if when.unit in _MONTHS:
        return f"{when.amount * _MONTHS[when.unit]}mo"
    return f"{when.amount * 7}d" if when.unit == "week" else f"{when.amount}{_UNITS[when.unit]}"

"""``occurs``: a time beside a stretch of time.

A word such as ``today``, a date or ``last week`` is a whole stretch: before it is before its start, after it is from
its end on, and ``between A and B`` reaches from the start of A to the end of B. ``N units before`` counts from its
start, ``N units after`` from its end for ``last week`` and the like, and from its start for a day.
"""

from dataclasses import replace
from datetime import datetime, time, timedelta

from cdp_toolkit.segments.pql import nodes as n
from cdp_toolkit.segments.pql.bound import Bound, Constant, truth
from cdp_toolkit.segments.pql.fields import Fields, day_of_year
from cdp_toolkit.segments.pql.times import Clock, Range


def period(node: n.Node, clock: Clock) -> Range | None:
    """Return the stretch of time that a word means.

    Parameters
    ----------
    node
        An expression.
    clock
        When and where.

    Returns
    -------
    Range or None
        The stretch; None where the expression is not a word for time.
    """
    match node:
        case n.Moment():
            return clock.moment(node.name)
        case n.Day():
            return clock.day(node.value)
        case n.Period():
            return clock.period(node.which, node.unit)
        case _:
            return None


def occurs(value: Bound, node: n.Occurs, anchors: tuple[Range | Bound, ...], clock: Clock) -> Bound:
    """Return the condition that a time lies where ``occurs`` says.

    Parameters
    ----------
    value
        A time or a date.
    node
        What was written.
    anchors
        The one or two times that it names: a stretch, or a column.
    clock
        When and where.

    Returns
    -------
    Bound
        A condition.

    Raises
    ------
    PqlError
        If ``ignore year`` stands with a stretch of more than a year.
    """
    if all(isinstance(anchor, Range) for anchor in anchors):
        ranges = _ranges(node.when, tuple(each for each in anchors if isinstance(each, Range)), clock)
        inside = _yearly if node.ignore_year else within
        return truth("or", *(inside(value, each, node, clock) for each in ranges), source=node)
    return Fields(value, node, anchors, clock).condition()


def _ranges(when: n.When, anchors: tuple[Range, ...], clock: Clock) -> tuple[Range, ...]:
    first = anchors[0]
    match when:
        case n.On():
            return (first,)
        case n.Span():
            return (replace(first, end=anchors[1].end, includes_end=anchors[1].includes_end),)
        case n.Side(direction="before"):
            return (Range(None, first.start),)
        case n.Side():
            return (Range(first.end, None, includes_start=not first.includes_end),)
        case n.Distance(direction="before"):
            return _distance(when, _instant(first.start), -1, clock)
        case n.Distance():
            whole = isinstance(when.anchor, n.Period)
            return _distance(when, _instant(first.end if whole else first.start), 1, clock)


def _instant(moment: datetime | None) -> datetime:
    assert moment is not None  # noqa: S101 - words for time have both ends
    return moment


def _distance(when: n.Distance, anchor: datetime, sign: int, clock: Clock) -> tuple[Range, ...]:
    far = clock.shift(anchor, sign * when.amount, when.unit)
    if when.operator in {"=", "!="}:
        exactly = clock.unit_of(far, when.unit)
        return (exactly,) if when.operator == "=" else (Range(None, exactly.start), Range(exactly.end, None))
    closed = when.operator in {"<=", ">="}
    if when.operator in {"<", "<="}:
        near = Range(far, anchor, closed, True) if sign < 0 else Range(anchor, far, True, closed)
        return (near,)
    return (Range(None, far, includes_end=closed) if sign < 0 else Range(far, None, closed),)


def within(value: Bound, stretch: Range, node: n.Node, clock: Clock) -> Bound:
    """Return the condition that a time or a date lies in a stretch of time.

    Parameters
    ----------
    value
        A time or a date.
    stretch
        From when to when.
    node
        What was written.
    clock
        Where days begin.

    Returns
    -------
    Bound
        A condition, unknown where the value is null.
    """
    ends: list[tuple[n.Compared, datetime]] = []
    if stretch.start is not None:
        ends.append((">=" if stretch.includes_start else ">", stretch.start))
    if stretch.end is not None:
        ends.append(("<=" if stretch.includes_end else "<", stretch.end))
    return truth("and", *(beside_instant(value, operator, end, node, clock) for operator, end in ends), source=node)


def beside_instant(value: Bound, operator: n.Compared, instant: datetime, node: n.Node, clock: Clock) -> Bound:
    """Return the comparison of a time, or of the midnight that begins a date, with an instant.

    Parameters
    ----------
    value
        A time or a date.
    operator
        How to compare.
    instant
        What to compare with.
    node
        What was written.
    clock
        Where days begin.

    Returns
    -------
    Bound
        A condition, unknown where the value is null.
    """
    if value.kind == "time":
        return truth(operator, value, Constant(instant, kind="time", source=node), source=node)
    local = clock.local(instant)
    if local.time() != time():  # midnight is before such an instant on that day, and after it from the next day on
        operator = {"<": "<=", ">=": ">"}.get(operator, operator)  # type: ignore[assignment]  # all four are Compared
    return truth(operator, value, Constant(local.date(), kind="date", source=node), source=node)


def _yearly(value: Bound, stretch: Range, node: n.Occurs, clock: Clock) -> Bound:
    if stretch.start is None or stretch.end is None or stretch.end - stretch.start > timedelta(days=365):
        raise node.at.error("`ignore year` needs a stretch of time of less than a year.")
    shortly = timedelta(0) if stretch.includes_end else timedelta(microseconds=1)
    first, last = (clock.local(end) for end in (stretch.start, stretch.end - shortly))
    start, end = (Constant(each.month * 100 + each.day, kind="number", source=node) for each in (first, last))
    of_year = day_of_year(value, node)
    both = (truth(">=", of_year, start, source=node), truth("<=", of_year, end, source=node))
    return truth("and" if (first.month, first.day) <= (last.month, last.day) else "or", *both, source=node)

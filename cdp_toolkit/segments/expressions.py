"""Bound conditions to expressions over columns: three-valued logic as in SQL, alike on every engine."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import and_, or_
from typing import Any, cast

import narwhals as nw

from cdp_toolkit.segments.pql.bound import Aggregate, Apply, Bound, Column, Constant, InSegment, Leaf
from cdp_toolkit.segments.pql.times import Clock

Expr = nw.Expr
# What an array without rows gives; where it is not here, that is null.
_OF_NOTHING: dict[str, Any] = {"exists": False, "chain": False, "forall": True, "count": 0, "distinct": 0, "sum": 0.0}
_DTYPES: dict[str, Any] = {"text": nw.String, "number": nw.Float64, "boolean": nw.Boolean, "date": nw.Date}


def expression(bound: Bound, names: Mapping[Leaf, str], clock: Clock) -> Expr:  # noqa: PLR0911 - one case a node
    """Return the expression that computes a bound condition or value.

    Parameters
    ----------
    bound
        What to compute.
    names
        Column that holds each leaf of it.
    clock
        Where days begin.

    Returns
    -------
    nw.Expr
        Null where the value is unknown.
    """
    match bound:
        case Constant():
            return _constant(bound)
        case Column():
            return nw.col(names[bound])
        case Aggregate():
            column, of_nothing = nw.col(names[bound]), _OF_NOTHING.get(bound.function)
            return column if of_nothing is None else column.fill_null(of_nothing)
        case InSegment():
            return expression(bound.condition, names, clock).fill_null(False)
        case Apply("in", (value, listed)):
            among = expression(value, names, clock)
            among = among.cast(nw.Float64) if value.kind == "number" else among  # as the listed numbers are
            return among.is_in(cast("Any", cast("Constant", listed).value))
        case Apply(function, arguments) if function in _ON_TEXT:
            first, *rest = arguments
            written = (each.value if isinstance(each, Constant) else expression(each, names, clock) for each in rest)
            return _ON_TEXT[function](expression(first, names, clock), *written)
        case Apply(function, (time, *units)) if function in _ON_TIME:
            written = (str(cast("Constant", each).value) for each in units)
            return _ON_TIME[function](_local(time, names, clock), *written)
        case Apply(function, arguments):
            return _FUNCTIONS[function](*(expression(each, names, clock) for each in arguments))
        case _:
            raise NotImplementedError(type(bound).__name__)


def _local(value: Bound, names: Mapping[Leaf, str], clock: Clock) -> Expr:
    """Return a time as the clock on the wall shows it."""
    column = expression(value, names, clock)
    return column if value.kind == "date" or clock.timezone == "UTC" else column.dt.convert_time_zone(clock.timezone)


def _constant(bound: Constant) -> Expr:
    if isinstance(bound.value, datetime):
        return nw.lit(bound.value, nw.Datetime("us", "UTC" if bound.value.tzinfo else None))
    if bound.value is None:
        return nw.lit(None)
    return nw.lit(bound.value, _DTYPES[bound.kind])


def _like(text: Expr, pattern: str | Expr) -> Expr:
    if isinstance(pattern, str):
        parts = {"%": ".*", "_": "."}
        return text.str.contains(f"(?s)^{''.join(parts.get(each) or re.escape(each) for each in pattern)}$")
    for meta in "\\.^$|?*+()[]{}":  # the backslash first, since it escapes the others
        pattern = pattern.str.replace_all(meta, f"\\{meta}", literal=True)
    pattern = pattern.str.replace_all("%", ".*", literal=True).str.replace_all("_", ".", literal=True)
    return text.str.contains(nw.concat_str([nw.lit("(?s)^"), pattern, nw.lit("$")]))


def _regex_group(text: Expr, pattern: str, group: int) -> Expr:
    whole = f"^(?s:.*?)(?:{pattern})(?s:.*)$"
    if group == 0:
        whole = f"^(?s:.*?)({pattern})(?s:.*)$"
    number = max(group, 1)
    # Engines call a group $1 or \\1; which of the two is asked of the engine itself.
    is_dollar = nw.lit("x").str.replace_all("(x)", "$1") == "x"
    dollar, backslash = (text.str.replace_all(whole, f"{sign}{number}") for sign in ("$", "\\"))
    return nw.when(text.str.contains(whole)).then(nw.when(is_dollar).then(dollar).otherwise(backslash))


def _replaced(text: Expr, old: str, new: str | Expr) -> Expr:
    if isinstance(new, str):
        return text.str.replace_all(old, new, literal=True)
    return nw.when(~new.is_null()).then(text.str.replace_all(old, new.fill_null(""), literal=True))


def _unit(time: Expr, unit: str) -> Expr:
    """Return the whole unit of the calendar that a time lies in, as a time or a number that no other unit has."""
    if unit in _TRUNCATED:
        return time.dt.truncate(_TRUNCATED[unit])
    if unit == "week":  # the Monday of it
        day = time.dt.truncate("1d")
        mondays = [day.dt.offset_by(f"-{back}d") for back in range(7)]
        found = mondays[0]
        for back in range(1, 7):
            found = nw.when(day.dt.weekday() == back + 1).then(mondays[back]).otherwise(found)
        return found
    return (time.dt.year() / {"decade": 10, "century": 100, "millennium": 1000}[unit]).floor()


_TRUNCATED = {
    "millisecond": "1ms", "second": "1s", "minute": "1m", "hour": "1h", "day": "1d", "month": "1mo", "year": "1y"
}  # fmt: skip


def _index_of(text: Expr, part: str) -> Expr:
    before = text.str.split(part).list.get(0).str.len_chars()
    return nw.when(text.str.contains(part, literal=True)).then(before).when(~text.is_null()).then(nw.lit(-1))


def _remainder(left: Expr, right: Expr) -> Expr:
    # The sign of the left side, as in Java; engines differ in their own.
    quotient = _divided(left, right)
    whole = nw.when(quotient < 0).then(quotient.ceil()).otherwise(quotient.floor())
    return left - whole * right


def _divided(left: Expr, right: Expr) -> Expr:
    return nw.when(right != 0).then(left.cast(nw.Float64) / right)


def _all(*conditions: Expr) -> Expr:
    return _joined(and_, conditions) if conditions else nw.lit(True)


def _any(*conditions: Expr) -> Expr:
    return _joined(or_, conditions) if conditions else nw.lit(False)


def _joined(join: Callable[[Expr, Expr], Expr], conditions: Sequence[Expr]) -> Expr:
    # In halves, so that a thousand alternatives nest ten levels deep and not a thousand, which outgrows the stack.
    if len(conditions) == 1:
        return conditions[0]
    middle = len(conditions) // 2
    return join(_joined(join, conditions[:middle]), _joined(join, conditions[middle:]))


COMPARISONS: dict[str, Callable[[Expr, Expr], Expr]] = {
    "=": lambda left, right: left == right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}

_FUNCTIONS: dict[str, Callable[..., Expr]] = {
    **COMPARISONS,
    "and": _all,
    "or": _any,
    "not": lambda condition: ~condition,
    "is_false": lambda condition: (~condition).fill_null(False),
    "true_or_unknown": lambda condition: nw.when(condition).then(nw.lit(True)),
    "is_null": lambda value: value.is_null(),
    "is_not_null": lambda value: ~value.is_null(),
    "if": lambda condition, then, otherwise: nw.when(condition).then(then).otherwise(otherwise),
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": _divided,
    "%": _remainder,
    "abs": lambda number: number.abs(),
    "round": lambda number: (number + 0.5).floor(),  # halves up; engines differ in their own
    "concat": lambda *texts: nw.concat_str(list(texts)),
    "list_count": lambda texts: texts.list.len(),
    "list_distinct": lambda texts: texts.list.unique(),
}

_ON_TEXT: dict[str, Callable[..., Expr]] = {
    "starts_with": lambda text, start: text.str.starts_with(start),
    "ends_with": lambda text, end: text.str.ends_with(end),
    "contains": lambda text, part: text.str.contains(part, literal=True),
    "like": _like,
    "matches": lambda text, pattern: text.str.contains(pattern),
    "regex_group": _regex_group,
    "replace": _replaced,
    "lower": lambda text: text.str.to_lowercase(),
    "upper": lambda text: text.str.to_uppercase(),
    "substr": lambda text, start, length: text.str.slice(int(start), int(length)),
    "index_of": _index_of,
    "trim": lambda text: text.str.strip_chars(),
    "length": lambda text: text.str.len_chars(),
    "offset": lambda time, by: time.dt.offset_by(by),
    "list_contains": lambda texts, item: texts.list.contains(item),
}

_ON_TIME: dict[str, Callable[..., Expr]] = {
    "unit": _unit,
    "year": lambda time: time.dt.year(),
    "month": lambda time: time.dt.month(),
    "day_of_month": lambda time: time.dt.day(),
    "day": lambda time: time.dt.date(),
    "midnight": lambda date: date.cast(nw.Datetime("us")),
    "wall": lambda time: time.dt.replace_time_zone(None),
}


def needs_local_time(bound: Bound) -> bool:
    """Return whether a condition reads the parts of a time as the clock on the wall shows it.

    Parameters
    ----------
    bound
        A condition.

    Returns
    -------
    bool
        True where the time zone matters for data, not only for the bounds of a comparison.
    """
    match bound:
        case Apply(function, (argument, *_)) if function in _ON_TIME:
            return argument.kind == "time"
        case Apply():
            return any(needs_local_time(each) for each in bound.arguments)
        case InSegment():
            return needs_local_time(bound.condition)
        case Aggregate():
            return any(needs_local_time(each) for each in bound.conditions)
        case _:
            return False

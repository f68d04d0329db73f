"""Deep conditions in layers: parts that nest far are columns first, so that no engine sees a deep expression.

An expression of 500 levels takes DuckDB minutes to read (100 levels 2 s, 300 over a minute), 13 layers of 40 a second.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cdp_toolkit.engines import Frame
from cdp_toolkit.segments.expressions import expression
from cdp_toolkit.segments.pql.bound import Apply, Bound, Column, InSegment, Leaf
from cdp_toolkit.segments.pql.times import Clock

LEVELS = 40


def in_layers(
    frame: Frame, bounds: Sequence[Bound], names: Mapping[Leaf, str], clock: Clock
) -> tuple[Frame, list[Bound], dict[Leaf, str]]:
    """Compute the inner parts of deep conditions.

    Parameters
    ----------
    frame
        Rows with a column for each leaf.
    bounds
        Conditions or values about them.
    names
        Columns by leaf.
    clock
        Where days begin.

    Returns
    -------
    frame, bounds, names
        The same with columns for inner parts, conditions that read those, and the columns by leaf.
    """
    known, found = dict(names), list(bounds)
    layer = 0
    while any(_height(each) > LEVELS for each in found):
        parts: list[Bound] = []
        found = [_cut(each, parts, f"_layer{layer}") for each in found]
        columns = {f"_layer{layer}_{index}": part for index, part in enumerate(parts)}
        frame = frame.with_columns(**{name: expression(part, known, clock) for name, part in columns.items()})
        known |= {_column(part, name): name for name, part in columns.items()}
        layer += 1
    return frame, found, known


def _column(part: Bound, name: str) -> Column:
    return Column(0, (), name, kind=part.kind, source=part.source)


def _arguments(bound: Bound) -> tuple[Bound, ...]:
    match bound:
        case Apply():
            return bound.arguments
        case InSegment():
            return (bound.condition,)
        case _:
            return ()


def _height(bound: Bound) -> int:
    level, height = [bound], 0
    while level:
        level = [each for one in level for each in _arguments(one)]
        height += 1
    return height


def _cut(bound: Bound, parts: list[Bound], start: str) -> Bound:
    """Return a condition with columns in place of its parts that are a layer high."""
    return _lowered(bound, parts, start)[0]


def _lowered(bound: Bound, parts: list[Bound], start: str) -> tuple[Bound, int]:
    inner = [_lowered(each, parts, start) for each in _arguments(bound)]
    height = 1 + max((each for _, each in inner), default=0)
    changed = tuple(each for each, _ in inner)
    if isinstance(bound, Apply):
        bound = replace(bound, arguments=changed)
    elif isinstance(bound, InSegment):
        bound = replace(bound, condition=changed[0])
    if height == LEVELS:
        parts.append(bound)
        return _column(bound, f"{start}_{len(parts) - 1}"), height + 1
    return bound, height

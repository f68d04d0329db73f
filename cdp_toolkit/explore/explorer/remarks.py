"""Comments of a rule: each belongs to the row or the group that it stands before, and goes where that goes.

``attach`` takes them from a text that is read into rows, ``insert`` puts them into a text that is written from rows.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from cdp_toolkit.explore.explorer import parts as p
from cdp_toolkit.explore.explorer.read import read
from cdp_toolkit.explore.explorer.sight import Sight
from cdp_toolkit.explore.explorer.write import write
from cdp_toolkit.segments.pql.comments import Comment, comments, without
from cdp_toolkit.segments.pql.nodes import Place
from cdp_toolkit.segments.pql.parse import parse

# What may stand between a comment and the row that it is about.
_BETWEEN = re.compile(r"[\s(\[,!]*(?:(?:and|or|not)\b[\s(\[,!]*)*", re.IGNORECASE)


def attach(root: p.Group, text: str) -> p.Group:
    """Return the rows of a text with its comments.

    Parameters
    ----------
    root
        As ``read`` gives it for the text.
    text
        The rule.

    Returns
    -------
    Group
        A comment is that of the row or group behind it, or of the row before it on the same line.
    """
    bare, begun = without(text), _begun(root, text)
    for each in comments(text):
        if each.text:
            at = _about(each, bare, begun)
            part = p.part_at(root, at)
            root = p.with_part(root, at, replace(part, comment=_both(part.comment, each.text)))  # type: ignore[assignment]
    return root


def insert(text: str, root: p.Group, sight: Sight) -> str:
    """Return a text with the comments of its rows.

    Parameters
    ----------
    text
        As ``written`` gives it for the rows: a line for each of the outermost.
    root
        The rows.
    sight
        The rows that the rule can see.

    Returns
    -------
    str
        The same rule. A comment of an outermost row has lines of its own, one of a row within another stands before it.
    """
    if not text or not any(part.comment or any(_of_text(part)) for part in _all(root)):
        return text
    again = read(parse(text), sight)
    rows, rest = _filled(root.parts)
    above = root.comment
    if len(rows) == 1 and isinstance(rows[0], p.Group) and not rows[0].negated:
        above, rows = _both(above, rows[0].comment), list(rows[0].parts)
    placed = [(0, above, True), *_placed(rows, again.parts, text, is_outermost=True), (len(text), rest, True)]
    for start, said, has_lines in sorted(placed, key=lambda each: each[0], reverse=True):
        if said:
            text = (
                text[:start] + _as_lines(said, start, text) + text[start:] if has_lines else _within(text, start, said)
            )
    return text


# From a text


def _begun(root: p.Part, text: str) -> list[tuple[int, p.Address]]:
    """Return where each row and group begins, those around others first."""
    found = [(_offset(part.place, text), at) for part, at in _walked(root, ())]
    return sorted(found, key=lambda each: each[0])


def _about(comment: Comment, bare: str, begun: Sequence[tuple[int, p.Address]]) -> p.Address:
    line = bare[bare.rfind("\n", 0, comment.start) + 1 : comment.start]
    is_behind = not _BETWEEN.fullmatch(line) and not bare[comment.end :].partition("\n")[0].strip()
    coming = next((start for start, _ in begun if start >= comment.end), None)
    if coming is not None and not is_behind and _BETWEEN.fullmatch(bare[comment.end : coming]):
        there = [at for start, at in begun if start == coming]
        return there[max(len(there) - 1 - bare.count("(", comment.end, coming), 0)]
    before = [(start, at) for start, at in begun if start < comment.start]
    if not before:
        return begun[0][1] if begun else ()
    on_line = [(start, at) for start, at in before if start >= comment.start - len(line)]
    if is_behind:
        least = min(len(at) for _, at in on_line or before)
        return [at for _, at in on_line or before if len(at) == least][-1]
    return before[-1][1]


def _offset(place: Place, text: str) -> int:
    lines = text.splitlines(keepends=True)
    return sum(map(len, lines[: place.line - 1])) + place.column - 1


# Into a text


def _filled(parts: Sequence[p.Part], carried: str = "") -> tuple[list[p.Part], str]:
    """Return parts as the text has them, and what is said of parts behind the last of them that are not in it."""
    found: list[p.Part] = []
    for part in parts:
        said = _both(carried, part.comment, *(each.text for each in _of_text(part)))
        if write(part) is None and not (isinstance(part, p.Step) and part.parts):
            carried = _both(said, *(each.comment for each, _ in _walked(part, ())))
            continue
        inner, carried = _filled(part.parts) if isinstance(part, p.Holder) else ([], "")
        if isinstance(part, p.Group) and len(inner) == 1:
            found.append(replace(inner[0], comment=_both(said, inner[0].comment, carried)))
        elif isinstance(part, p.Holder):
            found.append(replace(part, parts=tuple(inner), comment=_both(said, carried)))
        else:
            found.append(replace(part, comment=said))
        carried = ""
    return found, carried


def _placed(
    rows: Sequence[p.Part], again: Sequence[p.Part], text: str, *, is_outermost: bool
) -> Iterator[tuple[int, str, bool]]:
    """Return where each comment goes, what it says, and whether it has lines of its own."""
    if len(rows) != len(again):  # text that somebody wrote into a row is other rows by now
        yield 0, _both(*(each.comment for row in rows for each in _all(row))), True
        return
    for row, new in zip(rows, again, strict=True):
        start = _before_parentheses(new, text)
        yield (text.rfind("\n", 0, start) + 1 if is_outermost else start), row.comment, is_outermost
        if isinstance(row, p.Holder):
            inside = new.parts if isinstance(new, p.Holder) else ()
            yield from _placed(row.parts, inside, text, is_outermost=False)


def _before_parentheses(part: p.Part, text: str) -> int:
    """Return where a part begins; a group with the parentheses around it and around the groups that it begins with."""
    start, depth = _offset(part.place, text), 0
    while isinstance(part, p.Group) and not part.negated and part.parts:
        part, depth = part.parts[0], depth + 1
    for _ in range(depth):
        start = text.rfind("(", 0, start) if text[:start].rstrip().endswith("(") else start
    return start


def _as_lines(said: str, start: int, text: str) -> str:
    lines = "\n".join(f"// {line}" for line in said.splitlines())
    return f"\n{lines}" if start == len(text) else f"{lines}\n"


def _within(text: str, start: int, said: str) -> str:
    lines = "".join(f"/* {line.replace('*/', '* /')} */ " for line in said.splitlines())
    return text[:start] + lines + text[start:]


# Both


def _walked(part: p.Part, at: p.Address) -> Iterator[tuple[p.Part, p.Address]]:
    for place, each in enumerate(part.parts if isinstance(part, p.Holder) else ()):
        yield each, (*at, place)
        yield from _walked(each, (*at, place))


def _all(part: p.Part) -> Iterator[p.Part]:
    yield part
    yield from (each for each, _ in _walked(part, ()))


def _of_text(part: p.Part) -> Iterator[Comment]:
    if isinstance(part, p.Text):
        yield from comments(part.text)


def _both(*said: str) -> str:
    return "\n".join(each for each in said if each)

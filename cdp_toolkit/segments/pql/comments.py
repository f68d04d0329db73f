"""The comments of a text in the Profile Query Language, which its tree does not have."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# What is in quotes is no comment, whatever it says.
_QUOTED_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|(?P<comment>//[^\n]*|/\*.*?\*/)', re.DOTALL)


@dataclass(frozen=True)
class Comment:
    """A comment.

    Parameters
    ----------
    start, end
        Where it stands: its first character, and the first one behind it.
    text
        What it says, line by line, without the marks of a comment.
    """

    start: int
    end: int
    text: str


def comments(text: str) -> Iterator[Comment]:
    """Find the comments of a text.

    Parameters
    ----------
    text
        A rule, right or wrong.

    Yields
    ------
    Comment
        From the first to the last.

    Examples
    --------
    >>> [each.text for each in comments('a = "//" // not /* that')]
    ['not /* that']
    """
    for found in _QUOTED_OR_COMMENT.finditer(text):
        if found["comment"]:
            yield Comment(found.start(), found.end(), _said(found["comment"]))


def without(text: str) -> str:
    """Return a text with blanks in place of its comments.

    Parameters
    ----------
    text
        A rule, right or wrong.

    Returns
    -------
    str
        As long as before, with the same lines.
    """
    return _QUOTED_OR_COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]) if found["comment"] else found[0], text)


def _said(comment: str) -> str:
    if comment.startswith("//"):
        return comment[2:].strip()
    lines = (line.strip().removeprefix("*").strip() for line in comment[2:-2].splitlines())
    return "\n".join(line for line in lines if line)

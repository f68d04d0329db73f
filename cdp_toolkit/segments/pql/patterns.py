r"""Regular expressions that mean the same on every engine and never run away.

The engines match in linear time and know neither look-around nor back references, as the published language's Java
does. Where they differ from each other (classes such as ``\w`` are ASCII here and all of Unicode there), the pattern
is written anew in a form that both read alike: the documented meaning, which is ASCII.
"""

import re
from dataclasses import dataclass

from cdp_toolkit.errors import PqlError
from cdp_toolkit.segments.pql.bound import Bound, Constant

# How much of a pattern an engine has to write out, repeats multiplied. Both take 30 times as much before they refuse.
MOST_WORK = 3_000
_CLASSES = {"d": "digit", "w": "word", "s": "space"}
_META = set("\\.^$|?*+()[]{}")
_CONTROLS = {"t": "\\t", "n": "\\n", "r": "\\r", "f": "\\f", "v": "\\v", "a": "\\a"}
_QUANTIFIER = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_GROUP = re.compile(r"\(\?(?:([ims]+(?:-[ims]+)?|-[ims]+)([:)])|:|P?<([A-Za-z]\w*)>)")
_PROPERTY = re.compile(r"[pP](?:([LMNPSZC])|\{\^?(L[ultmo]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?|C[cfo]?|Latin|Greek|Cyrillic|Han|Hiragana|Katakana|Hebrew|Arabic|Thai)\})")  # fmt: skip
_CODE = re.compile(r"x([0-9A-Fa-f]{2})|x\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})")


def portable(pattern: Bound, *group: Bound, wants_group: bool = False) -> list[Bound]:
    """Return a pattern as every engine reads it.

    Parameters
    ----------
    pattern
        A text that is written out.
    *group
        Number of a group in it, if one is asked for.
    wants_group
        Whether one is; the first group by default, and the whole match where there is none.

    Returns
    -------
    list of Bound
        The pattern, and the number of the group.

    Raises
    ------
    PqlError
        If it is no regular expression, or not one that every engine can match in linear time; with position.
    """
    assert isinstance(pattern, Constant)  # noqa: S101 - checked by whoever calls
    reader = _Reader(str(pattern.value), pattern)
    text = reader.read()
    found: list[Bound] = [Constant(text, kind="text", source=pattern.source)]
    if wants_group:
        number = group[0].value if group and isinstance(group[0], Constant) else min(1, reader.groups)
        if not isinstance(number, int) or not 0 <= number <= reader.groups:
            raise pattern.source.at.error(f"The pattern has {reader.groups} groups, not {number}.")
        found.append(Constant(number, kind="number", source=pattern.source))
    return found


@dataclass
class _Reader:
    """Reads a pattern from left to right, a method a construct."""

    text: str
    pattern: Bound
    at: int = 0
    groups: int = 0

    def read(self) -> str:
        text, work = self._alternatives()
        if self.at < len(self.text):
            raise self._error("A parenthesis is closed that was never opened")
        self._check(work)
        return text

    def _error(self, what: str) -> PqlError:
        shown = f"{self.text}\n{' ' * self.at}^"
        return self.pattern.source.at.error(f"This is no regular expression: {what}.", hint=shown)

    def _unsupported(self, what: str, hint: str) -> PqlError:
        return self.pattern.source.at.error(f"{what} cannot be matched in linear time.", hint=hint)

    def _check(self, work: int) -> None:
        if work > MOST_WORK:
            raise self.pattern.source.at.error(
                "The pattern repeats its parts too often.", hint="Use `*` or `+` instead of large counts."
            )

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _alternatives(self) -> tuple[str, int]:
        parts, work = [], 0
        while True:
            text, cost = self._sequence()
            parts.append(text)
            work += cost
            if self._peek() != "|":
                return "|".join(parts), work
            self.at += 1

    def _sequence(self) -> tuple[str, int]:
        parts, work = [], 0
        while (character := self._peek()) and character not in "|)":
            text, cost, repeats = self._atom(character)
            if repeats:
                quantifier, times = self._quantifier()
                text, cost = text + quantifier, cost * times
            self._check(cost)
            parts.append(text)
            work += cost
        return "".join(parts), work

    def _atom(self, character: str) -> tuple[str, int, bool]:
        if character == "(":
            return self._group()
        if character == "[":
            return self._class(), 4, True
        if character == "\\":
            return self._escape()
        if character in "*+?":
            raise self._error(f"There is nothing that `{character}` could repeat")
        self.at += 1
        if character in "^$":
            return character, 1, False
        if character == ".":
            return character, 4, True
        return _literal(character), 1, True

    def _quantifier(self) -> tuple[str, int]:
        found = _QUANTIFIER.match(self.text, self.at)
        if found:
            low, high = int(found[1]), found[2] or ""
            if high and int(high) < low:
                raise self._error("The second count is less than the first")
            times, text = max(low, int(high or 0), 1), found[0]
            if times > 1_000:
                self._check(MOST_WORK + 1)
            self.at = found.end()
        elif self._peek() and self._peek() in "*+?":
            text, times = self._peek(), 1
            self.at += 1
        else:
            return "", 1
        if self._peek() == "?":
            text += "?"
            self.at += 1
        elif self._peek() == "+":
            raise self._unsupported("A possessive repeat", "Leave out the last `+`.")
        if self._peek() and self._peek() in "*+?":
            raise self._error("A repeat is repeated")
        return text, times

    def _group(self) -> tuple[str, int, bool]:
        opened = self.at
        start = "("
        if self.text.startswith("(?", self.at):
            found = _GROUP.match(self.text, self.at)
            if found is None:
                if re.match(r"\(\?(<?[=!]|>|\()", self.text[self.at :]):
                    raise self._unsupported(
                        "Look-around", "Match the text itself, or use two conditions joined by `and not`."
                    )
                raise self._error("This kind of group is not known")
            self.at = found.end()
            if found[2] == ")":
                return found[0], 0, False
            start, named = ("(", True) if found[3] else (found[0], False)
            self.groups += named
        else:
            self.at += 1
            self.groups += 1
        text, work = self._alternatives()
        if self._peek() != ")":
            self.at = opened
            raise self._error("A parenthesis is not closed")
        self.at += 1
        return f"{start}{text})", work + 1, True

    def _escape(self) -> tuple[str, int, bool]:
        character = self.text[self.at + 1 : self.at + 2]
        if character in {"b", "B", "A", "z"} and character:
            self.at += 2
            return f"\\{character}", 1, False
        if character == "Z":
            self.at += 2
            return "$", 1, False
        if character == "Q":
            return self._quoted()
        lowered = _CLASSES.get(character.lower())
        if lowered:
            self.at += 2
            return f"[[:{'' if character.islower() else '^'}{lowered}:]]", 4, True
        return self._escaped(), 1, True

    def _quoted(self) -> tuple[str, int, bool]:
        end = self.text.find("\\E", self.at)
        quoted = self.text[self.at + 2 : end if end >= 0 else len(self.text)]
        self.at = end + 2 if end >= 0 else len(self.text)
        return f"(?:{''.join(_literal(each) for each in quoted)})", len(quoted), True

    def _escaped(self) -> str:
        """Return one escaped character, or a property of characters, that may stand in a class too."""
        code, found = _CODE.match(self.text, self.at + 1), _PROPERTY.match(self.text, self.at + 1)
        if code or found:
            self.at = (code or found).end()  # type: ignore[union-attr]  # one of the two
            return f"\\x{{{next(filter(None, code.groups()))}}}" if code else f"\\{found[0]}"  # type: ignore[index]  # then found
        character = self.text[self.at + 1 : self.at + 2]
        if not character:
            raise self._error("It ends in a backslash")
        if character.isdigit() or character == "k":
            raise self._unsupported("A back reference", "Write the repeated part out, or compare two `regexGroup`.")
        if character in _CONTROLS:
            self.at += 2
            return _CONTROLS[character]
        if character.isalnum():
            raise self._error(f"`\\{character}` has no meaning")
        self.at += 2
        return _literal(character)

    def _class(self) -> str:
        opened = self.at
        self.at += 1
        parts = ["["]
        if self._peek() == "^":
            parts.append("^")
            self.at += 1
        first = True
        while (character := self._peek()) != "]" or first:
            if not character:
                self.at = opened
                raise self._error("A bracket is not closed")
            parts.append(self._of_class(character))
            first = False
        self.at += 1
        return "".join(parts) + "]"

    def _of_class(self, character: str) -> str:
        named = re.match(r"\[:\^?(alnum|alpha|digit|lower|upper|punct|space|word|xdigit):\]", self.text[self.at :])
        if named:
            self.at += named.end()
            return named[0]
        if character == "\\":
            kind = self.text[self.at + 1 : self.at + 2]
            lowered = _CLASSES.get(kind.lower())
            if lowered:
                self.at += 2
                return f"[:{'' if kind.islower() else '^'}{lowered}:]"
            escaped = self._escaped()
            return "\\-" if escaped == "-" else escaped
        self.at += 1
        if character == "-" and self.text[self.at - 2 : self.at - 1] not in {"[", "^"} and self._peek() != "]":
            return "-"
        return f"\\{character}" if character in "[]&~-^" else character


def _literal(character: str) -> str:
    return f"\\{character}" if character in _META else character

"""The functions of the Profile Query Language on plain values: what they take, what they give."""

from dataclasses import dataclass

from cdp_toolkit.segments.pql.bound import Kind

ANY: tuple[Kind, ...] = ("text", "number", "boolean", "time", "date", "texts", "nothing")
TEXT: tuple[Kind, ...] = ("text",)
NUMBER: tuple[Kind, ...] = ("number",)
TIME: tuple[Kind, ...] = ("time", "date")


@dataclass(frozen=True)
class Signature:
    """What a function takes and gives.

    Parameters
    ----------
    takes
        Kinds that each argument may have; the first is what stands before the dot.
    gives
        Kind of the result.
    function
        Name of the function in the compiled plan.
    written
        Places of the arguments that must be written out, and not be read from data.
    why
        What the engines need there.
    optional
        How many of the last arguments may be left out.
    has_case
        Whether one more argument, ``false``, makes it ignore case.
    is_negated
        Whether it is true where ``function`` is false; never where it is unknown.
    """

    takes: tuple[tuple[Kind, ...], ...]
    gives: Kind
    function: str
    written: tuple[int, ...] = ()
    why: str = "a written value: no engine can cut each row's text in another way"
    optional: int = 0
    has_case: bool = False
    is_negated: bool = False


def _search(function: str, *, is_negated: bool = False) -> Signature:
    return Signature((TEXT, TEXT), "boolean", function, has_case=True, is_negated=is_negated)


# One wrong pattern in one row would end the evaluation of all.
_CHECKED = "a written pattern, which is checked before any data is read"

FUNCTIONS: dict[str, Signature] = {
    "startsWith": _search("starts_with"),
    "doesNotStartWith": _search("starts_with", is_negated=True),
    "endsWith": _search("ends_with"),
    "doesNotEndWith": _search("ends_with", is_negated=True),
    "contains": _search("contains"),
    "doesNotContain": _search("contains", is_negated=True),
    "like": _search("like"),
    "matches": Signature((TEXT, TEXT), "boolean", "matches", written=(1,), why=_CHECKED),
    "regexGroup": Signature((TEXT, TEXT, NUMBER), "text", "regex_group", written=(1, 2), why=_CHECKED, optional=1),
    "replace": Signature((TEXT, TEXT, TEXT), "text", "replace", written=(1,)),
    "substr": Signature((TEXT, NUMBER, NUMBER), "text", "substr", written=(1, 2)),
    "indexOf": Signature((TEXT, TEXT), "number", "index_of", written=(1,)),
    "toLowerCase": Signature((TEXT,), "text", "lower"),
    "toLower": Signature((TEXT,), "text", "lower"),
    "toUpperCase": Signature((TEXT,), "text", "upper"),
    "toUpper": Signature((TEXT,), "text", "upper"),
    "trim": Signature((TEXT,), "text", "trim"),
    "length": Signature((TEXT,), "number", "length"),
    "abs": Signature((NUMBER,), "number", "abs"),
    "round": Signature((NUMBER,), "number", "round"),
    "isNull": Signature((ANY,), "boolean", "is_null"),
    "isNotNull": Signature((ANY,), "boolean", "is_not_null"),
    "getYear": Signature((TIME,), "number", "year"),
    "getMonth": Signature((TIME,), "number", "month"),
    "getDayOfMonth": Signature((TIME,), "number", "day_of_month"),
}

OTHERS = (
    "equals", "notEqualTo", "concat", "compare", "if", "in", "notIn", "inSegment", "enteredSegment", "exitedSegment",
    "currentYear", "currentMonth", "currentDayOfMonth",
)  # fmt: skip

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
    constant
        Whether the arguments after the first must be written out.
    has_case
        Whether one more argument, ``false``, makes it ignore case.
    function
        Name of the function in the compiled plan.
    is_negated
        Whether it is true where ``function`` is false; never where it is unknown.
    """

    takes: tuple[tuple[Kind, ...], ...]
    gives: Kind
    function: str
    constant: bool = False
    has_case: bool = False
    is_negated: bool = False


def _search(function: str, *, is_negated: bool = False) -> Signature:
    return Signature((TEXT, TEXT), "boolean", function, has_case=True, is_negated=is_negated)


FUNCTIONS: dict[str, Signature] = {
    "startsWith": _search("starts_with"),
    "doesNotStartWith": _search("starts_with", is_negated=True),
    "endsWith": _search("ends_with"),
    "doesNotEndWith": _search("ends_with", is_negated=True),
    "contains": _search("contains"),
    "doesNotContain": _search("contains", is_negated=True),
    "like": Signature((TEXT, TEXT), "boolean", "like", constant=True, has_case=True),
    "matches": Signature((TEXT, TEXT), "boolean", "matches", constant=True),
    "replace": Signature((TEXT, TEXT, TEXT), "text", "replace", constant=True),
    "substr": Signature((TEXT, NUMBER, NUMBER), "text", "substr", constant=True),
    "indexOf": Signature((TEXT, TEXT), "number", "index_of", constant=True),
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

# Known to the language; a segment that uses one is refused until it can be computed alike on every engine.
NOT_YET = (
    "regexGroup", "intersection", "groupBy", "topN", "bottomN", "head",
    "get", "keys", "values", "mapEntry", "enteredSegment",
)  # fmt: skip

ON_ARRAYS = (
    "exists", "forall", "count", "sum", "average", "min", "max", "filter", "map", "distinct",
    "includes", "intersects", "supersetOf", "subsetOf",
)  # fmt: skip

OTHERS = (
    "equals", "notEqualTo", "concat", "compare", "if", "in", "notIn", "inSegment",
    "currentYear", "currentMonth", "currentDayOfMonth",
)  # fmt: skip

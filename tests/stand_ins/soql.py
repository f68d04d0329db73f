"""As much of SOQL as the connectors speak, and as refuses what Salesforce refuses."""

import operator
import re
from dataclasses import dataclass

_QUERY = re.compile(
    r"SELECT\s+(?P<fields>.+?)\s+FROM\s+(?P<object>\w+)(?:\s+WHERE\s+(?P<where>.+?))?(?:\s+ORDER BY\s+(?P<order>\w+))?"
    r"(?:\s+LIMIT\s+(?P<limit>\d+))?\s*$",
    re.IGNORECASE | re.DOTALL,
)
_CONDITION = re.compile(r"^(\w+)\s*(=|!=|>=|<=|>|<|IN)\s*(.+)$", re.IGNORECASE | re.DOTALL)
_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
_TEXT = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_OPERATORS = {
    "=": operator.eq, "!=": operator.ne, ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
}  # fmt: skip


class SoqlError(Exception):
    """A query that is refused, with Salesforce's code."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Query:
    fields: list
    object: str
    conditions: list
    order: str | None
    limit: int | None

    def keeps(self, record):
        return all(_holds(record.get(field), sign, value) for field, sign, value in self.conditions)


def parse(text):
    found = _QUERY.match(text.strip())
    if not found:
        raise SoqlError("MALFORMED_QUERY", f"unexpected token in {text[:60]!r}")
    parts = re.split(r"\s+AND\s+", found["where"], flags=re.IGNORECASE) if found["where"] else []
    fields = [field.strip() for field in found["fields"].split(",")]
    limit = int(found["limit"]) if found["limit"] else None
    return Query(fields, found["object"], [_condition(part) for part in parts], found["order"], limit)


def _condition(text):
    found = _CONDITION.match(text.strip())
    if not found:
        raise SoqlError("MALFORMED_QUERY", f"unexpected token in {text[:60]!r}")
    field, sign, value = found.groups()
    if sign.upper() == "IN":
        return field, "IN", set(map(_plain, _TEXT.findall(value)))
    return field, sign, _literal(value.strip())


def _literal(text):
    if found := _TEXT.fullmatch(text):
        return _plain(found[1])
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    if text.lower() == "null":
        return None
    if _TIME.match(text):
        seconds, _, parts = text.removesuffix("Z").partition(".")
        return f"{seconds}.{(parts or '0')[:3].ljust(3, '0')}Z"  # as the stand-in keeps times
    raise SoqlError("MALFORMED_QUERY", f"line 1: {text!r} is no literal")


def _plain(text):
    return re.sub(r"\\(.)", r"\1", text)


def _holds(value, sign, wanted):
    if sign == "IN":
        return value is not None and str(value) in wanted
    if value is None or wanted is None:
        return sign in {"=", "!="} and _OPERATORS[sign](value, wanted)
    if isinstance(wanted, str) and isinstance(value, str) and sign in {"=", "!="}:
        return _OPERATORS[sign](value.casefold(), wanted.casefold())
    return _OPERATORS[sign](value, wanted)

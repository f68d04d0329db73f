"""Records written in collections, and what became of each.

Rule: developer.salesforce.com, "REST API Developer Guide", sObject Collections: at most 200 records, each with its own
result, in their order.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from cdp_toolkit.connectors.salesforce.client import Client, select
from cdp_toolkit.destinations.destination import Outcome

CONTACT, LEAD, ACCOUNT = "003", "00Q", "001"
OBJECTS = {CONTACT: "Contact", LEAD: "Lead", ACCOUNT: "Account"}
"""Object by the first three characters of an id."""

_ATTEMPTS = 4
_LOCKED = "UNABLE_TO_LOCK_ROW"
# It is as it was to be: somebody else has done it, or this batch before it lost its answer.
_DONE = {"DUPLICATE_VALUE", "ENTITY_IS_DELETED"}

Result = dict[str, Any]


def write(client: Client, method: str, records: Sequence[Mapping[str, Any]]) -> list[Result]:
    """Create or update records; those that somebody else has locked again, a few times.

    Parameters
    ----------
    client
        The organisation.
    method
        ``POST`` to create, ``PATCH`` to update.
    records
        At most 200, with ``attributes``; those of one type stand together.

    Returns
    -------
    list of dict
        The result of each, in their order.
    """
    results: list[Result] = [{}] * len(records)
    left = list(range(len(records)))
    for _ in range(_ATTEMPTS):
        if not left:
            break
        for place, result in zip(left, client.write(method, [records[i] for i in left]), strict=True):
            results[place] = result
        left = [place for place in left if _code(results[place]) == _LOCKED]
    return results


def outcome(result: Result, *, is_removal: bool = False) -> Outcome:
    """Return what a result means for its row.

    Parameters
    ----------
    result
        Of a record.
    is_removal
        Whether it was to be deleted; then one that is gone is as it was to be.

    Returns
    -------
    Outcome
        With the record's id, if it has one.
    """
    code = _code(result)
    if not code or (code in _DONE and (is_removal or code == "DUPLICATE_VALUE")):
        return Outcome(known_as=None if is_removal else result.get("id"))
    error = result["errors"][0]
    reason = f"Salesforce: {error['message']} ({code})"
    return Outcome("retry" if code == _LOCKED else "refused", reason)


def record(name: str, **values: Any) -> dict[str, Any]:
    """Return a record to write.

    Parameters
    ----------
    name
        Its object.
    **values
        Values by field.

    Returns
    -------
    dict
        As JSON takes it.
    """
    plain = {field: value.isoformat() if isinstance(value, date) else value for field, value in values.items()}
    return {"attributes": {"type": name}, **plain}


def today(client: Client, ids: Sequence[str]) -> dict[str, str]:
    """Return as what people are known today: a lead that was converted is a contact.

    Parameters
    ----------
    client
        The organisation.
    ids
        Of contacts and leads, at most 200.

    Returns
    -------
    dict
        For each id itself, or the contact that the lead became.
    """
    leads = [each for each in ids if each.startswith(LEAD)]
    found = client.query(select(["Id", "ConvertedContactId"], "Lead", f"IsConverted = true AND {within('Id', leads)}"))
    became = {each["Id"]: each["ConvertedContactId"] for each in found} if leads else {}
    return {each: became.get(each) or each for each in ids}


def within(field: str, values: Sequence[str]) -> str:
    """Return a condition.

    Parameters
    ----------
    field
        Name of a field.
    values
        Ids.

    Returns
    -------
    str
        In SOQL.

    Examples
    --------
    >>> within("Id", ["003A", "003B"])
    "Id IN ('003A', '003B')"
    """
    quoted = ("'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'" for value in values)
    return f"{field} IN ({', '.join(quoted)})"


def _code(result: Result) -> str:
    return "" if result.get("success", False) else str(result["errors"][0]["statusCode"])

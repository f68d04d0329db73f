"""What an instance has: the fields of its objects, custom ones among them, and what it can be searched by."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from cdp_toolkit.connectors.http import RefusedError
from cdp_toolkit.connectors.marketo.client import Marketo
from cdp_toolkit.errors import UnknownNameError


@dataclass(frozen=True)
class Described:
    """Fields of an object.

    Parameters
    ----------
    fields
        The vendor's type of each field, by its name in the REST API.
    searchable
        Fields that can be searched by alone.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    searchable: frozenset[str] = frozenset()

    def only(self, names: Collection[str], *, always: Collection[str]) -> "Described":
        """Return some of the fields.

        Parameters
        ----------
        names
            Fields that are wanted; all of them if none is named.
        always
            Fields that no record is read without.

        Returns
        -------
        Described
            Fields that are there and wanted.

        Raises
        ------
        UnknownNameError
            If there is no such field.
        """
        for name in names:
            if name not in self.fields:
                raise UnknownNameError("field of leads", name, self.fields, where="lead_fields")
        kept = {name: kind for name, kind in self.fields.items() if not names or name in {*names, *always}}
        return Described(kept, self.searchable)


def describe_leads(marketo: Marketo) -> Described:
    """Return the fields of leads.

    Parameters
    ----------
    marketo
        The instance.

    Returns
    -------
    Described
        Fields that the REST API knows, and ``ecids``, which it gives without describing them.
    """
    described = marketo.get("/rest/v1/leads/describe.json")["result"]
    fields = {each["rest"]["name"]: each["dataType"] for each in described if "rest" in each}
    return Described(fields | ({"ecids": "string"} if has_ecids(marketo) else {}))


def has_ecids(marketo: Marketo) -> bool:
    """Tell whether a subscription shares audiences with the Experience Cloud; only then leads have ECIDs.

    Parameters
    ----------
    marketo
        The instance.

    Returns
    -------
    bool
        Whether it takes the field ``ecids``.
    """
    try:
        marketo.get("/rest/v1/leads.json", filterType="id", filterValues=[1], fields=["id", "ecids"])
    except RefusedError:
        return False
    return True


def describe(marketo: Marketo, path: str) -> Described:
    """Return the fields of an object other than leads.

    Parameters
    ----------
    marketo
        The instance.
    path
        Of the object, such as ``/rest/v1/companies``.

    Returns
    -------
    Described
        Its fields.
    """
    told: dict[str, Any] = marketo.get(f"{path}/describe.json")["result"][0]
    alone = {each[0] for each in told.get("searchableFields", []) if len(each) == 1}
    return Described({each["name"]: each["dataType"] for each in told["fields"]}, frozenset(alone))

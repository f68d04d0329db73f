"""What a look at an instance finds: whether the login and the permissions are there, and what is left of the day."""

from collections.abc import Callable, Iterator, Sequence

from cdp_toolkit.connectors.http import RefusedError
from cdp_toolkit.connectors.marketo.client import Marketo
from cdp_toolkit.connectors.marketo.codes import CRM_SYNC
from cdp_toolkit.connectors.marketo.keyed import KEYED
from cdp_toolkit.findings import Finding
from cdp_toolkit.sources.budget import Budget

# One call that needs the permission, by object.
_PROBES = {
    "activity_types": ("Read-Only Activity Metadata", "/rest/v1/activities/types.json"),
    "leads": ("Read-Only Lead", "/rest/v1/leads/describe.json"),
    "lists": ("Read-Only Assets", "/rest/asset/v1/staticLists.json?maxReturn=1"),
    "programs": ("Read-Only Assets", "/rest/asset/v1/programs.json?maxReturn=1"),
    "program_members": ("Read-Only Lead", "/bulk/v1/program/members/export.json"),
    "activities": ("Read-Only Activity", "/bulk/v1/activities/export.json"),
    "companies": ("Read-Only Company", f"{KEYED['companies'].path}/describe.json"),
    "named_accounts": ("Read-Only Named Account", f"{KEYED['named_accounts'].path}/describe.json"),
    "opportunities": ("Read-Only Opportunity", f"{KEYED['opportunities'].path}/describe.json"),
    "opportunity_roles": ("Read-Only Opportunity", f"{KEYED['opportunity_roles'].path}/describe.json"),
}


def check(marketo: Marketo, budget: Budget, objects: Sequence[str]) -> list[Finding]:
    """Look at an instance.

    Parameters
    ----------
    marketo
        The instance.
    budget
        Calls of a day.
    objects
        What is to be read.

    Returns
    -------
    list of Finding
        Login, calls of the day, and the permission of each object.
    """
    budget.at_least(calls_today(marketo))
    return [Finding("login"), _left(budget), *_permissions(objects, marketo.get)]


def calls_today(marketo: Marketo) -> int:
    """Return how many calls all users of an instance have made today.

    Parameters
    ----------
    marketo
        The instance.

    Returns
    -------
    int
        As Marketo counts them.
    """
    usage = marketo.get("/rest/v1/stats/usage.json").get("result") or [{}]
    return int(usage[0].get("total") or 0)


def _left(budget: Budget) -> Finding:
    limit = budget.limit or 0
    detail = f"{max(limit - budget.spent, 0):,} of {limit:,}"
    if budget.spent < limit:
        return Finding("API calls left today", detail)
    return Finding(
        "API calls left today", detail, "warning", f"Loads go on after {budget.next_day():%Y-%m-%d %H:%M} UTC."
    )


def _permissions(objects: Sequence[str], ask: Callable[[str], object]) -> Iterator[Finding]:
    for name in objects:
        if name not in _PROBES:
            continue
        permission, path = _PROBES[name]
        try:
            ask(path)
        except RefusedError as error:
            is_kept = error.code == CRM_SYNC
            hint = error.hint or f"Ask the Marketo administrator for {permission!r}."
            yield Finding(f"{name} ({permission})", error.message, "warning" if is_kept else "problem", hint)
        else:
            yield Finding(f"{name} ({permission})")

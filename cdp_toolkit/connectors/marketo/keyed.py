"""What Marketo lists nobody, and gives only to who names it: companies, named accounts, opportunities and their roles.

The names come from what has landed: leads name their companies, and are asked for their roles; roles name opportunities.

Source: https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/lead-database/companies
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cdp_toolkit.connectors.marketo.client import MOST_IDS
from cdp_toolkit.connectors.marketo.instance import Instance
from cdp_toolkit.sources.rows import Page, gather
from cdp_toolkit.sources.source import Batch, Cursor, Overlap
from cdp_toolkit.sources.windows import moment, stamp

_NULL = "null"  # how the bulk extract writes what is empty
_OPPORTUNITY_TYPES = ("34", "35", "36")


@dataclass(frozen=True)
class Names:
    """Where the values of a field are named.

    Parameters
    ----------
    object
        Object that has landed.
    column
        Its column.
    types
        Types of activities that count; all rows by default.
    """

    object: str
    column: str
    types: tuple[str, ...] = ()


@dataclass(frozen=True)
class Keyed:
    """An object that is looked up.

    Parameters
    ----------
    path
        Where.
    fields
        Fields that Marketo may search by, each with the places that name its values; the first counts that the instance
        searches by and that is named anywhere.
    patience
        How many times as long as others all of it stays as it is.
    """

    path: str
    fields: Mapping[str, tuple[Names, ...]]
    patience: int = 1


KEYED = {
    "companies": Keyed(
        "/rest/v1/companies",
        {
            "id": (Names("leads", "contactCompany"),),
            "externalCompanyId": (Names("leads", "externalCompanyId"),),
            "company": (Names("leads", "company"),),
        },
    ),
    "named_accounts": Keyed("/rest/v1/namedaccounts", {"name": (Names("leads", "company"),)}),
    # 300 leads a call: all of them are asked less often, those that were put to an opportunity at once.
    "opportunity_roles": Keyed(
        "/rest/v1/opportunities/roles",
        {"leadId": (Names("leads", "id"), Names("activities", "leadId", _OPPORTUNITY_TYPES))},
        patience=7,
    ),
    "opportunities": Keyed(
        "/rest/v1/opportunities", {"externalOpportunityId": (Names("opportunity_roles", "externalOpportunityId"),)}
    ),
}


def read_keyed(
    instance: Instance, cursor: Cursor, *, keyed: Keyed, fields: Sequence[str], searchable: Collection[str]
) -> Iterator[Batch]:
    """Look up what has landed names.

    Parameters
    ----------
    instance
        Where from.
    cursor
        How far it has come.
    keyed
        What to look up.
    fields
        Its fields.
    searchable
        Fields that this instance searches by.

    Yields
    ------
    Batch
        Records that were named since the last look; all of them, if the last look at all is long ago.
    """
    task = cursor.get("task") or _task(instance, keyed, cursor)
    field, keys = _keys(instance, keyed, searchable, task)
    if not keys and not task["is_whole"]:
        return
    ask = partial(instance.marketo.matches, f"{keyed.path}.json", field, fields=fields)
    pages = _looked_up(ask, keys, task, stamp(instance.now))
    yield from gather(keyed.path, pages, overlap=Overlap((), moment("2000-01-01T00:00:00Z")))


def _task(instance: Instance, keyed: Keyed, cursor: Cursor) -> dict[str, Any]:
    """Plan a look: which batches of the objects that name keys are new, or all of them."""
    whole = cursor.get("whole")
    is_whole = whole is None or instance.now - moment(whole) >= instance.refresh * keyed.patience
    named = {names.object for places in keyed.fields.values() for names in places}
    return {
        "is_whole": is_whole,
        "after": "",
        "from": {} if is_whole else cursor.get("batches", {}),
        "until": {name: _newest(instance, name) for name in sorted(named)},
    }


def _newest(instance: Instance, name: str) -> int:
    return max((pc.max(rows.column("_batch")).as_py() or 0 for rows in instance.landed(name, ["_batch"])), default=0)


def _keys(
    instance: Instance, keyed: Keyed, searchable: Collection[str], task: Mapping[str, Any]
) -> tuple[str, list[str]]:
    for field, places in keyed.fields.items():
        found = [part for names in places for part in _named(instance, names, task)] if field in searchable else []
        distinct = pc.unique(pa.chunked_array(found, pa.string())).to_pylist()
        if keys := sorted(key for key in distinct if key not in {None, "", _NULL}):
            return field, [key for key in keys if key > task["after"]]
    return "", []


def _named(instance: Instance, names: Names, task: Mapping[str, Any]) -> Iterator[pa.Array]:
    columns = [names.column, "_batch", *(["activityTypeId"] if names.types else [])]
    first, last = task["from"].get(names.object, 0), task["until"][names.object]
    for rows in instance.landed(names.object, columns):
        is_asked = pc.and_(pc.greater(rows.column("_batch"), first), pc.less_equal(rows.column("_batch"), last))
        if names.types:
            is_asked = pc.and_(is_asked, pc.is_in(rows.column("activityTypeId"), pa.array(names.types)))
        yield pc.unique(rows.column(names.column).filter(is_asked))


def _looked_up(
    ask: Callable[[Sequence[str]], Iterator[list[dict[str, Any]]]],
    keys: Sequence[str],
    task: Mapping[str, Any],
    at: str,
) -> Iterator[Page]:
    for start in range(0, len(keys), MOST_IDS):
        some = keys[start : start + MOST_IDS]
        rows = [row for page in ask(some) for row in page]
        yield Page(rows, {"task": {**task, "after": some[-1]}}, start / len(keys))
    whole = {"whole": at} if task["is_whole"] else {}
    yield Page([], {"task": None, "batches": task["until"], **whole}, 1.0)

"""Fields as a source describes them, and what changed since they were last seen.

``landing/_fields`` holds one row per change and is only appended to: what is known of an object is what its rows add up to.
"""

import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from cdp_toolkit.lake import Lake, OpenRun

TABLE = "landing/_fields"
_SCHEMA = pa.schema(
    {
        "source": pa.string(), "object": pa.string(), "field": pa.string(), "change": pa.string(),
        "type": pa.string(), "previous": pa.string(), "seen_at": pa.timestamp("us", "UTC"),
    }
)  # fmt: skip
_TURN = threading.Lock()  # sources that are landed beside each other write into one table


def record_fields(
    lake: Lake,
    source: str,
    described: Mapping[str, Mapping[str, str]],
    seen_at: datetime,
    *,
    within: OpenRun | None = None,
) -> list[str]:
    """Write down how the fields of a source differ from what was known of them.

    Parameters
    ----------
    lake
        Where to.
    source
        Name of the source.
    described
        By object, the vendor's type of each field.
    seen_at
        Time of the load.
    within
        The run that this is part of; see ``Lake.land``.

    Returns
    -------
    list of str
        A sentence for each object whose fields changed; none for one that is new.
    """
    with _TURN:
        known = _known(lake, source)
        changes = [
            {"source": source, "object": name, "seen_at": seen_at, **change}
            for name, fields in described.items()
            for change in _changes(known.get(name, {}), fields)
        ]
        if changes:
            counter, _ = lake.landed(TABLE)
            lake.land(TABLE, pa.Table.from_pylist(changes, _SCHEMA), counter=counter + 1, cursor={}, within=within)
    return [_sentence(source, name, changes) for name in described if name in known and _of(name, changes)]


def _known(lake: Lake, source: str) -> dict[str, dict[str, str]]:
    if not lake.exists(TABLE):
        return {}
    rows = [row for batch in lake.delivered(TABLE, _SCHEMA.names) for row in batch.to_pylist()]
    known: dict[str, dict[str, str]] = {}
    for row in sorted((row for row in rows if row["source"] == source), key=lambda row: row["seen_at"]):
        fields = known.setdefault(row["object"], {})
        if row["change"] == "vanished":
            fields.pop(row["field"], None)
        else:
            fields[row["field"]] = row["type"]
    return known


def _changes(known: Mapping[str, str], fields: Mapping[str, str]) -> Iterable[dict[str, Any]]:
    for name, kind in fields.items():
        if name not in known:
            yield {"field": name, "change": "new", "type": kind, "previous": None}
        elif known[name] != kind:
            yield {"field": name, "change": "retyped", "type": kind, "previous": known[name]}
    for name in known.keys() - fields.keys():
        yield {"field": name, "change": "vanished", "type": None, "previous": known[name]}


def _of(name: str, changes: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [change for change in changes if change["object"] == name]


def _sentence(source: str, name: str, changes: Iterable[Mapping[str, Any]]) -> str:
    told = []
    for change in sorted(_of(name, changes), key=lambda each: (each["change"], each["field"])):
        kinds = f" ({change['previous']} became {change['type']})" if change["change"] == "retyped" else ""
        told.append(f"{change['change']} {change['field']}{kinds}")
    return f"Fields of {source}/{name} changed: {', '.join(told)}. See landing/_fields."

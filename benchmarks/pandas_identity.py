"""The tables of ``identity/`` in pandas, as the first stitch of a lake makes them: see ``identities``.

The records of an entity are numbered by their keys, so that links, components and unique rules are work on arrays of
integers. What plain Python says of a text, asked once for each that occurs (folded names, phone numbers, stems and domains
of companies), and what it decides one after the other (which of contradicting links stay, which names are nearly the same)
are the toolkit's own functions.

Left out is what no default rule asks for: judgements, probable matches, phone numbers that link, patterns and blocked
values, other forms of addresses. So ``spellings`` has no rows, and in a first stitch ``aliases`` and ``history`` have none.
Keys of records and of values that sources state are those of the load; values that are worked out here have other keys,
since pandas hashes otherwise. Rows lie in the order of the keys by which a stitch looks them up.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas_evidence import Frame, Numbers, Read, Text, hashed, tell
from pandas_matches import match_accounts
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cdp_toolkit.identity import IdentityRules
from cdp_toolkit.identity.growth import _WEAKEST
from cdp_toolkit.identity.links import silent
from cdp_toolkit.identity.rebuild import rebuild
from cdp_toolkit.lake.tables import TABLES
from cdp_toolkit.profiles.build import PROFILES

_EMPTY = ("spellings", "aliases", "history")


def identities(read: Read, rules: IdentityRules, namespaces: Sequence[str], as_of: dt.datetime) -> dict[str, Frame]:
    """Return the tables of ``identity/`` by their names, in the order in which the lake keeps them.

    ``read`` gives some columns of a table of ``entities/``; the ``namespaces`` are those by which records are found.
    """
    evidence, records = tell(read, rules, namespaces)
    told: dict[str, list[Frame]] = defaultdict(list)
    tables = {"evidence": evidence}
    for name in PROFILES:
        own = evidence[evidence["reason"].isna() & (evidence["entity"] == name)]
        found = _stitch(_said(own, records[name], rules), namespaces)
        tables[f"{name}_ids"] = found.pop("ids").assign(since=pd.Timestamp(as_of).as_unit("us"))
        for table, rows in found.items():
            told[table].append(rows.assign(entity=pd.Series(name, rows.index, evidence["entity"].dtype)))
    told["refused_links"].append(evidence[evidence["reason"].notna()].assign(kind="value"))
    for table, several in told.items():
        columns = list(TABLES[f"identity/{table}"].columns)
        tables[table] = pd.concat([rows[columns] for rows in several], ignore_index=True)
    for table, rows in tables.items():
        key = TABLES[f"identity/{table}"].clustered_by
        if key is not None and not rows[key].is_monotonic_increasing:
            tables[table] = rows.sort_values(key, ignore_index=True)
    tables |= {table: _empty(table) for table in _EMPTY}
    return tables | {"account_matches": match_accounts(read, tables, rules, as_of)}


def _empty(table: str) -> Frame:
    kinds = {"integer": "int64", "timestamp": "datetime64[us, UTC]"}
    columns = TABLES[f"identity/{table}"].columns
    return pd.DataFrame({name: pd.Series(dtype=kinds.get(kind, "str")) for name, kind in columns.items()})


class _Said(NamedTuple):
    """What the records of an entity say, with the number of each record, and the records in the order of these numbers."""

    rows: Frame
    records: Frame
    rules: IdentityRules

    @property
    def unique(self) -> list[str]:
        """The namespaces that occur and whose values are to be unique."""
        return [name for name in self.rows["namespace"].unique() if self.rules.namespace(name).unique != "none"]

    def priority(self, rows: Frame) -> Numbers:
        """Return the priority of the namespace of each row."""
        known = [self.rules.namespace(name).priority for name in rows["namespace"].cat.categories]
        return np.array(known)[rows["namespace"].cat.codes]


class _Links(NamedTuple):
    """Rows of what records say: those that link a record to a ``hub``, and those that may not, with the ``reason``."""

    kept: Frame
    refused: Frame


class _Grown(NamedTuple):
    """Priorities of unique namespaces, and the component of each record by the links down to each of them, and by all."""

    levels: list[int]
    labels: list[Numbers]


def _said(rows: Frame, records: Frame, rules: IdentityRules) -> _Said:
    number = pd.Index(records["record_key"]).get_indexer(rows["record_key"])
    instance = records["source_key"].str.replace("^.*@", "", regex=True).astype("category")
    told = rows.assign(record=number, instance=instance.array.take(number), check=hashed(rows["value"]))
    return _Said(told.reset_index(drop=True), records, rules)


def _stitch(said: _Said, namespaces: Sequence[str]) -> dict[str, Frame]:
    """Return the tables of an entity."""
    rows, key = said.rows, said.records["record_key"].to_numpy()
    links = _link(said)
    grown = _grow(said, links.kept)
    whole = component = grown.labels[-1]
    linked = np.unique(np.concatenate([links.kept["record"], links.kept["hub"]]))
    broken = _broken(said, grown)
    if broken.any():
        links, component = _rebuilt(said, links, grown, broken)
    kept, refused = links
    is_live = np.zeros(len(key), bool)
    is_live[component[~said.records["is_deleted"]]] = True
    is_live = is_live[component]
    ids = said.records[["source_key", "record_key", "is_deleted"]].assign(profile_id=key[component])[is_live]
    is_first = is_live[rows["record"]] & rows["namespace"].isin(namespaces).to_numpy()
    is_first[kept.index] = is_first[refused.index] = False
    owned = rows[is_first]
    owned = owned.assign(profile_id=key[component[owned["record"]]])
    is_silent = owned["namespace"].isin(silent(said.rules))
    pairs = owned[is_silent].drop_duplicates(["value_key", "profile_id"]).drop_duplicates("value_key", keep=False)
    clusters = pd.DataFrame({"record_key": key[linked], "cluster": key[whole[linked]]})
    return {
        "ids": ids[["source_key", "record_key", "profile_id", "is_deleted"]],
        "links": kept.assign(hub_key=key[kept["hub"]]),
        "refused_links": refused.assign(kind="link"),
        "clusters": clusters,
        "members": clusters,
        "carriers": rows,
        "identities": pd.concat([owned[~is_silent], pairs]),
    }


def _link(said: _Said) -> _Links:
    """Link each record to the first that carries the same value."""
    shared = said.rows[~said.rows["namespace"].isin(silent(said.rules))]
    shared = shared[shared.duplicated("value_key", keep=False)]
    hub = shared.groupby("value_key", sort=False)["record"].transform("min")
    shared = shared.assign(hub=hub, reason=_refusals(shared, said.rules))
    is_refused = shared["reason"].notna()
    return _Links(shared[~is_refused & (shared["record"] != shared["hub"])], shared[is_refused])


def _refusals(shared: Frame, rules: IdentityRules) -> Text:
    """Return why values on several records link nobody; of several reasons the one that sorts first, which is set last."""
    by_value = shared.groupby("value_key", sort=False)
    is_one = by_value["check"].transform("min") == by_value["check"].transform("max")
    records = by_value["record"].transform("size")
    found = pd.Series(None, index=shared.index, dtype="str")
    found[~is_one] = "two values have the same key"
    for name in shared["namespace"].unique():
        rule, is_own = rules.namespace(name), shared["namespace"] == name
        if not name.endswith("_key"):  # however many point at one record, they mean that record
            most = rule.max_records or rules.max_records
            found[is_own & is_one & (records > most)] = f"on more than {most} records"
        if (most := rule.max_records_per_instance) is not None:
            counted = shared[is_own].groupby(["value_key", "instance"], observed=True, sort=False).size()
            values = counted[counted > most].index.get_level_values("value_key")
            found[shared["value_key"].isin(values)] = f"ambiguous: on more than {most} records of one source"
    return found


def _grow(said: _Said, kept: Frame) -> _Grown:
    """Find the components of links, from the strongest namespaces to the weakest."""
    levels = sorted({said.rules.namespace(name).priority for name in said.unique})
    priority, labels = said.priority(kept), [np.arange(len(said.records))]
    for above, level in pairwise([-1, *levels, _WEAKEST]):
        new = kept[(priority > above) & (priority <= level)]
        labels.append(_joined(labels[-1], labels[-1][new["record"]], labels[-1][new["hub"]]))
    return _Grown(levels, labels[1:])


def _joined(labels: Numbers, one: Numbers, other: Numbers) -> Numbers:
    """Join components, each of which has the number of its first record."""
    graph = coo_array((np.ones(len(one), bool), (one, other)), shape=(len(labels), len(labels)))
    count, found = connected_components(graph, directed=False)
    first = np.empty(count, labels.dtype)
    first[found[::-1]] = np.arange(len(labels))[::-1]
    return first[found[labels]]


def _claims(said: _Said, name: str, is_asked: Numbers) -> Frame:
    """Return what records say in a unique namespace, and the ``scope`` in which it is to be the only value."""
    rows = said.rows[(said.rows["namespace"] == name) & is_asked[said.rows["record"]]]
    if name.endswith("_key"):  # of record keys only those of live records themselves
        is_live = ~said.records["is_deleted"].to_numpy()[rows["record"]]
        rows = rows[is_live & (rows["value"] == rows["source_key"])]
    scope: Text | str = ""
    match said.rules.namespace(name).unique:
        case "instance":
            scope = rows["instance"]
        case "group":
            scope = rows["value"].str.partition("|")[0]
    return rows[["record", "namespace", "value_key"]].assign(scope=scope)


def _broken(said: _Said, grown: _Grown) -> Numbers:
    """Return for each record whether its component joins parts with different values of a unique namespace."""
    whole, broken = grown.labels[-1], np.zeros(len(said.records), bool)
    for name in said.unique:
        parts = grown.labels[grown.levels.index(said.rules.namespace(name).priority)]
        is_joined = np.zeros(len(whole), bool)
        is_joined[whole[parts != whole]] = True
        rows = _claims(said, name, is_joined[whole])
        told = rows.assign(component=whole[rows["record"]], part=parts[rows["record"]])
        told = told[["component", "part", "scope", "value_key"]].drop_duplicates()
        counted = told.groupby(["component", "scope"], observed=True, sort=False).agg(
            rows=("part", "size"), parts=("part", "nunique"), values=("value_key", "nunique")
        )
        differing = counted[counted["rows"] != counted["parts"] * counted["values"]]
        broken[differing.index.get_level_values("component")] = True
    return broken[whole]


def _rebuilt(said: _Said, links: _Links, grown: _Grown, broken: Numbers) -> tuple[_Links, Numbers]:
    """Try the weak links of broken components anew, value by value; return all links, and the component of each record."""
    kept, part = links.kept, grown.labels[0]
    weak = kept.loc[(said.priority(kept) > grown.levels[0]) & broken[kept["record"]], "value_key"]
    carriers = said.rows[said.rows["value_key"].isin(weak) & broken[said.rows["record"]]]
    carriers = carriers.assign(part=part[carriers["record"]], priority=said.priority(carriers))
    across = carriers.groupby(["value_key", "priority", "part"], as_index=False)["seen_at"].max()
    across["last_seen_at"] = across.groupby("value_key")["seen_at"].transform("max")
    across = across[across.duplicated("value_key", keep=False)]
    claims = pd.concat([_claims(said, name, broken).astype({"scope": "str"}) for name in said.unique])
    claims = claims.assign(part=part[claims["record"]], namespace=claims["namespace"].astype("str"))
    claims = claims.drop(columns="record").drop_duplicates()
    done = rebuild(pa.Table.from_pandas(across), pa.Table.from_pandas(claims), said.rules)
    told = carriers.drop(columns="reason").reset_index(names="row")
    told = told.merge(done.refused.to_pandas(), on=["value_key", "part"], how="left").set_index("row")
    out, left = told[told["reason"].notna()], told[told["reason"].isna()]
    left = left.assign(hub=left.groupby("value_key")["record"].transform("min"))
    kept = pd.concat([kept[~kept["value_key"].isin(weak)], left[left["record"] != left["hub"]]])
    joined, larger = done.joined.to_pandas(), np.arange(len(part))
    larger[joined["part"]] = joined["component"]
    return _Links(kept, pd.concat([links.refused, out])), np.where(broken, larger[part], grown.labels[-1])

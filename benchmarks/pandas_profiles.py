"""The tables of ``profiles/`` in pandas, row for row those of a stitch, for ``benchmarks/line.py``.

People, accounts, opportunities, campaigns and lists with the values that their merge policy chooses, the ties and events
given to people, what deals and people add up to, hierarchies, related accounts and computed attributes: all that a stitch of
the demo makes. Texts are ``str``, ids ``Int64``, and lists, days and booleans Arrow's, so that no row becomes a Python object. A
column of a profile is chosen by place: records are put in order once, without their values, and of each column only the
chosen ones are taken. Definitions (model, merge policy, what a company's name and domain mean) are the toolkit's own; the
computed attributes are those of the demo, written out. ``pandas_accounts`` has what is made of accounts.

Left out: merge policies besides the default one (the demo has none), and all by which a next stitch finds what changed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pandas_accounts as of_accounts
import pyarrow as pa
from pandas_tables import compact, starts_of

from cdp_toolkit import Workspace
from cdp_toolkit.model import Entity
from cdp_toolkit.profiles import merge, relations
from cdp_toolkit.profiles.build import PROFILES
from cdp_toolkit.profiles.policies import Policy, Rule

Frame = Any  # a pandas DataFrame
Column = Any  # a pandas Series
Array = Any  # a NumPy array
Read = Callable[[str, Sequence[str] | None], Frame]

TIES = ("account_person", "opportunity_person", "campaign_member", "marketing_list_member")
_LOOKED_AT = ("source_key", "source_type", "source_instance", "loaded_at")


def profiles(read: Read, identity: Mapping[str, Frame], workspace: Workspace, as_of: datetime) -> dict[str, Frame]:
    """Return all tables of ``profiles/`` by name, most in the order of profiles.

    ``read`` gives ``entities/<name>``, all columns or some; ``identity`` has the tables of ``identity/`` by name.
    """
    made = _Making(read, identity, workspace)
    with ThreadPoolExecutor(1) as beside:
        events = beside.submit(made.events)
        tables = {name: made.merged(name) for name in PROFILES}
        tables |= {name: made.tied(name) for name in TIES}
        tables |= {"person_component": made.components(), "person_identity": made.identities()}
        tables["event"] = events.result()
    tables["person_account"] = of_accounts.person_accounts(tables["person_component"], tables["account_person"])
    related = read("account", ["source_key", "related_keys"])
    stated = related.assign(account_id=_look_up(related["source_key"], made.owners("account"))).explode("related_keys")
    stated = stated.assign(related_id=made.resolve(stated["related_keys"], "account"))
    return tables | of_accounts.add_up(tables, stated, as_of)


class _Making:
    """Makes tables of records and ids."""

    def __init__(self, read: Read, identity: Mapping[str, Frame], workspace: Workspace) -> None:
        self._read, self._identity, self._model = read, identity, workspace.model
        self._policy: Policy = workspace.policies["default"]
        self._known: dict[tuple[str, str], Frame] = {}

    def resolve(self, column: Column, entity: str, namespace: str = "") -> Column:
        """Return the profiles that identities mean, of an entity's own keys by default."""
        namespace = namespace or f"{entity}_key"
        if (entity, namespace) not in self._known:
            every = self._identity["identities"]
            own = every[(every["entity"] == entity) & (every["namespace"] == namespace)]
            self._known[entity, namespace] = _known(own, "value")
        return _look_up(column, self._known[entity, namespace])

    def references(self, rows: Frame, entity: Entity) -> dict[str, Column]:
        """Return the ids of what rows refer to."""
        fields = {into: (key, entity.fields.get(key)) for key, into in relations.REFERENCES.items()}
        return {into: self.resolve(rows[key], field.to) for into, (key, field) in fields.items() if field and field.to}

    def owners(self, entity: str, *, is_live: bool = True) -> Frame:
        """Return the profile of each record by its key."""
        ids = self._identity[f"{entity}_ids"]
        return _known(ids[~ids["is_deleted"]] if is_live else ids, "source_key")

    def merged(self, name: str) -> Frame:
        """Return a row a profile, with the value of each column that the policy chooses."""
        entity, united = self._model.entity(name), merge.UNITED if name == "person" else {}
        own = [each for each in entity.recorded if each not in united]
        records = self._read(name, [*_LOOKED_AT, *own])
        owner = _look_up(records["source_key"], self.owners(name)).to_numpy("int64", na_value=-1)
        by_key = records["source_key"].array.argsort()
        by_key = by_key[owner[by_key] >= 0]
        times = [records[each].to_numpy("datetime64[us]").view("int64") for each in ("loaded_at", "updated_at")]
        by_time = np.lexsort([each[by_key] for each in (*times, owner)])  # the sort is stable: of one time, by key
        chosen = _Chosen(records, owner, by_key[by_time])
        columns = {each: chosen.values(entity, each, self._policy.rule(name, each)) for each in own}
        by_key = by_key[np.argsort(owner[by_key], kind="stable")]
        keys = _listed(owner[by_key], records["source_key"].array.take(by_key))
        columns |= {"source_keys": keys.array, "records": np.diff(chosen.starts, append=len(by_key))}
        columns |= self.carried(united, chosen.profiles) if united else {}
        rows = pd.DataFrame({"profile_id": pd.array(chosen.profiles, "Int64")} | columns)
        return rows.assign(**self.references(rows, entity))

    def carried(self, united: Mapping[str, str], people: Array) -> dict[str, Any]:
        """Return all values of some namespaces that the records of people carry, in order, as lists."""
        rows = self._read("identities", ["entity", "source_key", "namespace", "value"])
        found = {}
        for column, namespace in united.items():
            own = rows[(rows["entity"] == "person") & (rows["namespace"] == namespace)]
            owner = _look_up(own["source_key"], self.owners("person", is_live=False))
            own = own[["value"]].assign(owner=owner).dropna().drop_duplicates().sort_values("value")
            own = own.sort_values("owner", kind="stable")
            found[column] = _listed(own["owner"].to_numpy("int64"), own["value"].array).reindex(people).array
        return found

    def events(self) -> Frame:
        """Return the events by person, those of nobody first."""
        entity = self._model.entity("event")
        records = self._read("event", ["source_key", "is_deleted", *entity.recorded])
        owner = pd.Series(pd.NA, records.index, "Int64")
        for column, namespace in relations._OWNERS.items():  # noqa: SLF001 - found alike
            owner = owner.fillna(self.resolve(records[column], "person", namespace))
        return self.rekeyed(records, entity, owner, ~records["is_deleted"])

    def rekeyed(self, records: Frame, entity: Entity, owner: Column, is_kept: Column) -> Frame:
        """Return some of the records by owner, with the ids of what they refer to."""
        rows = records[["source_key", *entity.recorded]]
        if entity.name == "event":
            rows = compact(rows)  # to move 1.1M events takes 0.11 s with codes, 0.69 s with texts; finding codes 0.34 s
        rows = rows.assign(**self.references(records, entity))
        rows.insert(0, "profile_id", owner)
        kept = np.flatnonzero(is_kept)
        return rows.take(kept[np.argsort(owner.array.take(kept).to_numpy("int64", na_value=-1), kind="stable")])

    def tied(self, name: str) -> Frame:
        """Return the rows that tie known people to something; what two systems tell of one tie is one row."""
        records, entity = self._read(name, None), self._model.entity(name)
        owner = self.resolve(records["person_key"], "person")
        is_kept = owner.notna() if entity.keeps_deleted else owner.notna() & ~records["is_deleted"]
        rows = self.rekeyed(records, entity, owner, is_kept)
        homes = rows[["profile_id", "source_key", "external_key"]]
        told = homes.dropna(subset="external_key").merge(
            homes, left_on=["profile_id", "external_key"], right_on=["profile_id", "source_key"], suffixes=("", "_home")
        )
        is_copy = (told["external_key_home"] != told["source_key"]) | (told["source_key"] > told["external_key"])
        rows = rows[~rows["source_key"].isin(told.loc[is_copy, "source_key"])]
        if once := list(relations._ONCE.get(name, ())):  # noqa: SLF001 - told alike
            first = rows.groupby(once, dropna=False)["source_key"].transform("min")
            rows = rows[rows["opportunity_id"].isna() | (rows["source_key"] == first)]
        return self.with_matches(rows) if name == "account_person" else rows

    def with_matches(self, ties: Frame) -> Frame:
        """Add the ties that no source states."""
        found = self._identity["account_matches"]
        found = found[found["is_matched"]].rename(columns={"score": "matching_score"})
        ids = [found[each].astype("str") for each in ("profile_id", "account_id")]
        key = ids[0] + "-" + ids[1] + "@lead-to-account.Match"
        found = found.assign(is_active=True, relationship_source=relations.MATCHED, source_key=key)
        found = found[found.columns.intersection(ties.columns)]
        found = found.astype(ties.dtypes[found.columns])
        return pd.concat([ties, found]).sort_values("profile_id", kind="stable")

    def components(self) -> Frame:
        """Return what each record says of a person."""
        entity = self._model.entity("person_component")
        records = self._read("person", ["source_key", *entity.fields.keys() - {"person_key"}])
        rows = records.assign(person_key=records["source_key"], **self.references(records, entity))
        rows.insert(0, "profile_id", _look_up(rows["source_key"], self.owners("person")))
        return rows.dropna(subset="profile_id").sort_values("profile_id", kind="stable")

    def identities(self) -> Frame:
        """Return the identities that lead to people, besides the keys of their records."""
        rows = self._identity["identities"]
        rows = rows[(rows["entity"] == "person") & (rows["namespace"] != "person_key")]
        rows = rows.assign(source_key=rows["namespace"].astype("str") + ":" + rows["value"])
        return rows[["profile_id", "source_key", "namespace", "value"]].sort_values("profile_id", kind="stable")


class _Chosen:
    """Chooses the value of each column of each profile, of records that lie in an order by profile."""

    def __init__(self, records: Frame, owner: Array, order: Array) -> None:
        self._records, self._order, self.starts = records, order, starts_of(owner[order])
        self.profiles = owner[order[self.starts]]
        self._of = np.repeat(np.arange(len(self.starts)), np.diff(self.starts, append=len(order)))

    def values(self, entity: Entity, column: str, rule: Rule) -> Any:
        """Return the last value of each profile that there is, by the rule."""
        values, order = self._records[column], self._order
        if entity.fields[column].type == "integer":
            values = values.astype("Int64")
        is_there = values.notna().to_numpy()
        if rule.origins and is_there.any():
            order = order[np.lexsort((self._rank(rule)[order], self._of))]
        if (rule.strictest or rule.consent) and is_there.any():
            is_there = is_there & self._is_strictest(rule.consent or column)
        if is_there.all():
            return values.array.take(order[np.append(self.starts[1:], len(order)) - 1])
        last = np.maximum.reduceat(np.where(is_there[order], np.arange(len(order)), -1), self.starts)
        return values.array.take(np.where(last < 0, -1, order[last]), allow_fill=True)

    def _rank(self, rule: Rule) -> Array:
        """Return how far ahead of all others the source of a record is."""
        rank = np.zeros(len(self._records), np.int8)
        for ahead, origin in enumerate(reversed(rule.origins), start=1):
            told = {"source_type": origin.system, "source_instance": origin.instance}
            is_of = [(self._records[each] == name).to_numpy() for each, name in told.items() if name is not None]
            rank[np.logical_and.reduce(is_of)] = ahead
        return rank

    def _is_strictest(self, answer: str) -> Array:
        """Return whether no record of the profile has an answer that permits less."""
        codes, answers = pd.factorize(self._records[answer].str.lower())
        known = {each: place for place, each in enumerate(merge._STRICTER, start=1)}  # noqa: SLF001 - ranked alike
        ranks = np.append([known.get(each, merge._OTHER) for each in answers], 0)[codes]  # noqa: SLF001
        least = np.zeros(len(ranks), ranks.dtype)
        least[self._order] = np.maximum.reduceat(ranks[self._order], self.starts)[self._of]
        return ranks == least


def _known(rows: Frame, text: str) -> Frame:
    return pd.DataFrame({"text": rows[text], "found": rows["profile_id"].astype("Int64")})


def _look_up(texts: Column, known: Frame) -> Column:
    """Return what is known by each text, asking once for each that occurs."""
    codes, values = pd.factorize(texts)  # merge finds 0.17M texts in half the time of reindex
    found = pd.DataFrame({"text": values}).merge(known, on="text", how="left")["found"]
    return pd.Series(found.array.take(codes, allow_fill=True), texts.index)


def _listed(owner: Array, texts: Iterable[str]) -> Column:
    """Return lists of texts by owner, of rows that lie in the order of owners."""
    starts = starts_of(owner)
    lists = pa.LargeListArray.from_arrays(np.append(starts, len(owner)), pa.array(texts, pa.large_string()))
    return pd.Series(pd.arrays.ArrowExtensionArray(lists), owner[starts])

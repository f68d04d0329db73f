"""The tables of ``profiles/`` in pandas, row for row those of a stitch, for ``benchmarks/line.py``.

People, accounts, opportunities, campaigns and lists with the values that their merge policy chooses, the ties and events
given to people, what deals and people add up to, hierarchies, related accounts and computed attributes: all that a stitch of
the demo writes. Texts are ``str``, ids ``Int64``, and lists, days and booleans of Arrow, so that no row becomes a Python object. A
column of a profile is chosen by its place: the rows are put in order once, without their values, and of each column only
the chosen are taken. The definitions (model, merge policies, kinds of event, what a company's name and domain mean) are the
toolkit's own; the computed attributes are those of the demo, written out.

``copy`` writes what a stitch keeps beside its Delta files to look profiles up in: rows by profile, texts of few kinds as
categories, a hash of the rows of each profile. Left out: merge policies besides the default one (the demo has none),
versions, Delta's log, and looking for what changed, since all is made anew. Hashes are those of pandas.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cdp_toolkit import Workspace
from cdp_toolkit.model import Entity
from cdp_toolkit.model.companies import company_domain, company_family
from cdp_toolkit.profiles import hierarchy, merge, related, relations, rollups
from cdp_toolkit.profiles.build import PROFILES
from cdp_toolkit.profiles.policies import Policy, Rule

Frame = Any  # a pandas DataFrame
Column = Any  # a pandas Series
Array = Any  # a NumPy array
Read = Callable[[str], Frame]

TIES = ("account_person", "opportunity_person", "campaign_member", "marketing_list_member")
COPIED = (*PROFILES, *TIES, "event", "person_account", "person_component", "person_identity", "account_pipeline",
          "account_role")  # fmt: skip


def read_table(files: Sequence[str], columns: Sequence[str] | None = None) -> Frame:
    """Read a table: texts as ``str``, days, booleans and lists as Arrow has them, all else as NumPy has it."""
    return pq.read_table(list(files), columns=columns).to_pandas(types_mapper=_kind)


def _kind(kind: Any) -> Any:
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pd.StringDtype(na_value=np.nan)
    is_kept = pa.types.is_boolean(kind) or pa.types.is_date(kind) or pa.types.is_nested(kind)
    return pd.ArrowDtype(kind) if is_kept else None


def profiles(read: Read, identity: Mapping[str, Frame], workspace: Workspace, as_of: datetime) -> dict[str, Frame]:
    """Return all tables of ``profiles/``, each in the order of its profiles, by name."""
    return _Profiles(read, identity, workspace).made(as_of)


def write(tables: Mapping[str, Frame], out: Path) -> None:
    """Write each table as Parquet."""
    for name, rows in tables.items():
        rows.to_parquet(out / f"profiles-{name}.parquet", index=False)


def copy(tables: Mapping[str, Frame], out: Path) -> None:
    """Write the copies in which profiles are looked up: rows in the order of profiles, and a hash of those of each."""
    for name in COPIED:
        rows = tables[name]
        rows = rows.iloc[rows["profile_id"].isna().sum() :]  # those of nobody come first
        keys = rows["profile_id"].to_numpy("int64")
        starts = _starts(keys)
        kept = rows.drop(columns="profile_id").astype({each: "category" for each in rows if _repeats(rows[each])})
        hashes = sum(_hashed(kept[each]) * np.uint64(2 * place + 1) for place, each in enumerate(kept))
        about = {"key": keys[starts], "start": starts, "print": np.add.reduceat(hashes, starts)}
        pd.DataFrame(about).to_feather(out / f"profiles-{name}.keys", compression="uncompressed")
        (kept if len(kept.columns) else rows).to_feather(out / f"profiles-{name}.rows", compression="uncompressed")


class _Profiles:
    def __init__(self, read: Read, identity: Mapping[str, Frame], workspace: Workspace) -> None:
        self._read, self._identity, self._model = read, identity, workspace.model
        self._policy: Policy = workspace.policies["default"]
        self._known: dict[tuple[str, str], Column] = {}

    def made(self, as_of: datetime) -> dict[str, Frame]:
        tables = {"event": self.events()}
        tables |= {name: self.merged(name) for name in PROFILES}
        tables |= {name: self.tied(name) for name in TIES}
        tables["person_component"], employers = self.components()
        tables["person_identity"] = self.identities()
        tables["person_account"] = ties = person_accounts(employers, tables["account_person"])
        tables["account_pipeline"] = account_pipelines(tables["opportunity"])
        tables["account_role"] = account_roles(*(tables[name] for name in (*TIES[:2], "opportunity")))
        accounts = add_places(tables["account"])
        tables["account_descendant"], tables["account_cycle"] = list_descendants(accounts), list_cycles(accounts)
        tables["account_account"], tables["large_account_group"] = self.related(accounts)
        accounts = roll_up(accounts, tables["account_pipeline"], ties, tables["event"])
        tables["person"]["visits_30d"] = visits = visits_of(tables["event"], tables["person"]["profile_id"], as_of)
        visits = ties.merge(tables["person"][["profile_id", "visits_30d"]]).groupby("account_id")["visits_30d"].sum()
        accounts["visits_30d_of_people"] = _laid(visits.astype("float64"), accounts["profile_id"], 0)
        return tables | {"account": accounts}

    def resolve(self, column: Column, entity: str, namespace: str = "") -> Column:
        """Return the profiles that identities mean, of an entity's own keys by default."""
        namespace = namespace or f"{entity}_key"
        if (entity, namespace) not in self._known:
            all_ = self._identity["identities"]
            own = all_[(all_["entity"] == entity) & (all_["namespace"] == namespace)]
            self._known[entity, namespace] = own.set_index("value")["profile_id"].astype("Int64")
        return _look_up(column, self._known[entity, namespace])

    def references(self, rows: Frame, entity: Entity) -> dict[str, Column]:
        """Return the ids of what rows refer to."""
        fields = {into: (key, entity.fields.get(key)) for key, into in relations.REFERENCES.items()}
        return {into: self.resolve(rows[key], field.to) for into, (key, field) in fields.items() if field and field.to}

    def owners(self, entity: str, *, is_live: bool = True) -> Column:
        """Return the profile of each record by its key."""
        ids = self._identity[f"{entity}_ids"]
        ids = ids[~ids["is_deleted"]] if is_live else ids
        return ids.set_index("source_key")["profile_id"].astype("Int64")

    def merged(self, name: str) -> Frame:
        """Return a row a profile, with the value of each column that the policy chooses."""
        entity, records = self._model.entity(name), self._read(name)
        owners = _look_up(records["source_key"], self.owners(name))
        records = records.take(records["source_key"].array.argsort())
        owner = owners.array.take(records.index).to_numpy("int64", na_value=-1)
        times = [records[each].to_numpy("datetime64[us]").view("int64") for each in ("loaded_at", "updated_at")]
        chosen = _Chosen(records, owner, np.lexsort((*times, owner))[(owner < 0).sum() :])
        united = merge.UNITED if name == "person" else {}
        rules = {each: self._policy.rule(name, each) for each in entity.recorded if each not in united}
        columns = {each: chosen.values(entity, each, rule) for each, rule in rules.items()}
        rows = pd.DataFrame({"profile_id": pd.array(chosen.profiles, "Int64")} | columns)
        by_key = np.argsort(owner, kind="stable")[(owner < 0).sum() :]  # in the order of keys still
        keys = _listed(owner[by_key], records["source_key"].array.take(by_key))
        rows["source_keys"], rows["records"] = keys.array, np.diff(chosen.starts, append=len(by_key))
        for column, namespace in united.items():
            rows[column] = (
                keys_of(self._read("identities"), namespace, self.owners(name, is_live=False))
                .reindex(chosen.profiles)
                .array
            )
        return rows.assign(**self.references(rows, entity))

    def events(self) -> Frame:
        """Return the events by person, those of nobody first."""
        records, entity = self._read("event"), self._model.entity("event")
        owner = pd.Series(pd.NA, records.index, "Int64")
        for column, namespace in relations._OWNERS.items():  # noqa: SLF001 - found alike
            owner = owner.fillna(self.resolve(records[column], "person", namespace))
        return self.rekeyed(records, entity, owner, np.flatnonzero(~records["is_deleted"]))

    def rekeyed(self, records: Frame, entity: Entity, owner: Column, kept: Array) -> Frame:
        """Return the records at some places by owner, with the ids of what they refer to."""
        rows = records[["source_key", *entity.recorded]].assign(**self.references(records, entity))
        rows.insert(0, "profile_id", owner)
        return rows.take(kept[np.argsort(owner.array.take(kept).to_numpy("int64", na_value=-1), kind="stable")])

    def tied(self, name: str) -> Frame:
        """Return the rows that tie known people to something, each tie as often as it is told by systems of their own."""
        records, entity = self._read(name), self._model.entity(name)
        owner = self.resolve(records["person_key"], "person")
        is_kept = owner.notna() if entity.keeps_deleted else owner.notna() & ~records["is_deleted"]
        rows = self.rekeyed(records, entity, owner, np.flatnonzero(is_kept))
        homes = rows[["profile_id", "source_key", "external_key"]]
        told = homes.dropna(subset="external_key").merge(
            homes, left_on=["profile_id", "external_key"], right_on=["profile_id", "source_key"], suffixes=("", "_home")
        )
        is_copy = (told["external_key_home"] != told["source_key"]) | (told["source_key"] > told["external_key"])
        rows = rows[~rows["source_key"].isin(told.loc[is_copy, "source_key"])]
        if once := list(relations._ONCE.get(name, ())):  # noqa: SLF001 - told alike
            is_known = rows[once[:2]].notna().all(axis=1)
            rows = rows[
                ~is_known | (rows["source_key"] == rows.groupby(once, dropna=False)["source_key"].transform("min"))
            ]
        return self.with_matches(rows) if name == "account_person" else rows

    def with_matches(self, ties: Frame) -> Frame:
        """Add the ties that no source states."""
        found = self._identity["account_matches"]
        found = found[found["is_matched"]].rename(columns={"score": "matching_score"}).assign(
            is_active=True, relationship_source=relations.MATCHED
        )  # fmt: skip
        ids = [found[each].astype("str") for each in ("profile_id", "account_id")]
        found["source_key"] = ids[0] + "-" + ids[1] + "@lead-to-account.Match"
        told = found[found.columns.intersection(ties.columns)]
        told = told.astype(ties.dtypes[told.columns])
        return pd.concat([ties, told]).sort_values("profile_id", kind="stable")

    def components(self) -> tuple[Frame, Frame]:
        """Return what each record says of a person, and the accounts that they name."""
        records, entity = self._read("person"), self._model.entity("person_component")
        owner = _look_up(records["source_key"], self.owners("person"))
        records["person_key"] = records["source_key"]
        rows = records[["source_key", *entity.fields]].assign(**self.references(records, entity))
        rows.insert(0, "profile_id", owner)
        rows = rows[owner.notna()].sort_values("profile_id", kind="stable")
        return rows, rows[["profile_id", "account_id"]]

    def identities(self) -> Frame:
        """Return the identities that lead to people, besides the keys of their records."""
        rows = self._identity["identities"]
        rows = rows[(rows["entity"] == "person") & (rows["namespace"] != "person_key")]
        key = rows["namespace"] + ":" + rows["value"]
        columns = ["profile_id", "source_key", "namespace", "value"]
        return rows.assign(source_key=key)[columns].sort_values("profile_id", kind="stable")

    def related(self, accounts: Frame) -> tuple[Frame, Frame]:
        """Return pairs of related accounts with the reasons, and the groups that are too large to pair."""
        records = self._read("account")
        stated = records[["related_keys"]].assign(account_id=_look_up(records["source_key"], self.owners("account")))
        stated = stated.explode("related_keys").dropna()
        told = {
            "stated": stated.assign(related_id=self.resolve(stated["related_keys"], "account")),
            "parent": accounts.rename(columns={"profile_id": "account_id", "parent_id": "related_id"}),
        }
        groups = _groups(accounts)
        groups["accounts"] = groups.groupby(["reason", "value"])["account_id"].transform("size")
        left_out = groups[groups["accounts"] > related.MAX_GROUP].drop(columns="account_id").drop_duplicates()
        paired = groups[groups["accounts"].between(2, related.MAX_GROUP)]
        paired = paired.merge(paired.rename(columns={"account_id": "related_id"}), on=["reason", "value"])
        told |= dict(tuple(paired.groupby("reason")))
        one_way = pd.concat(
            told[reason][["account_id", "related_id"]].assign(reason=1 << place)
            for place, reason in enumerate(related.REASONS) if reason in told
        ).dropna()  # fmt: skip
        back = one_way.rename(columns={"account_id": "related_id", "related_id": "account_id"})
        both = pd.concat([one_way, back]).query("account_id != related_id").drop_duplicates()
        pairs = both.groupby(["account_id", "related_id"], as_index=False)["reason"].sum()
        words = [
            ", ".join(reason for place, reason in enumerate(related.REASONS) if sum_ >> place & 1)
            for sum_ in range(1 << len(related.REASONS))
        ]
        return pairs.assign(reason=pd.array(words, "str").take(pairs["reason"])), left_out


class _Chosen:
    """Chooses the value of each column of each profile, of records that lie in an order by profile."""

    def __init__(self, records: Frame, owner: Array, order: Array) -> None:
        self._records, self._owner, self._order = records, owner, order
        self.starts = _starts(owner[order])
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
        other = merge._OTHER  # noqa: SLF001
        ranks = np.append([known.get(each, other) for each in answers], 0)[codes]
        least = np.zeros(len(ranks), ranks.dtype)
        least[self._order] = np.maximum.reduceat(ranks[self._order], self.starts)[self._of]
        return ranks == least


def keys_of(identities: Frame, namespace: str, owners: Column) -> Column:
    """Return all values of a namespace that the records of people carry, in order, as a list by profile."""
    own = identities.loc[identities["namespace"] == namespace, ["source_key", "value"]]
    own = own.sort_values("value")
    rows = pd.DataFrame({"owner": _look_up(own["source_key"], owners), "value": own["value"]}).dropna()
    rows = rows.sort_values("owner", kind="stable").drop_duplicates()
    return _listed(rows["owner"].to_numpy("int64"), rows["value"].array)


def person_accounts(employers: Frame, ties: Frame) -> Frame:
    """Return which accounts people work for."""
    active = ties.loc[ties["is_active"].fillna(value=True), ["profile_id", "account_id"]]
    return pd.concat([employers, active]).dropna().drop_duplicates().sort_values("profile_id")


def account_pipelines(deals: Frame) -> Frame:
    """Add up the opportunities of each account, a currency at a time."""
    deals = deals[deals["account_id"].notna()]
    flags = {
        "opportunities": deals["account_id"].notna(),
        "open_opportunities": ~deals["is_closed"],
        "won_opportunities": deals["is_won"],
        "lost_opportunities": deals["is_closed"] & ~deals["is_won"],
    }
    flags = {name: flag.fillna(value=False).astype("bool") for name, flag in flags.items()}
    amount = deals["amount"].fillna(0)
    amounts = {
        "open_pipeline": amount.where(flags["open_opportunities"], 0),
        "won_revenue": amount.where(flags["won_opportunities"], 0),
    }
    by = deals[["account_id", "currency", "created_at"]].assign(**flags, **amounts).groupby(
        ["account_id", "currency"], dropna=False, as_index=False
    )  # fmt: skip
    summed = by.agg(
        **{name: (name, "sum") for name in (*flags, *amounts)},
        first_opportunity_at=("created_at", "min"), last_opportunity_at=("created_at", "max"),
    )  # fmt: skip
    key = summed["account_id"].astype("str") + ":" + summed["currency"].fillna("")
    return summed.assign(profile_id=summed["account_id"], source_key=key)


def account_roles(ties: Frame, on_deals: Frame, deals: Frame) -> Frame:
    """Count the people of each account by their role."""
    active = ties[ties["is_active"].fillna(value=True)]
    listed = active[["profile_id", "account_id", "roles"]].explode("roles").rename(columns={"roles": "role"})
    of_deals = on_deals[["profile_id", "opportunity_id", "role"]].merge(
        deals[["profile_id", "account_id"]].rename(columns={"profile_id": "opportunity_id"}), on="opportunity_id"
    )
    columns = ["account_id", "role", "profile_id"]
    told = pd.concat([active[columns], listed[columns].astype({"role": "str"}), of_deals[columns]]).dropna()
    counted = told.drop_duplicates().groupby(columns[:2], as_index=False).size().rename(columns={"size": "people"})
    key = counted["account_id"].astype("str") + ":" + counted["role"]
    return counted.assign(profile_id=counted["account_id"], source_key=key)


def roll_up(accounts: Frame, pipelines: Frame, ties: Frame, events: Frame) -> Frame:
    """Give accounts what their deals and people add up to."""
    counts = ["opportunities", "open_opportunities", "won_opportunities", "lost_opportunities"]
    first_last = {"first_opportunity_at": "min", "last_opportunity_at": "max"}
    totals = pipelines.groupby("account_id").agg(dict.fromkeys(counts, "sum") | first_last)
    weight = pipelines["opportunities"].where(pipelines["currency"].notna(), 0)
    main = pipelines.assign(weight=weight).sort_values(["weight", "currency"], ascending=[False, True])
    main = main.drop_duplicates("account_id").set_index("account_id")
    main = main[["currency", "open_pipeline", "won_revenue"]].rename(columns={"currency": "pipeline_currency"})
    codes, kinds = pd.factorize(events["event_type"])
    is_own = ~kinds.str.startswith(rollups.NO_ENGAGEMENT) | (kinds == rollups._ENGAGEMENT)  # noqa: SLF001 - counted alike
    last = events.loc[is_own[codes], ["profile_id", "timestamp"]].groupby("profile_id")["timestamp"].max()
    met = ties.merge(last.rename("last_engagement_at"), left_on="profile_id", right_index=True)
    people = ties.groupby("account_id").agg(people_count=("profile_id", "size"))
    parts = totals.join([main, people, met.groupby("account_id")[["last_engagement_at"]].max()], how="outer")
    rows = accounts.merge(parts, left_on="profile_id", right_index=True, how="left")
    whole = dict.fromkeys([*counts, "people_count"], "Int64")
    rows = rows.fillna(dict.fromkeys([*whole, "open_pipeline", "won_revenue"], 0)).astype(whole)
    return rows.rename(columns={"opportunities": "opportunities_count"})


def visits_of(events: Frame, people: Column, as_of: datetime) -> Array:
    """Count the pages that people saw in the last 30 days."""
    is_visit = events["event_type"] == "web.webpagedetails.pageViews"
    is_recent = events["timestamp"].between(as_of - timedelta(days=30), as_of)
    return _laid(events.loc[is_visit & is_recent, "profile_id"].value_counts(), people, 0)


def add_places(accounts: Frame) -> Frame:
    """Say where each account stands among its parents, looking twice as far each time; nowhere if they go round."""
    place = _Places(accounts)
    ultimate = pd.array(place.ids[place.top], "Int64").take(place.own)
    is_known = ~place.is_open[place.own]
    columns = {"ultimate_parent_id": ultimate, "hierarchy_depth": pd.array(place.depth[place.own], "Int64")}
    return accounts.assign(**{name: pd.Series(column).where(is_known) for name, column in columns.items()})


class _Places:
    """Parents as places of nodes, one a node."""

    def __init__(self, accounts: Frame) -> None:
        told = accounts[["profile_id", "parent_id"]].to_numpy("int64", na_value=-1)
        codes, self.ids = pd.factorize(told.T.ravel())
        self.own, self.parent = codes[: len(told)], np.arange(len(self.ids))
        has_parent = np.zeros(len(self.ids), np.bool_)
        is_told = told[:, 1] >= 0
        has_parent[self.own[is_told]] = True
        self.parent[self.own[is_told]] = codes[len(told) :][is_told]
        self.top, self.depth = self.parent, has_parent.astype(np.int64)
        for _ in range(len(told).bit_length() + 1):
            self.depth, self.top = self.depth + self.depth[self.top], self.top[self.top]
        self.is_open = has_parent[self.top]  # whoever has a parent so far up goes round in a circle

    @cached_property
    def circles(self) -> Array:
        """The smallest id of its circle for each node that is in one, else -1."""
        found, step = np.full(len(self.ids), -1), self.parent
        least = self.ids
        for _ in range(len(self.ids).bit_length() + 1):
            least, step = np.minimum(least, least[step]), step[step]
        members = np.unique(self.top[self.is_open])
        found[members] = least[members]
        return found


def list_cycles(accounts: Frame) -> Frame:
    """Return the accounts that are their own ancestors."""
    place = _Places(accounts)
    circle = place.circles[place.own]
    rows = accounts[["profile_id", "account_name", "parent_id"]].assign(cycle_id=circle)
    return rows[circle >= 0]


def list_descendants(accounts: Frame) -> Frame:
    """Return who is below whom, a level at a time."""
    below = accounts.loc[accounts["hierarchy_depth"] > 0, ["parent_id", "profile_id"]]
    parents = below.set_axis(["account_id", "descendant_id"], axis=1)
    up = below.set_axis(["above", "account_id"], axis=1)
    levels, level = [parents.assign(levels=1)], parents
    while len(level) and len(levels) < hierarchy.MAX_LEVELS:
        level = level.merge(up, on="account_id").drop(columns="account_id").rename(columns={"above": "account_id"})
        levels.append(level.assign(levels=len(levels) + 1))
    return pd.concat(levels)[["account_id", "descendant_id", "levels"]]


def _groups(accounts: Frame) -> Frame:
    domain = _asked(accounts["domain"], company_domain).fillna(_asked(accounts["website"], company_domain))
    told = [
        ("family", accounts["parent_id"].astype("str")),
        ("family", accounts["ultimate_parent_id"].astype("str")),
        ("domain", domain),
        ("name", _asked(accounts["account_name"], company_family)),
    ]
    rows = [pd.DataFrame({"account_id": accounts["profile_id"], "reason": why, "value": value}) for why, value in told]
    return pd.concat(rows).dropna().drop_duplicates()


def _asked(column: Column, answer: Callable[[str], str | None]) -> Column:
    codes, texts = pd.factorize(column)
    return pd.Series(pd.array([answer(text) for text in texts], "str").take(codes, allow_fill=True), column.index)


def _look_up(texts: Column, known: Column) -> Column:
    """Return what is known by each text, asking once for each that occurs."""
    codes, values = pd.factorize(texts)
    return pd.Series(known.reindex(values).array.take(codes, allow_fill=True), texts.index)


def _laid(values: Column, ids: Column, default: int) -> Any:
    return values.reindex(ids, fill_value=default).array


def _starts(keys: Array) -> Array:
    return np.flatnonzero(np.append(True, keys[1:] != keys[:-1])) if len(keys) else np.empty(0, np.int64)


def _listed(owner: Array, texts: Iterable[str]) -> Column:
    """Return lists of texts by owner, of rows that lie in the order of owners."""
    starts = _starts(owner)
    lists = pa.LargeListArray.from_arrays(np.append(starts, len(owner)), pa.array(texts, pa.large_string()))
    return pd.Series(pd.arrays.ArrowExtensionArray(lists), owner[starts])


def _repeats(column: Column) -> bool:
    sample = column.head(10_000)
    return column.dtype == "str" and sample.nunique() * 4 <= len(sample)


def _hashed(column: Column) -> Array:
    if not isinstance(column.dtype, pd.ArrowDtype) or not pa.types.is_nested(column.dtype.pyarrow_dtype):
        return pd.util.hash_pandas_object(column, index=False).to_numpy()
    sizes = column.list.len().fillna(0).to_numpy("int64")
    flat = pd.util.hash_pandas_object(column.list.flatten(), index=False).to_numpy()
    ends = np.append(np.uint64(0), np.cumsum(flat))[np.cumsum(sizes)]
    return np.diff(ends, prepend=np.uint64(0)) + sizes.astype(np.uint64)

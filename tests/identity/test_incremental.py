"""A run that looks only at what changed finds what a run over everything finds."""

import datetime as dt

import narwhals as nw
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_toolkit.engines import open_engine
from cdp_toolkit.identity import IdentityRules
from cdp_toolkit.identity.incremental import Came, find_changes
from cdp_toolkit.identity.past import KEYS, Past, keep_by
from cdp_toolkit.identity.stitch import Evidence, Stitcher
from cdp_toolkit.lake import Lake
from cdp_toolkit.lake.tables import TABLES
from cdp_toolkit.pipeline.kept import EVIDENCE, LakeShelf, Told, past_of

START = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
RULES = IdentityRules(
    max_records=4,
    namespaces={"email": {"max_records": 3, "blocked": ["b@x"]}, "ecid": {"max_records_per_instance": 2}},
)

_RECORD = st.fixed_dictionaries(
    {
        "email": st.sampled_from([None, "a@x", "b@x", "c@x", "d@x", "info@x"]),
        "ecid": st.sampled_from([None, "1", "2", "3"]),
        "name": st.sampled_from([None, "ana", "bob"]),
        "other": st.sampled_from([None, "1@m.M", "2@s.S", "9@m.M"]),
        "seen": st.integers(0, 3),
        "is_deleted": st.sampled_from([False, False, False, True]),
    }
)
_KEYS = [f"{n}@{'m.M' if n % 2 else 's.S'}" for n in range(1, 9)]
_WORLD = st.dictionaries(st.sampled_from(_KEYS), _RECORD, max_size=8)


@st.composite
def _histories(draw, more=2):
    """Draw a world and some more, each a few changes after the one before."""
    worlds = [draw(_WORLD)]
    for _ in range(more):
        changed = dict(worlds[-1])
        for key in draw(st.lists(st.sampled_from(_KEYS), min_size=0, max_size=2, unique=True)):
            record = draw(st.none() | _RECORD)
            changed = {k: v for k, v in changed.items() if k != key} | ({} if record is None else {key: record})
        worlds.append(changed)
    return worlds


def _evidence(world, engine):
    rows = []
    for key, record in world.items():
        said = {"person_key": {key, record["other"]}}
        if not record["is_deleted"]:
            said |= {name: {record[name]} for name in ("email", "ecid", "name")}
        seen_at = START + dt.timedelta(days=record["seen"])
        rows += [
            {"entity": "person", "source_key": key, "namespace": name, "value": value, "seen_at": seen_at,
             "spelt": f"{name}:{value}"}
            for name, values in said.items() for value in values if value is not None
        ]  # fmt: skip
    schema = pa.schema(
        [(name, pa.string()) for name in ("entity", "source_key", "namespace", "value", "spelt")]
        + [("seen_at", pa.timestamp("us", "UTC"))]
    )
    frame = engine.load(pa.Table.from_pylist(rows, schema=schema))
    keyed = engine.key64(frame, {"record_key": "source_key", "value_key": "spelt"})
    keyed = keyed.select(*TABLES["entities/identities"].columns)
    records = pa.table(
        {"source_key": list(world), "is_deleted": [each["is_deleted"] for each in world.values()]},
        schema=pa.schema([("source_key", pa.string()), ("is_deleted", pa.bool_())]),
    )
    return Evidence(keyed, engine.load(records), ("person_key", "email", "ecid"))


class _Shelf:
    """Keeps tables in memory as the lake would."""

    def __init__(self, engine, past):
        self.engine = engine
        self.tables = {} if past is None else {name: kept.rows for name, kept in past.tables.items()}

    def keep(self, name, rows):
        self.tables[name] = self.engine.load(self.engine.collect(rows))
        return self.tables[name]

    def change(self, name, rows, keys):
        left = self.tables[name].join(keys, on=keys.collect_schema().names(), how="anti")
        self.keep(name, nw.concat([left, rows.select(left.collect_schema().names())]))

    def shown(self):
        found = {name: self.engine.collect(frame).to_pylist() for name, frame in self.tables.items()}
        return {name: sorted((sorted(row.items()) for row in rows), key=repr) for name, rows in found.items()}


def _came(now, past, engine):
    records = engine.key64(now.records, {"record_key": "source_key"})
    before, after = (rows.with_columns(reason=nw.lit(None, nw.String)) for rows in (past.said.rows, now.identities))
    keys = find_changes(before, after, records, past.tables["ids"].rows, engine)
    return Came(keys, *(engine.among(rows, "record_key", keys) for rows in (now.identities, records)))


def _told(worlds, engine, *, remembers=True):
    past, shown = None, []
    for day, world in enumerate(worlds):
        shelf, now = _Shelf(engine, past), _evidence(world, engine)
        stitcher = Stitcher(RULES, engine, START + dt.timedelta(days=10 + day))
        if past is not None and past.said is not None:
            stitcher.update("person", _came(now, past, engine), past, now.namespaces, shelf)
        else:
            stitcher.stitch("person", now, past, shelf)
        tables = {name: keep_by(key, shelf.tables[name], engine) for name, key in KEYS.items()}
        past = Past(tables, keep_by("record_key", now.identities, engine) if remembers else None)
        shown.append(shelf.shown())
    return shown


@pytest.mark.parametrize(("name", "examples"), [("polars", 25), ("duckdb", 4)])
def test_what_changed_alone_gives_the_same_as_everything(name, examples):
    engine = open_engine(name)

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(_histories())
    def holds(worlds):
        assert _told(worlds, engine, remembers=True) == _told(worlds, engine, remembers=False)

    holds()


def _told_in_a_lake(worlds, lake):
    """Stitch each world after the other as a workspace does, and return the tables after each."""
    engine, shown = lake.engine, []
    for day, world in enumerate(worlds):
        now = _evidence(world, engine)
        stitcher = Stitcher(RULES, engine, START + dt.timedelta(days=10 + day))
        judged = now.identities.with_columns(reason=nw.lit(None, nw.String))
        with lake.run("stitch") as run:
            past = past_of(lake, "person")
            if past is None:
                run.replace(EVIDENCE, judged)
                stitcher.stitch("person", now, None, LakeShelf(run, "person"))
            else:
                came = _came(now, past, engine)
                told = engine.among(judged, "record_key", came.keys)
                run.change(EVIDENCE, told, came.keys.with_columns(entity=nw.lit("person")))
                shelf = LakeShelf(run, "person", Told(came.keys, told))
                stitcher.update("person", came, past, now.namespaces, shelf)
        shelf = _Shelf(engine, past_of(lake, "person"))
        shown.append({name: rows for name, rows in shelf.shown().items() if name != "history"})
    return shown


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(_histories(3), st.sampled_from([0.2, 100]))
def test_changes_looked_up_in_a_lake_and_laid_over_its_tables_give_the_same_as_everything(
    tmp_path_factory, worlds, most_laid
):
    engine = open_engine("polars")
    lake = Lake(tmp_path_factory.mktemp("lake"), engine=engine)
    lake.most_laid = most_laid

    expected = _told(worlds, engine, remembers=False)

    for found, whole in zip(_told_in_a_lake(worlds, lake), expected, strict=True):
        for name, rows in found.items():
            known = {column for row in whole[name] for column, _ in row}
            assert [[each for each in row if each[0] in known] for row in rows] == whole[name], name


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(_histories())
def test_an_id_once_given_out_means_a_profile_for_as_long_as_there_is_one(worlds):
    shown = _told(worlds, open_engine("polars"))

    ever = set()
    for tables in shown:
        ids, aliases, history = ([dict(row) for row in tables[name]] for name in ("ids", "aliases", "history"))
        live, means = {row["profile_id"] for row in ids}, {row["alias_id"]: row["profile_id"] for row in aliases}
        gone = {row["profile_id"] for row in history if row["change"] == "gone"}
        ever = {each for each in ever if each not in gone} | live
        assert {*means.values()} <= live
        assert not live & means.keys()
        assert {each for each in ever if each not in live and means.get(each) not in live} == set()
        ever -= {alias for alias, profile in means.items() if profile in gone}


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(_histories())
def test_records_have_one_id_exactly_where_links_lead_from_one_to_the_other(worlds):
    for tables in _told(worlds, open_engine("polars")):
        ids, links = ([dict(row) for row in tables[name]] for name in ("ids", "links"))
        groups = {row["record_key"]: {row["record_key"]} for row in ids}
        for link in links:
            if link["record_key"] in groups:
                whole = groups[link["record_key"]] | groups[link["hub_key"]]
                groups |= dict.fromkeys(whole, whole)
        profiles = {row["record_key"]: row["profile_id"] for row in ids}
        assert len({*profiles.values()}) == len({frozenset(group) for group in groups.values()})
        assert all(profiles[one] == profiles[other] for one, group in groups.items() for other in group)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(_histories())
def test_stitching_the_same_again_changes_nothing(worlds):
    *_, before, after = _told([*worlds, worlds[-1]], open_engine("polars"))

    assert after["history"] == []
    assert after | {"history": None} == before | {"history": None}

"""Computed attributes: columns that a rule works out."""

import datetime as dt

import pytest

from cdp_toolkit.errors import ConfigError
from cdp_toolkit.segments.computed import ComputedAttribute, changes, compute, define, with_values

AS_OF = dt.datetime(2026, 3, 15, 12, tzinfo=dt.UTC)
VIEW = "web.webpagedetails.pageViews"


def attributes(**given):
    return {
        name: ComputedAttribute(**({"pql": each} if isinstance(each, str) else each)) for name, each in given.items()
    }


@pytest.fixture
def computed(world, model, engine):
    """Work out attributes level by level, and return one as (profile, value) pairs."""

    def values(tables, name, **given):
        found = define(attributes(**given), model)
        scan = world(tables)
        frames = {entity: scan(entity) for entity in ("person", "account")}
        for names in found.levels:
            for entity, table in compute(found, names, lambda each: frames.get(each, scan(each)), engine, as_of=AS_OF):
                frames[entity] = with_values(frames[entity], engine.load(table), engine)
        entity = found.attributes[name].entity
        told = engine.collect(frames[entity].select("profile_id", name).sort("profile_id"))
        return list(zip(told["profile_id"].to_pylist(), told[name].to_pylist(), strict=True))

    return values


def viewed(profile, days, **more):
    return {"profile_id": profile, "event_type": VIEW, "timestamp": AS_OF - dt.timedelta(days=days)} | more


TABLES = {
    "person": [{"profile_id": 1, "person_score": 40.0}, {"profile_id": 2}],
    "account": [{"profile_id": 7, "account_name": "Acme", "open_pipeline": 100.0, "won_revenue": 25.0}],
    "person_account": [{"profile_id": 1, "account_id": 7}, {"profile_id": 2, "account_id": 7}],
    "event": [viewed(1, 1), viewed(1, 29), viewed(1, 31), viewed(2, 3) | {"event_type": "other"}],
    "opportunity": [
        {"profile_id": 20, "account_id": 7, "amount": 10.0, "is_closed": False},
        {"profile_id": 21, "account_id": 7, "amount": 30.0, "is_closed": True},
    ],
}


@pytest.mark.parametrize(
    ("definition", "values"),
    [
        (f'xEvent[eventType = "{VIEW}" and timestamp occurs <= 30 days before now].count()', [(1, 2), (2, 0)]),
        (f'xEvent.exists(eventType = "{VIEW}")', [(1, True), (2, False)]),
        (f'xEvent[eventType = "{VIEW}"].max(timestamp)', [(1, AS_OF - dt.timedelta(days=1)), (2, None)]),
        ("person_score / 4 + 1", [(1, 11.0), (2, None)]),
        ("accounts.opportunities[isClosed = false].sum(opportunityAmount.amount)", [(1, 10.0), (2, 10.0)]),
        ({"entity": "account", "pql": "opportunities.max(amount)"}, [(7, 30.0)]),
        ({"entity": "account", "pql": "won_revenue / (won_revenue + open_pipeline)"}, [(7, 0.2)]),
        ({"entity": "account", "pql": "people.xEvent.count()"}, [(7, 4)]),
        ({"entity": "account", "pql": "accountName.toUpperCase()"}, [(7, "ACME")]),
    ],
)
def test_a_value_is_worked_out_for_each_profile(computed, definition, values):
    assert computed(TABLES, "worked", worked=definition) == values


def test_an_attribute_may_read_others_whatever_their_order_in_the_file(computed):
    found = computed(
        TABLES,
        "is_hot",
        is_hot="busy_accounts > 0 and visits >= 2",
        busy_accounts="accounts[visits_of_people >= 3].count()",
        visits_of_people={"entity": "account", "pql": "people.sum(visits)"},
        visits=f'xEvent[eventType = "{VIEW}"].count()',
    )

    assert found == [(1, True), (2, False)]


def test_an_attribute_is_a_field_like_any_other(model):
    found = define(attributes(visits={"pql": "xEvent.count()", "description": "Visits.", "labels": ["I2"]}), model)

    field = found.model.entity("person").field("_cdp.computed.visits")
    assert (field.name, field.type, field.labels, field.derived) == (
        "visits", "integer", ("I2",), "computed: xEvent.count()"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("pql", "kind"),
    [
        ("xEvent.count()", "integer"),
        ("xEvent.count() / 2", "number"),
        ("accounts.sum(open_pipeline)", "number"),
        ("person_score > 3", "boolean"),
        ("xEvent.max(timestamp)", "timestamp"),
        ("birth_date", "date"),
        ("city", "string"),
        ("emails", "strings"),
    ],
)
def test_the_type_follows_from_the_rule(model, pql, kind):
    assert define(attributes(worked=pql), model).model.entity("person").fields["worked"].type == kind


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"a": "xEvent.cuont()"}, "'a' is wrong"),
        ({"a": "person_scor > 3"}, "'a' is wrong: There is no field of person 'person_scor'"),
        ({"a": "person_score >"}, "'a' is wrong"),
        ({"a": "city > 3"}, "'a' is wrong"),
        ({"a": "xEvent"}, "'a' is wrong: xEvent is an array"),
        ({"a": "null"}, "'a' has no type"),
        ({"a": 'inSegment("b")'}, "'a' is wrong: A computed attribute cannot ask for the segment 'b'"),
        ({"city": "xEvent.count()"}, "'city' of person exists already"),
        ({"accounts": "xEvent.count()"}, "have a column or relation 'accounts' already"),
        ({"records": "xEvent.count()"}, "have a column or relation 'records' already"),
        ({"a": "b + 1", "b": "person_scor"}, "'b' is wrong: There is no field of person 'person_scor'"),
        ({"a": "b + 1", "b": "c + 1", "c": "a + 1"}, "in a circle: a → b → c → a"),
        ({"x": "b + 1", "b": "b + 1"}, "in a circle: b → b"),
        (
            {"a": "accounts.sum(b)", "b": {"entity": "account", "pql": "people.sum(a)"}},
            "in a circle: a → b → a",
        ),
    ],
)
def test_a_wrong_definition_is_refused_before_any_data_is_read(model, given, told):
    with pytest.raises(ConfigError) as error:
        define(attributes(**given), model)

    assert told in error.value.message
    assert error.value.where.startswith("cdp.yaml, computed_attributes")


@pytest.mark.parametrize(
    ("pql", "is_timed"),
    [("xEvent.count()", False), ("xEvent[timestamp occurs <= 3 days before now].count()", True),
     ("birth_date occurs today ignore year", True), ("accounts.exists(createdDate occurs this year)", True)],
)  # fmt: skip
def test_whether_time_alone_changes_an_attribute_is_known(model, pql, is_timed):
    pql = pql.replace("createdDate", "created_at")

    assert define(attributes(a=pql), model).is_timed is is_timed


def test_only_profiles_whose_values_differ_are_changes(frame, engine):
    kept = frame({"profile_id": [1, 2, 3, 4], "a": [1, None, 3, None], "b": ["x", "x", "x", None]})
    new = frame({"profile_id": [1, 2, 3, 4], "a": [1, 2, 4, None], "b": ["x", "x", None, None]})

    assert changes(kept, kept.select("profile_id", "a", "b"), engine) == 0
    assert changes(kept, new, engine) == 2
    assert changes(kept.drop("b"), new, engine) == 4

"""A rule before it is saved: its size, exact or estimated, and its members by value."""

import pyarrow as pa
import pytest

from cdp_toolkit.errors import UnknownNameError
from cdp_toolkit.segments.estimate import preview
from cdp_toolkit.segments.neighbourhood import Neighbourhood
from cdp_toolkit.segments.sample import Few, Sample, kept
from tests.segments.conftest import AS_OF


def test_a_preview_counts_and_says_what_each_condition_removes(world, tiny, model, rows):
    pql = 'department = "Human Resources" and person_score > 80'

    found = preview(pql, world(tiny), model, as_of=AS_OF)

    assert (found.count, found.total, found.method[0]) == (1, 6, "streaming")
    assert [(each.passes, each.removes) for each in found.clauses] == [(3, 1), (2, 2)]
    assert rows(found.sample, "profile_id", "full_name") == [(4, "Di")]
    assert found.plan


def test_a_preview_of_accounts_shows_itself(world, tiny, model):
    found = preview("people.count() > 1", world(tiny), model, as_of=AS_OF, entity="account")

    assert str(found).splitlines() == [
        "2 of 4 (account), batch: reads account, person_account",
        "          2 meet it,         2 removed by it:  people.count() > 1",
    ]
    assert "<b>2</b> of 4" in found._repr_html_()


def test_members_are_counted_by_a_column_of_their_own_or_of_their_accounts(world, tiny, model):
    found = preview("true", world(tiny), model, as_of=AS_OF)

    assert found.by("department").rows == (("Human Resources", 3), (None, 2), ("Sales", 1))
    assert found.by("accounts.industry").rows == (("Finance", 3), (None, 2), ("Retail", 2))  # Bob works for two
    assert found.by("accounts.accountOrganization.industry").rows == found.by("accounts.industry").rows
    assert str(found.by("department")).splitlines()[1].split() == ["Human", "Resources", "3", "50.0%", "█" * 20]
    assert "(unknown)" in found.by("department")._repr_html_()


def test_an_unknown_column_to_count_by_is_named_with_the_nearest(world, tiny, model):
    found = preview("true", world(tiny), model, as_of=AS_OF)

    with pytest.raises(UnknownNameError, match="industry"):
        found.by("accounts.industri")


LARGE = 400
RULES = {
    "person": [
        "person_score > 80",
        'xEvent[eventType = "web"].count() >= 2',
        'accounts.exists(industry = "Finance")',
        "accounts.exists(people.count() > 4)",  # colleagues beyond the sample count too
        "accounts.exists(people.exists(xEvent.count() > 3))",
        'accounts.exists(parent.industry = "Finance" or opportunities.exists(isClosed = false))',
        'opportunityRoles.exists(opportunity.account.people.count() > 4) and accounts.exists(industry = "Finance")',
        'exists R from opportunityRoles where R.opportunity.account.industry = "Finance"',
    ],
    "account": [
        "people.count() > 4",
        "people.exists(xEvent.count() > 3)",
        "related.exists(people.exists(person_score > 90))",
        "opportunities.exists(isClosed = false) or parent.people.count() > 4",
    ],
}


@pytest.fixture
def large(world):
    """Return a world of many people, spread unevenly."""
    people = range(1, LARGE + 1)
    return world({
        "person": [{"profile_id": each, "person_score": each * 37 % 100} for each in people],
        "account": [{"profile_id": each, "industry": "Finance" if each % 3 else None, "parent_id": each // 2 or None}
                    for each in range(1, 101)],
        "account_account": [{"account_id": each, "related_id": each % 100 + 1} for each in range(1, 101)],
        "person_account": [{"profile_id": each, "account_id": each * each % 100 + 1} for each in people],
        "opportunity": [{"profile_id": each, "account_id": each % 100, "is_closed": each % 4 == 0}
                        for each in range(1, 51)],
        "opportunity_person": [{"profile_id": each * 7, "opportunity_id": each} for each in range(1, 51)],
        "event": [{"profile_id": each * number % LARGE, "event_type": "web" if number % 2 else "mail",
                   "timestamp": AS_OF} for each in people for number in range(each % 5)],
    })  # fmt: skip


@pytest.mark.parametrize("entity", ["person", "account"])
def test_an_estimate_is_what_a_full_evaluation_says_of_the_sample(tmp_path, large, model, engine, entity):
    total = LARGE if entity == "person" else 100
    sample = kept(tmp_path / "some" / "v1", entity, large, model, engine, total=total, size=40)
    chosen = set(engine.collect(sample.ids)["profile_id"].to_pylist())

    for rule in RULES[entity]:
        whole = preview(rule, large, model, as_of=AS_OF, entity=entity)
        found = preview(rule, large, model, as_of=AS_OF, entity=entity, among=lambda _: sample)

        members = chosen & set(engine.collect(whole.members)["profile_id"].to_pylist())
        assert found.count == round(len(members) * total / 40), rule
        low, high = found.interval
        assert low <= found.count <= high, rule
        assert f"({low:,} to {high:,})" in str(found)


@pytest.mark.parametrize("entity", ["person", "account"])
def test_an_estimate_reads_no_table_twice_whatever_the_rules(tmp_path, large, model, engine, entity):
    asked = []

    def scan(name):
        asked.append(name)
        return large(name)

    total = LARGE if entity == "person" else 100
    sample = kept(tmp_path / "some" / "v1", entity, scan, model, engine, total=total, size=40)
    first = [preview(rule, scan, model, as_of=AS_OF, entity=entity, among=lambda _: sample) for rule in RULES[entity]]
    asked.clear()

    again = [preview(rule, scan, model, as_of=AS_OF, entity=entity, among=lambda _: sample) for rule in RULES[entity]]

    assert asked == []
    assert [each.clauses for each in again] == [each.clauses for each in first]


def test_a_rule_that_spreads_far_is_estimated_from_fewer_profiles_and_says_so(tmp_path, large, model, engine):
    ids = engine.collect(kept(tmp_path / "some" / "v1", "person", large, model, engine, total=LARGE, size=300).ids)
    near = Neighbourhood(ids, "person", large, model, engine, folder=tmp_path / "near", most=5_000)
    sample = Sample(ids, LARGE, near, large, engine)
    rule = "accounts.exists(people.exists(xEvent.count() > 3))"

    found = preview(rule, large, model, as_of=AS_OF, among=lambda _: sample)

    looked_at = near.end(("accounts", "people", "xEvent")).first
    assert 200 < looked_at < 300
    whole = engine.collect(preview(rule, large, model, as_of=AS_OF).members)["profile_id"].to_pylist()
    members = set(whole) & set(ids["profile_id"].to_pylist()[:looked_at])
    assert found.count == round(len(members) * LARGE / looked_at)


def test_a_rule_that_spreads_too_far_for_any_estimate_reads_the_tables(tmp_path, large, model, engine):
    ids = engine.collect(kept(tmp_path / "some" / "v1", "person", large, model, engine, total=LARGE, size=40).ids)
    sample = Sample(ids, LARGE, Neighbourhood(ids, "person", large, model, engine, folder=tmp_path / "near", most=10), large, engine)  # fmt: skip
    rule = "accounts.exists(people.exists(xEvent.count() > 3))"

    found = preview(rule, large, model, as_of=AS_OF, among=lambda _: sample)

    whole = engine.collect(preview(rule, large, model, as_of=AS_OF).members)["profile_id"].to_pylist()
    assert found.count == round(len(set(whole) & set(ids["profile_id"].to_pylist())) * LARGE / 40)


def test_a_sample_is_drawn_once_and_is_the_same_wherever_it_is_drawn(tmp_path, large, model, engine):
    first = kept(tmp_path / "some" / "v1", "person", large, model, engine, total=LARGE, size=40)
    ways = [(), ("accounts",), ("xEvent",)]
    read = [first.along(ways).scan(name) for name in ("person", "account", "person_account", "event")]

    again = kept(tmp_path / "some" / "v1", "person", None, model, engine, total=LARGE, size=40)
    other = kept(tmp_path / "other" / "v1", "person", large, model, engine, total=LARGE, size=5)

    kept_rows = [again.along(ways).scan(name) for name in ("person", "account", "person_account", "event")]
    assert [len(engine.collect(each)) for each in read] == [len(engine.collect(each)) for each in kept_rows]
    ids = [engine.collect(each.ids)["profile_id"].to_pylist() for each in (first, again, other)]
    assert ids[0] == ids[1]
    assert ids[2] == ids[0][:5]


def test_the_interval_is_wilsons_and_closes_where_all_are_in_the_sample(engine):
    ids = engine.load(pa.table({"profile_id": [1]}))

    assert Few(ids, 100, 1000, None).interval(10) == (55, 174)  # 5.5 % to 17.4 %, as in the textbooks
    assert Few(ids, 100, 1000, None).interval(0) == (0, 37)
    assert Few(ids, 100, 100, None).interval(10) == (10, 10)

"""Only profiles whose facts or windows changed are evaluated again, and the outcome is that of a full evaluation."""

from collections import Counter
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_toolkit.engines.differing import Difference
from cdp_toolkit.segments import changes
from cdp_toolkit.segments.bindings import Bindings
from cdp_toolkit.segments.changes import Versions, again
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.evaluate import evaluate
from cdp_toolkit.segments.pql.times import Clock
from tests.segments.conftest import AS_OF

DAY = timedelta(days=1)
RULES = {
    "named": ("person", 'department = "Sales"'),
    "fresh": ("person", "created_at occurs <= 7 days before now"),
    "visited": ("person", 'xEvent.exists(eventType = "web" and timestamp occurs <= 7 days before now)'),
    "often": ("person", 'xEvent[eventType = "web" and timestamp occurs <= 30 days before now].count() >= 2'),
    "quiet": ("person", "not xEvent.exists(timestamp occurs <= 7 days before now)"),
    "employed": ("person", 'accounts.exists(industry = "Finance")'),
    "dealing": (
        "person",
        'exists R from opportunityRoles where R.personRole = "A" and R.opportunity.account.industry = "Finance"',
    ),
    "both": ("person", 'inSegment("named") and not inSegment("visited")'),
    "chained": ("person", 'CHAIN(xEvent, timestamp, [A: WHAT(eventType = "web"), B: WHAT(eventType = "mail")])'),
    "open": ("account", "opportunities.exists(isClosed = false)"),
    "lively": ("account", "people.exists(xEvent.exists(timestamp occurs <= 7 days before now))"),
    "family": ("account", "parent.annual_revenue > 100 or children.exists(industry = 'Finance')"),
    "handed": ("person", 'accounts.exists(inSegment("lively"))'),
}
SEGMENTS = [Segment(name=name, entity=entity, pql=pql) for name, (entity, pql) in RULES.items()]


class Evaluations:
    """Two evaluations of one world that went on in between."""

    def __init__(self, world, model, engine, before, after, moments):
        self.model, self.engine, self.moments = model, engine, moments
        self.scans = [world(before), world(after)]
        self.is_other = {name for name in {*before, *after} if before.get(name) != after.get(name)}

    def again(self, segments=SEGMENTS, *, has_prints=False):
        bindings = [Bindings(segments, self.model, Clock(moment)) for moment in self.moments]
        versions = Versions(self.scans[1], self._differing, self._changed if has_prints else lambda _: None, *bindings)
        return again(segments, [each.name for each in segments], versions, self.model, self.engine)

    def truth(self, which, segments=SEGMENTS):
        found = evaluate(segments, self.scans[which], self.model, as_of=self.moments[which])
        rows = self.engine.collect(found.members).to_pylist()
        return {(row["segment"], row["profile_id"]) for row in rows}

    def _changed(self, name):
        """Return how a table changed, as copies of it tell."""
        rows = [self.engine.collect(scan(name)) for scan in self.scans]
        keys = [{*each["profile_id"].to_pylist()} - {None} for each in rows]
        lone = keys[0] ^ keys[1]

        def of(which, *names):
            told = zip(*(rows[which][name].to_pylist() for name in ("profile_id", *names)), strict=True)
            return Counter(repr(each) for each in told if each[0] not in lone | {None})

        columns = {name for name in rows[0].column_names if of(0, name) != of(1, name)}
        then, now = (Counter((row["profile_id"], repr(row)) for row in each.to_pylist()) for each in rows)
        changed = {owner for owner, _ in (then - now) + (now - then)} - {None}
        return Difference(*(np.array(sorted(each), np.int64) for each in (changed, lone)), frozenset(columns))

    def _differing(self, name):
        return tuple(scan(name) for scan in self.scans) if name in self.is_other else None


@pytest.fixture
def go_on(world, model, engine):
    def build(before, after, *, days=0):
        return Evaluations(world, model, engine, before, after, [AS_OF, AS_OF + days * DAY])

    return build


def looked_at(evaluations, segments=SEGMENTS):
    return {entity: sorted(ids.tolist()) for entity, ids in evaluations.again(segments).profiles.items()}


def test_where_nothing_changed_nobody_is_looked_at_again(go_on, tiny):
    assert looked_at(go_on(tiny, tiny)) == {"person": [], "account": []}


def many(count, **tables):
    return {"person": [{"profile_id": each} for each in range(1, count + 1)], **tables}


def test_a_changed_opportunity_reaches_the_people_with_a_role_on_it(go_on):
    roles = [{"profile_id": each, "opportunity_id": each, "role": "A"} for each in (3, 4)]
    accounts = [{"profile_id": each, "industry": "Finance"} for each in range(1, 8)]
    deals = [{"profile_id": each, "account_id": each, "amount": 1} for each in (3, 4)]
    before = many(10, opportunity=deals, opportunity_person=roles, account=accounts)
    after = before | {"opportunity": [deals[0] | {"account_id": 7}, deals[1] | {"amount": 5}]}

    found = looked_at(go_on(before, after))

    assert found == {"person": [3], "account": [3, 7]}  # what no rule reads, the amount, may change


def test_a_window_that_slid_reaches_those_with_an_event_at_its_edge(go_on):
    times = {1: AS_OF - 7.5 * DAY, 2: AS_OF - 6.5 * DAY, 3: AS_OF - 20 * DAY, 4: AS_OF + 0.5 * DAY}
    events = [{"profile_id": each, "event_type": "web", "timestamp": time} for each, time in times.items()]
    world = many(10, event=events)

    assert looked_at(go_on(world, world, days=1))["person"] == [2, 4]


def test_people_of_accounts_whose_people_went_quiet_are_reached_over_two_relations(go_on):
    event = {"profile_id": 2, "event_type": "web", "timestamp": AS_OF - 6.5 * DAY}
    pairs = [{"profile_id": 2, "account_id": 1}, {"profile_id": 9, "account_id": 1}]
    world = many(10, event=[event], person_account=pairs, account=[{"profile_id": each} for each in range(1, 9)])

    assert looked_at(go_on(world, world, days=1)) == {"person": [2, 9], "account": [1]}


def test_new_and_gone_profiles_are_looked_at(go_on):
    before = many(10)
    after = {"person": [*before["person"][1:], {"profile_id": 11}]}

    assert looked_at(go_on(before, after))["person"] == [1, 11]


def test_a_rule_whose_change_by_time_is_unclear_is_evaluated_whole_with_the_reason(go_on):
    yearly = Segment(name="yearly", pql="created_at.getYear() = currentYear()")
    latest = Segment(name="latest", pql="xEvent.timestamp.max() occurs <= 3 days before now")
    same = Segment(name="same", pql='department = "Sales"')
    world = many(4)

    found = go_on(world, world, days=365).again([yearly, latest, same])

    assert set(found.whole) == {"latest"}
    assert "Time changes" in found.whole["latest"]


def test_where_most_changed_all_are_evaluated(go_on):
    after = {"person": [{"profile_id": each, "department": "Sales"} for each in range(1, 11)]}

    found = go_on(many(10), after).again()

    assert "10 of 10 profiles may have changed" in found.whole["named"]
    assert found.profiles.keys() == {"account"}


def test_where_more_rows_may_differ_than_can_be_compared_all_are_evaluated(go_on, monkeypatch):
    monkeypatch.setattr(changes, "_MOST_COMPARED", 5)
    after = many(10)

    found = go_on(many(10), {"person": [*after["person"][1:], {"profile_id": 11}]}).again()

    assert "20 rows of profiles/person may have changed" in found.whole["named"]


IDS = st.integers(1, 12)
TIMES = st.integers(-40, 10).map(lambda days: AS_OF + days * DAY)


def rows(**values):
    return st.lists(st.fixed_dictionaries(values), max_size=6)


def profiles(**values):
    return st.lists(
        st.fixed_dictionaries({"profile_id": IDS} | values), max_size=12, unique_by=lambda row: row["profile_id"]
    )


WORLD = {
    "person": profiles(department=st.sampled_from(["Sales", "HR", None]), created_at=st.none() | TIMES),
    "account": profiles(industry=st.sampled_from(["Finance", None]), parent_id=st.none() | IDS,
                        annual_revenue=st.sampled_from([50, 500, None])),
    "person_account": rows(profile_id=IDS, account_id=IDS),
    "opportunity": profiles(account_id=st.none() | IDS, is_closed=st.sampled_from([True, False, None])),
    "opportunity_person": rows(profile_id=IDS, opportunity_id=IDS, role=st.sampled_from(["A", "B"])),
    "event": rows(profile_id=st.none() | IDS, event_type=st.sampled_from(["web", "mail"]), timestamp=TIMES),
}  # fmt: skip


@st.composite
def histories(draw):
    before = {name: draw(strategy) for name, strategy in WORLD.items()}
    changed = draw(st.sets(st.sampled_from(sorted(WORLD)), max_size=2))
    after = before | {name: draw(WORLD[name]) for name in changed}
    # Others to whom nothing ever happens, so that those who change are few.
    others = [{"profile_id": each} for each in range(100, 160)]
    for name in ("person", "account"):
        before, after = (tables | {name: tables[name] + others} for tables in (before, after))
    return before, after, draw(st.integers(0, 40))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=histories(), has_prints=st.booleans())
def test_whoever_is_not_looked_at_again_is_where_they_were(go_on, history, has_prints):
    before, after, days = history
    evaluations = go_on(before, after, days=days)

    found = evaluations.again(has_prints=has_prints)

    changed = evaluations.truth(0) ^ evaluations.truth(1)
    entity = {each.name: each.entity for each in SEGMENTS}
    missed = {
        (name, profile_id)
        for name, profile_id in changed
        if name not in found.whole
        and profile_id not in (found.lone if name in found.same else found.profiles)[entity[name]]
    }
    assert missed == set()

"""Rules written in Python are rules of the language."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_toolkit.errors import ConfigError, UnknownNameError
from cdp_toolkit.segments.builder import Rules, account, person
from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.pql.parse import parse


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (person.country == "DE", 'country = "DE"'),
        (person.workAddress.country != "DE", 'workAddress.country != "DE"'),
        (person["b2b.personScore"].between(1, 5), "b2b.personScore between 1 and 5"),
        (~person.is_blocked.is_null(), "not is_blocked.isNull()"),
        (person.city.is_in(["Bern", "Rome"]), 'city in ["Bern", "Rome"]'),
        (person.city.not_in(["Bern"]), 'city notIn ["Bern"]'),
        (person.full_name.contains("an", ignore_case=True), 'full_name.contains("an", false)'),
        (person.birth_date.before(date(1990, 1, 1)), "birth_date occurs before date(1990, 1, 1)"),
        (person.person_score * 2 + 1 > 10, "person_score * 2 + 1 > 10"),
        (
            person.opportunity_roles.any(role="Decision Maker"),
            'opportunityRoles.exists(role = "Decision Maker")',
        ),
        (
            person.opportunity_roles.any(lambda role: role.opportunity.account.industry == "Finance"),
            'exists role from opportunityRoles where role.opportunity.account.industry = "Finance"',
        ),
        (
            person.accounts.any(account.account_name == person.company_name),
            "accounts.exists(account_name = $1.company_name)",
        ),
        (
            person.events("mail").within("2 weeks").count() >= 3,
            'xEvent[event_type = "mail" and timestamp occurs <= 2 weeks before now].count() >= 3',
        ),
        (person.accounts.opportunities.sum("amount") > 5, "accounts.opportunities.sum(amount) > 5"),
        (person.accounts.where(industry="Retail").count() == 0, 'accounts[industry = "Retail"].count() = 0'),
        (account.people.all(job_title="CEO"), 'people.forall(job_title = "CEO")'),
        (account.parent.annual_revenue > 1, "parent.annual_revenue > 1"),
        (
            person.in_segment("a") & person.entered_segment("b", "7 days"),
            'inSegment("a") and enteredSegment("b", "7 days")',
        ),
    ],
)
def test_a_rule_reads_as_the_language_writes_it(rule, text):
    assert str(rule) == text
    assert parse(str(rule)) == rule.node


values = st.one_of(st.integers(-5, 5), st.text("ab\"'\\ ", max_size=3), st.booleans(), st.dates())
compared = st.builds(
    lambda name, operator, value: getattr(person[name], operator)(value),
    st.sampled_from(["city", "b2b.personScore", "is_blocked", "birth_date"]),
    st.sampled_from(["__eq__", "__ne__", "__lt__", "__ge__"]),
    values,
)


def larger(rule):
    both = st.tuples(rule, rule)
    return st.one_of(
        both.map(lambda pair: pair[0] & pair[1]),
        both.map(lambda pair: pair[0] | pair[1]),
        rule.map(lambda each: ~each),
        rule.map(lambda each: person.accounts.any(account.people.any(each))),
        rule.map(lambda each: person.accounts.where(account.people.any(each)).count() > 1),
    )


@given(st.recursive(compared, larger, max_leaves=6))
def test_every_rule_is_parsed_as_it_was_built(rule):
    assert parse(str(rule)) == rule.node


def test_rules_are_joined_with_signs_and_not_with_words():
    rule = person.city == "Bern"

    with pytest.raises(ConfigError, match="neither true nor false") as caught:
        rule and person.is_blocked  # noqa: B018 - the mistake in question

    assert "& and |" in caught.value.hint


@pytest.mark.parametrize("mistake", [lambda: 1 < person.person_score < 5, lambda: not person.is_blocked])
def test_whatever_asks_a_rule_for_its_truth_is_told_so(mistake):
    with pytest.raises(ConfigError, match="neither true nor false"):
        mistake()


def test_an_unknown_name_is_told_the_nearest_ones():
    with pytest.raises(UnknownNameError) as caught:
        person.contry  # noqa: B018 - looking is the mistake

    assert "country" in caught.value.nearest


def test_names_complete_by_column_relation_and_path():
    assert {"country", "opportunity_roles", "workAddress", "events"} <= set(dir(person))
    assert "country" in dir(person.workAddress)
    assert {"role", "any", "count"} <= set(dir(person.opportunity_roles))
    assert "account" in dir(Rules())


def test_a_segment_takes_a_rule_with_its_entity():
    segment = Segment(name="large", pql=account.annual_revenue > 5)

    assert (segment.entity, segment.pql) == ("account", "annual_revenue > 5")


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: person.city == None, "Nothing compares with None"),  # noqa: E711 - the mistake in question
        (lambda: person.city == object(), "A rule cannot hold"),
        (lambda: person.created_at.within("soon"), "is no stretch of time"),
        (lambda: (person.city == "a") & True, "is no rule"),
    ],
)
def test_what_no_rule_can_say_is_refused(mistake, message):
    with pytest.raises(ConfigError, match=message):
        str(mistake())

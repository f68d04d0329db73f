"""What accounts add up to, counted a second way: in SQL by DuckDB over the same tables."""

import pytest

FACTS = {
    "people_count": "SELECT account_id, count(*) FROM person_account GROUP BY 1",
    "open_opportunities": "SELECT account_id, count(*) FROM opportunity WHERE is_closed = false GROUP BY 1",
    "won_opportunities": "SELECT account_id, count(*) FROM opportunity WHERE is_won GROUP BY 1",
    "lost_opportunities": "SELECT account_id, count(*) FROM opportunity WHERE is_closed AND NOT is_won GROUP BY 1",
    "opportunities_count": "SELECT account_id, count(*) FROM opportunity GROUP BY 1",
    "first_opportunity_at": "SELECT account_id, min(created_at) FROM opportunity GROUP BY 1",
    "last_opportunity_at": "SELECT account_id, max(created_at) FROM opportunity GROUP BY 1",
    "pipeline_currency": """
        SELECT account_id, arg_min(currency, (-deals, currency)) FROM
        (SELECT account_id, currency, count(*) AS deals FROM opportunity WHERE currency IS NOT NULL GROUP BY 1, 2)
        GROUP BY 1""",
    "open_pipeline": """
        SELECT o.account_id, sum(amount) FROM opportunity o JOIN account a ON a.profile_id = o.account_id
        WHERE is_closed = false AND currency IS NOT DISTINCT FROM pipeline_currency GROUP BY 1""",
    "won_revenue": """
        SELECT o.account_id, sum(amount) FROM opportunity o JOIN account a ON a.profile_id = o.account_id
        WHERE is_won AND currency IS NOT DISTINCT FROM pipeline_currency GROUP BY 1""",
    "last_engagement_at": """
        SELECT account_id, max(timestamp) FROM event JOIN person_account USING (profile_id)
        WHERE NOT regexp_matches(event_type,
          '^(directMarketing.email(Sent|Delivered|Bounced)|listOperation|opportunityEvent|leadOperation)')
        OR event_type = 'leadOperation.interestingMoment' GROUP BY 1""",
}


@pytest.mark.parametrize("fact", FACTS)
def test_a_fact_of_accounts_is_what_sql_adds_up(sql, fact):
    is_amount = fact in {"open_pipeline", "won_revenue"}
    expected = "s.fact" if fact.endswith(("_at", "_currency")) else "coalesce(s.fact, 0)"
    same = f"abs(a.{fact} - {expected}) < 0.01" if is_amount else f"a.{fact} IS NOT DISTINCT FROM {expected}"
    wrong = sql.sql(f"""
        SELECT a.profile_id, a.{fact}, s.fact FROM account a LEFT JOIN ({FACTS[fact]}) s(account_id, fact)
        ON s.account_id = a.profile_id WHERE NOT {same}""")

    assert wrong.fetchall() == []
    assert sql.sql(f"SELECT count(DISTINCT {fact}) FROM account").fetchall()[0][0] > 1 or fact == "pipeline_currency"


def test_roles_are_counted_as_sql_counts_them(sql):
    counted = """
        SELECT account_id, role, count(DISTINCT profile_id) AS people FROM (
          SELECT account_id, role, profile_id FROM account_person WHERE coalesce(is_active, true)
          UNION ALL SELECT account_id, unnest(roles), profile_id FROM account_person WHERE coalesce(is_active, true)
          UNION ALL SELECT o.account_id, r.role, r.profile_id FROM opportunity_person r
            JOIN opportunity o ON o.profile_id = r.opportunity_id)
        WHERE role IS NOT NULL AND account_id IS NOT NULL GROUP BY 1, 2"""

    assert sql.sql(f"FROM ({counted}) EXCEPT SELECT account_id, role, people FROM account_role").fetchall() == []
    assert sql.sql(f"SELECT account_id, role, people FROM account_role EXCEPT FROM ({counted})").fetchall() == []
    assert sql.sql("SELECT count(*) FROM account_role").fetchall()[0][0] > 0


RULES = {
    "open_pipeline > 100000 and pipeline_currency.isNull()": (
        "account", "SELECT count(*) FROM account WHERE open_pipeline > 100000 AND pipeline_currency IS NULL"),
    "_cdp.pipeline.won > 0 and _cdp.people.count >= 3": (
        "account", "SELECT count(*) FROM account WHERE won_revenue > 0 AND people_count >= 3"),
    "last_engagement_at occurs <= 30 days before now": (
        "account", """SELECT count(*) FROM account WHERE last_engagement_at >= TIMESTAMPTZ '2026-10-02 12:00:00+00'
        AND last_engagement_at <= TIMESTAMPTZ '2026-11-01 12:00:00+00'"""),
    'exists R from peopleByRole where R.personRole = "Decision Maker" and R.people >= 2': (
        "account", "SELECT count(DISTINCT account_id) FROM account_role WHERE role = 'Decision Maker' AND people >= 2"),
    "pipelines.sum(openPipeline) > 100000": (
        "account", """SELECT count(*) FROM (SELECT account_id FROM opportunity WHERE is_closed = false AND account_id IS NOT NULL
        GROUP BY 1 HAVING sum(amount) > 100000)"""),
    'exists C from personComponents where C.personType = "Contact" and C.sourceAccountKey.sourceKey.isNotNull()': (
        "person", "SELECT count(DISTINCT profile_id) FROM person_component WHERE person_type = 'Contact' AND account_key IS NOT NULL"),
    "personComponents.count() >= 3": ("person", "SELECT count(*) FROM person WHERE records >= 3"),
    'exists C from personComponents where C.account.accountOrganization.industry = "Finance"': (
        "person", """SELECT count(DISTINCT c.profile_id) FROM person_component c JOIN account a ON a.profile_id = c.account_id
        WHERE a.industry = 'Finance'"""),
    'identities.exists(namespace = "ecid") and identityMap.Email.count() >= 2': (
        "person", """SELECT count(*) FROM person WHERE len(emails) >= 2
        AND profile_id IN (SELECT profile_id FROM person_identity WHERE namespace = 'ecid')"""),
    'accounts.exists(open_opportunities > 0 and peopleByRole.exists(role = "Manager"))': (
        "person", """SELECT count(DISTINCT profile_id) FROM person_account WHERE account_id IN
        (SELECT profile_id FROM account WHERE open_opportunities > 0) AND account_id IN
        (SELECT account_id FROM account_role WHERE role = 'Manager')"""),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_on_what_profiles_carry_finds_whom_sql_finds(line, sql, rule):
    entity, counted = RULES[rule]

    found = line.workspace.preview(rule, entity, as_of="2026-11-01T12:00Z")

    assert found.count == sql.sql(counted).fetchall()[0][0]
    assert found.count > 0

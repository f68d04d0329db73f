"""The published use cases, counted a second way: in SQL by DuckDB over the same tables."""

import pytest

OPEN_MILLION = (
    "SELECT account_id FROM opportunity WHERE is_closed = false AND amount >= 1000000 AND account_id IS NOT NULL"
)
PRICING = "event_type = 'web.webpagedetails.pageViews' AND contains(page_url, '/pricing')"
LAST_3_DAYS = "timestamp >= TIMESTAMPTZ '2026-11-01 12:00:00+00' - INTERVAL 3 DAY AND timestamp <= TIMESTAMPTZ '2026-11-01 12:00:00+00'"
LAST_30_DAYS = LAST_3_DAYS.replace("3 DAY", "30 DAY")
LAST_MONTH = LAST_3_DAYS.replace("3 DAY", "1 MONTH")

COUNTS = {
    "decision_makers": "SELECT count(DISTINCT profile_id) FROM opportunity_person WHERE role = 'Decision Maker'",
    "roles_over_one_million": """
        SELECT count(DISTINCT r.profile_id) FROM opportunity_person r JOIN opportunity o ON o.profile_id = r.opportunity_id
        WHERE o.amount > 1000000""",
    "roles_in_canada": """
        SELECT count(DISTINCT r.profile_id) FROM opportunity_person r JOIN opportunity o ON o.profile_id = r.opportunity_id
        JOIN account a ON a.profile_id = o.account_id WHERE a.billing_country = 'Canada'""",
    "finance_pricing_visitors": f"""
        SELECT count(DISTINCT r.profile_id) FROM opportunity_person r JOIN opportunity o ON o.profile_id = r.opportunity_id
        JOIN account a ON a.profile_id = o.account_id WHERE a.industry = 'Finance' AND r.role = 'Decision Maker'
        AND r.profile_id IN (SELECT profile_id FROM event WHERE {PRICING} AND {LAST_3_DAYS})""",
    "hr_at_open_million": f"""
        SELECT count(*) FROM person WHERE department = 'Human Resources' AND profile_id IN
        (SELECT profile_id FROM person_account WHERE account_id IN ({OPEN_MILLION}))""",
    "vice_presidents_on_pricing": f"""
        SELECT count(*) FROM person p WHERE job_title LIKE '%Vice President%' AND profile_id IN
        (SELECT pa.profile_id FROM person_account pa JOIN account a ON a.profile_id = pa.account_id
         WHERE a.annual_revenue >= 100000000)
        AND 3 <= (SELECT count(*) FROM event e WHERE e.profile_id = p.profile_id AND {PRICING} AND {LAST_MONTH})""",
    "lost_but_looking": f"""
        SELECT count(DISTINCT r.profile_id) FROM opportunity_person r JOIN opportunity o ON o.profile_id = r.opportunity_id
        WHERE r.role = 'Decision Maker' AND o.is_closed AND NOT o.is_won
        AND r.profile_id IN (SELECT profile_id FROM event WHERE {PRICING} AND {LAST_3_DAYS})""",
    "hr_at_open_million_or_related": f"""
        SELECT count(*) FROM person WHERE department = 'Human Resources' AND profile_id IN
        (SELECT profile_id FROM person_account WHERE account_id IN ({OPEN_MILLION}) OR account_id IN
         (SELECT account_id FROM account_account WHERE related_id IN ({OPEN_MILLION})))""",
    "high_scores": "SELECT count(*) FROM person WHERE person_score > 80",
    "under_large_parents": """
        SELECT count(DISTINCT pa.profile_id) FROM person_account pa JOIN account a ON a.profile_id = pa.account_id
        JOIN account parent ON parent.profile_id = a.parent_id WHERE parent.annual_revenue > 100000000""",
    "managers_of_acme": """
        SELECT count(DISTINCT t.profile_id) FROM account_person t JOIN account a ON a.profile_id = t.account_id
        WHERE t.role = 'Manager' AND t.is_active AND a.account_name = 'Acme'""",
    "over_budget_campaigns": """
        SELECT count(DISTINCT m.profile_id) FROM campaign_member m JOIN campaign c ON c.profile_id = m.campaign_id
        WHERE c.actual_cost > c.budgeted_cost""",
    "anniversary_users": """
        SELECT count(DISTINCT m.profile_id) FROM marketing_list_member m JOIN marketing_list l ON l.profile_id = m.list_id
        WHERE l.list_name = 'Anniversary users' AND m.is_deleted = false""",
    "accounts_without_coo_or_cmo": """
        SELECT count(*) FROM account WHERE profile_id NOT IN
        (SELECT pa.account_id FROM person_account pa JOIN person p USING (profile_id)
         WHERE p.job_title IN ('Chief Operating Officer', 'Chief Marketing Officer'))""",
    "accounts_open_but_quiet": f"""
        SELECT count(*) FROM account WHERE profile_id IN (SELECT account_id FROM opportunity WHERE is_closed = false)
        AND profile_id NOT IN (SELECT pa.account_id FROM person_account pa JOIN event e USING (profile_id)
         WHERE e.event_type = 'web.webpagedetails.pageViews' AND {LAST_30_DAYS})""",
}  # fmt: skip


def test_every_segment_of_the_demo_is_counted_here(line):
    assert sorted(line.workspace.segments) == sorted(COUNTS)


@pytest.mark.parametrize("segment", COUNTS)
def test_an_audience_has_the_size_that_sql_counts(line, sql, segment):
    counted = sql.sql(COUNTS[segment]).fetchall()[0][0]

    assert line.evaluated.details["audiences"][segment] == counted
    assert counted > 0, "the demo world has nobody of this kind, so the comparison shows nothing"

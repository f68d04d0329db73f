"""A rule before it is saved."""

from cdp_toolkit.segments.estimate import preview
from tests.segments.conftest import AS_OF


def test_a_preview_counts_and_says_what_each_condition_removes(world, tiny, model, rows):
    pql = 'department = "Human Resources" and person_score > 80'

    found = preview(pql, world(tiny), model, as_of=AS_OF)

    assert (found.count, found.total, found.method[0]) == (1, 6, "streaming")
    assert [(each.passes, each.removes) for each in found.clauses] == [(3, 1), (2, 2)]
    assert rows(found.sample, "profile_id", "full_name") == [(4, "Di")]


def test_a_preview_of_accounts_shows_itself(world, tiny, model):
    found = preview("people.count() > 1", world(tiny), model, as_of=AS_OF, entity="account")

    assert str(found).splitlines() == [
        "2 of 4 (account), batch: reads account, person_account",
        "          2 meet it,         2 removed by it:  people.count() > 1",
    ]
    assert "<b>2</b> of 4" in found._repr_html_()

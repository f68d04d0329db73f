"""The thirteen published use cases and two account audiences, on a world that can be counted by hand."""

from importlib.resources import files

from cdp_toolkit.segments.definition import Segment
from cdp_toolkit.segments.evaluate import evaluate
from tests.segments.conftest import AS_OF

MEMBERS = {
    "decision_makers": [1, 2, 4],
    "roles_over_one_million": [2, 3],
    "roles_in_canada": [1, 2, 3, 4],
    "finance_pricing_visitors": [1, 2],
    "hr_at_open_million": [2],
    "vice_presidents_on_pricing": [1],
    "lost_but_looking": [2],
    "hr_at_open_million_or_related": [2, 4],
    "high_scores": [1, 4],
    "under_large_parents": [1, 2],
    "managers_of_acme": [1],
    "over_budget_campaigns": [5],
    "anniversary_users": [1],
    "accounts_without_coo_or_cmo": [1, 3, 4],
    "accounts_open_but_quiet": [],
}


def shipped():
    folder = files("cdp_toolkit.demo").joinpath("workspace/segments")
    return [Segment.from_yaml(file.read_text("utf-8"), where=file.name) for file in folder.iterdir()]


def test_each_use_case_runs_from_its_definition(world, tiny, model, rows):
    evaluation = evaluate(shipped(), world(tiny), model, as_of=AS_OF)

    found = rows(evaluation.members, "segment", "profile_id")
    assert evaluation.failed == {}
    assert {name: [profile for segment, profile in found if segment == name] for name in MEMBERS} == MEMBERS
    assert evaluation.methods["high_scores"] == ("streaming", "reads profile attributes and events only")


def test_a_quiet_account_is_one_whose_people_made_no_visit(world, tiny, model, rows):
    later = AS_OF.replace(month=6)

    evaluation = evaluate(shipped(), world(tiny), model, as_of=later, only=["accounts_open_but_quiet"])

    assert rows(evaluation.members, "entity", "profile_id") == [("account", 1), ("account", 3)]

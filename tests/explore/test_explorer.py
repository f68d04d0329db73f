"""What the explorer shows is what the engine finds; its text is its whole state."""

import polars as pl
import pytest

from cdp_toolkit.errors import ConfigError
from cdp_toolkit.explore.explorer import Explorer
from cdp_toolkit.workspace import Workspace

AS_OF = "2026-09-01"


@pytest.fixture
def explorer(ws):
    return Explorer(ws, as_of=AS_OF)


def _built(explorer, *messages):
    for message in messages:
        explorer.do(message)
    explorer.look()
    return explorer


FINANCE = (
    {"do": "add", "at": [], "kind": "related"},
    {"do": "add", "at": [0], "kind": "comparison"},
    {"do": "values", "at": [0, 0], "values": ["Finance"]},
)


def test_an_audience_built_by_rows_has_the_size_that_the_engine_counts(explorer, ws):
    _built(explorer, *FINANCE)

    assert explorer.pql == 'accounts.exists(industry = "Finance")'
    assert explorer.seen.count == ws.preview(explorer.pql, as_of=AS_OF).count > 0


def test_typing_the_text_of_an_explorer_gives_the_same_explorer(explorer, ws):
    _built(explorer, *FINANCE)

    again = Explorer(ws, pql=explorer.pql, as_of=AS_OF)

    assert again.draft.rows == explorer.draft.rows
    assert again.composition().equals(explorer.composition())


def test_an_empty_rule_shows_everybody(explorer, ws):
    assert explorer.seen.count == explorer.seen.total == ws.scan("person").select(pl.len()).collect().item()


def test_a_filter_narrows_the_other_charts_and_not_its_own(explorer):
    before = {facet["path"]: facet["rows"] for facet in explorer.seen.facets}

    _built(explorer, {"do": "filter", "path": "accounts.industry", "value": "Finance"})

    after = {facet["path"]: facet["rows"] for facet in explorer.seen.facets}
    assert [row["count"] for row in after["accounts.industry"]] == [row["count"] for row in before["accounts.industry"]]
    assert sum(row["count"] for row in after["country"]) < sum(row["count"] for row in before["country"])


def test_filters_that_become_part_of_the_rule_find_whom_they_showed(explorer):
    stage = next(facet for facet in explorer.seen.facets if facet["path"].endswith("stage"))["rows"]
    month = next(facet for facet in explorer.seen.facets if facet["kind"] == "months")["rows"][-1]["value"]
    known = next(row["value"] for row in stage if row["value"])
    _built(
        explorer,
        {"do": "filter", "path": "opportunityRoles.opportunity.stage", "value": known},
        {"do": "filter", "path": "xEvent.timestamp", "value": month},
    )
    shown = explorer.seen.chosen

    _built(explorer, {"do": "keep"})

    assert not explorer.problem
    assert explorer.count() == shown > 0


@pytest.mark.parametrize("kind", ["bands", "months", "values"])
@pytest.mark.parametrize("entity", ["person", "account"])
def test_each_value_of_a_chart_is_a_rule_that_finds_as_many(ws, entity, kind):
    explorer = Explorer(ws, entity=entity, as_of=AS_OF)
    facets = [facet for facet in explorer.seen.facets if facet["kind"] == kind]
    first = {facet["path"]: next(row for row in facet["rows"] if row["value"]) for facet in facets}

    counted = {}
    for path, row in first.items():
        one = _built(
            Explorer(ws, entity=entity, as_of=AS_OF),
            {"do": "filter", "path": path, "value": row["value"]},
            {"do": "keep"},
        )
        counted[path] = one.count()

    assert counted == {path: row["count"] for path, row in first.items()}


def test_a_wrong_rule_keeps_what_was_seen_and_says_where_it_is_wrong(explorer):
    before = explorer.seen

    _built(explorer, {"do": "type", "text": "coutry = 'DE'"})

    assert explorer.seen is before
    assert "'country'" in explorer.state["error"]
    with pytest.raises(ConfigError, match="coutry"):
        explorer.save("wrong")


def test_what_is_saved_is_read_back_and_evaluated_as_it_was_shown(ws):
    explorer = _built(Explorer(ws, as_of=AS_OF), *FINANCE)
    explorer.do({"do": "about", "name": "in_finance", "description": "People in finance."})

    explorer.do({"do": "save"})

    assert explorer.notice == "Saved segments/in_finance.yaml"
    again = Explorer(Workspace(ws.folder), "in_finance", as_of=AS_OF)
    assert again.segment == explorer.segment
    assert again.draft.rows == explorer.draft.rows
    (ws.folder / "segments" / "in_finance.yaml").unlink()


def test_a_name_that_is_none_is_told_and_nothing_is_written(explorer, ws):
    _built(explorer, *FINANCE, {"do": "about", "name": "In finance"})
    before = sorted((ws.folder / "segments").iterdir())

    explorer.do({"do": "save"})

    assert explorer.notice.startswith("Not saved.")
    assert sorted((ws.folder / "segments").iterdir()) == before


def test_values_are_suggested_from_the_data_unless_they_say_who_somebody_is(explorer):
    _built(
        explorer, *FINANCE, {"do": "add", "at": [], "kind": "comparison"}, {"do": "field", "at": [1], "path": "email"}
    )

    industries, addresses = explorer.suggest([0, 0], "fin"), explorer.suggest([1], "")

    assert "Finance" in industries
    assert addresses == []


def test_overlaps_are_the_members_in_both(explorer, ws):
    _built(explorer, {"do": "type", "text": "person_score > 50"})
    inside = set(ws.scan("person").filter(pl.col("person_score") > 50).select("profile_id").collect()["profile_id"])

    counted = {each["segment"]: each["both"] for each in explorer.seen.overlaps}

    assert counted
    for name, both in counted.items():
        assert both == len(inside & set(ws.members(name).collect()["profile_id"]))


def test_what_is_shown_names_nobody(explorer, ws):
    shown = str(explorer.sight) + explorer._repr_mimebundle_()["text/html"]

    emails = ws.scan("person").select("email").collect()["email"].drop_nulls()
    assert [each for each in emails if each in shown] == []
    assert "•••" in shown


def test_an_estimate_is_scaled_from_a_sample_and_the_count_is_exact(ws):
    from cdp_toolkit.segments import sample

    explorer = Explorer(ws, pql="person_score > 50", as_of=AS_OF)
    exact = explorer.seen.count
    few = sample.kept(ws.folder / ".few" / "now", "person", explorer.ground.scan, ws.model, ws.lake.engine,
                      total=explorer.seen.total, size=100)  # fmt: skip
    explorer.ground.__dict__.update(sample=few)
    for name in ("facets", "memberships", "people"):
        explorer.ground.__dict__.pop(name, None)

    explorer.look()

    low, high = explorer.seen.interval
    assert low <= explorer.seen.count <= high
    assert low <= exact <= high
    assert explorer.exact is None
    assert explorer.count() == exact


def test_a_page_and_a_terminal_show_the_rule_and_its_size(explorer):
    _built(explorer, {"do": "type", "text": "person_score > 50"})

    shown = explorer._repr_mimebundle_()

    assert "application/vnd.jupyter.widget-view+json" in shown
    assert "person_score &gt; 50" in shown["text/html"]
    assert f"{explorer.seen.count:,} of {explorer.seen.total:,} people" in shown["text/plain"]

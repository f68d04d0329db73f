"""What the explorer shows is what the engine finds; its text is its whole state."""

import asyncio

import polars as pl
import pytest

from cdp_toolkit.errors import ConfigError
from cdp_toolkit.explore.explorer import Explorer
from cdp_toolkit.explore.explorer.view import ExplorerView
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


@pytest.fixture
def few(ws):
    """Return an explorer that looks at a few of the people, so that it estimates, and counts in many buckets."""
    from cdp_toolkit.segments import sample

    explorer = Explorer(ws, pql="person_score > 50", as_of=AS_OF)
    ground = explorer.ground
    ground.__dict__.update(
        sample=sample.kept(ws.folder / ".few" / "now", "person", ground.sample.scan, ws.model, ws.lake.engine,
                           total=explorer.seen.total, size=100)
    )  # fmt: skip
    for name in ("facets", "memberships", "people"):
        ground.__dict__.pop(name, None)
    ground.bucket_size = 20
    explorer.look()
    return explorer


def test_an_estimate_is_scaled_from_a_sample_and_the_count_is_exact(few, ws):
    exact = ws.preview("person_score > 50", as_of=AS_OF).count

    low, high = few.seen.interval
    assert low <= few.seen.count <= high
    assert low <= exact <= high
    assert few.exact is None
    assert few.count() == exact


def test_a_count_tells_how_far_it_has_come_and_is_dropped_when_nobody_asks_on(few):
    counting = few.counting()
    first = next(counting)

    counting.close()

    assert 0 < first.looked_at < few.seen.total
    assert list(few.counting(lambda: False)) == []
    rest = list(few.counting())
    assert len(rest) > 3
    assert [each.looked_at for each in rest] == sorted({each.looked_at for each in rest})
    assert rest[-1].looked_at == few.seen.total


def test_whatever_ends_a_look_is_told_and_the_next_change_is_looked_at_again(few):
    async def run():
        view, ended = ExplorerView(few), asyncio.Event()
        view.observe(lambda change: change["new"] or ended.set(), "is_busy")

        async def told(text):
            ended.clear()
            view._received(None, {"do": "type", "text": text}, None)
            await asyncio.wait_for(ended.wait(), 60)
            return view.state["error"]

        kept, few.ground.as_of = few.ground.as_of, None
        broken = await told("person_score > 60 and created_at occurs <= 7 days before now")
        few.ground.as_of = kept
        return broken, await told("person_score > 61")

    broken, again = asyncio.run(run())

    assert "Error" in broken
    assert again == ""


def _shown_while(explorer, *messages, until):
    """Send messages to the widget in a loop, as a notebook does, and return what it showed of the count."""

    async def run():
        view = ExplorerView(explorer)
        shown, done = [], asyncio.Event()

        def see(change):
            shown.append(change["new"])
            for number, (when, message) in enumerate(messages):
                if when(change["new"]) and number not in sent:
                    sent.add(number)
                    view._received(None, message, None)
            if until(view):
                done.set()

        sent = set()
        view.observe(see, "count")
        view._received(None, {"do": "count"}, None)
        await asyncio.wait_for(done.wait(), 60)
        return view, shown

    return asyncio.run(run())


def test_the_widget_shows_the_progress_of_a_count_and_then_the_number(few, ws):
    view, shown = _shown_while(few, until=lambda view: view.sight["exact"] is not None)

    shares = [each["share"] for each in shown if each["state"] == "counting"]
    assert len(set(shares)) > 3
    assert shares == sorted(shares)
    assert view.sight["exact"] == ws.preview("person_score > 50", as_of=AS_OF).count


def test_a_count_that_is_stopped_leaves_the_estimate_and_can_begin_again(few):
    is_under_way = lambda count: count.get("share", 0) > 0  # noqa: E731
    is_stopped = lambda count: count["state"] == "stopped"  # noqa: E731

    view, shown = _shown_while(few, (is_under_way, {"do": "stop"}), until=lambda view: view.count["state"] == "stopped")
    assert few.exact is None
    assert shown[-1]["share"] < 1

    view, shown = _shown_while(
        few, (is_under_way, {"do": "stop"}), (is_stopped, {"do": "count"}),
        until=lambda view: view.sight["exact"] is not None,
    )  # fmt: skip
    assert view.sight["exact"] == few.count()


def test_a_newer_click_drops_the_count_of_the_rule_before(few, ws):
    newer = {"do": "type", "text": "person_score > 70"}

    view, _ = _shown_while(
        few, (lambda count: count.get("share", 0) > 0, newer), until=lambda view: view.sight["exact"] is not None
    )

    assert few.pql == "person_score > 70"
    assert view.sight["exact"] == ws.preview("person_score > 70", as_of=AS_OF).count


def test_a_page_and_a_terminal_show_the_rule_and_its_size(explorer):
    _built(explorer, {"do": "type", "text": "person_score > 50"})

    shown = explorer._repr_mimebundle_()

    assert "application/vnd.jupyter.widget-view+json" in shown
    assert "person_score &gt; 50" in shown["text/html"]
    assert f"{explorer.seen.count:,} of {explorer.seen.total:,} people" in shown["text/plain"]

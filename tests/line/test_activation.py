"""Destinations of a workspace: told when they are due, as far as they may be, and where they stand."""

import datetime as dt
import json
import shutil

import polars as pl
import pytest
from typer.testing import CliRunner

import cdp_toolkit as cdp
from cdp_toolkit.cli import app
from cdp_toolkit.demo import make_workspace
from cdp_toolkit.errors import ConfigError, UnknownNameError

MONDAY = dt.datetime(2026, 11, 2, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
NAMES = ["decision_makers_file", "marketo_high_scores", "quiet_accounts_parquet", "sales_calls"]


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("activation") / "demo"
    workspace = cdp.Workspace(make_workspace(folder, persons=300, as_of=MONDAY))
    workspace.load()
    workspace.stitch(as_of=MONDAY)
    workspace.evaluate(as_of=MONDAY)
    return folder


@pytest.fixture
def workspace(evaluated, tmp_path):
    shutil.copytree(evaluated, tmp_path / "demo")
    return cdp.Workspace(tmp_path / "demo")


def told(run):
    return sorted(name for name in run.details if not name.startswith("("))


def edit(workspace, name, **settings):
    file = workspace.folder / "destinations" / f"{name}.yaml"
    file.write_text(file.read_text() + "".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items()))


def policies(workspace, **settings):
    file = workspace.folder / "cdp.yaml"
    file.write_text(file.read_text() + f"\npolicies: {json.dumps(settings)}\n")
    return cdp.Workspace(workspace.folder)


def test_a_destination_is_told_once_a_day_after_an_evaluation_or_when_its_schedule_says(workspace):
    edit(workspace, "sales_calls", schedule="on_change")
    edit(workspace, "quiet_accounts_parquet", schedule="manual")

    first = workspace.activate(as_of=MONDAY)
    soon = workspace.activate(as_of=MONDAY + DAY / 6)
    unevaluated = workspace.activate(as_of=MONDAY + DAY)
    workspace.evaluate(as_of=MONDAY + DAY)
    next_day = workspace.activate(as_of=MONDAY + DAY)

    daily = ["decision_makers_file", "marketo_high_scores", "sales_calls"]
    assert [told(run) for run in (first, soon, unevaluated, next_day)] == [
        daily, ["sales_calls"], ["sales_calls"], daily,
    ]  # fmt: skip


def test_whoever_names_a_destination_or_says_now_does_not_wait(workspace):
    workspace.activate(as_of=MONDAY)

    assert told(workspace.activate("sales_calls", as_of=MONDAY)) == ["sales_calls"]
    assert told(workspace.activate(now=True, as_of=MONDAY)) == NAMES


def test_where_destinations_stand_says_what_they_have_and_what_waits_since_when(workspace):
    before = {each.destination: each for each in workspace.activations(as_of=MONDAY)}
    workspace.activate("decision_makers_file", as_of=MONDAY)
    after = {each.destination: each for each in workspace.activations(as_of=MONDAY)}

    waiting, told = before["decision_makers_file"], after["decision_makers_file"]
    assert (waiting.is_due, waiting.members, waiting.told_at, waiting.oldest_at) == (True, 0, None, MONDAY)
    assert (told.is_due, told.undelivered, told.told_at, told.match_rate) == (False, 0, MONDAY, 1.0)
    assert told.members == told.confirmed == told.sent > 0
    assert told.members + told.refused == waiting.undelivered
    assert after["sales_calls"] == before["sales_calls"]


def test_the_command_line_shows_it_to_people_and_machines(workspace):
    workspace.activate("sales_calls", as_of=MONDAY)
    command = ["--workspace", str(workspace.folder)]

    shown = CliRunner().invoke(app, [*command, "activations"], env={"COLUMNS": "200"})
    machine = CliRunner().invoke(app, [*command, "--json", "activations"])

    assert "Match rate" in shown.stdout
    assert "sales_calls" in workspace.activations()._repr_html_()
    assert [each["destination"] for each in json.loads(machine.stdout)] == NAMES


def test_what_a_destination_refused_is_a_dead_letter_until_it_is_sent_again(workspace):
    workspace.activate("sales_calls", as_of=MONDAY)
    ledger = workspace.lake.scan("activation/ledger").to_native().collect()
    some = ledger.filter(pl.col("outcome") == "delivered").head(2)
    refused = some.with_columns(outcome=pl.lit("refused"), reason=pl.lit("no such number"), entry=pl.col("entry") + 9)
    workspace.lake.record("activation/ledger", refused.to_arrow())

    dead = workspace.dead_letters("sales_calls").collect()
    quiet = workspace.activate("sales_calls", as_of=MONDAY)
    again = workspace.redrive("sales_calls", as_of=MONDAY)

    assert dead["reason"].to_list() == ["no such number"] * 2
    assert quiet.outcome == "unchanged"
    assert again.counts["added"] == 2
    assert workspace.dead_letters("sales_calls").collect().is_empty()


def test_who_is_on_a_list_of_addresses_or_in_a_segment_is_sent_nowhere(workspace):
    plan = workspace.plan("decision_makers_file", as_of=MONDAY)
    address = next(each for each in plan.rows["email"].to_pylist() if each)
    (workspace.folder / "gone.csv").write_text(f"email\n{address.upper()}\n")
    suppressed = policies(workspace, suppress=[{"file": "gone.csv"}, {"segment": "high_scores"}])

    strict = suppressed.plan("decision_makers_file", as_of=MONDAY)

    assert strict.refused["on the suppression list gone.csv"] == 1
    assert strict.refused["on the suppression list high_scores"] > 0
    assert address not in [row["email"] for row in strict.rows.to_pylist() if row["_action"] == "add"]


def test_a_missing_suppression_list_stops_everything_rather_than_suppress_nobody(workspace):
    with pytest.raises(ConfigError, match="no suppression list gone"):
        policies(workspace, suppress=[{"file": "gone.csv"}]).activate(as_of=MONDAY)


def test_a_suppression_list_of_what_no_profile_has_is_answered_with_the_nearest(workspace):
    (workspace.folder / "gone.csv").write_text("emial\na@x\n")

    with pytest.raises(UnknownNameError, match="'email'"):
        policies(workspace, suppress=[{"file": "gone.csv"}]).plan("sales_calls")


def test_an_opt_in_holds_for_a_plan_that_was_made_before_it(workspace):
    held = workspace.plan("decision_makers_file", as_of=MONDAY)
    strict = policies(workspace, consent={"default": "opt_in"})

    run = strict.activate(held, as_of=MONDAY)

    consented = workspace.scan("person").filter(pl.coalesce("consent_email", "consent_any") == "y")
    sent = workspace.scan("activation/ledger").filter(pl.col("outcome") == "delivered")
    assert sent.join(consented, on="profile_id", how="anti").collect().is_empty()
    assert "no longer hold" in run.notes[0]


def test_one_destination_that_cannot_be_planned_does_not_stop_the_others(workspace):
    edit(workspace, "sales_calls", forbidden_labels=["I1"])

    run = workspace.activate(as_of=MONDAY)

    assert run.outcome == "partial"
    assert "labelled I1" in run.problems[0]
    assert run.details["decision_makers_file"]["added"] > 0
    assert [each.destination for each in workspace.activations(as_of=MONDAY) if each.is_due] == ["sales_calls"]

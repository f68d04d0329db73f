"""The page about profiles says what works."""

import datetime as dt
import re
from pathlib import Path

import pytest

import cdp_toolkit as cdp
from cdp_toolkit.segments.pql.bind import bind
from cdp_toolkit.segments.pql.parse import parse
from cdp_toolkit.segments.pql.times import Clock

PAGE = (Path(__file__).parent.parent.parent / "docs" / "profiles.md").read_text("utf-8")


@pytest.fixture
def workspace(tmp_path):
    (settings,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "cdp.yaml").write_text(settings, "utf-8")
    return cdp.Workspace(tmp_path)


def test_the_workspace_of_the_page_opens_and_means_what_the_page_says(workspace):
    default, crm_first = workspace.policies.values()

    rules = {name: str(default.rule("person", name)) for name in ("person_score", "job_title", "city", "consent_email")}
    assert rules == {
        "person_score": "marketo first", "job_title": "crm, then marketo first", "city": "latest",
        "consent_email": "strictest",
    }  # fmt: skip
    assert str(default.rule("account", "industry")) == "crm first"
    assert str(crm_first.rule("person", "mobile_phone")) == "latest"
    assert workspace.computed.levels == (("visits_30d",), ("is_warm",), ("warm_people",))


@pytest.mark.parametrize("rule", re.findall(r"`((?:exists C from|pipelines\.|peopleByRole\.)[^`]+)`", PAGE))
def test_the_rules_of_the_page_are_rules(workspace, rule):
    entity = "person" if "personComponents" in rule else "account"

    assert bind(parse(rule), workspace.model, entity=entity, clock=Clock(dt.datetime(2026, 1, 1, tzinfo=dt.UTC)))


def test_every_column_of_the_page_is_one(workspace):
    table = PAGE.partition("## What an account adds up to")[2].partition("**Currencies")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("|")]
    columns = [name for row in rows for name in re.findall(r"`([a-z_]+)`", row)]

    assert columns
    assert set(columns) <= set(workspace.model.entity("account").fields)

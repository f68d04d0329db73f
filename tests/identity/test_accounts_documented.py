"""The page on accounts says what is true: its settings are the defaults, and its rules are understood."""

import re
from pathlib import Path

import cdp_toolkit as cdp
from cdp_toolkit.identity import IdentityRules
from cdp_toolkit.identity.lead_to_account import LeadToAccount

PAGE = (Path(__file__).parents[2] / "docs" / "accounts.md").read_text("utf-8")


def test_the_settings_that_the_page_shows_are_the_defaults(tmp_path):
    (tmp_path / "cdp.yaml").write_text(re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1], "utf-8")

    assert cdp.Workspace(tmp_path).settings.identity.lead_to_account == LeadToAccount()


def test_the_rules_that_the_page_shows_are_understood(tmp_path):
    (tmp_path / "cdp.yaml").write_text("name: acme\n", "utf-8")
    rules = [("person", re.search(r"```\n(accountRelations.*?)```", PAGE, re.DOTALL)[1])]
    rules.append(("account", re.search(r"`(ultimateParent\..*?)`", PAGE)[1]))

    workspace = cdp.Workspace(tmp_path)

    for number, (entity, pql) in enumerate(rules):
        workspace.save(cdp.Segment(name=f"rule_{number}", entity=entity, pql=pql.strip()))


def test_each_namespace_that_the_page_lists_exists_in_that_order():
    listed = re.findall(r"^\| `(\w+)` \| ", PAGE.partition("## Families")[0], re.MULTILINE)

    priorities = [IdentityRules().namespace(name).priority for name in listed]

    assert len(listed) == 6
    assert priorities == sorted(priorities)

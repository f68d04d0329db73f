"""The page on identities says what is true: its example is a workspace that works."""

import re
from pathlib import Path

import pytest

import cdp_toolkit as cdp

PAGE = Path(__file__).parents[2] / "docs" / "identity.md"
CUSTOMERS = """id,first,last,mail,phone,card
1,Ana,Lima,ana@acme.example,,L-0001
2,Bo,Moor,moor@family.example,,
3,Bob,Moor,moor@family.example,,
4,Anna,Costa,anna@home.example,,
5,Cy,Nash,c.y@googlemail.com,,
6,Cy,Nash,cy+shop@gmail.com,,
7,Di,Olsen,,030 2093-1234,
8,Di,Olsen,,+49 30 20931234,
9,Eva,Park,n/a,,card
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("documented")
    for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        name, text = re.match(r"# (\S+)\n(.*)", block, re.DOTALL).groups()
        # proposals need more people than these
        (folder / name).write_text(re.sub(r"  probable:\n(    .*\n)+", "", text), "utf-8")
    (folder / "exports").mkdir()
    (folder / "exports" / "customers.csv").write_text(CUSTOMERS, "utf-8")
    found = cdp.Workspace(folder)
    found.load()
    found.stitch()
    return found


def groups(workspace):
    ids = workspace.scan("identity/person_ids").collect()
    found = {}
    for key, profile in ids.select("source_key", "profile_id").rows():
        found.setdefault(profile, set()).add(key.partition("@")[0])
    return sorted(sorted(group) for group in found.values())


def test_the_example_links_whom_it_says_it_links(workspace):
    assert groups(workspace) == [["1", "4"], ["2"], ["3"], ["5", "6"], ["7", "8"], ["9"]]


def test_the_example_refuses_what_it_says_it_refuses(workspace):
    refused = workspace.scan("identity/refused_links").collect().select("namespace", "value", "reason").rows()
    rejected = workspace.scan("entities/_rejected").collect().select("value", "reason").rows()

    assert ("loyalty_card", "card", "not like ^L-[0-9]{4}$") in refused
    assert ("email", "moor@family.example", "would join what was judged apart") in refused
    assert rejected == [("n/a", "not an e-mail address; the row was kept without it")]


def test_someone_is_found_as_their_record_spelt_it(workspace):
    assert workspace.profile("cy+shop@gmail.com").profile_id == workspace.profile("cy@gmail.com").profile_id


def test_the_whole_example_is_valid(tmp_path):
    for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        (tmp_path / block.split()[1]).write_text(block, "utf-8")

    rules = cdp.Workspace(tmp_path).settings.identity

    assert (rules.probable["account"].merge_above, rules.namespace("loyalty_card").unique) == (0.99, "profile")


def test_each_namespace_that_the_page_lists_exists_in_that_order(workspace):
    table = PAGE.read_text("utf-8").partition("| namespace |")[2].partition("\n\n")[0]
    listed = [name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1])]
    rules = workspace.settings.identity

    priorities = [rules.namespace(name).priority for name in listed]

    assert priorities == sorted(priorities)

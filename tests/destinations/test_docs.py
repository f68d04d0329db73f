"""The page on destinations names every refusal with its cure, and every policy of the core."""

import re
from pathlib import Path

import pytest

from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.destinations.planning import Guard
from cdp_toolkit.destinations.policies import CORE, MARKETING_ACTIONS, Policies

PAGE = (Path(__file__).parents[2] / "docs/destinations.md").read_text("utf-8")
CURES = [re.escape(cure).replace("…", ".+") for cure in re.findall(r"^\| `(.+?)` \| .+ \|$", PAGE, re.MULTILINE)]


def test_every_reason_of_a_refusal_has_its_cure(world, frame):
    world.person(1, "buyers", consent_email="n")
    world.person(2, "buyers", consent_email="p")
    world.person(3, "buyers", email=None)
    world.person(4, "buyers", email="same@x")
    world.person(5, "buyers", email="same@x")
    world.person(6, "buyers")
    world.join(7, "buyers")
    world.lead(8, "buyers", email="lead@x")
    world.records[-1]["is_deleted"] = True
    listed = Guard(suppressed={"do_not_contact": frame({"profile_id": [6]})})
    held_out = Guard(Policies(holdouts={"spring": {"share": 0.9999}}))
    settings = {"audiences": ["buyers"], "mode": "mirror", "mapping": {"mail": "email"}, "key": "mail"}
    mail = Destination(name="out", type="files", **settings)
    leads = Destination(name="leads", type="marketo_static_list_file", audiences=["buyers"])

    plans = [world.plan(mail, guard=listed), world.plan(mail, guard=held_out), world.plan(leads)]

    reasons = {reason for plan in plans for reason in plan.refused}
    assert len(reasons) == 8
    assert [reason for reason in reasons if not any(re.fullmatch(cure, reason) for cure in CURES)] == []


@pytest.mark.parametrize("label", CORE)
def test_what_a_label_forbids_stands_on_the_page(label):
    (row,) = [line for line in PAGE.splitlines() if line.startswith("| `C") and f"`{label}`" in line.split("|")[1]]

    told = re.findall(r"`(\w+)`", row.split("|")[2])

    assert set(told) == set(CORE[label]) or (CORE[label] == MARKETING_ACTIONS and "everything" in row)

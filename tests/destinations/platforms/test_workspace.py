"""A folder with five audiences for four platforms, walked through the whole line twice."""

import json
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

import cdp_toolkit as cdp
from tests.stand_ins.braze import Braze
from tests.stand_ins.google import Google
from tests.stand_ins.linkedin import LinkedIn
from tests.stand_ins.meta import Meta
from tests.stand_ins.serve import serving

CONTACTS = "Id,AccountId,FirstName,LastName,Email,Title,Phone,MailingCountry,HasOptedOutOfEmail,SystemModstamp"
ACCOUNTS = "Id,Name,Website,Industry,SystemModstamp"
SEGMENTS = {
    "buyers": ("person", 'extendedWorkDetails.jobTitle = "Buyer"'),
    "finance": ("account", 'accountOrganization.industry = "Finance"'),
}


def contact(number, title="Buyer", email=None, opted_out="false", day=1):
    address = f"p{number}@x.example" if email is None else email
    named = f"C{number},A1,P{number},Li,{address},{title},(212) 555-010{number}"
    return f"{named},US,{opted_out},2026-01-{day:02}T00:00:00Z"


def account(number, industry="Finance", day=1):
    return f"A{number},Company {number},https://company{number}.example,{industry},2026-01-{day:02}T00:00:00Z"


@pytest.fixture
def platforms():
    return {
        "google": Google(),
        "meta": Meta(asks_for_proof=True),
        "linkedin": LinkedIn(not_ready=0),
        "braze": Braze(users={f"p{number}@x.example": {} for number in range(1, 4)}),
    }


@pytest.fixture
def workspace(platforms, tmp_path, monkeypatch):
    running = ExitStack()
    urls = {name: running.enter_context(serving(each.app)) for name, each in platforms.items()}
    monkeypatch.setenv("GOOGLE_KEY", platforms["google"].service_account(urls["google"]))
    monkeypatch.setenv("META_TOKEN", platforms["meta"].token)
    monkeypatch.setenv("META_SECRET", platforms["meta"].secret)
    monkeypatch.setenv("LINKEDIN_TOKEN", platforms["linkedin"].token)
    monkeypatch.setenv("BRAZE_KEY", platforms["braze"].key)
    for name, settings in destinations(urls).items():
        write(tmp_path / "destinations" / f"{name}.yaml", yaml.safe_dump({"name": name, **settings}))
    for name, (entity, pql) in SEGMENTS.items():
        write(tmp_path / "segments" / f"{name}.yaml", yaml.safe_dump({"name": name, "entity": entity, "pql": pql}))
    crm = {"type": "files", "system": "salesforce", "instance": "main", "path": "crm"}
    write(tmp_path / "cdp.yaml", yaml.safe_dump({"name": "small", "sources": {"crm": crm}}))
    with running:
        yield cdp.Workspace(tmp_path)


def destinations(urls):
    people = {"audiences": ["buyers"], "mapping": {"phone": "work_phone", "country": "country"}}
    linkedin = {"type": "linkedin_matched_audience", "account": "516848833", "access_token": "${env:LINKEDIN_TOKEN}",
                "base_url": urls["linkedin"]}  # fmt: skip
    return {
        "google": {**people, "type": "google_customer_match", "service_account": "${env:GOOGLE_KEY}",
                   "operating_account": "1234567890", "audience_ids": {"buyers": "111"},
                   "customer_match_terms": "accepted", "region": "US", "base_url": urls["google"]},
        "meta": {**people, "type": "meta_custom_audience", "access_token": "${env:META_TOKEN}",
                 "app_secret": "${env:META_SECRET}", "audience_ids": {"buyers": "6001"}, "base_url": urls["meta"]},
        "linkedin_people": {**linkedin, "audiences": ["buyers"]},
        "linkedin_companies": {**linkedin, "audiences": ["finance"], "members": "companies"},
        "braze": {"type": "braze", "audiences": ["buyers"], "api_key": "${env:BRAZE_KEY}", "base_url": urls["braze"]},
    }  # fmt: skip


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def walk(workspace, *rows):
    write(workspace.folder / "crm" / "Contact.csv", "\n".join([CONTACTS, *(row for row in rows if row[0] == "C")]))
    write(workspace.folder / "crm" / "Account.csv", "\n".join([ACCOUNTS, *(row for row in rows if row[0] == "A")]))
    workspace.load()
    workspace.stitch()
    workspace.evaluate()


def in_lists(platforms):
    google, meta, linkedin, braze = platforms.values()
    return {
        "google": len(google.lists["111"]),
        "meta": len(meta.audiences["6001"]),
        "linkedin_people": len(linkedin.told("linkedin_people.buyers")),
        "linkedin_companies": linkedin.told("linkedin_companies.finance"),
        "braze": sorted(name for name, user in braze.users.items() if user.get("cdp_audiences")),
    }


def test_a_dry_run_calls_nobody_and_an_activation_leaves_nothing_to_do(platforms, workspace):
    walk(workspace, contact(1), contact(2), contact(3, email=""), contact(4, opted_out="true"), account(1))
    plans = {plan.destination: plan for plan in workspace.activate(dry_run=True)}
    calls = sum(len(each.switches.calls) for each in platforms.values())

    run = workspace.activate(now=True)

    assert (plans["google"].totals["add"], plans["google"].refused) == (3, {"opted out of email": 1})
    assert plans["meta"].totals["add"] == 3
    assert plans["linkedin_people"].refused == {"opted out of email": 1, "no email": 1}
    assert calls == 0
    assert (run.outcome, run.counts["failed"], run.counts["refused"]) == ("done", 0, 6)
    assert in_lists(platforms) == {
        "google": 3,
        "meta": 3,
        "linkedin_people": 2,
        "linkedin_companies": ["company1.example"],
        "braze": ["p1@x.example", "p2@x.example"],
    }
    assert all(plan.is_empty for plan in workspace.activate(dry_run=True))


def test_who_leaves_or_opts_out_is_taken_off_everywhere_also_when_platforms_fail_for_a_while(platforms, workspace):
    walk(workspace, contact(1), contact(2), contact(3), account(1), account(2))
    workspace.activate(now=True)
    walk(workspace, contact(1), contact(2, title="CEO", day=2), contact(3, opted_out="true", day=2),
         account(1), account(2, "Retail", day=2))  # fmt: skip
    soon = json.dumps({"64": [{"type": "custom_audience", "estimated_time_to_regain_access": 0.0001}]})
    for each in platforms.values():
        each.switches.fail(503, {"error": {"code": 80003}}, Retry_After="0", X_Business_Use_Case_Usage=soon)

    run = workspace.activate(now=True)

    assert (run.outcome, run.counts["failed"]) == ("done", 0)
    assert in_lists(platforms) == {
        "google": 1,
        "meta": 1,
        "linkedin_people": 1,
        "linkedin_companies": ["company1.example"],
        "braze": ["p1@x.example"],
    }


def test_one_platform_that_refuses_the_login_leaves_the_others_alone(platforms, workspace):
    walk(workspace, contact(1), account(1))
    platforms["linkedin"].token = "of-tomorrow"
    partial = workspace.activate(now=True)
    platforms["linkedin"].token = "AQX-linkedin-token"

    whole = workspace.activate(now=True)

    assert (partial.outcome, partial.counts["added"], partial.counts["failed"]) == ("partial", 3, 2)
    assert (whole.outcome, whole.counts["added"]) == ("done", 2)


def test_the_doctor_looks_at_all_of_them(platforms, workspace):
    platforms["braze"].key = "another"

    health = workspace.doctor()

    assert [each.status for each in health.found["destination google"]] == ["warning"]
    assert [each.status for each in health.found["destination braze"]] == ["problem"]

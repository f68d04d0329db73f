"""Our own connectors, held to the contract by what others hold theirs to."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cdp_toolkit.connectors.braze.destination import BrazeConnection
from cdp_toolkit.connectors.dynamics.source import DynamicsSource
from cdp_toolkit.connectors.files.destination import FilesConnection
from cdp_toolkit.connectors.files.source import FilesSource
from cdp_toolkit.connectors.google.destination import CustomerMatchConnection
from cdp_toolkit.connectors.hubspot.source import HubSpotSource
from cdp_toolkit.connectors.linkedin.destination import MatchedAudienceConnection
from cdp_toolkit.connectors.meta.destination import CustomAudienceConnection
from cdp_toolkit.connectors.salesforce.source import SalesforceSource
from cdp_toolkit.connectors.sql.source import SqlSource
from cdp_toolkit.connectors.webhook.destination import WebhookConnection
from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.testing import check_destination, check_source
from tests.stand_ins.braze import Braze
from tests.stand_ins.google import Google
from tests.stand_ins.linkedin import LinkedIn
from tests.stand_ins.meta import Meta
from tests.stand_ins.receiver import Receiver
from tests.stand_ins.serve import serving

PEOPLE = [{"email": f"p{number}@x.example"} for number in range(3)]


def destination(**settings):
    return Destination(name="checked", type="any", audiences=["buyers"], **settings)


def test_google(monkeypatch):
    google = Google()
    with serving(google.app) as url:
        monkeypatch.setenv("KEY", google.service_account(url))
        defined = destination(service_account="${env:KEY}", operating_account=google.account, base_url=url,
                              audience_ids={"buyers": "111"}, customer_match_terms="accepted")  # fmt: skip

        check_destination(
            lambda: CustomerMatchConnection(defined, Path()), PEOPLE, audience="buyers", held=lambda: google.told("111")
        )


def test_meta(monkeypatch):
    meta = Meta()
    monkeypatch.setenv("KEY", meta.token)
    with serving(meta.app) as url:
        defined = destination(access_token="${env:KEY}", audience_ids={"buyers": "6001"}, base_url=url)

        check_destination(
            lambda: CustomAudienceConnection(defined, Path()), PEOPLE, audience="buyers", held=lambda: meta.told("6001")
        )


@pytest.mark.parametrize(
    ("members", "rows"),
    [
        ("people", PEOPLE),
        ("companies", [{"domain": "a.example", "name": "A"}, {"website": "https://b.example", "name": "B"}]),
    ],
)
def test_linkedin(monkeypatch, members, rows):
    linkedin = LinkedIn(not_ready=0)
    monkeypatch.setenv("KEY", linkedin.token)
    with serving(linkedin.app) as url:
        defined = destination(access_token="${env:KEY}", account=linkedin.account, members=members, base_url=url)

        check_destination(
            lambda: MatchedAudienceConnection(defined, Path()),
            rows,
            audience="buyers",
            held=lambda: linkedin.told("checked.buyers"),
        )


def test_braze(monkeypatch):
    braze = Braze(users={person["email"]: {} for person in PEOPLE})
    monkeypatch.setenv("KEY", braze.key)
    with serving(braze.app) as url:
        defined = destination(api_key="${env:KEY}", base_url=url)

        check_destination(
            lambda: BrazeConnection(defined, Path()),
            PEOPLE,
            audience="buyers",
            held=lambda: [name for name, user in braze.users.items() if user.get("cdp_audiences")],
        )


def test_files_as_a_destination(tmp_path):
    defined = destination(mode="full", key="email", mapping={"email": "email"}, path="out/buyers.csv")

    check_destination(
        lambda: FilesConnection(defined, tmp_path),
        PEOPLE,
        audience="buyers",
        held=lambda: (tmp_path / "out" / "buyers.csv").read_text("utf-8").split()[1:],
    )


def test_files_as_a_source(tmp_path):
    for name in ("contacts/1.csv", "contacts/2.csv", "deals.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"id,name\n{name},x\n", "utf-8")

    check_source(lambda: FilesSource({"type": "files", "path": "."}, folder=tmp_path, objects={}, where="cdp.yaml"))


def test_salesforce(salesforce, tmp_path):
    for number in range(7):
        salesforce.save("Contact", Email=f"c{number}@x.example")
    told = {"type": "salesforce", "instance": "00D5g", "base_url": salesforce.url, "client_id": "key", "page_rows": 3,
            "username": "cdp@acme.example", "private_key": "${env:SF_KEY}", "objects": ["Contact"]}  # fmt: skip

    check_source(lambda: SalesforceSource(told, folder=tmp_path))


def test_hubspot(hubspot, tmp_path):
    for number in range(7):
        hubspot.save("contacts", email=f"c{number}@x.example")
    told = {"type": "hubspot", "instance": "4711", "base_url": hubspot.url, "access_token": "${env:HUBSPOT_TOKEN}",
            "objects": ("contacts", "companies")}  # fmt: skip

    check_source(lambda: HubSpotSource(told, folder=tmp_path))


def test_dynamics(dynamics, tmp_path):
    for number in range(7):
        dynamics.save("contact", emailaddress1=f"c{number}@x.example")
        dynamics.save("account", name=f"Company {number}")
    told = {"type": "dynamics", "instance": "acme", "base_url": dynamics.url, "login_url": dynamics.url,
            "tenant_id": "tenant", "client_id": "app", "client_secret": "${env:DYNAMICS_SECRET}", "page_rows": 3,
            "objects": ("account", "contact")}  # fmt: skip

    check_source(lambda: DynamicsSource(told, folder=tmp_path))


def test_tables_of_a_database(tmp_path):
    with closing(sqlite3.connect(tmp_path / "crm.db")) as connection, connection:
        connection.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, changed TEXT)")
        connection.executemany(
            "INSERT INTO people VALUES (?, ?, ?)", [(n, f"P{n}", f"2026-01-{n:02}") for n in range(1, 9)]
        )
        connection.execute("CREATE TABLE firms (id INTEGER PRIMARY KEY, changed TEXT)")
        connection.execute("INSERT INTO firms VALUES (1, '2026-01-01')")
    tables = {name: {"watermark": "id"} for name in ("firms", "people")}

    check_source(lambda: SqlSource({"type": "sql", "uri": "sqlite:///crm.db", "tables": tables}, folder=tmp_path))


def test_a_receiver(monkeypatch, tmp_path):
    receiver = Receiver()
    monkeypatch.setenv("HOOK_SECRET", receiver.secret)
    with serving(receiver.app) as url:
        defined = destination(url=f"{url}/hook", secret="${env:HOOK_SECRET}", allow=["127.0.0.0/8"],
                              mapping={"email": "email"}, key="email")  # fmt: skip

        check_destination(
            lambda: WebhookConnection(defined, tmp_path), PEOPLE, audience="buyers", held=lambda: list(receiver.has)
        )

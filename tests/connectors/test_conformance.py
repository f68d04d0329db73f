"""Our own connectors, held to the contract by what others hold theirs to."""

from pathlib import Path

import pytest

from cdp_toolkit.connectors.braze.destination import BrazeConnection
from cdp_toolkit.connectors.files.destination import FilesConnection
from cdp_toolkit.connectors.files.source import FilesSource
from cdp_toolkit.connectors.google.destination import CustomerMatchConnection
from cdp_toolkit.connectors.linkedin.destination import MatchedAudienceConnection
from cdp_toolkit.connectors.meta.destination import CustomAudienceConnection
from cdp_toolkit.destinations.definition import Destination
from cdp_toolkit.testing import check_destination, check_source
from tests.stand_ins.braze import Braze
from tests.stand_ins.google import Google
from tests.stand_ins.linkedin import LinkedIn
from tests.stand_ins.meta import Meta
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
